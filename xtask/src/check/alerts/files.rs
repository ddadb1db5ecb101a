//! The files as Prometheus and promtool read them, as far as the checks need it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::Deserialize;

/// The beginning of every metric of ours.
const OURS: &str = "postback_";

#[derive(Debug, Deserialize)]
pub(super) struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

/// One alert.
#[derive(Debug, Deserialize)]
pub(super) struct Alert {
    #[serde(rename = "alert")]
    pub(super) name: String,
    pub(super) expr: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Tests {
    pub(super) tests: Vec<Test>,
}

/// One scenario.
#[derive(Debug, Deserialize)]
pub(super) struct Test {
    pub(super) name: String,
    input_series: Vec<Series>,
    #[serde(rename = "promql_expr_test")]
    pub(super) expectations: Vec<Expectation>,
}

#[derive(Debug, Deserialize)]
struct Series {
    series: String,
}

/// What an expression gives at one moment.
#[derive(Debug, Deserialize)]
pub(super) struct Expectation {
    pub(super) expr: String,
    #[serde(rename = "exp_samples")]
    pub(super) samples: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sample {
    pub(super) labels: String,
}

impl Rules {
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        serde_saphyr::from_str(text).context("the rules are not as expected")
    }

    pub(super) fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    /// The metrics of ours that any rule asks for.
    pub(super) fn metrics(&self) -> BTreeSet<&str> {
        self.alerts()
            .flat_map(|alert| metrics(&alert.expr))
            .collect()
    }
}

impl Tests {
    /// Adds the tests of a file.
    pub(super) fn add(&mut self, text: &str) -> anyhow::Result<()> {
        let more: Self =
            serde_saphyr::from_str(text).context("the rules' tests are not as expected")?;
        self.tests.extend(more.tests);
        Ok(())
    }
}

impl Test {
    /// The metrics of ours that have series here.
    pub(super) fn metrics(&self) -> BTreeSet<&str> {
        self.input_series
            .iter()
            .flat_map(|series| metrics(&series.series))
            .collect()
    }

    /// Whether nothing may fire, and that is looked at.
    pub(super) fn is_healthy(&self) -> bool {
        let looks = |expectation: &Expectation| expectation.expr.contains("ALERTS");
        self.expectations.iter().any(looks)
            && self.expectations.iter().all(|each| each.samples.is_empty())
    }
}

fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let other = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':';
    expression
        .split(other)
        .filter(|word| word.starts_with(OURS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_among_functions_labels_and_numbers() {
        let expression = r#"1 - sum by (way) (rate(postback_a_bucket{job="postback-ingest",le="0.25"}[5m])) / postback_b > 2"#;
        let found: Vec<_> = metrics(expression).collect();
        assert_eq!(found, ["postback_a_bucket", "postback_b"]);
    }
}
