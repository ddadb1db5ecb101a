//! What holds for every query, sensible or not.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use postback_common::name::{AccountName, SourceName};
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::{
    Conversion, Identity, KeyDayRule, Outcome, SourceDescription, SourceRules, decode, normalise,
    profile,
};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

/// Without identity and date, so that every query with a parameter is accepted.
static LENIENT: LazyLock<SourceRules> = LazyLock::new(|| rules(Identity::None, KeyDayRule::Bucket));

/// As the network's own names can serve it.
static STRICT: LazyLock<SourceRules> =
    LazyLock::new(|| rules(Identity::TransactionId, KeyDayRule::Date));

/// The order of a sale, told by its values.
static BY_ORDER: LazyLock<SourceRules> =
    LazyLock::new(|| rules(Identity::Order, KeyDayRule::Bucket));

fn rules(identity: Identity, key_day_rule: KeyDayRule) -> SourceRules {
    SourceRules::new(SourceDescription {
        source: SourceName::new("s").unwrap(),
        account: AccountName::new("a").unwrap(),
        profile: Arc::clone(profile::builtin("rakuten").unwrap()),
        currency: None,
        zone: None,
        publisher_id: None,
        templates: Vec::new(),
        identity: Some(identity),
        key_day_rule: Some(key_day_rule),
    })
    .unwrap()
}

fn run(query: &[u8], rules: &SourceRules) -> Outcome<'static> {
    let record = RawRecord {
        id: Uuid::from_u128(7),
        source: "s".into(),
        key: None,
        received_at: Timestamp::UNIX_EPOCH,
        method: "GET".into(),
        query: Payload::of(query),
        content_type: None,
        body: None,
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    };
    normalise(&record, rules).into_owned()
}

fn accepted(query: &str) -> Box<Conversion<'static>> {
    match run(query.as_bytes(), &LENIENT) {
        Outcome::Accepted(row) => row,
        other => panic!("{query:?}: {other:?}"),
    }
}

/// The names that the network sends, as its facts list them.
const KNOWN: &[&str] = &[
    "etransaction_id",
    "advertiser_id",
    "sid",
    "order_id",
    "offer_id",
    "sku_number",
    "sale_amount",
    "quantity",
    "commissions",
    "process_date",
    "transaction_date",
    "transaction_type",
    "product_name",
    "currency",
    "u1",
    "is_event",
    "commission_list_id",
];

/// Those, and some that it does not send.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => proptest::sample::select(KNOWN).prop_map(str::to_owned), 1 => "[a-z_]{0,6}"]
}

/// Values that parsers take, nearly take, and do not take.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        r"[+ -]?[0-9]{0,15}\.?[0-9]{0,6}",
        r"[0-9,.]{1,12}",
        Just("Sat Mar 14 2020 18:28:18 GMT+0000 (UTC)".to_owned()),
        r"(19|20|21)[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](Z|[+ -][01][0-9]:?00)?",
        proptest::sample::select(&["Y", "N", "y", "USD", "eur", "QQQ", "<u1>", "%3Cu1%3E"][..])
            .prop_map(str::to_owned),
        "[ a-zA-Zäöü0-9<>%&=+;#]{0,12}",
        any::<String>(),
    ]
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((name(), value()), 1..30)
}

/// Escapes everything that has a meaning in a query, and all that is not ASCII.
fn escaped(text: &str) -> String {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'(' | b')');
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

fn query(pairs: &[(String, String)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Every text that the row shows for a parameter, by the network's own name.
fn columns(row: &Conversion<'_>, name: &str, value: &str) -> bool {
    let sent = value.trim();
    let number = |amount: Option<postback_normalise::Amount>| {
        // As a fraction of ten-thousandths, by another way than the parser's.
        let (whole, decimals) = sent.split_once('.').unwrap_or((sent, ""));
        let digits = format!("{}{decimals:0<4.4}", whole.trim_start_matches(['+', '-']));
        let units = digits.parse::<i128>().unwrap_or(i128::MAX)
            * if sent.starts_with('-') { -1 } else { 1 };
        amount.is_some_and(|amount| i128::from(amount.units()) == units)
    };
    match name {
        "etransaction_id" => row.transaction_id == sent,
        "advertiser_id" => row.advertiser_id == sent,
        "sid" => row.publisher_id == sent,
        "order_id" => row.order_id == sent,
        "offer_id" => row.offer_id == sent,
        "sku_number" => row.sku == sent,
        "product_name" => row.product_name == value.trim_end(),
        "u1" => row.click_id == sent,
        "sale_amount" => sent.is_empty() || number(row.sale_amount),
        "quantity" => sent.is_empty() || number(row.quantity),
        "commissions" => sent.is_empty() || number(row.commission),
        "process_date" => sent.is_empty() || row.processed_at.is_some(),
        "transaction_date" => sent.is_empty() || row.occurred_at.is_some(),
        "currency" => {
            sent.is_empty()
                || row
                    .currency
                    .is_some_and(|code| code.as_str().eq_ignore_ascii_case(sent))
        }
        "is_event" => match row.kind.as_str() {
            "signal" => sent.eq_ignore_ascii_case("y"),
            "transaction" => sent.eq_ignore_ascii_case("n"),
            _ => sent.is_empty(),
        },
        _ => false,
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_and_the_outcome_is_always_the_same(query in vec(any::<u8>(), 0..600)) {
        for rules in [&*LENIENT, &*STRICT, &*BY_ORDER] {
            prop_assert_eq!(run(&query, rules), run(&query, rules));
        }
    }

    #[test]
    fn every_parameter_is_in_a_column_or_in_extra(pairs in pairs()) {
        let row = accepted(&query(&pairs));
        let mut extra: BTreeMap<_, _> = row.extra.iter().cloned().collect();
        for (name, value) in &pairs {
            let kept = extra.get_mut(name.trim()).filter(|values| values.first().is_some_and(|first| first == value));
            match kept {
                Some(values) => drop(values.remove(0)),
                None => prop_assert!(columns(&row, name.trim(), value), "{name}={value:?} is nowhere in {row:#?}"),
            }
        }
        // And nothing is there that was not sent.
        prop_assert!(extra.values().all(Vec::is_empty), "{extra:?}");
    }

    #[test]
    fn the_key_does_not_depend_on_the_order(
        (pairs, shuffled) in proptest::collection::btree_map(name(), value(), 1..17)
            .prop_map(|map| map.into_iter().collect::<Vec<_>>())
            .prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle())),
    ) {
        for rules in [&*LENIENT, &*STRICT, &*BY_ORDER] {
            prop_assert_eq!(run(query(&pairs).as_bytes(), rules), run(query(&shuffled).as_bytes(), rules));
        }
    }

    #[test]
    fn what_is_escaped_is_decoded(pairs in pairs()) {
        let query = query(&pairs);
        let decoded = decode::decode(query.as_bytes());
        prop_assert_eq!(decoded.faults, []);
        let sent: Vec<_> = pairs.iter().map(|(name, value)| (name.trim().to_owned(), value.clone())).collect();
        let read: Vec<_> = decoded.pairs.iter().map(|pair| (pair.name.to_string(), pair.value.to_string())).collect();
        prop_assert_eq!(read, sent);
    }
}
