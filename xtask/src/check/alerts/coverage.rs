//! Whether each alert is fired by a test, kept silent by another, and explained.

use std::collections::BTreeSet;

use super::files::{Alert, Rules, Test, Tests};
use super::{PAGE, RULES};

/// What each alert must say.
const ANNOTATIONS: [&str; 3] = ["summary", "description", "runbook"];

const SEVERITIES: [&str; 2] = ["critical", "warning"];

/// What is missing in rules and tests, one line each.
pub(super) fn faults(rules: &Rules, tests: &Tests) -> Vec<String> {
    let mut faults = Vec::new();
    let fired: BTreeSet<&str> = tests.tests.iter().flat_map(fired).collect();
    let mut names = BTreeSet::new();
    for alert in rules.alerts() {
        let name = alert.name.as_str();
        if !names.insert(name) {
            faults.push(format!("{RULES} has two alerts {name}"));
        }
        if !fired.contains(name) {
            faults.push(format!("no test fires {name}"));
        }
        faults.extend(unsaid(alert));
    }
    let unknown = fired.difference(&names);
    faults.extend(unknown.map(|name| format!("a test expects {name}, which {RULES} lacks")));
    faults.extend(unwatched(rules, tests));
    faults
}

/// The alerts that a test expects to fire.
fn fired(test: &Test) -> impl Iterator<Item = &str> {
    let expectations = test.expectations.iter();
    let expectations =
        expectations.filter(|each| each.expr.contains("ALERTS{alertstate=\"firing\"}"));
    expectations
        .flat_map(|each| &each.samples)
        .filter_map(|sample| {
            let (_, after) = sample.labels.split_once("alertname=\"")?;
            after.split('"').next()
        })
}

/// What an alert does not say.
fn unsaid(alert: &Alert) -> Vec<String> {
    let name = &alert.name;
    let missing = ANNOTATIONS
        .iter()
        .filter(|annotation| !alert.annotations.contains_key(**annotation));
    let mut faults: Vec<_> = missing
        .map(|what| format!("{name} has no {what}"))
        .collect();
    let severity = alert.labels.get("severity").map_or("", String::as_str);
    if !SEVERITIES.contains(&severity) {
        faults.push(format!(
            "{name} has severity {severity:?}, not one of {SEVERITIES:?}"
        ));
    }
    faults
}

/// Metrics of rules that have no series in the test in which nothing fires: a rule that asks for
/// them is silent there for want of a series, not because all is well.
fn unwatched(rules: &Rules, tests: &Tests) -> Vec<String> {
    let wanted = rules.metrics();
    let healthy = tests.tests.iter().filter(|test| test.is_healthy());
    let best = healthy.min_by_key(|test| wanted.difference(&test.metrics()).count());
    let Some(best) = best else {
        return vec!["no test is healthy".to_owned()];
    };
    let (name, there) = (&best.name, best.metrics());
    wanted
        .difference(&there)
        .map(|metric| format!("test {name:?} has no series {metric}"))
        .collect()
}

/// Alerts without a section on the operator's page, or whose runbook names another one.
pub(super) fn undocumented(rules: &Rules, page: &str) -> Vec<String> {
    let sections: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let mut faults = Vec::new();
    for alert in rules.alerts() {
        let name = alert.name.as_str();
        if !sections.contains(name) {
            faults.push(format!("{PAGE} has no section {name}"));
        }
        let runbook = format!("{PAGE}#{}", name.to_lowercase());
        if alert.annotations.get("runbook") != Some(&runbook) {
            faults.push(format!("the runbook of {name} is not {runbook}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
groups:
  - rules:
      - alert: Full
        expr: postback_a > 1
        labels: {severity: critical}
        annotations: {summary: s, description: d, runbook: docs/operations.md#full}
";

    const TESTED: &str = "
tests:
  - name: healthy
    input_series: [{series: 'postback_a{b=\"c\"}'}]
    promql_expr_test: [{expr: ALERTS, exp_samples: []}]
  - name: full
    input_series: [{series: 'postback_a{b=\"c\"}'}]
    promql_expr_test:
      - expr: count by (alertname) (ALERTS{alertstate=\"firing\"})
        exp_samples: [{labels: '{alertname=\"Full\"}', value: 1}]
";

    fn found(rules: &str, tests: &str) -> Vec<String> {
        let mut read = Tests::default();
        read.add(tests).unwrap();
        faults(&Rules::read(rules).unwrap(), &read)
    }

    #[test]
    fn what_is_complete_has_no_fault() {
        assert_eq!(found(GOOD, TESTED), [""; 0]);
    }

    #[test]
    fn an_alert_that_no_test_fires_is_named() {
        let unfired = TESTED.replace("[{labels: '{alertname=\"Full\"}', value: 1}]", "[]");
        assert_eq!(found(GOOD, &unfired), ["no test fires Full"]);
        // Pending is not firing.
        let pending = TESTED.replace("\"firing\"", "\"pending\"");
        assert_eq!(found(GOOD, &pending), ["no test fires Full"]);
    }

    #[test]
    fn a_healthy_test_without_a_series_proves_nothing() {
        let missing = GOOD.replace("postback_a", "postback_z");
        assert_eq!(
            found(&missing, TESTED),
            ["test \"healthy\" has no series postback_z"]
        );
        let unlooked = TESTED.replace("expr: ALERTS,", "expr: up,");
        assert_eq!(found(GOOD, &unlooked), ["no test is healthy"]);
    }

    #[test]
    fn an_alert_says_how_bad_it_is_and_what_to_do() {
        let silent = GOOD
            .replace("description: d, ", "")
            .replace("critical", "bad");
        let expected = [
            "Full has no description",
            "Full has severity \"bad\", not one of [\"critical\", \"warning\"]",
        ];
        assert_eq!(found(&silent, TESTED), expected);
    }

    #[test]
    fn each_alert_has_its_section() {
        let rules = Rules::read(GOOD).unwrap();
        assert_eq!(undocumented(&rules, "# Page\n### Full\ntext"), [""; 0]);
        let missing = [format!("{PAGE} has no section Full")];
        assert_eq!(undocumented(&rules, "# Page\n### Fuller\ntext"), missing);
    }
}
