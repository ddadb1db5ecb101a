//! Keeps records on disk until Kafka has them.
//!
//! A record that is acknowledged to its sender must survive whatever happens before Kafka confirms
//! it. The spool is the second place where it can be safe: files of this host, written in groups,
//! synced before anybody is told.
//!
//! # Constraints
//!
//! - **Acknowledged means synced.** A submission completes with success only after `fdatasync` of
//!   the file returned success, and after the file's name had been synced in its directory.
//! - **A failed sync is final for its file.** The kernel may drop the pages that it could not
//!   write and report success the next time. Such a file is never written again; what it held
//!   before stays acknowledged and is drained.
//! - **Nobody waits without need.** A submission is refused at once when there is no room, when
//!   too many wait already, or while the disk does not work. Nothing here knows deadlines: whoever
//!   submits has one, and may stop being interested ([`Completion::is_wanted`]).
//! - **At least once.** A record may come out twice after a crash. Records carry ids; the same id
//!   twice is one. No order is promised between segments; within one it is the order of writing.
//! - **A record is opaque bytes.** The spool reads no field of it.
//! - **Space is bounded** over the whole spool directory, and given back by unlinking, which works
//!   on a full disk too.
//! - **The disk is a trait** ([`disk::Disk`]), so that crashes, torn writes, flipped bits, failing
//!   and hanging syncs are ordinary tests ([`disk::ForgetfulDisk`]).
//!
//! A local file system that honours `fdatasync` and `flock` is assumed; network file systems are
//! not supported.
//!
//! # Bytes on disk
//!
//! ```text
//! SPOOL_DIR/
//!   p-6f2a90c4d1e7b835/            one directory per process, random name
//!     lock                         held (flock) while its process, or its adopter, lives
//!     0000000000000001-9f86d081884c7d65.segment
//!     0000000000000002-60303ae22b998861.segment
//!   .new-….                        a process directory that is being made
//!   set-aside/                     for a person: nothing here is drained by itself
//!     p-…-0000000000000001-9f86d081884c7d65.damaged     bytes that are no record any more
//!     0000000000000001-b5d4045c3f466fa9.rejected        records that Kafka refuses for themselves
//! ```
//!
//! A `.rejected` file is locked (flock) by its process from before its first byte until nothing more
//! is appended to it. Whoever takes records out of it and removes it holds that lock all the while,
//! and leaves alone what somebody else holds.
//!
//! A segment's name is its number and its id, 16 hexadecimal digits each. The number grows within
//! a directory. The id is random and seeds every checksum of the file: neither bytes of another
//! file, left over in a block, nor bytes that a sender put into a record can pass as a record. It
//! stands in the name and in the header, so that losing the header loses nothing.
//!
//! All integers are little-endian; "check" is XXH3-64 with the segment's id as its seed, but for
//! the header's own, whose seed is 0.
//!
//! ```text
//! header   0  8  magic "PBSPOOL\n"          frame   0  4  marker F5 50 42 0D
//!          8  2  version = 1                        4  4  length of the record
//!         10  1  kind: 0 queued, 1 rejected         8  8  the record's time, µs since 1970
//!         11  5  zero                              16  8  check of the record
//!         16  8  number                            24  8  check of the frame's offset in the file
//!         24  8  id                                       and of its bytes 4..24
//!         32  8  check of bytes 0..32              32     the record
//! ```
//!
//! `F5` occurs in no UTF-8 text, so JSON holds no marker. Frames follow each other without gaps. A
//! segment is at most [`Options::segment_max_bytes`] long.
//!
//! # Writing
//!
//! [`Spool::submit`] copies a record into a bounded queue. One thread, the [`Committer`], takes all
//! that waits, frames it, appends it with one write, calls `fdatasync` once and completes them
//! all; meanwhile the next group gathers. Under load, groups grow by themselves.
//!
//! A new segment is created, its header written and synced, its directory synced, and the header
//! read back, before any record goes into it. That happens ahead: an idle spool holds an empty,
//! verified segment, and is *ready*. When a write or a sync fails, all that waits fails, the file
//! is closed for good, and a new segment is tried: at once, then every [`Options::retry_every`].
//! Until one is verified the spool is not ready and refuses ([`Status::ready`]). So it begins, too,
//! where the first segment cannot be made.
//!
//! # Reading and draining
//!
//! [`Drain`] gives records from the segment with the oldest record first, and finishes a segment
//! before it begins the next. Of the segment that is being written it reads what is synced.
//! [`Drain::release`] says that all records up to a position are safe elsewhere; a segment all of
//! whose records are released is unlinked. A segment that is still written is retired (closed, and
//! a fresh one made) once it is released whole and has grown or rested for a while. A record that
//! can never be delivered goes to [`Drain::set_aside`].
//!
//! There is no cursor on disk: a segment that was not released whole is read again from its
//! beginning by the next process. That repeats at most one segment per process directory, and
//! saves a second file whose state could disagree with the first.
//!
//! # Recovery
//!
//! A process never writes into a file that it did not create, so nothing needs to be recovered
//! before the first record is taken: opening costs the same with an empty and with a full spool.
//! [`Drain::adopt`] takes over the directories that nobody holds the lock of (their processes
//! died) and queues their segments; what is in a segment is found out when it is read:
//!
//! - At a place that is no whole frame, the reader searches for the next one, byte by byte. Every
//!   whole record before and after is kept. What lies between is *damage*.
//! - What follows the last whole frame is a *torn tail* if it looks like an append that was cut
//!   short: less than a frame's head, a good head whose record ends behind the end of the file, or
//!   zeroes. It was never acknowledged, unless the file itself was cut afterwards; it is
//!   reported and not kept. Anything else there is damage.
//! - Before a segment with damage is unlinked, the damaged bytes are written to `set-aside/`.
//!
//! # What happens when
//!
//! | Failure | What happens |
//! |---|---|
//! | kill -9, power loss | the next process adopts the directory; everything acknowledged is in it |
//! | crash while a process directory is made | `.new-…` has no records; a finder removes it |
//! | crash between drained and unlinked | the segment is drained again |
//! | crash while a finished directory is removed | a directory without lock and segments is removed |
//! | write or sync fails (EIO, EROFS) | waiting submissions fail; new segment, or not ready until one works |
//! | disk full (ENOSPC, EDQUOT) | the same, refused as [`SubmitError::DiskFull`]; draining frees space, of dead processes too, and also in a process that begins on a full disk |
//! | `max_bytes` reached | [`SubmitError::Full`] at once; draining frees space |
//! | sync hangs | the queue fills, then [`SubmitError::Busy`]; [`Status::stalled_for`] tells |
//! | files or directory deleted under us | seen after the next sync (no link left): fails like a write; a new directory is made; what is still open is drained |
//! | bit flipped, block lost | damage, as above |
//! | header lost | the name has the id: records are read all the same |
//! | unknown version | reported; the segment is left alone and its directory is kept |
//! | read fails | reported; other segments first, tried again every [`Options::retry_every`]; never unlinked |
//! | set-aside fails | the caller is told and the segment stays |
//! | a finder meets another | `flock` decides; the loser goes on |
//! | a set-aside file is put back while it is written | `flock` decides; an open file is left alone |
//! | something foreign lies in the spool directory | left alone; a file counts for [`Options::max_bytes`], a directory is not looked into |
//! | a directory may not be listed | what is in it is not counted; reported |

#![warn(missing_docs)]

mod committer;
mod directory;
pub mod disk;
mod drain;
mod error;
mod format;
mod ledger;
mod options;
mod queue;
mod report;
mod scan;
mod set_aside;
mod spool;
mod status;
mod survey;
mod usage;

pub use committer::{Committer, Step};
pub use drain::{Adopted, Drain, Entry, Position};
pub use error::{Fault, OpenError, Operation, SetAsideError, SubmitError};
pub use options::Options;
pub use report::Report;
pub use set_aside::Rejected;
pub use spool::{Completion, Spool};
pub use status::{Counts, Status};
pub use survey::{
    Condition, Foreign, ForeignKind, Found, Looks, Records, Survey, SurveyedDirectory,
    SurveyedSegment, looks, survey,
};
pub use usage::orphaned_bytes;
