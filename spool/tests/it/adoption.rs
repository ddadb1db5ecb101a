//! Directories of dead processes go to one finder, and living ones to nobody.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::thread;

use postback_spool::disk::{Disk as _, ForgetfulDisk, RealDisk};
use postback_spool::{Drain, Spool};

use crate::support::{Bench, Outcome, options, read_all, records, root, segments};

#[test]
fn a_living_process_keeps_its_directory() {
    let disk = ForgetfulDisk::new(1);
    let mut first = Bench::on(disk.clone(), options());
    first.put(&[b"one"]);
    let mut second = Bench::on(disk, options());
    let adopted = second.drain.adopt().unwrap();
    assert_eq!((adopted.directories, adopted.in_use), (0, 1));
    assert_eq!(second.drain.next(), None);
    // Let go with the process: the spool, its committer and its drain.
    drop(first);
    let adopted = second.drain.adopt().unwrap();
    assert_eq!((adopted.directories, adopted.segments), (1, 1));
    let read = read_all(&mut second.drain);
    assert_eq!(records(&read), ["one"]);
    second.drain.release(read[0].position);
    assert_eq!(
        second.drain.adopt().unwrap(),
        postback_spool::Adopted::default()
    );
}

#[test]
fn the_oldest_record_comes_first_whoever_left_it() {
    let disk = ForgetfulDisk::new(1);
    for at in [300, 100, 200] {
        let mut bench = Bench::on(disk.clone(), options());
        bench.offer(format!("{at}").as_bytes(), at);
        bench.committer.step();
    }
    let mut bench = Bench::on(disk, options());
    bench.offer(b"150", 150);
    bench.committer.step();
    bench.drain.adopt().unwrap();
    assert_eq!(bench.spool.status().oldest_at_micros, Some(100));
    assert!(bench.spool.status().uncounted_bytes > 0);
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["100", "150", "200", "300"]);
    let status = bench.spool.status();
    assert_eq!((status.records, status.uncounted_bytes), (4, 0));
}

#[test]
fn what_a_dying_maker_left_is_tidied_up() {
    let disk = ForgetfulDisk::new(1);
    // Creating the spool directory, syncing its parent, making the process directory, its lock,
    // renaming, syncing, the first segment: died after each.
    for step in 1..=11 {
        disk.crash_in(step);
        let shared = Arc::new(disk.clone());
        let opened = Spool::with_committer(shared, root(), options());
        assert_eq!(opened.is_err(), disk.has_crashed());
        drop(opened);
        disk.crash();
    }
    let mut bench = Bench::on(disk, options());
    bench.drain.adopt().unwrap();
    assert_eq!(bench.drain.next(), None);
    let own: Vec<_> = bench.disk.list(root()).unwrap();
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(segments(&bench.disk).len(), 1);
}

#[test]
fn several_finders_share_the_orphans_without_overlap() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("spool");
    let options = postback_spool::Options::default();
    for n in 0..20 {
        let (spool, mut committer) =
            Spool::with_committer(Arc::new(RealDisk), &root, options.clone()).unwrap();
        let outcome = Outcome::default();
        let record = format!("{n}");
        spool
            .submit(record.as_bytes(), n, outcome.listener())
            .unwrap();
        committer.step();
        assert_eq!(outcome.get(), Some(Ok(())));
    }
    let start = Arc::new(Barrier::new(4));
    let finders: Vec<_> = (0..4)
        .map(|_| {
            let (root, start, options) = (root.clone(), Arc::clone(&start), options.clone());
            thread::spawn(move || {
                let mut drain = Drain::of_orphans(Arc::new(RealDisk), &root, options).unwrap();
                start.wait();
                drain.adopt().unwrap();
                let read = read_all(&mut drain);
                if let Some(last) = read.last() {
                    drain.release(last.position);
                }
                (records(&read), drain.take_reports())
            })
        })
        .collect();
    let mut seen = Vec::new();
    for finder in finders {
        let (records, reports) = finder.join().unwrap();
        assert_eq!(reports, []);
        seen.extend(records);
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (20, 20));
    // A loser may have looked at a directory while its winner removed it; nothing is left.
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
}

#[test]
fn a_directory_that_cannot_be_taken_over_is_told_of_until_it_can() {
    let place = tempfile::tempdir().unwrap();
    // Not even root can open this one as a file.
    let lock = place.path().join("p-0123456789abcdef/lock");
    std::fs::create_dir_all(&lock).unwrap();
    let disk = Arc::new(RealDisk);
    let options = postback_spool::Options::default();
    let mut drain = Drain::of_orphans(disk, place.path(), options).unwrap();
    assert_eq!(drain.adopt().unwrap().stranded, 1);
    let stranded = drain.status().stranded;
    assert_eq!((stranded.len(), &stranded[0].path), (1, &lock));
    std::fs::remove_dir(&lock).unwrap();
    assert_eq!(drain.adopt().unwrap().stranded, 0);
    assert_eq!(drain.status().stranded, []);
}
