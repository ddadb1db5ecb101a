//! All that was measured.

use serde::Serialize;

use super::super::host::Host;
use super::super::targets::Target;
use super::cost::Cost;

/// A benchmark's result.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) host: Host,
    /// Raw records in the topic.
    pub(super) records: u64,
    /// Mean size of a record's JSON.
    pub(super) record_bytes: u64,
    pub(super) costs: Vec<Cost>,
    pub(super) targets: Vec<Target>,
}
