//! HTTP → Kafka → normalise → ClickHouse → report, compared with the sender's ledger.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use postback_simulator::{Amount, Ledger, Scenario, Settings, Sums, garbage, plan};
use postback_tests::pipeline::Running;
use postback_tests::{Setup, wait};
use serde_json::Value;

use crate::templates::{COMPLETE, REORDERED};

/// A fixed time makes the same postbacks in every run.
pub(crate) fn scenario(seed: u64, postbacks: u32) -> Scenario {
    let now: Timestamp = "2026-09-30T12:00:00Z".parse().unwrap();
    Scenario::generate(&Settings {
        seed,
        postbacks,
        ..Settings::until(now)
    })
    .unwrap()
}

/// Sends a scenario to two sources, garbage included, and waits until all is loaded.
fn sent_and_loaded(running: &Running, postbacks: u32) -> Ledger {
    let pipeline = &running.pipeline;
    let mut ledger = Ledger::default();
    for (index, seed) in [(0, 11), (1, 12)] {
        let scenario = scenario(seed, postbacks);
        let registration = pipeline.registration(index);
        let mut deliveries = plan(&scenario.events, &registration);
        deliveries.extend(garbage(&scenario.events[0], &registration));
        ledger.append(pipeline.send(deliveries));
    }
    let unexpected: Vec<_> = ledger.unexpected().collect();
    assert!(
        unexpected.is_empty(),
        "answers that the contract does not allow: {unexpected:?}"
    );
    let counts = ledger.counts();
    assert_eq!((counts.failed, counts.unsent), (0, 0), "{counts:?}");
    pipeline.wait_until_loaded(counts.acknowledged);
    ledger
}

#[test]
fn every_acknowledged_postback_shows_up_and_counts_once() {
    let running = Setup::new("main_path")
        .source("rakuten-us", COMPLETE)
        .source("rakuten-eu", REORDERED)
        .start();
    let ledger = sent_and_loaded(&running, 1_500);
    let (pipeline, counts) = (&running.pipeline, ledger.counts());

    let ids: BTreeSet<String> = pipeline
        .database
        .rows("SELECT id FROM {db}.postbacks")
        .iter()
        .map(|row| text(row, "id").to_owned())
        .collect();
    let acknowledged: BTreeSet<String> = ledger
        .acknowledged_ids()
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        acknowledged.len() as u64,
        counts.acknowledged,
        "each answer has an id of its own"
    );
    assert_eq!(
        ids, acknowledged,
        "ids in the table are the ids that the sender was given"
    );

    let outcome = |outcome: &str| {
        pipeline.database.count(&format!(
            "SELECT count() FROM {{db}}.postbacks WHERE outcome = '{outcome}'"
        ))
    };
    assert_eq!(outcome("accepted"), counts.to_be_loaded);
    assert_eq!(outcome("rejected"), counts.to_be_rejected);
    assert!(
        counts.to_be_rejected > 0 && counts.refused > 0,
        "the garbage was sent: {counts:?}"
    );

    let totals = ledger.totals();
    assert_eq!(
        pipeline
            .database
            .count("SELECT count() FROM {db}.conversions"),
        totals.conversions.len() as u64,
        "exact repeats are one conversion"
    );
    assert!(
        totals.conversions.len() < usize::try_from(counts.to_be_loaded).unwrap(),
        "there were repeats"
    );

    records_are_as_sent(&running, &ledger);
    reports_equal_the_ledger(&running, &ledger);
}

/// Every message of the topic obeys the schema and carries the query that was sent under its id.
fn records_are_as_sent(running: &Running, ledger: &Ledger) {
    let schema: Value =
        serde_json::from_str(include_str!("../../schemas/raw-postback.v1.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let sent: BTreeMap<&str, (&str, &str)> = ledger
        .acknowledged()
        .map(|entry| {
            (
                entry.postback_id().unwrap(),
                (entry.planned.source.as_str(), entry.planned.query.as_str()),
            )
        })
        .collect();
    let records = running.pipeline.topic.records();
    assert_eq!(records.len(), sent.len());
    for record in &records {
        let faults: Vec<String> = schema
            .iter_errors(record)
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{faults:?}: {record}");
        assert_eq!(
            sent[text(record, "id")],
            (
                text(record, "source"),
                record["query"]["utf8"].as_str().unwrap()
            )
        );
        assert_eq!(record["remote"], "127.0.0.1");
        assert_eq!(record["via"], "http");
    }
}

fn reports_equal_the_ledger(running: &Running, ledger: &Ledger) {
    let totals = ledger.totals();
    let expected = [
        (
            "day",
            keyed(totals.by_day(), |day| {
                day.map(|day| day.to_string()).unwrap_or_default()
            }),
        ),
        ("source", keyed(totals.by_source(), |source| source)),
        (
            "advertiser",
            keyed(totals.by_advertiser(), |advertiser| advertiser),
        ),
    ];
    for (by, expected) in expected {
        assert!(expected.len() > 3, "{by}: the ledger has several groups");
        assert_eq!(summary(running, by), expected, "report summary --by {by}");
    }
    let by_currency: BTreeMap<(String, String), Row> = totals
        .by_currency()
        .into_iter()
        .map(|(currency, sums)| ((currency.clone(), currency), Row::of(&sums)))
        .collect();
    assert_eq!(
        summary(running, "currency"),
        by_currency,
        "report summary --by currency"
    );
}

/// What a report's row must say, in the report's own forms.
#[derive(Debug, PartialEq)]
struct Row {
    counts: [u64; 4],
    money: [Amount; 6],
    unattributed: Percent,
}

impl Row {
    fn of(sums: &Sums) -> Self {
        Self {
            counts: [sums.orders, sums.transactions, sums.reversals, sums.signals],
            money: [
                sums.gross_sales,
                sums.reversed_sales,
                sums.net_sales(),
                sums.gross_commission,
                sums.reversed_commission,
                sums.net_commission(),
            ],
            unattributed: Percent::of(sums.without_click, sums.transactions),
        }
    }

    fn read(row: &Value) -> Self {
        let count = |name: &str| {
            row[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{name}: {row}"))
        };
        let money = |name: &str| {
            text(row, name)
                .parse()
                .unwrap_or_else(|_| panic!("{name}: {row}"))
        };
        Self {
            counts: ["orders", "transactions", "reversals", "signals"].map(count),
            money: [
                "gross_sales",
                "reversed_sales",
                "net_sales",
                "gross_commission",
                "reversed_commission",
                "net_commission",
            ]
            .map(money),
            unattributed: Percent(row["unattributed_percent"].as_f64()),
        }
    }
}

/// A share of a hundred, shown with two decimals; none where there is nothing to divide.
#[derive(Debug)]
struct Percent(Option<f64>);

impl Percent {
    fn of(part: u64, whole: u64) -> Self {
        let exact = |count: u64| f64::from(u32::try_from(count).unwrap());
        Self((whole > 0).then(|| 100.0 * exact(part) / exact(whole)))
    }
}

impl PartialEq for Percent {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Some(one), Some(other)) => (one - other).abs() < 0.005_001,
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

fn keyed<K: Ord>(
    groups: BTreeMap<(K, String), Sums>,
    name: impl Fn(K) -> String,
) -> BTreeMap<(String, String), Row> {
    // A group of which only conversions of unknown kind are left has nothing that is summed.
    let summed = |sums: &Sums| sums.transactions + sums.reversals + sums.signals > 0;
    let groups = groups.into_iter().filter(|(_, sums)| summed(sums));
    groups
        .map(|((key, currency), sums)| ((name(key), currency), Row::of(&sums)))
        .collect()
}

fn summary(running: &Running, by: &str) -> BTreeMap<(String, String), Row> {
    let range = ["--from", "2026-08-01", "--to", "2026-10-02"];
    let report = running
        .pipeline
        .report(&[&["summary", "--by", by], &range[..]].concat());
    let rows = report["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            (
                (text(row, by).to_owned(), text(row, "currency").to_owned()),
                Row::read(row),
            )
        })
        .collect()
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column]
        .as_str()
        .unwrap_or_else(|| panic!("{column}: {row}"))
}

#[test]
fn a_person_reads_the_summary_and_traces_a_reversed_order() {
    let running = Setup::new("reading").source("rakuten-us", COMPLETE).start();
    let pipeline = &running.pipeline;
    let scenario = scenario(7, 300);
    let ledger = pipeline.send(plan(&scenario.events, &pipeline.registration(0)));
    pipeline.wait_until_loaded(ledger.counts().acknowledged);

    let summary = pipeline.postback(&[
        "report",
        "summary",
        "--by",
        "advertiser",
        "--from",
        "2026-08-01",
        "--to",
        "2026-10-02",
    ]);
    assert_eq!(summary.code, 0, "{}", summary.shown());
    assert!(
        summary
            .stdout
            .contains("preliminary: networks settle by their own statements"),
        "{}",
        summary.stdout
    );
    insta::with_settings!({filters => vec![
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "[time]"),
        (r"t_reading_[0-9a-f]{16}", "[pipeline]"),
    ]}, { insta::assert_snapshot!("report_summary", summary.stdout); });

    let reversed = scenario
        .reversed_order_example()
        .expect("the scenario has a reversal");
    let trace = pipeline.postback(&["trace", &reversed.order_id]);
    assert_eq!(trace.code, 0, "{}", trace.shown());
    for expected in [
        &reversed.order_id[..],
        "reversed",
        "reported",
        "Kafka",
        "rakuten-us",
    ] {
        assert!(
            trace.stdout.contains(expected),
            "{expected} is missing:\n{}",
            trace.stdout
        );
    }
    let id = ledger.acknowledged_ids().into_iter().next().unwrap();
    let trace = pipeline.postback(&["trace", id]);
    assert!(
        trace.code == 0 && trace.stdout.contains(id),
        "{}",
        trace.shown()
    );

    let nothing = pipeline.postback(&["trace", "no-such-order"]);
    assert_eq!(nothing.code, 3, "{}", nothing.shown());
    let doctor = pipeline.postback(&["doctor"]);
    assert!([0, 3].contains(&doctor.code), "{}", doctor.shown());
}

#[test]
fn metrics_count_what_the_sender_sent() {
    let running = Setup::new("metrics").source("rakuten-us", COMPLETE).start();
    let pipeline = &running.pipeline;
    let scenario = scenario(5, 200);
    let registration = pipeline.registration(0);
    let mut deliveries = plan(&scenario.events, &registration);
    deliveries.extend(garbage(&scenario.events[0], &registration));
    let ledger = pipeline.send(deliveries);
    let counts = ledger.counts();
    pipeline.wait_until_loaded(counts.acknowledged);
    let sum = |admin, metric: &str, label: &str| -> u64 {
        let (_, page) = postback_tests::pipeline::get(admin, "/metrics").unwrap();
        let of_it = |line: &&str| line.starts_with(metric) && line.contains(label);
        let values = page
            .lines()
            .filter(of_it)
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let sum: f64 = values.sum();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are whole and small"
        )]
        let whole = sum as u64;
        whole
    };
    let ingest = pipeline.ingest_admin;
    assert_eq!(
        sum(ingest, "postback_ingest_requests_total", "status=\"200\""),
        counts.acknowledged
    );
    assert_eq!(
        sum(ingest, "postback_ingest_requests_total", "status=\"414\""),
        1
    );
    let consumer = pipeline.consumer_admin;
    wait::until_true("the consumer's counters catch up with its inserts", || {
        sum(
            consumer,
            "postback_consumer_postbacks_total",
            "outcome=\"accepted\"",
        ) == counts.to_be_loaded
            && sum(
                consumer,
                "postback_consumer_postbacks_total",
                "outcome=\"rejected\"",
            ) == counts.to_be_rejected
    });
    wait::until_true("the lag is gone", || {
        sum(consumer, "postback_consumer_lag", "") == 0
    });
}
