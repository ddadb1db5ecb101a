//! What is refused leaves a trace: a record in `kafka.refused_topic`.
//!
//! # Constraints
//!
//! 1. **An answer is never changed or delayed.** [`Refusals::note`] neither waits nor blocks, and
//!    costs next to nothing once the rate limit holds.
//! 2. **Postbacks are not in its way, nor it in theirs.** It has a producer of its own with a small
//!    queue, made when it is first needed.
//! 3. **Memory and traffic are bounded**, whoever sends what: by the [`limit`] of each reason, two
//!    small queues, and fields that are cut.
//! 4. **Nobody can read a URL key from the topic**: see [`mask`].
//! 5. **Every refusal is counted**: it has a record, or is suppressed by the limit, or its record was
//!    dropped because Kafka did not take it. What is suppressed or dropped stands as a number in the
//!    reason's next record, so that the records alone say how many there were.

pub mod glimpse;
pub mod limit;
pub mod mask;
mod pending;
mod publisher;
mod record;

pub use glimpse::Glimpse;
pub use pending::Pending;
pub use publisher::{FLUSH_WITHIN, config, publish};

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use postback_common::reason::Refusal;
use postback_common::record::IdSource;
use tokio::sync::mpsc;

use crate::metrics::RefusalRecordMetrics;
use crate::sources::Sources;
use pending::Reason;

/// Records between a request and the producer's queue. Each has at most some 20 KiB.
const WAITING_RECORDS: usize = 256;

/// Notes refusals. Shared by all connections.
pub struct Refusals {
    ids: IdSource,
    /// The clock of the limits.
    began: Instant,
    /// As [`Refusal::ALL`].
    reasons: Box<[Arc<Reason>]>,
    records: mpsc::Sender<Noted>,
    counts: RefusalRecordMetrics,
}

/// A record on its way.
pub struct Noted {
    /// Its JSON.
    pub record: Vec<u8>,
    /// To be told that it was published.
    pub pending: Pending,
}

impl Refusals {
    /// The records come out of the receiver, which [`publish`] takes.
    #[must_use]
    pub fn new(ids: IdSource, counts: RefusalRecordMetrics) -> (Self, mpsc::Receiver<Noted>) {
        let (records, receiver) = mpsc::channel(WAITING_RECORDS);
        let reason = |_: &Refusal| Arc::new(Reason::default());
        let all = Self {
            ids,
            began: Instant::now(),
            reasons: Refusal::ALL.iter().map(reason).collect(),
            records,
            counts,
        };
        (all, receiver)
    }

    /// Records a refusal, unless there were too many of its reason. `sources` name the URL key, if it
    /// is one.
    pub fn note(&self, refusal: Refusal, glimpse: &Glimpse<'_>, sources: &Sources) {
        let Some(reason) = self.reasons.get(refusal as usize) else {
            return;
        };
        if !reason.limit.take(self.began.elapsed()) {
            reason.suppress();
            self.counts.suppressed.inc();
            return;
        }
        let pending = Pending::new(Arc::clone(reason), self.counts.clone());
        let now = Timestamp::now();
        let id = self.ids.next(now);
        let record = record::of(id, now, refusal, pending.suppressed(), glimpse, sources);
        let record = record.encode();
        // What does not fit is dropped, and counts itself.
        drop(self.records.try_send(Noted { record, pending }));
    }
}
