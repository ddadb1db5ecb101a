//! Rows by time where clocks change, in zones that do it in different ways: sales at random around
//! each change against a calendar of the test's own.

use std::collections::BTreeMap;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ToSpan as _, Zoned};
use postback_store::reports::Reader;
use postback_store::reports::activity::{Names, Sender};
use postback_store::reports::question::{Column, DateBy, Dimension, Filter, Question, Table};
use postback_store::rows::{ConversionRow, Decimal4, PostbackRow};

use crate::books::Dice;
use crate::database::with_database;
use crate::sales::{at, postback, sale};
use crate::{insert_conversions, insert_postbacks};

/// Zones, and a moment at which their clocks change. Cairo's and Havana's change at midnight: days
/// begin at one o'clock there, or have their first hour twice. Kathmandu's never do, and its hours
/// begin at a quarter past UTC's.
const CHANGES: [(&str, &str); 8] = [
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("America/Havana", "2026-03-08T05:00:00Z"),
    ("America/Havana", "2026-11-01T05:00:00Z"),
    ("Asia/Kathmandu", "2026-05-01T00:00:00Z"),
];

/// Each change happens so often, among other sales.
const TIMES: usize = 2;

/// Moments within four days of a change, half of them within five hours.
fn moments(dice: &mut Dice, change: Timestamp) -> Vec<Timestamp> {
    let moments = (0..150).map(|_| {
        let hours = if dice.roll(2) == 0 { 5 } else { 96 };
        let seconds = i64::try_from(dice.roll(2 * hours * 3_600)).unwrap();
        change - SignedDuration::from_hours(i64::try_from(hours).unwrap())
            + SignedDuration::from_secs(seconds)
    });
    moments.collect()
}

/// A sale for each, of an advertiser for each change.
fn sales(number: usize, moments: &[Timestamp]) -> Vec<ConversionRow<'static>> {
    let advertiser: &str = Box::leak(number.to_string().into_boxed_str());
    let sale = |(place, moment): (usize, &Timestamp)| ConversionRow {
        advertiser_id: advertiser,
        sale_amount: Some(Decimal4(i64::try_from(place).unwrap() + 1)),
        ..sale(
            (number * 1_000 + place + 1) as u128,
            "",
            "c",
            "USD",
            ("0", "0"),
            &moment.to_string(),
        )
    };
    moments.iter().enumerate().map(sale).collect()
}

fn asked(from: Timestamp, to: Timestamp, zone: &TimeZone, by: &str, number: usize) -> Question {
    let mut question = Question::new(from, to, DateBy::Occurred, zone.clone());
    question.by = vec![Dimension::of(Table::Conversions, by).unwrap()];
    let added = question
        .only
        .add(Column::advertiser(), false, &number.to_string());
    added.unwrap();
    question
}

/// The label of a moment.
fn label(moment: Timestamp, zone: &TimeZone, by: &str) -> String {
    let local = moment.to_zoned(zone.clone());
    let day = local.date();
    match by {
        "hour" => label_of_hour(&local),
        "day" => day.to_string(),
        "week" => (day - i64::from(local.weekday().to_monday_zero_offset()).days()).to_string(),
        _ => day.to_string()[..7].to_owned(),
    }
}

fn label_of_hour(local: &Zoned) -> String {
    let into = i64::from(local.minute()) * 60 + i64::from(local.second());
    let began = local - SignedDuration::from_secs(into);
    let form = if began.offset() == Offset::UTC {
        "%Y-%m-%dT%H:%MZ"
    } else {
        "%Y-%m-%dT%H:%M%:z"
    };
    began.strftime(form).to_string()
}

/// Transactions and ten-thousandths by label.
type Sums = BTreeMap<String, (u64, i128)>;

fn sums(moments: &[Timestamp], question: &Question, label: impl Fn(Timestamp) -> String) -> Sums {
    let mut sums = Sums::new();
    for (place, moment) in moments.iter().enumerate() {
        if question.from <= *moment && *moment < question.to {
            let sum = sums.entry(label(*moment)).or_default();
            *sum = (sum.0 + 1, sum.1 + place as i128 + 1);
        }
    }
    sums
}

async fn found(reader: &Reader, question: &Question) -> Sums {
    let found = reader.summary(question, None).await.unwrap().now;
    let mut sums = Sums::new();
    for row in found.rows {
        let figures = (row.transactions, row.gross_sales.0);
        let twice = sums.insert(row.dimension.concat(), figures);
        assert_eq!(twice, None, "two rows are called {:?}", row.dimension);
    }
    sums
}

#[tokio::test]
async fn rows_by_time_are_those_of_the_calendar() {
    with_database("clocks", |loader, reader| async move {
        let mut dice = Dice(1);
        for number in 0..TIMES * CHANGES.len() {
            let (name, change) = CHANGES[number % CHANGES.len()];
            let zone = TimeZone::get(name).unwrap();
            let moments = moments(&mut dice, at(change));
            insert_conversions(&loader, sales(number, &moments)).await;
            let begin = |days: i64| {
                let day = at(change).to_zoned(zone.clone()).date() + days.days();
                day.to_zoned(zone.clone()).unwrap().timestamp()
            };
            for by in ["hour", "day", "week", "month"] {
                let question = asked(begin(-3), begin(3), &zone, by, number);
                let expected = sums(&moments, &question, |moment| label(moment, &zone, by));
                let seen = found(&reader, &question).await;
                assert_eq!(seen, expected, "{name} by {by}");
            }
            // Each day beside the one before it.
            for day in -1..=2 {
                let question = asked(begin(day), begin(day + 1), &zone, "hour", number);
                let before = question.before().unwrap();
                assert_eq!(
                    (before.from, before.to),
                    (begin(day - 1), begin(day)),
                    "{name}"
                );
                let expected = sums(&moments, &before, |moment| a_day_later(moment, &zone));
                let seen = found(&reader, &before).await;
                assert_eq!(seen, expected, "{name} before day {day} of {change}");
            }
        }
    })
    .await;
}

/// The label of the hour of the same name on the next day; its own, where that day has none, or where
/// it is the second of its name.
fn a_day_later(moment: Timestamp, zone: &TimeZone) -> String {
    let own = label(moment, zone, "hour");
    let hour = |label: &str| label[..13].to_owned();
    let hours = |around: Timestamp| {
        let steps =
            (-8..=8).map(move |quarter: i64| around + SignedDuration::from_mins(15 * quarter));
        steps
            .map(|moment| label(moment, zone, "hour"))
            .collect::<Vec<_>>()
    };
    // An hour of the same name that began earlier.
    let first = hours(moment)
        .into_iter()
        .find(|label| hour(label) == hour(&own));
    let next = moment.to_zoned(zone.clone()).datetime() + 1.day();
    let wanted = next.to_string()[..13].to_owned();
    let around = zone
        .to_ambiguous_zoned(next)
        .compatible()
        .unwrap()
        .timestamp();
    let same = hours(around)
        .into_iter()
        .find(|label| hour(label) == wanted);
    same.filter(|_| first.as_ref() == Some(&own)).unwrap_or(own)
}

/// Weeks of postbacks at random, more by day; `until` ends them.
fn sent(dice: &mut Dice, until: &Zoned) -> Vec<Timestamp> {
    let mut sent = Vec::new();
    for ago in 0..10 * 168 {
        let hour = until - Span::new().hours(ago + 1);
        let most = if hour.hour() < 7 { 2 } else { 6 };
        for _ in 0..dice.roll(most) {
            let seconds = i64::try_from(1 + dice.roll(3_598)).unwrap();
            sent.push(hour.timestamp() + SignedDuration::from_secs(seconds));
        }
    }
    sent
}

/// Postbacks of the hour that ends so many weeks before, by the clock.
fn of_week(sent: &[Timestamp], until: &Zoned, week: i64) -> u64 {
    let end = (until - Span::new().weeks(week)).timestamp();
    let begin = end - SignedDuration::from_hours(1);
    sent.iter().filter(|at| begin <= **at && **at < end).count() as u64
}

#[tokio::test]
async fn an_hour_is_compared_with_the_same_hour_of_the_weeks_before_by_the_clock() {
    with_database("hours", |loader, reader| async move {
        let mut dice = Dice(5);
        for (number, (name, change)) in CHANGES.into_iter().enumerate() {
            // Some weeks after the change, at any minute.
            let weeks = i64::try_from(1 + dice.roll(6)).unwrap();
            let minutes = i64::try_from(dice.roll(10_080)).unwrap();
            let later =
                SignedDuration::from_hours(weeks * 168) + SignedDuration::from_mins(minutes);
            let until = (at(change) + later).to_zoned(TimeZone::get(name).unwrap());
            let source: &str = Box::leak(format!("s{number}").into_boxed_str());
            let sent = sent(&mut dice, &until);
            let row = |(place, received_at): (usize, &Timestamp)| PostbackRow {
                source,
                received_at: *received_at,
                ..postback(
                    (number * 100_000 + place) as u128,
                    1,
                    "2026-01-01T00:00:00Z",
                    place as u64,
                )
            };
            insert_postbacks(&loader, sent.iter().enumerate().map(row)).await;
            let mut only = Filter::default();
            only.add(Column::source(), false, source).unwrap();
            let found: Vec<Sender> = reader
                .activity(&only, &Names::default(), &until)
                .await
                .unwrap();
            let weeks = (1..=8)
                .map(|week| of_week(&sent, &until, week))
                .sum::<u64>();
            let day = (
                until.timestamp() - SignedDuration::from_hours(24),
                until.timestamp(),
            );
            let last_day = sent
                .iter()
                .filter(|at| day.0 <= **at && **at < day.1)
                .count();
            let expected = (
                of_week(&sent, &until, 0),
                last_day as u64,
                sent.iter().max().copied(),
            );
            let seen = &found[0];
            assert_eq!((seen.hour, seen.day, Some(seen.last)), expected, "{name}");
            assert_eq!(
                seen.usual.mean,
                Some(f64::from(u32::try_from(weeks).unwrap()) / 8.0),
                "{name}"
            );
        }
    })
    .await;
}
