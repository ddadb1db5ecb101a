//! An installation on real servers, and what the reports' tests load into it.

use std::env;

use clickhouse::Client;
use jiff::civil::date;
use postback_common::config::{ClickHouseSettings, Settings};
use postback_common::secret::Secret;
use postback_service::kafka::client_config;
use postback_service::kafka::rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use postback_store::rows::{ConversionRow, Decimal4, Outcome, PostbackRow, postback_version};
use postback_store::{Generation, Role, client, insert};
use uuid::Uuid;

use crate::run::{AWAY, Place};

/// Topic, database and configuration of one test, made by `postback migrate`.
pub(crate) struct Installed {
    pub(crate) place: Place,
    pub(crate) loader: Client,
    pub(crate) settings: Settings,
}

fn variable(name: &str) -> String {
    let name = format!("POSTBACK__{name}");
    env::var(&name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests need Kafka and ClickHouse; run `cargo xtask stack up` and take what it prints")
    })
}

impl Installed {
    pub(crate) async fn new(test: &str) -> Self {
        let name = format!("cli_{test}_{}", std::process::id());
        let environment = [
            ("POSTBACK__KAFKA__BROKERS", variable("KAFKA__BROKERS")),
            ("POSTBACK__KAFKA__TOPIC", name.clone()),
            ("POSTBACK__KAFKA__REFUSED_TOPIC", format!("{name}_refused")),
            ("POSTBACK__KAFKA__PARTITIONS", "1".to_owned()),
            ("POSTBACK__CONSUMER__GROUP", name.clone()),
            ("POSTBACK__CLICKHOUSE__URL", variable("CLICKHOUSE__URL")),
            ("POSTBACK__CLICKHOUSE__USER", variable("CLICKHOUSE__USER")),
            (
                "POSTBACK__CLICKHOUSE__PASSWORD",
                variable("CLICKHOUSE__PASSWORD"),
            ),
            ("POSTBACK__CLICKHOUSE__DATABASE", name.clone()),
        ];
        let place = environment
            .iter()
            .fold(Place::with(AWAY), |place, (name, value)| {
                place.set(name, value)
            });
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        let settings = postback_common::config::read(&place.path().join("t"), AWAY, environment);
        let settings = settings.unwrap();
        let loader = client(&settings.clickhouse, Role::Load).unwrap();
        let this = Self {
            place,
            loader,
            settings,
        };
        let first = this.shown(&["migrate"]);
        for topic in ["TEST", "TEST_refused"] {
            let made = format!("made topic {topic} with 1 partition\n");
            assert!(first.contains(&made), "{first}");
        }
        assert!(first.contains("made generation 1"), "{first}");
        let second =
            "$ postback migrate\nNothing to do: everything is there.\n--- stderr\n--- exit 0\n";
        assert_eq!(this.shown(&["migrate"]), second);
        this
    }

    /// What the command prints, with what differs between runs replaced.
    pub(crate) fn shown(&self, arguments: &[&str]) -> String {
        self.shown_with(&[], arguments)
    }

    pub(crate) fn shown_with(&self, more: &[(&str, &str)], arguments: &[&str]) -> String {
        let Settings {
            kafka, clickhouse, ..
        } = &self.settings;
        let ClickHouseSettings {
            url,
            database,
            password,
            ..
        } = clickhouse;
        let shown = self.place.run_with(more, arguments);
        assert!(
            !shown.contains(password.as_ref().map_or("", Secret::expose)),
            "{shown}"
        );
        let shown = shown
            .replace(&kafka.brokers.join(", "), "BROKERS")
            .replace(url, "URL");
        shown
            .replace(database, "TEST")
            .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    pub(crate) async fn remove(self) {
        let drop = format!("DROP DATABASE {}", self.settings.clickhouse.database);
        self.loader.query(&drop).execute().await.unwrap();
    }
}

/// A sale of 2026-09-01, 10:00 UTC, and the postback that told it.
pub(crate) struct Told<'a> {
    pub(crate) conversion: ConversionRow<'a>,
    pub(crate) postback: PostbackRow<'a>,
}

pub(crate) fn told<'a>(number: u8, raw: &'a str, amounts: (i64, i64)) -> Told<'a> {
    let id = Uuid::from_u128(0x01a0_5a43_fc00_7f54_8d8e_0023_af55_7000 + u128::from(number));
    let received_at = format!("2026-09-01T10:0{number}:00.000001Z")
        .parse()
        .unwrap();
    let key_day = date(2026, 9, 1);
    let conversion = ConversionRow {
        source: "rakuten-us",
        network: "rakuten",
        account: "rakuten-us",
        conversion_key: id,
        key_day,
        postback_id: id,
        kind: "transaction",
        status: "reported",
        transaction_id: "",
        order_id: "M1917799796",
        click_id: "member-7",
        sub_ids: Vec::new(),
        advertiser_id: "35719",
        publisher_id: "",
        offer_id: "",
        sku: "SKU-1",
        product_name: "",
        quantity: Some(Decimal4(10_000)),
        sale_amount: Some(Decimal4(amounts.0)),
        commission: Some(Decimal4(amounts.1)),
        currency: "USD",
        commission_currency: "USD",
        occurred_at: Some("2026-09-01T10:00:00Z".parse().unwrap()),
        processed_at: Some("2026-09-01T10:00:30Z".parse().unwrap()),
        received_at,
        flags: Vec::new(),
        extra: Vec::new(),
        revision: number.into(),
    };
    let postback = PostbackRow {
        id,
        received_at,
        source: "rakuten-us",
        network: "rakuten",
        account: "rakuten-us",
        via: "http",
        outcome: Outcome::Accepted,
        reasons: Vec::new(),
        raw,
        remote: "203.0.113.7",
        kafka_topic: "postbacks.raw",
        kafka_partition: 3,
        kafka_offset: number.into(),
        conversion_key: Some(id),
        key_day: Some(key_day),
        version: postback_version(3, number.into()),
        flags: vec![],
        detail: "",
    };
    Told {
        conversion,
        postback,
    }
}

pub(crate) const RAW: &str = r#"{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","source":"rakuten-us","key":"k1","received_at":"2026-09-01T10:01:00.000001Z","method":"GET","query":{"utf8":"is_event=N&o=M1917799796&name=a\u0007b"},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{},"via":"http"}"#;

/// Inserts conversions alone.
pub(crate) async fn insert_conversions<'a>(
    loader: &Client,
    rows: impl IntoIterator<Item = ConversionRow<'a>>,
) {
    let mut rows: insert::Conversions = rows.into_iter().collect();
    let inserted = insert::conversions(loader, Generation::FIRST, [&mut rows], || {}).await;
    inserted.unwrap();
}

/// A sale of 120.50 with a revision from 100; its reversal; a signal; a sale in EUR without click
/// id; one rejected postback; and bytes that are no record.
pub(crate) async fn load(installed: &Installed) {
    let first = told(1, RAW, (1_000_000, 100_000));
    let mut revised = told(2, RAW, (1_205_000, 120_500));
    revised.conversion.conversion_key = first.conversion.conversion_key;
    revised.postback.conversion_key = first.postback.conversion_key;
    let mut reversal = told(3, RAW, (-1_205_000, -120_500));
    reversal.conversion.status = "reversed";
    let mut signal = told(4, RAW, (0, 0));
    signal.conversion.kind = "signal";
    signal.conversion.flags = vec!["zero_amount"];
    let mut euro = told(5, RAW, (12_345, 100));
    euro.conversion.currency = "EUR";
    euro.conversion.commission_currency = "EUR";
    euro.conversion.order_id = "E1";
    euro.conversion.click_id = "";
    euro.conversion.advertiser_id = "2, \"EU\"";
    euro.conversion.flags = vec!["missing_click_id"];
    // Nobody calls it secret, but for its name.
    let api_key = ["CANARY".into()];
    euro.conversion.extra = vec![("api_key", &api_key)];
    let mut rejected = told(6, RAW, (0, 0)).postback;
    rejected.outcome = Outcome::Rejected;
    rejected.reasons = vec!["missing_identity"];
    (rejected.conversion_key, rejected.key_day) = (None, None);
    let mut garbage = told(7, "base64:AAECAw==", (0, 0)).postback;
    garbage.outcome = Outcome::Rejected;
    garbage.reasons = vec!["not_a_record"];
    (garbage.conversion_key, garbage.key_day) = (None, None);
    (garbage.source, garbage.network, garbage.account) = ("", "", "");
    (garbage.via, garbage.remote) = ("", "");

    let accepted = [first, revised, reversal, signal, euro];
    let (mut conversions, mut postbacks) = (Vec::new(), vec![rejected, garbage]);
    for told in accepted {
        conversions.push(told.conversion);
        postbacks.push(told.postback);
    }
    insert::conversions(
        &installed.loader,
        Generation::FIRST,
        [&mut conversions.into_iter().collect()],
        || {},
    )
    .await
    .unwrap();
    insert::postbacks(
        &installed.loader,
        Generation::FIRST,
        [&mut postbacks.into_iter().collect()],
        || {},
    )
    .await
    .unwrap();
}

/// Two records that no consumer has loaded.
pub(crate) fn produce(installed: &Installed) {
    let producer: BaseProducer = client_config(&installed.settings.kafka, "test")
        .create()
        .unwrap();
    for _ in 0..2 {
        let record = BaseRecord::<(), str>::to(&installed.settings.kafka.topic).payload(RAW);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(std::time::Duration::from_secs(30)).unwrap();
}
