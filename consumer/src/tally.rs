//! What became of records, counted.

use std::collections::BTreeMap;

use postback_common::reason::Rejection;

use crate::judge::{Judged, Verdict};

/// How many records were accepted and rejected, and why.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    /// A record may have several.
    pub(crate) reasons: BTreeMap<Rejection, u64>,
}

impl Tally {
    /// Counts a record; `is_refused` where ClickHouse refused its conversion.
    pub(crate) fn add(&mut self, record: &Judged<'_>, is_refused: bool) {
        match &record.verdict {
            Verdict::Accepted(_) | Verdict::Several { .. } if is_refused => {
                self.reject(&[Rejection::RefusedByServer]);
            }
            Verdict::Accepted(_) | Verdict::Several { .. } => self.accepted += 1,
            Verdict::Rejected { reasons, .. } => self.reject(reasons),
        }
    }

    fn reject(&mut self, reasons: &[Rejection]) {
        self.rejected += 1;
        for reason in reasons {
            *self.reasons.entry(*reason).or_default() += 1;
        }
    }
}
