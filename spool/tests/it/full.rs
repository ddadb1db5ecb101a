//! Space is bounded, refusals are honest, and draining works when nothing else does.

use std::sync::Arc;

use postback_spool::disk::{Disk as _, ForgetfulDisk};
use postback_spool::{Options, Step, SubmitError};

use crate::support::{Bench, Outcome, options, read_all, root};

fn small() -> Options {
    Options {
        max_bytes: 8_192,
        ..options()
    }
}

/// Fills the spool; says how many records it took.
fn fill(bench: &mut Bench) -> (usize, SubmitError) {
    let mut taken = 0;
    loop {
        let outcome = Outcome::default();
        let record = [b'x'; 1_000];
        if let Err(refused) = bench.spool.submit(&record, 1, outcome.listener()) {
            return (taken, refused);
        }
        bench.committer.step();
        match outcome.get().unwrap() {
            Ok(()) => taken += 1,
            Err(refused) => return (taken, refused),
        }
    }
}

#[test]
fn a_full_spool_refuses_at_once_and_takes_again_what_was_drained() {
    let mut bench = Bench::on(ForgetfulDisk::new(1), small());
    let (taken, refused) = fill(&mut bench);
    // Three frames of 1,032 in a segment of 4,096: 2 × (40 + 3,096), then 40 + 1,032 more.
    assert_eq!(taken, 7);
    assert!(matches!(refused, SubmitError::Full { used, limit: 8_192 } if used > 7_000));
    assert_eq!(refused.reason(), "spool_full");
    assert!(bench.disk.used() <= 8_192);
    assert_eq!(bench.spool.status().ready, Ok(()), "full is not broken");
    let read = read_all(&mut bench.drain);
    assert_eq!(read.len(), 7);
    bench.drain.release(read[2].position);
    assert_eq!(fill(&mut bench).0, 3);
}

#[test]
fn what_other_processes_hold_counts_too() {
    let disk = ForgetfulDisk::new(1);
    let mut first = Bench::on(disk.clone(), small());
    let mut second = Bench::on(disk.clone(), small());
    // As alone: the other's 40 bytes of header still fit.
    assert_eq!(fill(&mut first).0, 7);
    assert_eq!(fill(&mut second).0, 0);
    assert!(disk.used() <= 8_192);
    // Room that the other made is found without a record being taken.
    let read = read_all(&mut first.drain);
    first.drain.release(read.last().unwrap().position);
    let refused = second.spool.submit(&[b'x'; 1_000], 1, |_| {});
    assert!(refused.is_err());
    second.committer.step();
    second.spool.submit(&[b'x'; 1_000], 1, |_| {}).unwrap();
}

#[test]
fn queued_records_count_before_they_are_written() {
    let bench = Bench::on(ForgetfulDisk::new(1), small());
    let taken = (0..100)
        .take_while(|_| bench.spool.submit(&[b'x'; 1_000], 1, |_| {}).is_ok())
        .count();
    assert_eq!(taken, 7);
}

#[test]
fn the_queue_is_bounded_in_bytes_and_in_records() {
    let few = Options {
        queue_max_records: 3,
        ..options()
    };
    let bench = Bench::on(ForgetfulDisk::new(1), few);
    for _ in 0..3 {
        bench.offer(b"x", 1);
    }
    let expected = SubmitError::Busy {
        records: 3,
        bytes: 99,
    };
    assert_eq!(bench.spool.submit(b"x", 1, |_| {}), Err(expected));

    let short = Options {
        queue_max_bytes: 2_080,
        ..options()
    };
    let bench = Bench::on(ForgetfulDisk::new(1), short);
    bench.offer(&[b'x'; 2_000], 1);
    let refused = bench.spool.submit(&[b'x'; 100], 1, |_| {}).unwrap_err();
    assert_eq!(refused.reason(), "spool_busy");
    bench.offer(&[b'x'; 16], 1);
}

#[test]
fn a_full_disk_refuses_until_draining_made_room() {
    let mut bench = Bench::new();
    bench.put(&[&[b'a'; 1_900], &[b'b'; 1_900], &[b'c'; 1_900]]);
    bench.disk.set_capacity(Some(bench.disk.used() + 100));
    let outcome = bench.offer(&[b'd'; 1_000], 1);
    assert_eq!(bench.committer.step(), Step::Failed);
    assert_eq!(outcome.get().unwrap().unwrap_err().reason(), "spool_failed");
    let refused = bench.spool.submit(b"small", 1, |_| {}).unwrap_err();
    assert_eq!(refused.reason(), "spool_disk_full");
    assert_eq!(bench.committer.step(), Step::Failed, "still full");
    let read = read_all(&mut bench.drain);
    assert_eq!(read.len(), 3, "draining works");
    bench.drain.release(read[1].position);
    assert_eq!(bench.committer.step(), Step::Idle);
    assert_eq!(bench.spool.status().ready, Ok(()));
    bench.put(&[b"again"]);
}

#[test]
fn usage_is_what_a_listing_says() {
    let mut bench = Bench::new();
    bench.put(&[b"one", &[b'x'; 2_000], &[b'x'; 2_000]]);
    let read = read_all(&mut bench.drain);
    bench.drain.set_aside(&read[0], "too odd").unwrap();
    bench.drain.release(read[1].position);
    assert_eq!(bench.spool.status().used_bytes, bench.disk.used());
    let free = Arc::new(bench.disk.clone()).free_bytes(root()).unwrap();
    assert_eq!(bench.spool.free_bytes(), Ok(free));
}
