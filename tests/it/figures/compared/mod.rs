//! Each report beside the same figures calculated from what was sent.

pub(crate) mod activity;
pub(crate) mod amounts;
mod chance;
pub(crate) mod digest;
pub(crate) mod gap;
pub(crate) mod gap_figures;
pub(crate) mod latency;
pub(crate) mod reversals;
pub(crate) mod summary;
pub(crate) mod unattributed;
pub(crate) mod words;

use jiff::Timestamp;
use postback_tests::Pipeline;
use serde_json::Value;

use super::book::Own;
use super::model::Received;

/// All sources of the configuration.
pub(crate) const SOURCES: [&str; 7] = [
    "rakuten-us",
    "rakuten-eu",
    "tracker",
    "steady",
    "idle",
    "shop",
    "items",
];

/// A postback that was received, whatever became of it.
#[derive(Debug)]
pub(crate) struct Postback {
    pub(crate) id: String,
    pub(crate) source: &'static str,
    pub(crate) via: String,
    pub(crate) at: Timestamp,
    /// Of the template that its URL names.
    pub(crate) marker: String,
    /// Why it is no conversion.
    pub(crate) reasons: Vec<&'static str>,
}

impl Postback {
    fn text(&self, column: &str) -> String {
        let network = match self.source {
            "rakuten-us" | "rakuten-eu" => "rakuten",
            "shop" => "orders",
            "items" => "rakuten-item-report",
            _ => "generic",
        };
        match column {
            "source" | "account" => self.source.to_owned(),
            "network" => network.to_owned(),
            _ => self.via.clone(),
        }
    }
}

/// What was sent and imported, and where the reports are asked.
pub(crate) struct World<'a> {
    pub(crate) pipeline: &'a Pipeline,
    /// In the revision that counts.
    pub(crate) conversions: Vec<Received>,
    pub(crate) postbacks: Vec<Postback>,
    pub(crate) own: Own,
}

impl World<'_> {
    /// A report's rows and meta.
    fn report(&self, report: &[&str], more: &[String]) -> Value {
        self.ask(report, more, &[0])
    }

    /// The same of a report that may have found something.
    fn found(&self, report: &[&str], more: &[String]) -> Value {
        self.ask(report, more, &[0, 3])
    }

    fn ask(&self, report: &[&str], more: &[String], codes: &[i32]) -> Value {
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let all = [&["-o", "json", "report"], report, &more].concat();
        let finished = self.pipeline.postback(&all);
        assert!(
            codes.contains(&finished.code),
            "{all:?}: {}",
            finished.shown()
        );
        serde_json::from_str(&finished.stdout).expect("a report is JSON")
    }
}
