//! What goes in comes out, and goes away when it is released.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use postback_spool::{Completion, Counts, OpenError, Options, Spool, Step, SubmitError};

use crate::support::{Bench, Outcome, options, read_all, records, root, segments};

#[test]
fn records_come_out_as_they_went_in_and_in_order() {
    let mut bench = Bench::new();
    bench.put(&[b"one", b"", b"\xF5PB\x0D is the marker", b"four"]);
    let read = read_all(&mut bench.drain);
    let bytes: Vec<&[u8]> = read.iter().map(|entry| &*entry.record).collect();
    assert_eq!(
        bytes,
        [&b"one"[..], b"", b"\xF5PB\x0D is the marker", b"four"]
    );
    assert_eq!(
        read.iter().map(|entry| entry.at_micros).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert!(read.is_sorted_by(|one, two| one.position < two.position));
    assert_eq!(bench.drain.next(), None, "each once");
}

#[test]
fn nothing_completes_before_the_sync_and_nothing_unsynced_is_read() {
    let mut bench = Bench::new();
    let outcome = bench.offer(b"one", 1);
    assert_eq!(outcome.get(), None);
    assert_eq!(bench.drain.next(), None);
    assert_eq!(bench.spool.status().queued_records, 1);
    bench.committer.step();
    assert_eq!(outcome.get(), Some(Ok(())));
    let (bytes, synced) = bench.disk.bytes(&bench.segment()).unwrap();
    // 40 bytes of header, 32 before the record.
    assert_eq!((bytes.len(), synced), (40 + 32 + 3, 40 + 32 + 3));
}

#[test]
fn all_that_waits_shares_one_write_and_one_sync() {
    let mut bench = Bench::new();
    let outcomes: Vec<Outcome> = (0..50).map(|at| bench.offer(b"record", at)).collect();
    let steps = bench.disk.steps();
    bench.committer.step();
    assert_eq!(bench.disk.steps() - steps, 2, "an append and a sync");
    assert!(outcomes.iter().all(|outcome| outcome.get() == Some(Ok(()))));
    assert_eq!(bench.spool.status().counts.commits, 1);
}

#[test]
fn a_released_segment_is_unlinked_and_a_closed_spool_leaves_nothing() {
    let mut bench = Bench::new();
    bench.put(&[b"one", b"two"]);
    let read = read_all(&mut bench.drain);
    let old = bench.segment();
    bench.drain.release(read[0].position);
    assert_eq!(bench.spool.status().records, 1);
    assert_eq!(bench.spool.status().oldest_at_micros, Some(2));
    assert_eq!(segments(&bench.disk), [old.as_path()]);
    bench.drain.release(read[1].position);
    assert_eq!(segments(&bench.disk), [] as [std::path::PathBuf; 0]);
    assert_eq!(bench.spool.status().oldest_at_micros, None);
    // A fresh one is made ahead.
    assert_eq!(bench.committer.step(), Step::Idle);
    assert_ne!(bench.segment(), old);
    bench.put(&[b"three"]);
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["three"]);

    bench.spool.close(std::time::Duration::ZERO);
    assert_eq!(bench.committer.step(), Step::Closed);
    bench.drain.release(read[0].position);
    assert_eq!(bench.disk.files(), [] as [std::path::PathBuf; 0]);
    let refused = bench.spool.submit(b"four", 4, |_| {});
    assert_eq!(refused, Err(SubmitError::Closed));
}

#[test]
fn closing_writes_what_waits_first() {
    let mut bench = Bench::new();
    let outcome = bench.offer(b"one", 1);
    bench.spool.close(std::time::Duration::ZERO);
    assert_eq!(bench.committer.step(), Step::Closed);
    assert_eq!(outcome.get(), Some(Ok(())));
    assert_eq!(records(&read_all(&mut bench.drain)), ["one"]);
}

#[test]
fn what_nobody_wants_any_more_is_not_written() {
    struct Fickle(Arc<AtomicBool>, Outcome);
    impl Completion for Fickle {
        fn is_wanted(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
        fn complete(self: Box<Self>, outcome: Result<(), SubmitError>) {
            self.1.listener()(outcome);
        }
    }
    let mut bench = Bench::new();
    let wanted = Arc::new(AtomicBool::new(true));
    let unheard = Outcome::default();
    let heard = [bench.offer(b"first", 1), bench.offer(b"second", 2)];
    let fickle = Fickle(Arc::clone(&wanted), unheard.clone());
    bench.spool.submit(b"unwanted", 3, fickle).unwrap();
    let last = bench.offer(b"last", 4);
    wanted.store(false, Ordering::Relaxed);
    bench.committer.step();
    assert_eq!(unheard.get(), None);
    assert!(heard.iter().chain([&last]).all(|o| o.get() == Some(Ok(()))));
    assert_eq!(
        records(&read_all(&mut bench.drain)),
        ["first", "second", "last"]
    );
    assert_eq!(bench.spool.status().counts.unwanted_records, 1);
}

#[test]
fn a_listener_that_panics_harms_nobody() {
    let mut bench = Bench::new();
    bench.spool.submit(b"one", 1, |_| panic!("faulty")).unwrap();
    let second = bench.offer(b"two", 2);
    bench.committer.step();
    assert_eq!(second.get(), Some(Ok(())));
}

#[test]
fn every_submission_is_counted_once() {
    let mut bench = Bench::new();
    bench.put(&[b"one", b"two"]);
    let read = read_all(&mut bench.drain);
    bench.drain.release(read[0].position);
    let counts = bench.spool.status().counts;
    let expected = Counts {
        committed_records: 2,
        committed_bytes: 2 * (32 + 3),
        commits: 2,
        read_records: 2,
        released_records: 1,
        segments_made: 1,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn contradictory_options_are_refused_with_the_rule() {
    let disk = Arc::new(postback_spool::disk::ForgetfulDisk::new(1));
    for (wrong, option) in [
        (
            Options {
                segment_max_bytes: 2_048 + 71,
                ..options()
            },
            "segment_max_bytes",
        ),
        (
            Options {
                max_bytes: 4_095,
                ..options()
            },
            "max_bytes",
        ),
        (
            Options {
                queue_max_bytes: 2_079,
                ..options()
            },
            "queue_max_bytes",
        ),
        (
            Options {
                queue_max_records: 0,
                ..options()
            },
            "queue_max_records",
        ),
    ] {
        let refused = Spool::open(disk.clone(), root(), wrong).unwrap_err();
        assert!(
            matches!(refused, OpenError::Option { option: found, .. } if found == option),
            "{refused}"
        );
    }
}

#[test]
fn a_record_that_is_too_long_is_refused_with_both_numbers() {
    let bench = Bench::new();
    let refused = bench.spool.submit(&[0; 2_049], 1, |_| {}).unwrap_err();
    let expected = SubmitError::TooLarge {
        bytes: 2_049,
        limit: 2_048,
    };
    assert_eq!(refused, expected);
}
