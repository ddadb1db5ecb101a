//! What is sent, and that it is sent once.

use std::sync::Arc;

use postback_common::name::{AccountName, SourceName};
use postback_normalise::{
    Conversion, Outcome, SourceDescription, SourceRules, Template, normalise, profile,
};
use postback_store::reports::Money;
use postback_store::reports::held::Held;
use postback_store::retention::Horizon;
use uuid::Uuid;

use super::super::Why;
use super::super::carried::Carried;
use super::super::record::Origin;
use super::super::sifting::is_counted;
use super::super::verdict::{Verdict, is_too_old, judge};

/// All but the order id.
const TEMPLATE: &str = "t=<etransaction_id>&d=<transaction_date>&p=<process_date>&e=<is_event>&a=<sale_amount>\
    &c=<commissions>&u=<u1>&cur=<currency>&m=<advertiser_id>";

fn rules() -> SourceRules {
    let profile = profile::builtin("rakuten").unwrap();
    SourceRules::new(SourceDescription {
        source: SourceName::new("us").unwrap(),
        account: AccountName::new("main").unwrap(),
        profile: Arc::clone(profile),
        currency: None,
        zone: None,
        publisher_id: None,
        templates: vec![Template::of_query(TEMPLATE, profile).unwrap().into()],
        identity: None,
        key_day_rule: None,
    })
    .unwrap()
}

fn pulled(run: u128, started_at: &str, more: &str) -> Conversion<'static> {
    let json = format!(
        r#"{{"etransaction_id":"9f","transaction_date":"2026-09-01T10:00:00Z","is_event":"N","order_id":"M1","currency":"USD"{more}}}"#
    );
    let origin = Origin {
        id: Uuid::from_u128(run),
        source: SourceName::new("us").unwrap(),
        started_at: started_at.parse().unwrap(),
    };
    let record = origin.record(&json);
    match normalise(&record, &rules()).into_owned() {
        Outcome::Accepted(row) => *row,
        other => panic!("{other:?}"),
    }
}

/// As the tables would hold it, by a push that carries no order id.
fn held(row: &Conversion<'_>) -> Held {
    let money = |amount: Option<postback_normalise::Amount>| {
        amount.map(|amount| Money(i128::from(amount.units())))
    };
    Held {
        conversion_key: row.conversion_key,
        key_day: row.key_day,
        postback_id: Uuid::from_u128(99),
        status: row.status.as_str().to_owned(),
        transaction_id: row.transaction_id.to_string(),
        order_id: String::new(),
        click_id: row.click_id.to_string(),
        advertiser_id: row.advertiser_id.to_string(),
        publisher_id: String::new(),
        offer_id: String::new(),
        sku: String::new(),
        product_name: String::new(),
        quantity: None,
        sale_amount: money(row.sale_amount),
        commission: money(row.commission),
        currency: row.currency.map_or(String::new(), |code| code.to_string()),
        commission_currency: row
            .commission_currency
            .map_or(String::new(), |code| code.to_string()),
        occurred_at: row.occurred_at,
        processed_at: row.processed_at,
        received_at: row.received_at,
        revision: row.revision,
    }
}

const SALE: &str = r#","process_date":"2026-09-02T10:00:00Z","sale_amount":10.5,"commissions":1,"u1":"c1","advertiser_id":7"#;

#[test]
fn what_is_sent_follows_from_what_the_tables_hold() {
    let old = held(&pulled(1, "2026-09-03T00:00:00Z", SALE));
    let carried = Carried::of(&rules());
    let at = "2026-09-04T00:00:00Z";
    let with = |from: &str, to: &str| {
        let json = SALE.replacen(from, to, 1);
        assert_ne!(json, SALE);
        judge(&pulled(2, at, &json), Some(&old), &carried)
    };
    let same = pulled(2, at, SALE);
    assert_eq!(judge(&same, None, &carried), Verdict::Sent(Why::Missing));
    // The order id and others that the template does not carry are no difference.
    assert_eq!(judge(&same, Some(&old), &carried), Verdict::Matched);
    assert_eq!(with("10.5", "10.50"), Verdict::Matched);
    assert_eq!(with("10.5", "10.51"), Verdict::Sent(Why::Changed));
    assert_eq!(with("\"c1\"", "\"c2\""), Verdict::Sent(Why::Changed));
    assert_eq!(with("10.5", "-10.5"), Verdict::Sent(Why::Changed));
    assert_eq!(with("09-02T10", "09-02T11"), Verdict::Sent(Why::Newer));
    // Older, and the same or not.
    assert_eq!(with("09-02T10", "09-02T09"), Verdict::Matched);
    assert_eq!(
        with(
            "09-02T10:00:00Z\",\"sale_amount\":10.5",
            "09-02T09:00:00Z\",\"sale_amount\":9"
        ),
        Verdict::Undecided
    );
    // Less than what is there is no reason to send; with another reason, it is a reason not to.
    assert_eq!(with(",\"u1\":\"c1\"", ""), Verdict::Matched);
    assert_eq!(
        with(
            "10.5,\"commissions\":1,\"u1\":\"c1\"",
            "11,\"commissions\":1"
        ),
        Verdict::Undecided
    );
    assert_eq!(with("10.5", "\"10,5\""), Verdict::Matched);
    // More than what is there.
    let bare = Held {
        click_id: String::new(),
        ..old.clone()
    };
    assert_eq!(
        judge(&same, Some(&bare), &carried),
        Verdict::Sent(Why::Changed)
    );
    // A currency that no push of the source carries.
    let ours = Held {
        postback_id: same.postback_id,
        ..old
    };
    assert_eq!(judge(&same, Some(&ours), &carried), Verdict::SentBefore);
}

#[test]
fn what_was_sent_is_not_sent_again() {
    let carried = Carried::of(&rules());
    let old = pulled(1, "2026-09-03T00:00:00Z", SALE);
    let texts = [
        SALE.to_owned(),
        SALE.replace("10.5", "-3"),
        SALE.replace("\"c1\"", "\"c2\""),
        SALE.replace("09-02T10", "09-05T10"),
        SALE.replace("09-02T10", "09-01T10").replace("10.5", "4"),
        SALE.replace(",\"u1\":\"c1\"", "").replace("10.5", "4"),
        SALE.replace(",\"process_date\":\"2026-09-02T10:00:00Z\"", ""),
    ];
    for text in texts {
        let mut table = held(&old);
        let mut sent = 0;
        for run in 2..6 {
            let row = pulled(run, &format!("2026-09-0{}T00:00:00Z", run + 2), &text);
            if let Verdict::Sent(_) = judge(&row, Some(&table), &carried) {
                assert!(
                    row.revision > table.revision,
                    "the tables would not take it: {text}"
                );
                sent += 1;
                table = held(&row);
            }
        }
        assert!(sent <= 1, "sent {sent} times: {text}");
    }
}

#[test]
fn a_push_that_came_after_the_run_began_counts() {
    let carried = Carried::of(&rules());
    let changed = SALE.replace("10.5", "11");
    let old = held(&pulled(1, "2026-09-04T00:00:00Z", SALE));
    // The same time of the network, other content: what was received later holds.
    let earlier = pulled(2, "2026-09-03T00:00:00Z", &changed);
    assert_eq!(judge(&earlier, Some(&old), &carried), Verdict::Undecided);
    let later = pulled(2, "2026-09-05T00:00:00Z", &changed);
    assert_eq!(
        judge(&later, Some(&old), &carried),
        Verdict::Sent(Why::Changed)
    );
}

#[test]
fn what_the_tables_keep_no_longer_is_too_old() {
    // Of 2026-09-01.
    let mut row = pulled(1, "2026-09-03T00:00:00Z", SALE);
    let seen = |year, month, day| {
        let today = jiff::civil::date(year, month, day);
        Some(Horizon::new(today, 62))
    };
    assert!(!is_too_old(&row, None));
    // The 62nd day before is the last one of September, and the first of October.
    assert!(!is_too_old(&row, seen(2026, 12, 1)));
    assert!(is_too_old(&row, seen(2026, 12, 2)));
    // Of an account that knows its conversions by no date.
    row.key_day = jiff::civil::date(1970, 1, 9);
    assert!(!is_too_old(&row, seen(2026, 12, 2)));
}

#[test]
fn what_was_counted_before_a_run_was_interrupted_is_not_counted_again() {
    let of_second = |second: &str| {
        let more = format!(r#","process_date":"2026-09-01T10:00:{second}Z""#);
        pulled(1, "2026-09-02T00:00:00Z", &more)
    };
    let through = Some("2026-09-01T10:00:05Z".parse().unwrap());
    assert!(is_counted(through, &of_second("04")));
    assert!(is_counted(through, &of_second("05")));
    assert!(!is_counted(through, &of_second("06")));
    assert!(!is_counted(None, &of_second("04")), "a new run");
    let undated = pulled(1, "2026-09-02T00:00:00Z", "");
    assert!(!is_counted(through, &undated), "it may be new");
}
