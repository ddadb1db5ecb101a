//! Many submit, one drains, on the real disk.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use postback_spool::disk::RealDisk;
use postback_spool::{Drain, Options, Spool, SubmitError};

const THREADS: u64 = 16;
const EACH: u64 = 200;

fn options() -> Options {
    Options {
        segment_max_bytes: 16 * 1024,
        record_max_bytes: 1_024,
        retire_after: Duration::ZERO,
        ..Options::default()
    }
}

#[test]
fn every_record_of_every_thread_is_drained_while_others_write() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("spool");
    let spool = Arc::new(Spool::open(Arc::new(RealDisk), &root, options()).unwrap());
    let done = Arc::new(AtomicBool::new(false));
    let drainer = {
        let (spool, done) = (Arc::clone(&spool), Arc::clone(&done));
        thread::spawn(move || {
            let mut drain = spool.drain();
            let mut seen = BTreeSet::new();
            loop {
                let finished = done.load(Ordering::Acquire);
                let mut last = None;
                while let Some(entry) = drain.next() {
                    assert!(seen.insert(entry.record), "twice without a crash");
                    last = Some(entry.position);
                }
                if let Some(last) = last {
                    drain.release(last);
                }
                if finished {
                    assert_eq!(drain.next(), None);
                    return (seen, drain.take_reports());
                }
                thread::yield_now();
            }
        })
    };
    let writers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let spool = Arc::clone(&spool);
            thread::spawn(move || {
                let (told, hear) = mpsc::channel();
                for n in 0..EACH {
                    let record = format!("{thread}-{n}");
                    let told = told.clone();
                    let listen = move |outcome| told.send(outcome).unwrap();
                    spool.submit(record.as_bytes(), n, listen).unwrap();
                    let outcome: Result<(), SubmitError> = hear.recv().unwrap();
                    outcome.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert!(spool.close(Duration::from_secs(60)));
    done.store(true, Ordering::Release);
    let (seen, reports) = drainer.join().unwrap();
    assert_eq!(seen.len() as u64, THREADS * EACH);
    assert_eq!(reports, []);
    let status = spool.status();
    assert_eq!(status.counts.released_records, THREADS * EACH);
    assert_eq!((status.records, status.segments), (0, 0));
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
}

#[test]
fn deleting_the_real_directory_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("spool");
    let (spool, mut committer) =
        Spool::with_committer(Arc::new(RealDisk), &root, options()).unwrap();
    spool
        .submit(b"one", 1, |outcome: Result<(), SubmitError>| {
            outcome.unwrap();
        })
        .unwrap();
    committer.step();
    std::fs::remove_dir_all(&root).unwrap();
    let (told, hear) = mpsc::channel();
    let listen = move |outcome| told.send(outcome).unwrap();
    spool.submit(b"two", 2, listen).unwrap();
    committer.step();
    let failed: Result<(), SubmitError> = hear.recv().unwrap();
    assert_eq!(failed.unwrap_err().reason(), "spool_failed");
    committer.step();
    assert_eq!(spool.status().ready, Ok(()));
    let mut drain = spool.drain();
    assert_eq!(drain.next().unwrap().record, b"one", "still open");
    drop((spool, committer, drain));
    let mut next = Drain::of_orphans(Arc::new(RealDisk), &root, options()).unwrap();
    next.adopt().unwrap();
    assert_eq!(next.next(), None);
}
