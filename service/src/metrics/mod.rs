//! Metrics: one registry a process, every name beginning with `postback_`.
//!
//! Names carry their unit (`_seconds`, `_bytes`), counters end in `_total`, and labels take their
//! values from the configuration or from an enum, never from a request.

mod latency;
mod process;

use std::fmt;

pub use latency::Latency;
/// The types that a [`Registry`] takes.
pub use prometheus_client;
use prometheus_client::collector::Collector;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::version::{COMMIT, RELEASE};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry of a process. Fill it, then share it with the admin listener.
#[derive(Debug)]
pub struct Metrics(Registry);

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// With `postback_build_info` and the usual `process_` metrics.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        let build = Info::new(vec![("version", RELEASE), ("commit", COMMIT)]);
        let ours = registry.sub_registry_with_prefix("postback");
        ours.register("build", "Release and commit of this program", build);
        Self(registry)
    }

    /// Where metrics named `postback_{part}_…` are registered.
    pub fn part(&mut self, part: &str) -> &mut Registry {
        self.0.sub_registry_with_prefix(format!("postback_{part}"))
    }

    /// Adds metrics that are made at each scrape; they print their whole names.
    pub fn collect(&mut self, collector: impl Collector) {
        self.0.register_collector(Box::new(collector));
    }

    /// All metrics, in the text form that Prometheus reads.
    ///
    /// # Errors
    /// When a metric fails to print itself.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &self.0)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn names_begin_with_postback_and_carry_unit_and_kind() {
        let mut metrics = Metrics::new();
        let (requests, latency) = (Counter::<u64>::default(), Latency::new(&[0.01, 0.1]));
        let part = metrics.part("ingest");
        part.register("requests", "Requests", requests.clone());
        part.register("answer_seconds", "Time to the answer", latency.clone());
        requests.inc_by(2);
        for millis in [10, 50, 500] {
            latency.observe(Duration::from_millis(millis));
        }
        let text = metrics.encode().unwrap();
        let build = format!("postback_build_info{{version=\"{RELEASE}\",commit=\"{COMMIT}\"}} 1\n");
        for line in [
            build.as_str(),
            "postback_ingest_requests_total 2\n",
            "postback_ingest_answer_seconds_bucket{le=\"0.01\"} 1\n",
            "postback_ingest_answer_seconds_bucket{le=\"0.1\"} 2\n",
            "postback_ingest_answer_seconds_bucket{le=\"+Inf\"} 3\n",
            "postback_ingest_answer_seconds_count 3\n",
            "postback_ingest_answer_seconds_sum 0.56\n",
            "process_resident_memory_bytes ",
            "process_start_time_seconds ",
            "process_cpu_seconds_total ",
            "process_open_fds ",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }
}
