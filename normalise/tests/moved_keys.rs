//! Which changes of a source's rules are told to move conversions. What moves is seen by reading one
//! request by the rules before and after: its key and its day.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

use jiff::civil::Date;
use postback_common::name::{AccountName, NetworkName, SourceName};
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::recorded::{Difference, RecordedTemplate};
use postback_normalise::{Identity, KeyDayRule, Outcome, Recorded, RecordedRules, normalise};
use uuid::Uuid;

const PROFILE: &str = r#"
network = "invented"
title = "Invented"
method = ["GET", "POST"]
macro = "{name}"
parameters = [
    { name = "num", aliases = ["no"], column = "transaction_id" },
    { name = "order", column = "order_id" },
    { name = "adv", column = "advertiser_id" },
    { name = "article", column = "sku" },
    { name = "offer", column = "offer_id" },
    { name = "click", column = "click_id" },
    { name = "amount", column = "sale_amount" },
    { name = "fee", column = "commission" },
    { name = "cur", column = "currency" },
    { name = "feecur", column = "commission_currency" },
    { name = "at", column = "occurred_at" },
    { name = "seen", column = "processed_at" },
    { name = "state", column = "status" },
]
[payload]
body = ["form"]
[amounts]
form = "decimal"
commission_currency = "sale"
[status]
default = "reported"
[status.words]
pending = ["open"]
[identity]
transaction_id = ["transaction_id"]
order = ["order_id", "sku", "sale_amount"]
immutable_date = "occurred_at"
[dates]
forms = ["iso_8601"]
"#;

/// One text for another in the profile.
type Edit<'e> = (&'e str, &'e str);

fn edited(edits: &[Edit<'_>]) -> String {
    edits.iter().fold(PROFILE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// Rules of a source without a template: the network's own names hold.
fn rules(identity: Identity, edits: &[Edit<'_>]) -> Recorded {
    Recorded {
        source: SourceName::new("one").unwrap(),
        network: NetworkName::new("invented").unwrap(),
        account: AccountName::new("main").unwrap(),
        identity,
        key_day: KeyDayRule::Date,
        currency: Some("USD".to_owned()),
        time_zone: None,
        publisher_id: None,
        templates: Vec::new(),
        aliases: Vec::new(),
        profile: Some(edited(edits)),
    }
}

fn with_templates(rules: Recorded, queries: &[&str]) -> Recorded {
    let templates = queries.iter().map(|query| RecordedTemplate {
        valid_from: None,
        query: (*query).to_owned(),
    });
    Recorded {
        templates: templates.collect(),
        ..rules
    }
}

/// Key and day of a request, `QUERY` or `QUERY BODY`; `None` where it counts nothing.
fn key(rules: &Recorded, request: &str) -> Option<(Uuid, Date)> {
    let (query, body) = request
        .split_once(' ')
        .map_or((request, None), |(query, body)| (query, Some(body)));
    let record = RawRecord {
        id: Uuid::from_u128(7),
        source: "one".into(),
        key: None,
        received_at: "2026-09-02T00:00:00Z".parse().unwrap(),
        method: body.map_or("GET", |_| "POST").into(),
        query: Payload::of(query.as_bytes()),
        content_type: None,
        body: body.map(|body| Payload::of(body.as_bytes())),
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    };
    match normalise(&record, &rules.rules().unwrap()) {
        Outcome::Accepted(row) => Some((row.conversion_key, row.key_day)),
        Outcome::Rejected(_) => None,
        Outcome::Several(_) => panic!("{request}"),
    }
}

const ID: Identity = Identity::TransactionId;
const ORDER: Identity = Identity::Order;

const SENT: &str = "num=A1&order=O7&adv=5&article=S3&offer=4&click=c&amount=10&fee=2&at=2026-09-01&seen=2026-09-03&state=open";

/// The parameters of two columns, swapped.
const IDS: &[Edit<'_>] = &[
    ("transaction_id\" }", "order_id\" }"),
    (
        "\"order\", column = \"order_id\"",
        "\"order\", column = \"transaction_id\"",
    ),
];
const ARTICLES: &[Edit<'_>] = &[
    ("\"sku\"", "\"offer_id\""),
    (
        "\"offer\", column = \"offer_id\"",
        "\"offer\", column = \"sku\"",
    ),
];
const DATES: &[Edit<'_>] = &[
    ("\"occurred_at\" }", "\"processed_at\" }"),
    (
        "\"seen\", column = \"processed_at\"",
        "\"seen\", column = \"occurred_at\"",
    ),
];

/// Each changes the key or the day of the request.
fn assert_moves(cases: &[(Identity, &[Edit<'_>], &str)]) {
    for (identity, edits, request) in cases {
        let (before, after) = (rules(*identity, &[]), rules(*identity, edits));
        assert_ne!(key(&before, request), key(&after, request), "{edits:?}");
        let expected = [Difference::KeyRecipe];
        assert_eq!(before.differences(&after), expected, "{edits:?}");
        assert_eq!(after.differences(&before), expected, "{edits:?}");
        assert!(expected[0].moves_conversions());
    }
}

#[test]
fn a_profile_that_reads_keys_out_of_other_parameters_moves_conversions() {
    assert_moves(&[
        (ID, IDS, SENT),
        (ORDER, IDS, SENT),
        (ORDER, ARTICLES, SENT),
        (ID, DATES, SENT),
        (
            ID,
            &[("[\"no\"]", "[\"no\", \"nr\"]")],
            "nr=9&num=1&at=2026-09-01",
        ),
        (ID, &[("[\"no\"]", "[]")], "no=9&num=1&at=2026-09-01"),
        (ORDER, &[("\"article\"", "\"item\"")], SENT),
        (
            ORDER,
            &[("\"article\"", "\"article\", aliases = [\"item\"]")],
            "item=1&article=2&order=O7&amount=1&at=2026-09-01",
        ),
    ]);
}

#[test]
fn a_profile_that_reads_the_values_of_keys_otherwise_moves_conversions() {
    let ignoring = "ignore_case = [\"transaction_id\"]\nimmutable_date";
    assert_moves(&[
        (ID, &[("immutable_date", ignoring)], SENT),
        (
            ID,
            &[("\"{name}\"", "\"<name>\"")],
            "num=<id>&at=2026-09-01",
        ),
        (
            ID,
            &[("[\"iso_8601\"]", "[\"month_day_year\"]")],
            "num=1&at=9/1/2026",
        ),
        (ORDER, &[("\"decimal\"", "\"minor_units\"")], SENT),
        (
            ORDER,
            &[("[\"order_id\", \"sku\"", "[\"sku\", \"order_id\"")],
            SENT,
        ),
    ]);
}

#[test]
fn a_profile_that_looks_for_parts_of_keys_elsewhere_moves_conversions() {
    let (json, held) = ("[\"form\", \"json\"]", "[\"form\"]\njson_field = \"push\"");
    let order = "order=O7&amount=1&at=2026-09-01";
    assert_moves(&[
        (
            ORDER,
            &[("[\"form\"]", json)],
            &format!("{order} {{\"article\":\"S\"}}"),
        ),
        (
            ORDER,
            &[("[\"form\"]", "[]")],
            &format!("{order} article=S"),
        ),
        (
            ID,
            &[("[\"form\"]", held)],
            "at=2026-09-01 push={\"num\":\"9\"}&num=1",
        ),
    ]);
}

#[test]
fn what_no_key_is_made_of_can_change() {
    let cases: [(Identity, &[Edit<'_>]); 7] = [
        (ID, ARTICLES),
        (ID, &[("\"click\"", "\"click\", aliases = [\"subid\"]")]),
        (ORDER, &[("[\"no\"]", "[\"no\", \"nr\"]")]),
        (ORDER, &[("[\"open\"]", "[\"open\", \"new\"]")]),
        (ORDER, &[("\"cur\"", "\"cur\", aliases = [\"currency\"]")]),
        (ORDER, &[("\"fee\", column = \"commission\"", "\"fee\"")]),
        // A key of one value: what the query has counts before what a body has.
        (ID, &[("[\"form\"]", "[\"form\", \"json\"]")]),
    ];
    let requests = [
        SENT,
        "num=1&order=2&at=2026-09-01 {\"num\":\"9\",\"no\":\"8\"}",
    ];
    for (identity, edits) in cases {
        let (before, after) = (rules(identity, &[]), rules(identity, edits));
        for request in requests {
            assert!(key(&before, request).is_some());
            assert_eq!(key(&before, request), key(&after, request), "{edits:?}");
        }
        let expected = [Difference::Profile];
        assert_eq!(before.differences(&after), expected, "{edits:?}");
        assert!(!expected[0].moves_conversions());
    }
    // Each postback is a conversion of its own, and its day a bucket.
    let none = |edits: &[Edit<'_>]| Recorded {
        key_day: KeyDayRule::Bucket,
        ..rules(Identity::None, edits)
    };
    let held = [("[\"form\"]", "[\"form\"]\njson_field = \"push\"")];
    for edits in [IDS, DATES, &held] {
        assert_eq!(none(&[]).differences(&none(edits)), [Difference::Profile]);
    }
}

#[test]
fn a_currency_that_is_taken_where_none_is_sent_is_part_of_some_keys() {
    let minor = [("\"decimal\"", "\"minor_units\"")];
    let own_fee = [
        ("\"sale_amount\"]", "\"commission_currency\"]"),
        ("\"sale\"\n", "\"source\"\n"),
    ];
    let fee = [("\"sale_amount\"]", "\"commission_currency\"]")];
    let cases: [(Identity, &[Edit<'_>], bool); 6] = [
        (ORDER, &[], false),
        (ID, &minor, false),
        (ORDER, &minor, true),
        (ORDER, &own_fee, true),
        (ORDER, &fee, true),
        (ORDER, &[("\"sale_amount\"]", "\"currency\"]")], true),
    ];
    for (identity, edits, moves) in cases {
        let dollars = rules(identity, edits);
        let yen = Recorded {
            currency: Some("JPY".to_owned()),
            ..dollars.clone()
        };
        assert_eq!(key(&dollars, SENT) != key(&yen, SENT), moves, "{edits:?}");
        let expected = if moves {
            Difference::KeyCurrency
        } else {
            Difference::Currency
        };
        assert_eq!(dollars.differences(&yen), [expected], "{edits:?}");
        assert_eq!(expected.moves_conversions(), moves);
    }
    // The parameter of the currency is one of the amount's then.
    let before = rules(ORDER, &minor);
    let renamed = [minor[0], ("\"cur\"", "\"currency\"")];
    let (after, sent) = (rules(ORDER, &renamed), format!("{SENT}&cur=JPY"));
    assert_ne!(key(&before, &sent), key(&after, &sent));
    assert_eq!(before.differences(&after), [Difference::KeyRecipe]);
}

#[test]
fn a_template_is_compared_by_the_profile_that_goes_with_it() {
    let before = with_templates(
        rules(ORDER, &[]),
        &["o={order}&s={article}&a={amount}&x={new}&d={at}"],
    );
    // The template stays, and its macros mean something else.
    let sent = "o=1&s=2&a=3&x=4&d=2026-09-01";
    let article = [("\"article\"", "\"new\"")];
    let after = with_templates(
        rules(ORDER, &article),
        &["o={order}&s={article}&a={amount}&x={new}&d={at}"],
    );
    assert_ne!(key(&before, sent), key(&after, sent));
    assert_eq!(before.differences(&after), [Difference::KeyRecipe]);
    // Both change.
    let query = "o={order}&x={article}&s={new}&a={amount}&d={at}";
    let both = with_templates(rules(ORDER, &article), &[query]);
    let differences = [Difference::Template, Difference::KeyRecipe];
    assert_eq!(
        before.differences(&both),
        differences,
        "s is the article again"
    );
    assert_eq!(key(&before, sent), key(&both, sent));
}

#[test]
fn a_part_of_a_key_that_is_not_its_name_can_be_lacking() {
    let recipe = [(
        "[\"transaction_id\"]\norder",
        "[\"transaction_id\", \"advertiser_id\"]\norder",
    )];
    let by = |query: &str| with_templates(rules(ID, &recipe), &[query]);
    let before = by("n={num}&a={adv}&d={at}");
    let sent = "n=1&a=2&d=2026-09-01";
    let other_part = by("n={num}&b={adv}&d={at}");
    assert_ne!(key(&before, sent), key(&other_part, sent));
    assert!(key(&other_part, sent).is_some());
    let moved = [Difference::KeyTemplate];
    assert_eq!(before.differences(&other_part), moved);
    // Without what the key is named after, or its day, nothing is counted.
    for query in ["m={num}&a={adv}&d={at}", "n={num}&a={adv}&e={at}"] {
        let other = by(query);
        assert_eq!(key(&other, sent), None);
        assert_eq!(before.differences(&other), [Difference::Template]);
    }
}

#[test]
fn a_new_template_is_read_by_the_profile_and_in_the_zone_that_are_recorded() {
    let loaded = Recorded {
        time_zone: Some("Europe/Berlin".to_owned()),
        ..with_templates(rules(ID, &[]), &["n={num}&o={order}&d={at}"])
    };
    let swapped = with_templates(
        rules(ID, IDS),
        &["n={num}&o={order}&d={at}", "i={num}&k={order}&t={at}&pbt=2"],
    );
    let proposed = Recorded {
        time_zone: Some("UTC".to_owned()),
        ..swapped
    };
    let added = loaded.with_new_templates(&proposed).unwrap();
    let by_old = key(&added, "n=1&o=2&d=2026-09-01T00:30:00");
    assert_eq!(by_old.unwrap().1, "2026-08-31".parse().unwrap());
    assert_eq!(key(&added, "i=1&k=2&t=2026-09-01T00:30:00&pbt=2"), by_old);
    let waiting = [Difference::TimeZone, Difference::KeyRecipe];
    assert_eq!(added.differences(&proposed), waiting);
}

#[test]
fn a_new_source_is_compared_with_those_of_its_account() {
    let named = |name: &str, rules: Recorded| Recorded {
        source: SourceName::new(name).unwrap(),
        ..rules
    };
    let loaded = RecordedRules {
        sources: vec![with_templates(rules(ID, &[]), &["n={num}&d={at}"])],
    };
    let apart = |new: &Recorded| {
        let found = loaded.apart_in_account(new);
        found.map(|(from, found)| (from.source.to_string(), found))
    };
    let with = |new: &Recorded| {
        let (made, new) = (loaded.to_json().unwrap(), new.to_json().unwrap());
        RecordedRules::with_later(&made, [(false, &*new)]).unwrap()
    };
    let new = named("two", rules(ID, &[]));
    assert_eq!(apart(&new), None, "by which URL it sends is its own affair");
    assert_eq!(loaded.otherwise_than(&new), []);
    let worded = named("two", rules(ID, &[("[\"open\"]", "[\"new\"]")]));
    assert_eq!(apart(&worded), None);
    let cases = [
        (named("two", rules(ID, IDS)), Difference::KeyRecipe),
        (
            Recorded {
                time_zone: Some("Europe/Berlin".to_owned()),
                ..new.clone()
            },
            Difference::TimeZone,
        ),
        (
            Recorded {
                network: NetworkName::new("other").unwrap(),
                ..new
            },
            Difference::Network,
        ),
    ];
    for (mut other, difference) in cases {
        assert_eq!(apart(&other), Some(("one".to_owned(), vec![difference])));
        assert_eq!(loaded.otherwise_than(&other), [difference]);
        // As another process may have recorded it in the same moment.
        assert_eq!(with(&other), loaded);
        other.account = AccountName::new("its-own").unwrap();
        assert_eq!(apart(&other), None);
        assert_eq!(with(&other).sources[1..], [other]);
    }
    let itself = named("one", rules(ID, IDS));
    assert_eq!(apart(&itself), None);
    let changed = [Difference::Template, Difference::KeyRecipe];
    assert_eq!(loaded.otherwise_than(&itself), changed);
}
