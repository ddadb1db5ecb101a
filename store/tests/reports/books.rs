//! Some thousand conversions with everything that is hard to count: revisions, reversals, signals,
//! several currencies, a day of 25 hours. What a test expects of them is summed up in its own code.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use postback_store::Client;
use postback_store::rows::{ConversionRow, Decimal4};

use crate::insert_conversions;
use crate::sales::{at, id, sale};

/// Numbers that look random and are the same every time (Knuth's MMIX generator).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// The first day of the conversions is 20 days before the first of the range.
pub(crate) const FROM: &str = "2026-10-21T22:00:00Z";
/// Ten days later in Berlin, where the 25th has 25 hours.
pub(crate) const TO: &str = "2026-10-31T23:00:00Z";

pub(crate) fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

pub(crate) fn day_of(moment: Timestamp) -> Date {
    moment.to_zoned(berlin()).date()
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// The rows that count.
pub(crate) fn conversions(count: u128) -> Vec<ConversionRow<'static>> {
    let mut dice = Dice(42);
    (1..=count)
        .map(|number| conversion(number, &mut dice))
        .collect()
}

fn conversion(number: u128, dice: &mut Dice) -> ConversionRow<'static> {
    let seconds = i64::try_from(dice.roll(30 * 86_400)).unwrap();
    let occurred = at("2026-10-02T22:00:00Z") + SignedDuration::from_secs(seconds);
    let advertiser = ["10", "20", "30", "40"][usize::try_from(dice.roll(4)).unwrap()];
    // From the 28th on, advertiser 20 loses most click ids, 30 sends cents for whole units, 40 whole
    // amounts in another currency.
    let is_broken = occurred >= at("2026-10-27T23:00:00Z");
    let is_lost = advertiser == "20" && is_broken && dice.roll(10) < 6;
    let click = if is_lost || dice.roll(20) == 0 {
        ""
    } else {
        "click"
    };
    let currency = match advertiser {
        "40" if is_broken => "EUR",
        "10" if dice.roll(8) == 0 => "JPY",
        _ => "USD",
    };
    let mut units = i64::try_from(1_000 + dice.roll(900_000)).unwrap() * 100;
    if advertiser == "30" && is_broken {
        units *= 100;
    }
    if advertiser == "40" && is_broken {
        units = units / 10_000 * 10_000 + 10_000;
    }
    if dice.roll(50) == 0 {
        units = 0;
    }
    let status = [
        "reported", "reported", "reported", "approved", "rejected", "reversed",
    ][usize::try_from(dice.roll(6)).unwrap()];
    let sign = if status == "reversed" && dice.roll(2) == 0 {
        -1
    } else {
        1
    };
    let kind = [
        "transaction",
        "transaction",
        "transaction",
        "transaction",
        "signal",
        "unknown",
    ][usize::try_from(dice.roll(6)).unwrap()];
    let micros = |dice: &mut Dice, most| {
        SignedDuration::from_micros(i64::try_from(dice.roll(most)).unwrap())
    };
    let processed = (dice.roll(4) > 0).then(|| occurred + micros(dice, 900_000_000_000));
    let received = processed.unwrap_or(occurred) + micros(dice, 60_000_000);
    let flags: Vec<&str> = [
        (3, "whole_amount"),
        (5, "unknown_parameter"),
        (40, "zero_amount"),
    ]
    .into_iter()
    .filter_map(|(sides, flag)| (dice.roll(sides) == 0).then_some(flag))
    .collect();
    ConversionRow {
        source: if dice.roll(3) == 0 { "eu" } else { "us" },
        advertiser_id: advertiser,
        kind,
        status,
        sale_amount: (dice.roll(30) > 0).then_some(Decimal4(sign * units)),
        commission: (dice.roll(30) > 0).then_some(Decimal4(sign * (units / 10))),
        processed_at: processed,
        received_at: received,
        occurred_at: Some(occurred),
        postback_id: id(number + 1_000_000),
        flags,
        revision: 7,
        ..sale(
            number,
            leaked(format!("O{}", number / 2)),
            click,
            currency,
            ("0", "0"),
            &occurred.to_string(),
        )
    }
}

/// Loads them in four batches, a third of them with an earlier revision that says something else,
/// an eighth of them twice; beside them own orders, which are no conversions.
pub(crate) async fn load(loader: &Client, rows: &[ConversionRow<'static>]) {
    let earlier = rows.iter().step_by(3).map(|row| ConversionRow {
        click_id: "",
        status: "reversed",
        flags: vec!["no_identity"],
        postback_id: id(1),
        sale_amount: Some(Decimal4(123)),
        received_at: row.received_at + SignedDuration::from_hours(5),
        revision: 3,
        ..row.clone()
    });
    let orders = rows.iter().step_by(5).map(|row| ConversionRow {
        kind: "order",
        status: "placed",
        conversion_key: id(row.conversion_key.as_u128() + 5_000_000),
        ..row.clone()
    });
    insert_conversions(loader, rows.iter().step_by(2).cloned()).await;
    insert_conversions(loader, earlier.chain(orders)).await;
    insert_conversions(loader, rows.iter().skip(1).step_by(2).cloned()).await;
    insert_conversions(loader, rows.iter().step_by(8).cloned()).await;
}

/// Ten-thousandths; nothing where there is no amount.
pub(crate) fn units(amount: Option<Decimal4>) -> i64 {
    amount.map_or(0, |amount| amount.0)
}

/// As the network reported them, in the range.
pub(crate) fn in_range(row: &ConversionRow<'_>) -> bool {
    row.occurred_at
        .is_some_and(|moment| at(FROM) <= moment && moment < at(TO))
}

/// In the period of ten days before it.
pub(crate) fn in_past(row: &ConversionRow<'_>) -> bool {
    let from = at("2026-10-11T22:00:00Z");
    row.occurred_at
        .is_some_and(|moment| from <= moment && moment < at(FROM))
}

pub(crate) fn is_transaction(row: &ConversionRow<'_>) -> bool {
    row.kind == "transaction"
        && row.status != "rejected"
        && units(row.sale_amount) >= 0
        && units(row.commission) >= 0
}

pub(crate) fn is_reversal(row: &ConversionRow<'_>) -> bool {
    row.kind == "transaction"
        && row.status != "rejected"
        && (units(row.sale_amount) < 0 || units(row.commission) < 0 || row.status == "reversed")
}
