//! A hand-written set of conversions and postbacks.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use postback_store::rows::{
    ConversionRow, Decimal4, Outcome, PostbackRow, RefusalRow, postback_version,
};
use uuid::Uuid;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// Ten-thousandths of a decimal such as `-50.5`.
pub(crate) fn units(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    sign * format!("{whole}{places:0<4}").parse::<i64>().unwrap()
}

/// A transaction of account `main` through source `us`, with advertiser 10.
pub(crate) fn sale<'a>(
    key: u128,
    order: &'a str,
    click: &'a str,
    currency: &'a str,
    amounts: (&str, &str),
    occurred: &str,
) -> ConversionRow<'a> {
    let occurred_at = at(occurred);
    ConversionRow {
        source: "us",
        network: "rakuten",
        account: "main",
        conversion_key: id(key),
        key_day: occurred_at.to_zoned(TimeZone::UTC).date(),
        postback_id: id(key),
        kind: "transaction",
        status: "reported",
        transaction_id: "",
        order_id: order,
        click_id: click,
        sub_ids: Vec::new(),
        advertiser_id: "10",
        publisher_id: "",
        offer_id: "",
        sku: "",
        product_name: "",
        quantity: None,
        sale_amount: Some(Decimal4(units(amounts.0))),
        commission: Some(Decimal4(units(amounts.1))),
        currency,
        commission_currency: currency,
        occurred_at: Some(occurred_at),
        processed_at: None,
        received_at: occurred_at,
        flags: Vec::new(),
        extra: Vec::new(),
        revision: 1,
    }
}

/// Everything, in two batches: what the second repeats or revises needs FINAL.
pub(crate) fn all() -> [Vec<ConversionRow<'static>>; 2] {
    const FIRST: &str = "2026-09-01T10:00:00Z";
    const SECOND: &str = "2026-09-02T12:00:00Z";
    let plain = vec![
        sale(1, "O1", "c1", "USD", ("100", "10"), FIRST),
        sale(2, "O1", "c1", "USD", ("50.5", "5.05"), FIRST),
        // Another advertiser's order of the same number; on the next day in Berlin; unattributed.
        ConversionRow {
            advertiser_id: "20",
            ..sale(
                3,
                "O1",
                "",
                "USD",
                ("1.2345", "0.1"),
                "2026-09-01T23:30:00Z",
            )
        },
        // Takes sale 2 back.
        ConversionRow {
            status: "reversed",
            ..sale(4, "O1", "c1", "USD", ("-50.5", "-5.05"), FIRST)
        },
        sale(5, "O2", "c2", "EUR", ("200", "20"), SECOND),
        ConversionRow {
            status: "rejected",
            ..sale(6, "O7", "c7", "USD", ("999", "99"), SECOND)
        },
        ConversionRow {
            kind: "signal",
            ..sale(7, "O1", "c1", "USD", ("70", "0"), FIRST)
        },
        ConversionRow {
            kind: "unknown",
            ..sale(8, "O8", "c8", "USD", ("500", "50"), FIRST)
        },
        ConversionRow {
            sale_amount: None,
            commission: None,
            ..sale(9, "", "c3", "USD", ("0", "0"), SECOND)
        },
        ConversionRow {
            commission_currency: "USD",
            ..sale(10, "O3", "c4", "GBP", ("80", "4"), SECOND)
        },
        ConversionRow {
            occurred_at: None,
            processed_at: Some(at(SECOND)),
            key_day: date(1970, 1, 5),
            ..sale(11, "O4", "c6", "USD", ("10", "1"), SECOND)
        },
        ConversionRow {
            revision: 2,
            postback_id: id(112),
            ..sale(12, "O5", "", "USD", ("40", "4"), SECOND)
        },
        // The first moment after the range, and its first.
        sale(
            13,
            "O9",
            "c9",
            "USD",
            ("1000", "100"),
            "2026-09-03T00:00:00Z",
        ),
        ConversionRow {
            source: "eu",
            account: "eu",
            ..sale(14, "O1", "c9", "USD", ("5", "0.5"), "2026-09-01T00:00:00Z")
        },
        ConversionRow {
            status: "reversed",
            ..sale(15, "O6", "c5", "USD", ("12", "-1"), SECOND)
        },
        // Both on 2026-10-25 in Berlin, whose 25 hours begin and end at 22:00 and 23:00 UTC.
        sale(
            16,
            "O16",
            "c1",
            "JPY",
            ("1000", "10"),
            "2026-10-24T22:00:00Z",
        ),
        sale(
            17,
            "O17",
            "c1",
            "JPY",
            ("1000", "10"),
            "2026-10-25T22:59:59Z",
        ),
        sale(18, "O18", "c1", "JPY", ("7", "7"), "2026-10-25T23:00:00Z"),
    ];
    let revised = vec![
        ConversionRow {
            status: "reversed",
            revision: 2,
            ..sale(5, "O2", "c2", "EUR", ("200", "20"), SECOND)
        },
        // An older revision that comes later, and an exact repeat.
        sale(12, "O5", "", "USD", ("30", "3"), SECOND),
        sale(1, "O1", "c1", "USD", ("100", "10"), FIRST),
    ];
    [plain, revised]
}

/// An accepted postback of account `main`.
pub(crate) fn postback(
    number: u128,
    key: u128,
    received: &str,
    offset: u64,
) -> PostbackRow<'static> {
    PostbackRow {
        id: id(number),
        received_at: at(received),
        source: "us",
        network: "rakuten",
        account: "main",
        via: "http",
        outcome: Outcome::Accepted,
        reasons: Vec::new(),
        raw: "{}",
        remote: "203.0.113.7",
        kafka_topic: "postbacks.raw",
        kafka_partition: 3,
        kafka_offset: offset,
        conversion_key: Some(id(key)),
        key_day: Some(SECOND_DAY),
        version: postback_version(3, offset),
        flags: vec![],
        detail: "",
    }
}

pub(crate) const SECOND_DAY: Date = date(2026, 9, 2);

pub(crate) fn refusal(
    number: u128,
    source: &'static str,
    reason: &'static str,
    refused: &str,
    suppressed: u64,
) -> RefusalRow<'static> {
    RefusalRow {
        id: id(number),
        refused_at: at(refused),
        reason,
        status: 404,
        source,
        key: "",
        method: "GET",
        path: "",
        query: "",
        query_bytes: 0,
        remote: "",
        user_agent: "",
        cut: Vec::new(),
        suppressed,
    }
}
