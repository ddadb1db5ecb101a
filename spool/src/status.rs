//! What metrics, probes and the CLI show.

use std::time::Duration;

use crate::error::{Fault, SubmitError};

/// The state of a spool at one moment. Taking it never waits for the disk, but for
/// [`Spool::free_bytes`](crate::Spool::free_bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Why submissions are refused by the disk's fault, or `Ok`. A full spool or a full queue
    /// is not meant here.
    pub ready: Result<(), SubmitError>,
    /// Synced records that are not released yet, as far as they are counted: those of a dead
    /// process are counted while they are read.
    pub records: u64,
    /// Bytes of the segments that are not drained yet, framing included.
    pub bytes: u64,
    /// Of these, bytes that nobody has counted the records of yet.
    pub uncounted_bytes: u64,
    /// The time of the oldest record that is not released, to within one record, in µs since 1970.
    pub oldest_at_micros: Option<u64>,
    /// Segments that are not drained yet, the one being written included.
    pub segments: u64,
    /// Bytes of everything in the spool directory at the last count, own writes added.
    pub used_bytes: u64,
    /// Of these, bytes of files that lie beside the spool's own directories.
    pub foreign_bytes: u64,
    /// [`Options::max_bytes`](crate::Options::max_bytes).
    pub max_bytes: u64,
    /// Records that wait for the disk, the group being written included.
    pub queued_records: u64,
    /// Their bytes, framing included.
    pub queued_bytes: u64,
    /// How long the disk has been busy with the present group, or with a new segment.
    pub stalled_for: Option<Duration>,
    /// For each process directory that could not be taken over when this was tried last, why:
    /// records may stay in it.
    pub stranded: Vec<Fault>,
    /// What happened since the spool was opened.
    pub counts: Counts,
}

/// Counters since the spool was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were synced.
    pub committed_records: u64,
    /// Their bytes, framing included.
    pub committed_bytes: u64,
    /// Groups that were synced.
    pub commits: u64,
    /// Records that nobody wanted any more when their turn came.
    pub unwanted_records: u64,
    /// Records that were taken in and then failed: with their group, or for lack of room.
    pub failed_records: u64,
    /// Records that were read for draining.
    pub read_records: u64,
    /// Records that were released.
    pub released_records: u64,
    /// Records that were set aside.
    pub set_aside_records: u64,
    /// Segments that were made.
    pub segments_made: u64,
    /// Segments that were drained and unlinked.
    pub segments_drained: u64,
    /// Bytes that were no record any more.
    pub damaged_bytes: u64,
    /// Appends that were found cut short.
    pub torn_tails: u64,
    /// Failed writes, syncs and creations.
    pub write_failures: u64,
    /// Failed reads.
    pub read_failures: u64,
    /// Reports that were dropped because nobody took them.
    pub reports_dropped: u64,
}
