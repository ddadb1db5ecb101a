//! What was fetched, against what was pushed.

use jiff::civil::date;
use jiff::tz::TimeZone;
use postback_store::endpoints::{Outage, State};
use postback_store::insert;
use postback_store::reports::Money;
use postback_store::reports::pushes::Pushes;
use postback_store::reports::question::{DateBy, Dimension, Question, Table};
use postback_store::rows::{ConversionRow, Outcome, PostbackRow, RefusalRow};

use crate::database::with_database;
use crate::sales::{at, postback, refusal, sale, units};
use crate::{insert_conversions, insert_postbacks};

const OFF_FROM: &str = "2026-09-01T10:00:00Z";
const OFF_TO: &str = "2026-09-01T11:00:00Z";

/// A transaction that the network processed then.
fn processed(
    key: u128,
    currency: &'static str,
    amounts: (&str, &str),
    when: &str,
) -> ConversionRow<'static> {
    ConversionRow {
        processed_at: Some(at(when)),
        received_at: at("2026-09-03T00:00:00Z"),
        ..sale(key, "O", "c", currency, amounts, when)
    }
}

fn conversions() -> Vec<ConversionRow<'static>> {
    vec![
        processed(1, "USD", ("10", "1"), "2026-09-01T10:30:00Z"),
        // Fetched alone: while it was off, to the edge.
        processed(2, "USD", ("20", "2"), OFF_FROM),
        processed(3, "USD", ("0.25", "0.05"), OFF_TO),
        processed(4, "USD", ("30", "3"), "2026-09-01T10:40:00Z"),
        // While requests were refused.
        processed(5, "EUR", ("40", "4"), "2026-09-02T12:07:00Z"),
        // Another source was off then, not this one.
        ConversionRow {
            source: "uk",
            ..processed(6, "EUR", ("50", "5"), "2026-09-01T10:30:00Z")
        },
        // A reversal that was not pushed either.
        ConversionRow {
            status: "reversed",
            ..processed(7, "USD", ("-20", "-2"), "2026-09-02T15:00:00Z")
        },
        // A signal is no transaction, and this one was processed before the range.
        ConversionRow {
            kind: "signal",
            ..processed(8, "USD", ("60", "6"), "2026-09-01T10:30:00Z")
        },
        processed(9, "USD", ("70", "7"), "2026-08-31T23:59:59Z"),
    ]
}

fn postbacks() -> Vec<PostbackRow<'static>> {
    let key_day = |key: u128| match key {
        9 => date(2026, 8, 31),
        5 | 7 => date(2026, 9, 2),
        _ => date(2026, 9, 1),
    };
    let pulled = |number: u128, key: u128| PostbackRow {
        via: "backfill",
        key_day: Some(key_day(key)),
        ..postback(
            number,
            key,
            "2026-09-03T00:00:00Z",
            number.try_into().unwrap(),
        )
    };
    let pushed = |number: u128, key: u128| PostbackRow {
        key_day: Some(key_day(key)),
        ..postback(
            number,
            key,
            "2026-09-01T10:31:00Z",
            number.try_into().unwrap(),
        )
    };
    let mut rows: Vec<_> = (2..=9).map(|key| pulled(100 + key, key)).collect();
    // Pushed and fetched: missed by nobody.
    rows.extend([pushed(1, 1), pulled(101, 1), pushed(4, 4)]);
    // A push that was rejected is none that counts.
    rows.push(PostbackRow {
        outcome: Outcome::Rejected,
        reasons: vec!["unreadable_key_date"],
        ..pushed(2, 2)
    });
    rows
}

fn refusals() -> Vec<RefusalRow<'static>> {
    vec![refusal(1, "us", "overloaded", "2026-09-02T12:01:00Z", 0)]
}

fn asked() -> Question {
    let (from, to) = (at("2026-09-01T00:00:00Z"), at("2026-09-03T00:00:00Z"));
    Question::new(from, to, DateBy::Processed, TimeZone::UTC)
}

fn off() -> Vec<Outage> {
    vec![Outage {
        source: "us".to_owned(),
        state: State::Disabled,
        from: at(OFF_FROM),
        seen_at: at(OFF_FROM),
        to: Some(at(OFF_TO)),
        over_at: Some(at(OFF_TO)),
    }]
}

#[tokio::test]
async fn what_was_only_fetched_is_missed_and_why_is_known_by_the_time() {
    with_database("pushes", |loader, reader| async move {
        insert_conversions(&loader, conversions()).await;
        insert_postbacks(&loader, postbacks()).await;
        insert::refusals(&loader, refusals()).await.unwrap();
        let mut question = asked();
        question.by = vec![Dimension::of(Table::Conversions, "day").unwrap()];
        let found = reader.pushes(&question, &off()).await.unwrap();
        let row = |row: &Pushes| {
            let why = [row.while_off, row.while_refused, row.unknown()];
            let money = (row.missed_sales, row.missed_commission);
            let of = (row.dimension.concat(), row.currency.clone());
            (of, row.transactions, row.missed, money, why)
        };
        let of = |day: &str, currency: &str| (day.to_owned(), currency.to_owned());
        let money =
            |sales, commission| (Money(units(sales).into()), Money(units(commission).into()));
        assert_eq!(
            found.rows.iter().map(row).collect::<Vec<_>>(),
            [
                (of("2026-09-01", "EUR"), 1, 1, money("50", "5"), [0, 0, 1]),
                (
                    of("2026-09-01", "USD"),
                    4,
                    2,
                    money("20.25", "2.05"),
                    [1, 0, 1]
                ),
                (of("2026-09-02", "EUR"), 1, 1, money("40", "4"), [0, 1, 0]),
                (of("2026-09-02", "USD"), 1, 1, money("-20", "-2"), [0, 0, 1]),
            ]
        );
        assert_eq!(
            found.totals.iter().map(row).collect::<Vec<_>>(),
            [
                (of("", "EUR"), 2, 2, money("90", "9"), [0, 1, 1]),
                (of("", "USD"), 5, 3, money("0.25", "0.05"), [1, 0, 2]),
            ]
        );

        let listed = reader.missed_pushes(&asked(), &off(), 10).await.unwrap();
        let whys: Vec<_> = listed.iter().map(|missed| &*missed.why).collect();
        assert_eq!(whys, ["off", "unknown", "unknown", "refused", "unknown"]);
        assert!(listed.iter().all(|missed| missed.total == 5));
        assert_eq!(listed[0].processed_at, Some(at(OFF_FROM)));
        let first = reader.missed_pushes(&asked(), &[], 1).await.unwrap();
        assert_eq!(
            (first.len(), first[0].total, &*first[0].why),
            (1, 5, "unknown")
        );
    })
    .await;
}

#[tokio::test]
async fn where_nothing_was_fetched_nothing_is_missed() {
    with_database("pushes_none", |loader, reader| async move {
        let found = reader.pushes(&asked(), &off()).await.unwrap();
        assert_eq!(found, postback_store::reports::pushes::Report::default());
        insert_conversions(&loader, conversions()).await;
        let found = reader.pushes(&asked(), &off()).await.unwrap();
        let missed: u64 = found.totals.iter().map(|total| total.missed).sum();
        let all: u64 = found.totals.iter().map(|total| total.transactions).sum();
        assert_eq!((missed, all), (0, 7));
    })
    .await;
}
