use std::collections::BTreeSet;
use std::path::Path;

use postback_common::config;
use postback_normalise::Configured;
use postback_store::comparison::COLUMNS;

use super::*;
use crate::lag::PartitionLag;

const CONFIGURED: &str = "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"shop\"\nnetwork = \"rakuten\"\n\
    account = \"main\"\nenabled = false\n";

const RAW: &str = r#"{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","source":"shop","key":"k1","received_at":"2026-09-01T00:00:00.000001Z","method":"GET","query":{"utf8":"is_event=N&etransaction_id=0123456789abcdef0123456789abcdef&advertiser_id=7&sid=8&order_id=O&offer_id=9&sku_number=S&sale_amount=180&quantity=2&commissions=5.4&process_date=2026-08-31T11:00:00Z&transaction_date=2026-08-31T10:00:00Z&product_name=Shirt&currency=USD&u1=click&cid=7"},"content_type":null,"body":null,"remote":null,"headers":{},"via":"http"}"#;

fn rules() -> Rules {
    let settings = config::read(Path::new("t.toml"), CONFIGURED, []).unwrap();
    let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
    configured.rules().clone()
}

/// Partition 3 of the topic, from offset 40 on.
fn kafka() -> InKafka {
    let partition = PartitionLag {
        partition: 3,
        committed: Some(50),
        low: 40,
        high: 50,
    };
    let lag = GroupLag {
        group: "g".to_owned(),
        members: 1,
        partitions: vec![partition],
    };
    InKafka::of("raw", &lag)
}

/// As it stands when it is loaded by the same rules.
fn postback() -> SampledPostback {
    let record = RawRecord::read(RAW).unwrap();
    let rules = rules();
    let Outcome::Accepted(new) = normalise(&record, rules.source("shop").unwrap()) else {
        panic!("it is accepted");
    };
    SampledPostback {
        id: record.id,
        raw: RAW.to_owned(),
        outcome: "accepted".to_owned(),
        reasons: Vec::new(),
        conversion_key: new.conversion_key.to_string(),
        key_day: "2026-08-31".to_owned(),
        kafka_topic: "raw".to_owned(),
        kafka_partition: 3,
        kafka_offset: 40,
    }
}

fn conversion() -> SampledConversion {
    let text = str::to_owned;
    SampledConversion {
        postback_id: postback().id,
        source: text("shop"),
        network: text("rakuten"),
        account: text("main"),
        kind: text("transaction"),
        status: text("reported"),
        transaction_id: text("0123456789abcdef0123456789abcdef"),
        order_id: text("O"),
        click_id: text("click"),
        sub_ids: Vec::new(),
        advertiser_id: text("7"),
        publisher_id: text("8"),
        offer_id: text("9"),
        sku: text("S"),
        product_name: text("Shirt"),
        quantity: Some(20_000),
        sale_amount: Some(1_800_000),
        commission: Some(54_000),
        currency: text("USD"),
        commission_currency: text("USD"),
        // 2026-08-31, ten and eleven o'clock.
        occurred_at: Some(1_788_170_400_000_000),
        processed_at: Some(1_788_174_000_000_000),
        flags: vec![text("unknown_parameter"), text("whole_amount")],
        extra: vec![(text("cid"), vec![text("7")])],
    }
}

fn judged(postback: &SampledPostback, conversion: SampledConversion) -> Prediction {
    let mut prediction = Prediction::default();
    let postbacks = std::slice::from_ref(postback);
    prediction.judge(postbacks, vec![conversion], &rules(), &kafka());
    prediction
}

/// What changes, with its values before and after.
fn changes(postback: &SampledPostback, conversion: SampledConversion) -> Vec<[String; 3]> {
    let changes = judged(postback, conversion).changes();
    let texts = |change: Change| [change.what, change.from, change.to];
    changes.into_iter().map(texts).collect()
}

#[test]
fn the_same_rules_change_nothing() {
    assert_eq!(
        changes(&postback(), conversion()),
        Vec::<[String; 3]>::new()
    );
    assert_eq!(judged(&postback(), conversion()).unchanged, 1);
}

/// A replay shows by `generation diff` what it has changed: the plan says no less.
#[test]
fn every_column_in_which_generations_are_compared_is_predicted() {
    let record = RawRecord::read(RAW).unwrap();
    let rules = rules();
    let Outcome::Accepted(new) = normalise(&record, rules.source("shop").unwrap()) else {
        panic!("it is accepted");
    };
    let facts = facts::of(&conversion(), &new);
    let mut predicted: Vec<&str> = facts.iter().map(|fact| fact.column).collect();
    // The postback has these as well.
    predicted.extend(["conversion_key", "key_day"]);
    assert_eq!(predicted.len(), COLUMNS.len());
    let names = |of: &[&'static str]| of.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(
        predicted.into_iter().collect::<BTreeSet<_>>(),
        names(&COLUMNS)
    );
}

#[test]
fn a_column_that_alone_differs_is_told() {
    type Change = fn(&mut SampledConversion);
    let text = str::to_owned;
    let cases: [(&str, Change); 23] = [
        ("source", |old| old.source.clear()),
        ("network", |old| old.network.clear()),
        ("account", |old| old.account.clear()),
        ("kind", |old| old.kind.clear()),
        ("status", |old| old.status.clear()),
        ("transaction_id", |old| old.transaction_id.clear()),
        ("order_id", |old| old.order_id.clear()),
        ("click_id", |old| old.click_id.clear()),
        ("sub_ids", |old| {
            old.sub_ids.push((String::new(), String::new()));
        }),
        ("advertiser_id", |old| old.advertiser_id.clear()),
        ("publisher_id", |old| old.publisher_id.clear()),
        ("offer_id", |old| old.offer_id.clear()),
        ("sku", |old| old.sku.clear()),
        ("product_name", |old| old.product_name.clear()),
        ("quantity", |old| old.quantity = None),
        ("sale_amount", |old| old.sale_amount = None),
        ("commission", |old| old.commission = None),
        ("currency", |old| old.currency.clear()),
        ("commission_currency", |old| old.commission_currency.clear()),
        ("occurred_at", |old| old.occurred_at = None),
        ("processed_at", |old| old.processed_at = None),
        ("flags", |old| old.flags.clear()),
        ("extra", |old| old.extra.clear()),
    ];
    for (column, change) in cases {
        let mut old = conversion();
        change(&mut old);
        let found = changes(&postback(), old);
        let [[what, from, to]] = &found[..] else {
            panic!("{column}: {found:?}");
        };
        assert_eq!(what, column);
        assert_ne!(from, to, "{column}");
    }
    // Lists that would read alike.
    let mut old = conversion();
    old.extra = vec![(text("cid"), vec![text("7, 8")])];
    let changed = ["extra", "a value", "another one"].map(str::to_owned);
    assert_eq!(changes(&postback(), old), [changed]);
}

#[test]
fn of_a_raw_record_that_is_a_hash_kafka_decides() {
    let hash = |kafka_topic: &str, kafka_offset| SampledPostback {
        raw: "blake3:00".to_owned(),
        kafka_topic: kafka_topic.to_owned(),
        kafka_offset,
        ..postback()
    };
    // A replay reads it there, whatever comes of it.
    let unread = judged(&hash("raw", 40), conversion());
    assert_eq!((unread.unread, unread.unchanged), (1, 0));
    assert_eq!(unread.changes(), []);
    let lost = ["outcome", "accepted", "rejected: raw_not_kept"].map(str::to_owned);
    for gone in [hash("raw", 39), hash("earlier", 40)] {
        assert_eq!(changes(&gone, conversion()), std::slice::from_ref(&lost));
    }
    let before = SampledPostback {
        outcome: "rejected".to_owned(),
        reasons: vec!["raw_not_kept".to_owned()],
        ..hash("raw", 39)
    };
    assert_eq!(judged(&before, conversion()).unchanged, 1);
}

#[test]
fn other_bytes_that_are_no_record_stay_what_they_are() {
    let bytes = SampledPostback {
        raw: "base64:/w==".to_owned(),
        outcome: "rejected".to_owned(),
        reasons: vec!["not_a_record".to_owned()],
        ..postback()
    };
    assert_eq!(judged(&bytes, conversion()).unchanged, 1);
}
