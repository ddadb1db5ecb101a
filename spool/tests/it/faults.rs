//! A disk that fails, hangs or goes away.

use std::path::PathBuf;
use std::time::Duration;

use postback_spool::disk::Disk as _;
use postback_spool::{Options, Spool, Step, SubmitError};

use crate::support::{
    Bench, Outcome, eventually, options, read_all, reasons, records, root, segments,
};

#[test]
fn after_a_failed_sync_the_file_is_never_trusted_again() {
    let mut bench = Bench::new();
    bench.put(&[b"one"]);
    let old = bench.segment();
    let waiting = [bench.offer(b"lost", 2), bench.offer(b"too", 3)];
    bench.disk.fail_syncs(1);
    assert_eq!(bench.committer.step(), Step::Failed);
    for outcome in &waiting {
        let failed = outcome.get().unwrap().unwrap_err();
        assert!(matches!(&failed, SubmitError::Failed(fault) if fault.path == old));
    }
    let length = bench.disk.bytes(&old).unwrap().0.len();
    // A new segment was verified at once.
    assert_eq!(bench.spool.status().ready, Ok(()));
    bench.put(&[b"two"]);
    assert_eq!(bench.disk.bytes(&old).unwrap().0.len(), length);
    assert_eq!(segments(&bench.disk).len(), 2);
    assert_eq!(
        reasons(&bench.drain),
        ["spool_write_failed", "spool_recovered"]
    );
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["one", "two"], "what was acknowledged");
    let mut bench = bench.crash();
    let read = records(&read_all(&mut bench.drain));
    assert!(
        ["one", "two"]
            .iter()
            .all(|sent| read.contains(&(*sent).to_owned()))
    );
}

#[test]
fn not_ready_until_a_new_file_is_verified() {
    let mut bench = Bench::new();
    bench.disk.fail_syncs(3);
    let outcome = bench.offer(b"lost", 1);
    assert_eq!(bench.committer.step(), Step::Failed);
    assert!(outcome.get().unwrap().is_err());
    let not_ready = bench.spool.status().ready.unwrap_err();
    assert_eq!(not_ready.reason(), "spool_not_ready");
    assert_eq!(bench.spool.submit(b"refused", 1, |_| {}), Err(not_ready));
    assert_eq!(bench.committer.step(), Step::Failed);
    assert_eq!(bench.committer.step(), Step::Idle);
    assert_eq!(bench.spool.status().ready, Ok(()));
    bench.put(&[b"one"]);
    let counts = bench.spool.status().counts;
    assert_eq!((counts.failed_records, counts.committed_records), (1, 1));
    assert_eq!(
        reasons(&bench.drain),
        ["spool_write_failed", "spool_recovered"],
        "the same trouble is reported once"
    );
}

#[test]
fn a_torn_write_fails_its_group_and_leaves_the_rest_readable() {
    let mut bench = Bench::new();
    bench.put(&[b"one"]);
    let outcome = bench.offer(&[b'x'; 1_000], 2);
    bench.disk.fail_writes(1);
    assert_eq!(bench.committer.step(), Step::Failed);
    assert!(outcome.get().unwrap().is_err());
    bench.put(&[b"two"]);
    assert_eq!(records(&read_all(&mut bench.drain)), ["one", "two"]);
}

#[test]
fn a_read_only_disk_refuses_and_comes_back_by_itself() {
    let mut bench = Bench::new();
    bench.put(&[b"one"]);
    bench.disk.set_read_only(true);
    bench.offer(b"lost", 2);
    assert_eq!(bench.committer.step(), Step::Failed);
    assert_eq!(bench.committer.step(), Step::Failed);
    assert!(bench.spool.status().ready.is_err());
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["one"]);
    bench.drain.release(read[0].position);
    assert_eq!(
        reasons(&bench.drain),
        ["spool_write_failed", "spool_tidy_failed"],
        "it cannot be unlinked now"
    );
    bench.disk.set_read_only(false);
    assert_eq!(bench.committer.step(), Step::Idle);
    bench.put(&[b"two"]);
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["two"]);
    assert_eq!(segments(&bench.disk).len(), 1, "the drained one went");
}

#[test]
fn a_deleted_directory_is_noticed_and_made_again() {
    let mut bench = Bench::new();
    bench.put(&[b"one"]);
    bench.disk.delete_tree(root()).unwrap();
    let outcome = bench.offer(b"lost", 2);
    assert_eq!(bench.committer.step(), Step::Failed);
    assert!(
        outcome.get().unwrap().is_err(),
        "synced, but without a name"
    );
    bench.committer.step();
    assert_eq!(bench.spool.status().ready, Ok(()));
    bench.put(&[b"two"]);
    // What was acknowledged is still open.
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["one", "two"]);
    bench.drain.release(read[1].position);
    assert_eq!(segments(&bench.disk), [] as [PathBuf; 0]);
    let mut bench = bench.crash();
    assert_eq!(bench.drain.next(), None);
}

#[test]
fn a_failing_read_is_reported_and_tried_again() {
    let mut bench = Bench::new();
    bench.put(&[b"one", b"two"]);
    assert_eq!(bench.drain.next().unwrap().record, b"one");
    let mut bench = bench.kill();
    bench.disk.fail_reads(1);
    assert_eq!(bench.drain.next(), None, "for now");
    let read = read_all(&mut bench.drain);
    assert_eq!(
        records(&read),
        ["one", "two"],
        "nothing twice, nothing left out"
    );
    assert_eq!(reasons(&bench.drain), ["spool_read_failed"]);
}

#[test]
fn a_segment_that_cannot_be_read_rests_and_holds_up_no_other() {
    let mut bench = Bench::new();
    bench.put(&[b"one"]);
    let Bench { disk, .. } = bench;
    disk.kill();
    let resting = Options {
        retry_every: Duration::from_hours(1),
        ..options()
    };
    let mut bench = Bench::on(disk, resting);
    bench.drain.adopt().unwrap();
    bench.put_at(b"two", 2);
    bench.disk.fail_reads(1);
    let mut read = Vec::new();
    for _ in 0..5 {
        read.extend(records(&read_all(&mut bench.drain)));
    }
    assert_eq!(reasons(&bench.drain), ["spool_read_failed"]);
    assert_eq!(
        read,
        ["two"],
        "the disk is well again, its rest is not over"
    );
}

#[test]
fn a_segment_that_vanished_does_not_block() {
    let mut bench = Bench::new();
    bench.put(&[b"one"]);
    let gone = bench.segment();
    let mut bench = bench.kill();
    bench.disk.unlink(&gone).unwrap();
    bench.put(&[b"two"]);
    assert_eq!(records(&read_all(&mut bench.drain)), ["two"]);
    assert_eq!(reasons(&bench.drain), ["spool_vanished"]);
}

#[test]
fn setting_aside_fails_loudly_and_works_later() {
    let mut bench = Bench::new();
    bench.put(&[b"one", b"two"]);
    let read = read_all(&mut bench.drain);
    bench.drain.set_aside(&read[0], "too odd").unwrap();
    bench.disk.fail_syncs(1);
    let failed = bench.drain.set_aside(&read[1], "too odd").unwrap_err();
    assert_eq!(failed.reason(), "spool_set_aside");
    bench.drain.set_aside(&read[1], "too odd").unwrap();
    bench.drain.release(read[1].position);
    let mut bench = bench.crash();
    assert_eq!(bench.drain.next(), None);
    let found = postback_spool::survey(&bench.disk, root()).unwrap();
    // The second record is in a file of its own: the first was not trusted again. It may be found
    // in the first as well.
    assert_eq!(found.rejected.len(), 2);
    let records: u64 = found.rejected.iter().map(|segment| segment.records).sum();
    assert!((2..=3).contains(&records));
}

#[test]
fn a_hanging_disk_holds_up_nobody_who_did_not_ask_for_it() {
    let disk = postback_spool::disk::ForgetfulDisk::new(1);
    let shared = std::sync::Arc::new(disk.clone());
    let few = postback_spool::Options {
        queue_max_records: 2,
        ..options()
    };
    let spool = Spool::open(shared, root(), few).unwrap();
    disk.close_gate();
    let outcomes: Vec<Outcome> = (0..3).map(|_| Outcome::default()).collect();
    spool.submit(b"one", 1, outcomes[0].listener()).unwrap();
    disk.wait_for_hanging_sync();
    spool.submit(b"two", 2, outcomes[1].listener()).unwrap();
    spool.submit(b"three", 3, outcomes[2].listener()).unwrap();
    let refused = spool.submit(b"four", 4, |_| {}).unwrap_err();
    let expected = SubmitError::Busy {
        records: 3,
        bytes: 3 * 32 + 11,
    };
    assert_eq!(refused, expected);
    let status = spool.status();
    assert_eq!((status.queued_records, status.records), (3, 0));
    assert!(status.stalled_for.is_some());
    assert!(!spool.close(Duration::from_millis(20)), "still hanging");
    assert!(outcomes.iter().all(|outcome| outcome.get().is_none()));
    disk.open_gate();
    assert!(spool.close(Duration::from_secs(60)));
    assert!(outcomes.iter().all(|outcome| outcome.get() == Some(Ok(()))));
    assert_eq!(spool.status().stalled_for, None);
    let mut drain = spool.drain();
    assert_eq!(records(&read_all(&mut drain)), ["one", "two", "three"]);
}

#[test]
fn a_disk_that_does_not_work_at_the_start_is_an_error() {
    let disk = postback_spool::disk::ForgetfulDisk::new(1);
    disk.set_read_only(true);
    let opened = Spool::open(std::sync::Arc::new(disk), root(), options());
    let refused = opened.unwrap_err();
    assert_eq!(refused.reason(), "spool_disk");
    assert!(!refused.remedy().is_empty());
}

#[test]
fn the_thread_recovers_without_being_asked() {
    let disk = postback_spool::disk::ForgetfulDisk::new(1);
    let shared = std::sync::Arc::new(disk.clone());
    let patient = postback_spool::Options {
        retry_every: Duration::from_millis(1),
        ..options()
    };
    let spool = Spool::open(shared, root(), patient).unwrap();
    disk.set_read_only(true);
    let outcome = Outcome::default();
    spool.submit(b"one", 1, outcome.listener()).unwrap();
    eventually(|| outcome.get().is_some() && spool.status().ready.is_err());
    disk.set_read_only(false);
    eventually(|| spool.status().ready.is_ok());
    let outcome = Outcome::default();
    spool.submit(b"two", 1, outcome.listener()).unwrap();
    eventually(|| outcome.get().is_some());
    assert_eq!(outcome.get(), Some(Ok(())));
}
