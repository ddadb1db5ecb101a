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
use super::super::said::Said;
use super::super::sifting::is_counted;
use super::super::verdict::{Verdict, is_too_old, judge};

/// All but the order id.
const TEMPLATE: &str = "t=<etransaction_id>&d=<transaction_date>&p=<process_date>&e=<is_event>&a=<sale_amount>\
    &c=<commissions>&u=<u1>&cur=<currency>&m=<advertiser_id>";

fn rules() -> SourceRules {
    rules_of("rakuten", TEMPLATE, None)
}

fn rules_of(network: &str, template: &str, currency: Option<&str>) -> SourceRules {
    let profile = profile::builtin(network).unwrap();
    SourceRules::new(SourceDescription {
        source: SourceName::new("us").unwrap(),
        account: AccountName::new("main").unwrap(),
        profile: Arc::clone(profile),
        currency: currency.map(|code| code.parse().unwrap()),
        zone: None,
        publisher_id: None,
        templates: vec![Template::of_query(template, profile).unwrap().into()],
        identity: None,
        key_day_rule: None,
    })
    .unwrap()
}

fn pulled(run: u128, started_at: &str, more: &str) -> Conversion<'static> {
    read(run, started_at, &object(more), &rules())
}

fn object(more: &str) -> String {
    format!(
        r#"{{"etransaction_id":"9f","transaction_date":"2026-09-01T10:00:00Z","is_event":"N","order_id":"M1","currency":"USD"{more}}}"#
    )
}

fn read(run: u128, started_at: &str, json: &str, rules: &SourceRules) -> Conversion<'static> {
    let origin = Origin {
        id: Uuid::from_u128(run),
        source: SourceName::new("us").unwrap(),
        started_at: started_at.parse().unwrap(),
    };
    let record = origin.record(json);
    match normalise(&record, rules).into_owned() {
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

/// By the rules of most tests.
fn judged(pulled: &Conversion<'_>, held: &Held, more: &str) -> Verdict {
    let (rules, json) = (rules(), object(more));
    judge(
        pulled,
        held,
        &Carried::of(&rules),
        &Said::new(&json, &rules),
    )
}

const SALE: &str = r#","process_date":"2026-09-02T10:00:00Z","sale_amount":10.5,"commissions":1,"u1":"c1","advertiser_id":7"#;

#[test]
fn what_is_sent_follows_from_what_the_tables_hold() {
    let old = held(&pulled(1, "2026-09-03T00:00:00Z", SALE));
    let at = "2026-09-04T00:00:00Z";
    let with = |from: &str, to: &str| {
        let json = SALE.replacen(from, to, 1);
        assert_ne!(json, SALE);
        judged(&pulled(2, at, &json), &old, &json)
    };
    let same = pulled(2, at, SALE);
    // The order id and others that the template does not carry are no difference.
    assert_eq!(judged(&same, &old, SALE), Verdict::Matched);
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
    assert_eq!(judged(&same, &bare, SALE), Verdict::Sent(Why::Changed));
    // A currency that no push of the source carries.
    let ours = Held {
        postback_id: same.postback_id,
        ..old
    };
    assert_eq!(judged(&same, &ours, SALE), Verdict::SentBefore);
}

/// What was pushed, and what the API says of it later, against a table that took the push.
fn after_push(template: &str, pushed: &str, pulled: &str) -> Verdict {
    let rules = rules_of("generic", template, Some("USD"));
    let json = |more: &str| format!(r#"{{"transaction_id":"9f","sale_amount":"10.50"{more}}}"#);
    let (before, now) = (json(pushed), json(pulled));
    let old = held(&read(1, "2026-09-03T00:00:00Z", &before, &rules));
    let row = read(2, "2026-09-04T00:00:00Z", &now, &rules);
    judge(&row, &old, &Carried::of(&rules), &Said::new(&now, &rules))
}

const WITH_CURRENCIES: &str =
    "t={transaction_id}&a={sale_amount}&cur={currency}&cc={commission_currency}&p={processed_at}";

#[test]
fn a_currency_that_the_api_does_not_say_replaces_none() {
    let euro = r#","currency":"EUR""#;
    let later = r#","processed_at":"2026-09-05T00:00:00Z""#;
    let verdict = |pushed, pulled| after_push(WITH_CURRENCIES, pushed, pulled);
    // The source's is taken, USD.
    assert_eq!(verdict(euro, ""), Verdict::Matched);
    assert_eq!(verdict(euro, later), Verdict::Undecided);
    assert_eq!(verdict("", later), Verdict::Sent(Why::Newer));
    // Nor where only some of the source's templates carry one.
    let without = "t={transaction_id}&a={sale_amount}&p={processed_at}";
    assert_eq!(after_push(without, euro, later), Verdict::Undecided);
    // What it says counts, also in another name of the same.
    let pound = r#","cur":"GBP""#;
    assert_eq!(verdict(euro, pound), Verdict::Sent(Why::Changed));
    assert_eq!(verdict(euro, euro), Verdict::Matched);
    // That of the commission was pushed; of what is fetched it would be that of the sale.
    let both = r#","currency":"EUR","commission_currency":"GBP""#;
    assert_eq!(verdict(both, euro), Verdict::Matched);
    let more = format!("{euro}{later}");
    assert_eq!(verdict(both, &more), Verdict::Undecided);
}

#[test]
fn a_status_that_no_word_said_replaces_none() {
    let template = "t={transaction_id}&a={sale_amount}&s={status}&p={processed_at}";
    let verdict = |pushed, pulled| after_push(template, pushed, pulled);
    let later = r#","processed_at":"2026-09-05T00:00:00Z""#;
    let approved = r#","status":"approved""#;
    assert_eq!(verdict(approved, ""), Verdict::Matched);
    assert_eq!(verdict(approved, later), Verdict::Undecided);
    // A word that is not known is none.
    assert_eq!(verdict(approved, r#","status":"odd""#), Verdict::Matched);
    // The usual one by its own word, and others.
    for said in [r#","state":"new""#, r#","status":"rejected""#] {
        let found = verdict(approved, said);
        assert_eq!(found, Verdict::Sent(Why::Changed), "{said}");
    }
    // Where the amounts said it, before and now.
    let negative = r#","commission":"-1""#;
    let positive = r#","commission":"1""#;
    let with_commission = format!("{template}&c={{commission}}");
    let verdict = |pushed, pulled| after_push(&with_commission, pushed, pulled);
    assert_eq!(verdict(negative, positive), Verdict::Sent(Why::Changed));
    assert_eq!(verdict(positive, negative), Verdict::Sent(Why::Changed));
}

#[test]
fn what_was_sent_is_not_sent_again() {
    let old = pulled(1, "2026-09-03T00:00:00Z", SALE);
    let texts = [
        (SALE.to_owned(), 0),
        (SALE.replace("10.5", "-3"), 1),
        (SALE.replace("\"c1\"", "\"c2\""), 1),
        (SALE.replace("09-02T10", "09-05T10"), 1),
        // Older than what is held, or saying less.
        (SALE.replace("09-02T10", "09-01T10").replace("10.5", "4"), 0),
        (SALE.replace(",\"u1\":\"c1\"", "").replace("10.5", "4"), 0),
        (
            SALE.replace(",\"process_date\":\"2026-09-02T10:00:00Z\"", ""),
            0,
        ),
    ];
    for (text, expected) in texts {
        let mut table = held(&old);
        let mut sent = 0;
        for run in 2..6 {
            let row = pulled(run, &format!("2026-09-0{}T00:00:00Z", run + 2), &text);
            if let Verdict::Sent(_) = judged(&row, &table, &text) {
                assert!(
                    row.revision > table.revision,
                    "the tables would not take it: {text}"
                );
                sent += 1;
                table = held(&row);
            }
        }
        assert_eq!(sent, expected, "{text}");
    }
}

#[test]
fn a_push_that_came_after_the_run_began_counts() {
    let changed = SALE.replace("10.5", "11");
    let old = held(&pulled(1, "2026-09-04T00:00:00Z", SALE));
    // The same time of the network, other content: what was received later holds.
    let earlier = pulled(2, "2026-09-03T00:00:00Z", &changed);
    assert_eq!(judged(&earlier, &old, &changed), Verdict::Undecided);
    let later = pulled(2, "2026-09-05T00:00:00Z", &changed);
    assert_eq!(judged(&later, &old, &changed), Verdict::Sent(Why::Changed));
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
