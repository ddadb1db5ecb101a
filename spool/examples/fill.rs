//! Leaves a spool directory behind as a process does that was killed while Kafka was away.
//!
//! `cargo run --release -p postback-spool --example fill -- DIR MIB [BYTES]`
//!
//! Fills DIR with MIB of records of BYTES each (700 if not said) that no network has sent: a measurement of what
//! a full spool costs at the start.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for measurements on a terminal"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use postback_spool::disk::RealDisk;
use postback_spool::{Options, Spool, SubmitError};

/// Records that wait to be synced at once; the spool's queue takes more.
const AT_ONCE: usize = 4_096;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().unwrap());
    let mib: u64 = arguments.next().unwrap().parse().unwrap();
    let bytes: usize = arguments.next().map_or(700, |bytes| bytes.parse().unwrap());
    let wanted = mib << 20;
    let options = Options {
        max_bytes: wanted + (1 << 30),
        ..Options::default()
    };
    let spool = Spool::open(Arc::new(RealDisk), &directory, options).unwrap();
    let record = vec![b'x'; bytes];
    while spool.status().counts.committed_bytes < wanted {
        let (told, hear) = mpsc::channel();
        for _ in 0..AT_ONCE {
            let told = told.clone();
            let listen = move |outcome: Result<(), SubmitError>| told.send(outcome).unwrap();
            spool.submit(&record, 1, listen).unwrap();
        }
        drop(told);
        assert!(hear.iter().all(|outcome| outcome.is_ok()));
    }
    let counts = spool.status().counts;
    println!(
        "{} records, {} bytes, {} segments",
        counts.committed_records, counts.committed_bytes, counts.segments_made
    );
    // Nothing is closed or drained: the next process finds what a kill would leave.
    std::process::exit(0);
}
