//! What becomes of a record, and of the refusals that it stands for.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::limit::Limit;
use crate::metrics::RefusalRecordMetrics;

/// One reason's share.
#[derive(Debug, Default)]
pub(super) struct Reason {
    pub(super) limit: Limit,
    /// Refusals that no record stands for yet.
    owed: AtomicU64,
}

impl Reason {
    pub(super) fn suppress(&self) {
        self.owed.fetch_add(1, Relaxed);
    }
}

/// A record that may still get lost. Dropped before it was published, its refusal, and those that it
/// stands for, are owed to the reason's next record.
#[derive(Debug)]
pub struct Pending {
    reason: Arc<Reason>,
    suppressed: u64,
    counts: RefusalRecordMetrics,
    is_published: bool,
}

impl Pending {
    /// Of a record that stands for everything that the reason owes.
    pub(super) fn new(reason: Arc<Reason>, counts: RefusalRecordMetrics) -> Self {
        let suppressed = reason.owed.swap(0, Relaxed);
        Self {
            reason,
            suppressed,
            counts,
            is_published: false,
        }
    }

    /// Refusals that the record stands for, beside its own.
    pub(super) const fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// Kafka has the record.
    pub fn published(mut self) {
        self.is_published = true;
        self.counts.published.inc();
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_published {
            self.counts.dropped.inc();
            self.reason.owed.fetch_add(self.suppressed + 1, Relaxed);
        }
    }
}
