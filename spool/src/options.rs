//! Bounds and paces.

use std::time::Duration;

use crate::error::OpenError;
use crate::format::{FRAME_BYTES, HEADER_BYTES};

const MIB: u64 = 1024 * 1024;

/// Bounds and paces of a spool. The defaults suit one ingest process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes that all files in the spool directory may have together, whoever wrote them. Two
    /// processes may exceed it by what they write within [`Self::recount_every`]; what is set
    /// aside counts, but is never refused. Default 1 GiB.
    pub max_bytes: u64,
    /// Bytes of one segment, a hard limit. Default 64 MiB.
    pub segment_max_bytes: u64,
    /// Bytes of one record, a hard limit. Default 1 MiB.
    pub record_max_bytes: u64,
    /// Bytes that may wait in memory, framing included, beside the group that is being written.
    /// Default 16 MiB.
    pub queue_max_bytes: u64,
    /// Records that may wait in memory. Default 16,384.
    pub queue_max_records: usize,
    /// How old the count of what other processes have in the spool directory may be. Default 1 s.
    pub recount_every: Duration,
    /// After a failure: how long until the disk is tried again. Default 500 ms.
    pub retry_every: Duration,
    /// A segment that is drained while it is written is retired when it has this many bytes.
    /// Default 1 MiB.
    pub retire_bytes: u64,
    /// … or when nothing was written to it for this long. Default 1 s.
    pub retire_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_bytes: 1024 * MIB,
            segment_max_bytes: 64 * MIB,
            record_max_bytes: MIB,
            queue_max_bytes: 16 * MIB,
            queue_max_records: 16_384,
            recount_every: Duration::from_secs(1),
            retry_every: Duration::from_millis(500),
            retire_bytes: MIB,
            retire_after: Duration::from_secs(1),
        }
    }
}

impl Options {
    /// The framing included, a record must fit a segment, the segment the spool, and a record the
    /// queue.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let framed = self.record_max_bytes.saturating_add(FRAME_BYTES as u64);
        let fault = |option, value, rule| {
            Err(OpenError::Option {
                option,
                value,
                rule,
            })
        };
        if framed > u64::from(u32::MAX) {
            let rule = "a record must be shorter than 4 GiB";
            return fault("record_max_bytes", self.record_max_bytes, rule);
        }
        if framed.saturating_add(HEADER_BYTES as u64) > self.segment_max_bytes {
            let rule = "the longest record must fit a segment: at least record_max_bytes + 72";
            return fault("segment_max_bytes", self.segment_max_bytes, rule);
        }
        if self.segment_max_bytes > self.max_bytes {
            let rule = "one segment must fit the spool: at least segment_max_bytes";
            return fault("max_bytes", self.max_bytes, rule);
        }
        if framed > self.queue_max_bytes {
            let rule = "the longest record must fit the queue: at least record_max_bytes + 32";
            return fault("queue_max_bytes", self.queue_max_bytes, rule);
        }
        if self.queue_max_records == 0 {
            return fault("queue_max_records", 0, "at least 1");
        }
        Ok(())
    }
}
