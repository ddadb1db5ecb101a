//! An invented network, known from its profile alone: no code names it.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Arc;

use postback_common::name::{AccountName, SourceName};
use postback_common::reason::Flag;
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::{
    Conversion, Outcome, Profile, SourceDescription, SourceRules, Template, TemplateNote, normalise,
};
use uuid::Uuid;

const ACME: &str = r#"
network = "acme"
title = "Acme"
method = "GET"
macro = "!!!name!!!"
parameters = [
    { name = "id", column = "transaction_id" },
    { name = "ref", column = "click_id" },
    { name = "ref2", column = "sub_id" },
    { name = "ref3", column = "sub_id" },
    { name = "amount", column = "sale_amount" },
    { name = "cur", column = "currency" },
    { name = "payout", column = "commission" },
    { name = "payout_cur", column = "commission_currency" },
    { name = "date", column = "occurred_at", confidence = "unverified" },
    { name = "signature" },
]
secret_params = ["signature", "token"]

[status]
default = "pending"

[identity]
transaction_id = ["transaction_id"]

[dates]
forms = ["iso_8601"]
"#;

fn profile() -> Arc<Profile> {
    Arc::new(Profile::parse(ACME).unwrap())
}

fn rules(template: Option<&str>) -> SourceRules {
    let profile = profile();
    SourceRules::new(SourceDescription {
        source: SourceName::new("acme-eu").unwrap(),
        account: AccountName::new("acme-eu").unwrap(),
        templates: (template.iter())
            .map(|url| Template::parse(url, &profile).unwrap().into())
            .collect(),
        profile,
        currency: None,
        zone: None,
        publisher_id: None,
        identity: None,
        key_day_rule: None,
    })
    .unwrap()
}

fn accepted(query: &str, rules: &SourceRules) -> Box<Conversion<'static>> {
    let record = RawRecord {
        id: Uuid::from_u128(7),
        source: "acme-eu".into(),
        key: None,
        received_at: "2026-09-01T00:00:00Z".parse().unwrap(),
        method: "GET".into(),
        query: Payload::of(query.as_bytes()),
        content_type: None,
        body: None,
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    };
    match normalise(&record, rules).into_owned() {
        Outcome::Accepted(row) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_network_without_signals_has_only_transactions() {
    let row = accepted(
        "id=A1&ref=m&amount=-10.00&cur=EUR&payout=1.5&payout_cur=usd&date=2026-08-31",
        &rules(None),
    );
    assert_eq!(
        (row.kind.as_str(), row.status.as_str()),
        ("transaction", "pending"),
        "negative money says nothing here"
    );
    assert_eq!(
        (
            row.currency.unwrap().as_str(),
            row.commission_currency.unwrap().as_str()
        ),
        ("EUR", "USD")
    );
    assert_eq!(row.flags, []);
    // BLAKE3 over the length-prefixed values "transaction_id" and "A1", leading 128 bits; the bucket
    // likewise over the key (calculated with the Python package blake3). This id's case counts.
    assert_eq!(
        row.conversion_key.to_string(),
        "f65ceb1a-67b8-b26f-4c5e-10c86f080ed6"
    );
    assert_eq!(
        row.key_day.to_string(),
        "1970-01-07",
        "no date of this network is known never to change"
    );
    assert_ne!(
        accepted("id=a1&ref=m", &rules(None)).conversion_key,
        row.conversion_key
    );
    // The network has no time of its own for revisions: that of reception orders them.
    assert_eq!(row.revision >> 64, 1_788_220_800_000_000);
}

#[test]
fn sub_ids_stand_under_the_networks_names() {
    let template = "https://h/k?id=!!!id!!!&click=!!!ref!!!&s2=!!!ref2!!!&s3=!!!ref3!!!";
    let row = accepted(
        "id=A1&click=m&s2=%20two%20&s3=!!!ref3!!!&s2=again",
        &rules(Some(template)),
    );
    let sub_ids: Vec<_> = row
        .sub_ids
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(sub_ids, [("ref2", "two"), ("ref3", "")]);
    assert_eq!(row.extra["s2"], ["again"]);
    assert_eq!(row.extra["s3"], ["!!!ref3!!!"]);
    assert_eq!(
        row.flags,
        [
            Flag::MissingCurrency,
            Flag::RepeatedParameter,
            Flag::UnreplacedMacro
        ]
    );
}

#[test]
fn secrets_are_masked_under_every_name() {
    let template = Template::parse(
        "https://h/k?id=!!!id!!!&sig=!!!signature!!!&token=CANARY-static",
        &profile(),
    )
    .unwrap();
    assert_eq!(
        template.statics(),
        [("token".to_owned(), "[hidden]".to_owned())]
    );
    let rules = rules(Some(
        "https://h/k?id=!!!id!!!&sig=!!!signature!!!&token=CANARY-static",
    ));
    let row = accepted(
        "id=A1&sig=CANARY-1&token=CANARY-2&signature=CANARY-3&signature=CANARY-4",
        &rules,
    );
    let shown = format!("{row:?} {template:?} {rules:?}");
    assert!(!shown.contains("CANARY"), "{shown}");
    assert_eq!(row.extra["signature"], ["[hidden]", "[hidden]"]);
}

#[test]
fn a_macro_that_the_profile_does_not_know_is_noted_and_kept() {
    let url = "https://h/k?id=!!!id!!!&x=!!!voucher!!!";
    let template = Template::parse(url, &profile()).unwrap();
    let expected = TemplateNote::UnknownMacro {
        parameter: "x".to_owned(),
        name: "voucher".to_owned(),
    };
    assert_eq!(template.notes(), [expected]);
    assert_eq!(
        accepted("id=A1&x=SUMMER", &rules(Some(url))).extra["x"],
        ["SUMMER"]
    );
}

#[test]
fn bounds_hold_for_the_whole_request() {
    let many: String = (0..250).map(|n| format!("&p{n}=v")).collect();
    let row = accepted(
        &format!("id=A1&ref=m&cur=EUR&amount=1.5&payout=1.5{many}"),
        &rules(None),
    );
    assert_eq!(row.extra.len(), 200 - 5);
    assert_eq!(row.flags, [Flag::TooManyParameters, Flag::UnknownParameter]);

    let row = accepted(
        &format!(
            "id=A1&ref={}&cur=EUR&amount=1.5&payout=1.5",
            "x".repeat(65_537)
        ),
        &rules(None),
    );
    assert_eq!(row.click_id, "");
    assert_eq!(row.flags, [Flag::MissingClickId, Flag::TextTooLong]);
}
