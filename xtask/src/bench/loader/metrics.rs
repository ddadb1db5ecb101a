//! What a consumer says about itself.

use std::net::SocketAddr;
use std::time::Duration;

/// A page of metrics in Prometheus' text form.
pub(in super::super) struct Metrics(String);

impl Metrics {
    /// Empty while the service does not answer.
    pub(in super::super) fn of(admin: SocketAddr) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .proxy(None)
            .build()
            .into();
        let page = agent.get(format!("http://{admin}/metrics")).call();
        let text = page.and_then(|mut answer| answer.body_mut().read_to_string());
        Self(text.unwrap_or_default())
    }

    /// The sum of a metric's labelled series; with `label`, of those that have it. 0 where there is
    /// none.
    pub(in super::super) fn sum(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let label = label.map(|(name, value)| format!("{name}=\"{value}\""));
        let series = self
            .0
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once("} "));
        series
            .filter(|(labels, _)| {
                let has = |label: &String| labels.split(',').any(|given| given == label);
                label.as_ref().is_none_or(has)
            })
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    fn is(sum: f64, expected: f64) -> bool {
        (sum - expected).abs() < 1e-9
    }

    #[test]
    fn inserted_rows_are_counted_by_their_table_whatever_other_labels_there_are() {
        let metrics = "# TYPE x counter\n\
            postback_consumer_rows_total{table=\"conversions\"} 7\n\
            postback_consumer_rows_total{generation=\"1\",table=\"postbacks\"} 40\n\
            postback_consumer_rows_total{generation=\"2\",table=\"postbacks\"} 2\n";
        let rows = |page: &str| {
            let page = Metrics(page.to_owned());
            page.sum("postback_consumer_rows_total", Some(("table", "postbacks")))
        };
        assert!(is(rows(metrics), 42.0));
        assert!(is(rows(""), 0.0));
    }

    #[test]
    fn series_are_summed_by_name_and_label() {
        let page = Metrics(
            "# TYPE a_total counter\na_total{table=\"x\"} 3\na_total{table=\"y\"} 4\nab_total{table=\"x\"} 5\n".to_owned(),
        );
        assert!(is(page.sum("a_total", Some(("table", "x"))), 3.0));
        assert!(is(page.sum("a_total", None), 7.0));
    }
}
