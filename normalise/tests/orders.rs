//! Own orders, and lines of statements: what they are compared by.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use postback_common::name::{AccountName, SourceName};
use postback_common::reason::{Flag, Rejection};
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::{
    Amount, Conversion, Kind, Outcome, SourceDescription, SourceRules, Status, Template, normalise,
    profile,
};
use uuid::Uuid;

fn described(network: &str, zone: &str) -> SourceDescription {
    SourceDescription {
        source: SourceName::new("shop").unwrap(),
        account: AccountName::new("shop").unwrap(),
        profile: Arc::clone(profile::builtin(network).unwrap()),
        currency: Some("EUR".parse().unwrap()),
        zone: Some(TimeZone::get(zone).unwrap()),
        publisher_id: None,
        templates: Vec::new(),
        identity: None,
        key_day_rule: None,
    }
}

fn read(network: &str, body: &str) -> Outcome<'static> {
    let rules = SourceRules::new(described(network, "Europe/Berlin"));
    read_by(&rules.unwrap(), body)
}

fn read_by(rules: &SourceRules, body: &str) -> Outcome<'static> {
    let record = RawRecord {
        id: Uuid::from_u128(7),
        source: "shop".into(),
        key: None,
        received_at: "2026-09-02T00:00:00Z".parse::<Timestamp>().unwrap(),
        method: "POST".into(),
        query: Payload::of(b""),
        content_type: Some("application/json".into()),
        body: Some(Payload::of(body.as_bytes())),
        remote: None,
        headers: Vec::new(),
        via: Via::Import,
    };
    normalise(&record, rules).into_owned()
}

fn row(network: &str, body: &str) -> Conversion<'static> {
    match read(network, body) {
        Outcome::Accepted(row) => *row,
        other => panic!("{body}: {other:?}"),
    }
}

/// The only order of an array.
fn one(body: &str) -> Conversion<'static> {
    match each(body).pop() {
        Some(Outcome::Accepted(row)) => *row,
        other => panic!("{body}: {other:?}"),
    }
}

fn each(body: &str) -> Vec<Outcome<'static>> {
    match read("orders", body) {
        Outcome::Several(each) => each,
        other => panic!("{body}: {other:?}"),
    }
}

fn units(amount: Option<Amount>) -> i64 {
    amount.unwrap().units()
}

#[test]
fn one_order_is_a_row_of_kind_order() {
    let order = row(
        "orders",
        r#"{"id":"A-1","mid":"42","total":19.90,"created_at":"2026-08-31 23:30:00","u1":"click","note":"gift"}"#,
    );
    assert_eq!((order.kind, order.status), (Kind::Order, Status::Placed));
    assert_eq!((&*order.order_id, &*order.advertiser_id), ("A-1", "42"));
    assert_eq!(units(order.sale_amount), 199_000);
    // Half past eleven in Berlin is half past nine in UTC.
    assert_eq!(
        order.occurred_at,
        Some("2026-08-31T21:30:00Z".parse().unwrap())
    );
    assert_eq!(order.key_day, date(2026, 8, 31));
    assert_eq!(&*order.click_id, "click");
    assert_eq!(
        order.flags,
        [Flag::AssumedCurrency, Flag::UnknownParameter],
        "the note"
    );
    assert_eq!(order.extra.get("note").unwrap(), &["gift"]);
}

#[test]
fn what_an_order_became_is_read_from_status_and_eligibility() {
    let cases = [
        ("", "", Status::Placed),
        ("paid", "", Status::Placed),
        ("Cancelled", "", Status::Cancelled),
        ("refunded", "", Status::Returned),
        ("", "false", Status::OutOfNetwork),
        ("shipped", "no", Status::OutOfNetwork),
        ("shipped", "TRUE", Status::Placed),
        // What it became says more than what it was.
        ("canceled", "no", Status::Cancelled),
        ("out_of_network", "yes", Status::OutOfNetwork),
    ];
    for (status, eligible, expected) in cases {
        let body = format!(
            r#"{{"order_id":"1","time":"2026-08-31","status":"{status}","eligible":"{eligible}"}}"#
        );
        assert_eq!(row("orders", &body).status, expected, "{body}");
    }
    let odd = row(
        "orders",
        r#"{"order_id":"1","time":"2026-08-31","status":"limbo","eligible":"perhaps"}"#,
    );
    assert_eq!(odd.status, Status::Placed);
    assert!(odd.flags.contains(&Flag::UnknownStatus));
    assert!(odd.flags.contains(&Flag::UnknownEligibility));
    assert_eq!(odd.extra.get("eligible").unwrap(), &["perhaps"]);
}

#[test]
fn revisions_of_an_order_have_its_key_and_the_newest_is_highest() {
    let at = |changed: &str| {
        row(
            "orders",
            &format!(
                r#"{{"order_id":"1","advertiser_id":"7","ordered_at":"2026-08-31","updated_at":"{changed}"}}"#
            ),
        )
    };
    let (first, later) = (at("2026-09-01T10:00:00Z"), at("2026-09-01T11:00:00Z"));
    assert_eq!(
        (first.conversion_key, first.key_day),
        (later.conversion_key, later.key_day)
    );
    assert!(later.revision > first.revision);
    let other = row(
        "orders",
        r#"{"order_id":"1","advertiser_id":"8","ordered_at":"2026-08-31"}"#,
    );
    assert_ne!(other.conversion_key, first.conversion_key);
}

#[test]
fn an_array_is_read_order_by_order() {
    let body = r#" [{"order_id":"1","time":"2026-08-31","amount":"1.50"},
        {"order_id":"","time":"2026-08-31"}, 5, {"order_id":"2"},
        {"order_id":"3","time":"2026-08-30","amount":"2.50"}]"#;
    let outcomes = each(body);
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Accepted(row) => (row.order_id.to_string(), Vec::new()),
            Outcome::Rejected(rejected) => (String::new(), rejected.reasons.clone()),
            Outcome::Several(_) => panic!("{body}"),
        })
        .collect();
    let expected = [
        ("1".to_owned(), vec![]),
        (String::new(), vec![Rejection::MissingIdentity]),
        (
            String::new(),
            vec![
                Rejection::MissingIdentity,
                Rejection::NoParameters,
                Rejection::UnreadableKeyDate,
            ],
        ),
        (String::new(), vec![Rejection::UnreadableKeyDate]),
        ("3".to_owned(), vec![]),
    ];
    assert_eq!(told, expected);
}

#[test]
fn of_one_order_that_stands_twice_in_an_array_the_newest_counts_and_of_equals_the_last() {
    let amounts = |body: &str| {
        let outcomes = each(body);
        let [Outcome::Accepted(row)] = outcomes.as_slice() else {
            panic!("{outcomes:?}")
        };
        assert!(row.flags.contains(&Flag::RepeatedOrder));
        units(row.sale_amount)
    };
    let order = |amount: u8, updated: &str| {
        format!(
            r#"{{"order_id":"1","time":"2026-08-31","amount":"{amount}.50","updated_at":"{updated}"}}"#
        )
    };
    let of = |orders: &[String]| amounts(&format!("[{}]", orders.join(",")));
    let (noon, one) = ("2026-09-01T12:00:00Z", "2026-09-01T13:00:00Z");
    assert_eq!(of(&[order(1, one), order(2, noon)]), 15_000);
    assert_eq!(of(&[order(1, noon), order(2, one)]), 25_000);
    assert_eq!(
        of(&[order(1, noon), order(2, noon), order(3, noon)]),
        35_000
    );
}

#[test]
fn what_is_no_array_of_orders_is_one_rejected_record() {
    for body in ["[]", "[", "[{\"order_id\":\"1\"}", "nothing", "{}"] {
        let Outcome::Rejected(rejected) = read("orders", body) else {
            panic!("{body}")
        };
        assert!(
            rejected.reasons.contains(&Rejection::MissingIdentity),
            "{body}: {rejected:?}"
        );
    }
    // Only orders come so.
    let Outcome::Rejected(_) = read("rakuten-item-report", r#"[{"Order ID":"1"}]"#) else {
        panic!("an array")
    };
}

#[test]
fn a_json_number_may_have_an_exponent_and_a_text_may_not() {
    let order = |id: &str, amount: &str| {
        format!(r#"{{"order_id":{id},"ordered_at":"2026-09-01","amount":{amount},"qty":1E3}}"#)
    };
    // As Java writes a double of ten million and more; an order's number stays as it was sent.
    let body = order("1.2E7", "1.2345678912E7");
    for found in [row("orders", &body), one(&format!("[{body}]"))] {
        assert_eq!(
            (units(found.sale_amount), units(found.quantity)),
            (123_456_789_120, 10_000_000)
        );
        assert_eq!(&*found.order_id, "1.2E7");
        assert!(found.extra.is_empty() && !found.flags.contains(&Flag::WholeAmount));
    }
    for (amount, flag) in [
        ("\"1.25E7\"", Flag::UnreadableAmount),
        ("1E13", Flag::AmountOutOfRange),
        ("1E99", Flag::UnreadableAmount),
    ] {
        let found = row("orders", &order("1", amount));
        assert!(found.flags.contains(&flag), "{amount}: {:?}", found.flags);
        assert_eq!(found.sale_amount, None, "{amount}");
        assert_eq!(found.extra["amount"], [amount.trim_matches('"')]);
    }
}

#[test]
fn a_guid_in_braces_is_an_orders_number() {
    let guid = "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}";
    let body = format!(r#"{{"order_id":"{guid}","ordered_at":"2026-09-01"}}"#);
    let found = row("orders", &body);
    assert_eq!(&*found.order_id, guid);
    assert!(!found.flags.contains(&Flag::UnreplacedMacro));
}

#[test]
fn lines_are_numbered_under_a_template_too() {
    let profile = profile::builtin("rakuten-item-report").unwrap();
    let template = |query: &str| Template::of_query(query, profile).unwrap();
    let named = "Bestellung=<order_id>&Tag=<transaction_date>&Umsatz=<sale_amount>";
    let key = |query: &str, more: &str| {
        let rules = SourceRules::new(SourceDescription {
            templates: vec![template(query).into()],
            ..described("rakuten-item-report", "UTC")
        });
        let body = format!(r#"{{"Bestellung":"M1","Tag":"8/31/2026","Umsatz":"2.00"{more}}}"#);
        match read_by(&rules.unwrap(), &body) {
            Outcome::Accepted(row) => {
                assert!(!row.flags.contains(&Flag::UnknownParameter), "{query}");
                row.conversion_key
            }
            other => panic!("{query}: {other:?}"),
        }
    };
    let second = r#","line_occurrence":"2""#;
    let itself = format!("{named}&line_occurrence=<line_occurrence>");
    for query in [named, &itself] {
        assert_ne!(key(query, ""), key(query, second), "{query}");
        assert_eq!(key(query, second), key(&itself, second), "{query}");
    }
    // What a template calls it counts as before.
    let renamed = format!("{named}&Zeile=<line_occurrence>");
    assert_eq!(key(&renamed, r#","Zeile":"2""#), key(&itself, second));
    assert!(template(named).notes().is_empty());
}

#[test]
fn a_line_of_an_item_report_is_known_by_what_stands_in_it() {
    let line = |amount: &str, occurrence: &str| {
        row(
            "rakuten-item-report",
            &format!(
                r##"{{"Member ID (U1)":"click","MID":"42","Order ID":"M1","Transaction Date":"8/31/2026","SKU":"s","# of Items":"1","Sales":"{amount}","Total Commission":"-1.25","Process Date":"9/1/26 2:05 PM"{occurrence}}}"##
            ),
        )
    };
    let first = line("-12.50", "");
    assert_eq!(
        (first.kind, first.status),
        (Kind::Statement, Status::Reversed)
    );
    assert_eq!((&*first.click_id, &*first.order_id), ("click", "M1"));
    // Midnight in Berlin: the day before in UTC.
    assert_eq!(first.key_day, date(2026, 8, 30));
    assert_eq!(
        first.processed_at,
        Some("2026-09-01T12:05:00Z".parse().unwrap())
    );
    assert_eq!(
        (units(first.sale_amount), units(first.commission)),
        (-125_000, -12_500)
    );
    assert_eq!(first.conversion_key, line("-12.5", "").conversion_key);
    let second = line("-12.50", r#","line_occurrence":"2""#);
    assert_ne!(first.conversion_key, second.conversion_key);
    assert_eq!(second.extra["line_occurrence"], ["2"]);
    assert!(first.extra.get("line_occurrence").is_none());
    assert_ne!(first.conversion_key, line("12.50", "").conversion_key);
}

#[test]
fn a_transaction_of_the_feed_that_comes_again_is_a_revision() {
    let line = |u1: &str, processed: &str| {
        row(
            "rakuten-signature-feed",
            &format!(
                r#"{{"TransactionID":"AB01","MID":"42","OrderID":"M1","SaleAmount":"10","TransactionDate":"2026-08-31 10:00:00","ProcessDate":"{processed}","U1":"{u1}"}}"#
            ),
        )
    };
    let unmatched = line("", "2026-09-01 00:00:00");
    let matched = line("click", "2026-09-02 00:00:00");
    assert_eq!(unmatched.conversion_key, matched.conversion_key);
    assert!(matched.revision > unmatched.revision);
    assert!(!unmatched.flags.contains(&Flag::MissingClickId));
}
