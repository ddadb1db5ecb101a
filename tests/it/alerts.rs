//! What the alert rules ask for is what the services show: a rule about a metric or a label that
//! does not exist never fires, and nobody notices.

use std::collections::{BTreeMap, BTreeSet};

use postback_tests::raw::{exchange, request};
use postback_tests::{Setup, pipeline, wait};

use crate::templates::COMPLETE;

const RULES: &str = include_str!("../../deploy/prometheus/postback.rules.yml");

/// What shows only where there is something to show, and where that is looked at instead.
const NOT_HERE: [(&str, &str); 10] = [
    (
        "postback_ingest_certificate_expiry_timestamp_seconds",
        "only with TLS: ingest/tests/it/tls.rs",
    ),
    (
        "postback_ingest_deliveries_failed_total",
        "only after a failure: tests/it/outage.rs has them",
    ),
    (
        "postback_consumer_partition_held",
        "only after a hold: tests/it/poison.rs has one",
    ),
    ("postback_watch_open_alerts", IN_WATCH),
    ("postback_watch_judged_through_timestamp_seconds", IN_WATCH),
    ("postback_watch_webhook_deliveries_total", IN_WATCH),
    ("postback_watch_reloads_total", IN_WATCH),
    ("postback_endpoint_enabled", WITH_API),
    ("postback_endpoint_last_success_timestamp_seconds", WITH_API),
    ("postback_endpoint_lost_from_timestamp_seconds", WITH_API),
];

const IN_WATCH: &str = "only of `postback watch`: tests/it/watch.rs";

const WITH_API: &str = "only where a source has an API: tests/it/endpoint.rs";

/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["job", "instance"];

/// The samples of a page: names with the labels of each.
type Samples = BTreeMap<String, Vec<BTreeMap<String, String>>>;

fn samples(page: &str) -> Samples {
    let mut samples = Samples::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
        let labels = rest
            .strip_prefix('{')
            .map_or("", |rest| rest.split_once('}').unwrap().0);
        let pairs = labels
            .split("\",")
            .filter_map(|pair| pair.split_once("=\""));
        let pairs =
            pairs.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()));
        samples
            .entry(name.to_owned())
            .or_default()
            .push(pairs.collect());
    }
    samples
}

/// `postback_x{a="b", c!~"d|e"}` → name, and each label with its operator and value.
type Selector<'a> = (&'a str, Vec<(&'a str, &'a str, &'a str)>);

fn selectors(rules: &str) -> Vec<Selector<'_>> {
    let mut selectors = Vec::new();
    let code = rules
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    for line in code {
        let mut rest = line;
        while let Some(at) = rest.find("postback_") {
            let found = &rest[at..];
            let end = found
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(found.len());
            let (name, behind) = found.split_at(end);
            let matchers = behind
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            let matchers = matchers.map_or("", |(inner, _)| inner);
            let parts = matchers.split(", ").filter(|part| !part.is_empty());
            let matchers = parts.map(|part| {
                let (before, value) = part.split_once('"').unwrap();
                let label = before.trim_end_matches(['=', '!', '~']);
                (label, &before[label.len()..], value.trim_end_matches('"'))
            });
            selectors.push((name, matchers.collect()));
            rest = behind;
        }
    }
    selectors
}

/// What is wrong with a selector, if anything.
fn fault(selector: &Selector<'_>, samples: &Samples) -> Option<String> {
    let (name, matchers) = selector;
    let Some(found) = samples.get(*name) else {
        return Some(format!("nothing shows {name}"));
    };
    let ours = matchers.iter().filter(|(label, ..)| !ADDED.contains(label));
    for (label, operator, value) in ours {
        let values: BTreeSet<&str> = found
            .iter()
            .filter_map(|labels| labels.get(*label).map(String::as_str))
            .collect();
        if values.is_empty() {
            return Some(format!("{name} has no label {label}"));
        }
        let wanted: Vec<&str> = match (*label, *operator) {
            // Each shows with the first answer that has it.
            ("status", _) => Vec::new(),
            (_, "=") => vec![value],
            // With a dot it is a pattern, and may match nothing yet.
            (_, "=~") => value
                .split('|')
                .filter(|value| !value.contains('.'))
                .collect(),
            // The others say what is not meant.
            _ => Vec::new(),
        };
        let status = *label == "status";
        if let Some(missing) = wanted
            .iter()
            .find(|value| !status && !values.contains(*value))
        {
            return Some(format!("{name} has no {label}={missing:?}, but {values:?}"));
        }
    }
    None
}

#[test]
fn every_rule_asks_for_what_the_services_show() {
    let spool = tempfile::tempdir().unwrap();
    let line = format!("spool_dir = \"{}\"", spool.path().display());
    let running = Setup::new("alerts")
        .source("rakuten-us", COMPLETE)
        .lines("ingest", &line)
        .start();
    let ours = &running.pipeline;
    let target = format!("{}?u1=alerts", ours.sources[0].path());
    let bytes = request("GET", target.as_bytes(), "", b"");
    assert_eq!(exchange(ours.address, &bytes).unwrap().status, 200);
    let page = |admin| pipeline::get(admin, "/metrics").unwrap().1;
    wait::until_true("the consumer knows its lag", || {
        page(ours.consumer_admin).contains("\npostback_consumer_lag_records{")
    });
    wait::until_true("the consumer knows how old the unread is", || {
        page(ours.consumer_admin).contains("\npostback_consumer_unread_age_seconds{")
    });
    wait::until_true("the spool is open", || {
        page(ours.ingest_admin).contains("\npostback_spool_records ")
    });
    let mut all = samples(&page(ours.ingest_admin));
    for (name, labels) in samples(&page(ours.consumer_admin)) {
        all.entry(name).or_default().extend(labels);
    }
    let not_here = NOT_HERE.map(|(name, _)| name);
    let selectors = selectors(RULES);
    assert!(selectors.len() > 40, "{}", selectors.len());
    let faults: Vec<String> = selectors
        .iter()
        .filter(|(name, _)| !not_here.contains(name))
        .filter_map(|selector| fault(selector, &all))
        .collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn a_rule_about_nothing_is_noticed() {
    let shown = samples("# TYPE a gauge\npostback_a{le=\"0.25\",way=\"kafka\"} 3\npostback_b 1\n");
    let fault = |rule| selectors(rule).iter().find_map(|one| fault(one, &shown));
    for good in [
        "rate(postback_a{le=\"0.25\", way!=\"x\"}[5m])",
        "postback_b{job=\"x\"} > 1",
    ] {
        assert_eq!(fault(good), None, "{good}");
    }
    for (bad, expected) in [
        ("postback_c > 1", "nothing shows postback_c"),
        ("postback_b{way=\"kafka\"}", "postback_b has no label way"),
        (
            "postback_a{le=\"0.3\"}",
            "postback_a has no le=\"0.3\", but {\"0.25\"}",
        ),
    ] {
        assert_eq!(fault(bad).as_deref(), Some(expected));
    }
}
