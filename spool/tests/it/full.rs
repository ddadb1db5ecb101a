//! Space is bounded, refusals are honest, and draining works when nothing else does.

use std::path::Path;
use std::sync::Arc;

use postback_spool::disk::{Disk as _, ForgetfulDisk};
use postback_spool::{
    Drain, ForeignKind, Looks, Options, Report, Spool, Step, SubmitError, looks, orphaned_bytes,
    survey,
};

use crate::support::{Bench, Outcome, options, read_all, records, root};

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

/// Puts a directory with a file of 1,000 bytes beside the process directories, and lets nobody look
/// into it.
fn forbid(disk: &ForgetfulDisk, name: &str) {
    let path = root().join(name);
    disk.create_dir(&path).unwrap();
    let mut file = disk.create(&path.join("file")).unwrap();
    file.append(&[0; 1_000]).unwrap();
    disk.set_listable(&path, false);
}

#[test]
fn a_foreign_directory_that_may_not_be_listed_changes_nothing() {
    let mut bench = Bench::on(ForgetfulDisk::new(1), small());
    forbid(&bench.disk, "lost+found");
    // As without it.
    let (taken, refused) = fill(&mut bench);
    assert_eq!(taken, 7);
    assert!(matches!(refused, SubmitError::Full { .. }));
    assert_eq!(bench.spool.take_reports(), []);
    let disk = bench.disk.clone();
    drop(bench);
    let mut drain = Drain::of_orphans(Arc::new(disk), root(), small()).unwrap();
    drain.adopt().unwrap();
    assert_eq!(read_all(&mut drain).len(), 7);
}

#[test]
fn what_of_the_spool_may_not_be_listed_is_told_and_all_the_rest_is_bounded() {
    let mut bench = Bench::on(ForgetfulDisk::new(1), small());
    forbid(&bench.disk, "p-0123456789abcdef");
    let other = Bench::on(bench.disk.clone(), small());
    let reports = other.spool.take_reports();
    let reasons: Vec<_> = reports.iter().map(Report::reason).collect();
    assert_eq!(reasons, ["spool_count_failed"]);
    let told = "spool_max_bytes is not kept: list of /spool/p-0123456789abcdef failed: ";
    assert!(reports[0].to_string().starts_with(told), "{}", reports[0]);
    // Less by the other's 40 bytes of header, which fit besides.
    assert_eq!(fill(&mut bench).0, 7);
    assert_eq!(other.spool.status().used_bytes, 2 * 40);
}

#[test]
fn what_lies_loose_counts_and_is_told_apart() {
    let disk = ForgetfulDisk::new(1);
    let bench = Bench::on(disk.clone(), small());
    for (name, bytes) in [("core", 5_000), ("x.segment", 70), ("y.rejected", 7)] {
        let mut file = disk.create(&root().join(name)).unwrap();
        file.append(&vec![0; bytes]).unwrap();
    }
    forbid(&disk, "lost+found");
    let other = Bench::on(disk.clone(), small());
    let status = other.spool.status();
    // Two headers of 40 bytes; the second of them comes after the count.
    assert_eq!(
        (status.used_bytes, status.foreign_bytes),
        (5_077 + 80, 5_077)
    );
    let found = survey(&disk, root()).unwrap();
    assert_eq!(found.used_bytes, 5_077 + 80);
    let foreign: Vec<_> = found
        .foreign
        .iter()
        .map(|each| (each.path.to_str().unwrap(), each.kind, each.bytes))
        .collect();
    let expected = [
        ("/spool/core", ForeignKind::File, 5_000),
        ("/spool/lost+found", ForeignKind::Directory, 0),
        ("/spool/x.segment", ForeignKind::Segment, 70),
        ("/spool/y.rejected", ForeignKind::Rejected, 7),
    ];
    assert_eq!(foreign, expected);
    drop(bench);
}

#[test]
fn a_spool_is_told_from_what_is_within_it_and_from_anything_else() {
    let bench = Bench::on(ForgetfulDisk::new(1), small());
    let disk = &bench.disk;
    let looks = |path: &Path| looks(disk, path).unwrap();
    let process = bench.segment().parent().unwrap().to_owned();
    assert_eq!(looks(root()), Looks::Spool);
    assert_eq!(looks(&process), Looks::WithinSpool);
    assert_eq!(looks(Path::new("/")), Looks::NoSpool);
    for (directory, file, expected) in [
        (
            "/copied",
            "0000000000000001-0000000000000002.segment",
            Looks::WithinSpool,
        ),
        (
            "/refused",
            "0000000000000001-0000000000000002.rejected",
            Looks::WithinSpool,
        ),
        ("/locked", "lock", Looks::WithinSpool),
        ("/set-aside", "x.damaged", Looks::WithinSpool),
        ("/other", "records.jsonl", Looks::NoSpool),
    ] {
        let directory = Path::new(directory);
        disk.create_dir(directory).unwrap();
        disk.create(&directory.join(file)).unwrap();
        assert_eq!(looks(directory), expected, "{directory:?}");
    }
    // Its name alone is nothing against what is in it.
    disk.create_dir(Path::new("/p-spool")).unwrap();
    assert_eq!(looks(Path::new("/p-spool")), Looks::WithinSpool);
    disk.create_dir(Path::new("/p-spool/set-aside")).unwrap();
    assert_eq!(looks(Path::new("/p-spool")), Looks::Spool);
}

#[test]
fn a_loose_segment_is_drained_once_it_has_a_directory() {
    let mut bench = Bench::on(ForgetfulDisk::new(1), options());
    bench.put(&[b"one"]);
    let disk = bench.disk.clone();
    let segment = bench.segment();
    let name = segment.file_name().unwrap().to_owned();
    let loose = root().join(&name);
    drop(bench);
    disk.rename(&segment, &loose).unwrap();
    let mut bench = Bench::on(disk.clone(), options());
    bench.drain.adopt().unwrap();
    assert_eq!(read_all(&mut bench.drain), []);
    let place = root().join("p-00000000000000aa");
    disk.create_dir(&place).unwrap();
    disk.rename(&loose, &place.join(&name)).unwrap();
    bench.drain.adopt().unwrap();
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["one"]);
    bench.drain.release(read[0].position);
    assert!(disk.list(&place).is_err(), "it is gone");
}

#[test]
fn what_a_dead_process_left_is_drained_from_a_full_disk() {
    type Fault = (&'static str, fn(&ForgetfulDisk), fn(&ForgetfulDisk));
    let faults: [Fault; 2] = [
        (
            "no room for bytes",
            |disk| disk.set_capacity(Some(disk.used())),
            |_| {},
        ),
        (
            "no room for names",
            |disk| disk.set_nameable(false),
            |disk| disk.set_nameable(true),
        ),
    ];
    for (name, fills, frees) in faults {
        let mut dead = Bench::on(ForgetfulDisk::new(1), options());
        dead.put(&[b"one", b"two"]);
        let disk = dead.disk.clone();
        drop(dead);
        fills(&disk);
        let mut bench = Bench::on(disk, options());
        let refused = bench.spool.status().ready.unwrap_err();
        assert_eq!(refused.reason(), "spool_disk_full", "{name}");
        assert_eq!(bench.spool.submit(b"no", 1, |_| {}), Err(refused), "{name}");
        assert_eq!(bench.committer.step(), Step::Failed, "{name}: tried again");
        bench.drain.adopt().unwrap();
        let status = bench.spool.status();
        // A header of 40, and two frames of 32 with records of 3.
        assert_eq!((status.bytes, status.uncounted_bytes), (110, 110), "{name}");
        let read = read_all(&mut bench.drain);
        assert_eq!(records(&read), ["one", "two"], "{name}");
        bench.drain.release(read[1].position);
        assert_eq!(bench.spool.status().records, 0, "{name}");
        // What was drained has made the room that bytes need.
        frees(&bench.disk);
        assert_eq!(bench.committer.step(), Step::Idle, "{name}");
        assert_eq!(bench.spool.status().ready, Ok(()), "{name}");
        let names = bench.disk.list(root()).unwrap();
        assert_eq!(names.len(), 1, "{name}: {names:?}");
        let reports = bench.spool.take_reports();
        let reasons: Vec<_> = reports.iter().map(Report::reason).collect();
        assert_eq!(reasons, ["spool_write_failed", "spool_recovered"], "{name}");
    }
}

#[test]
fn a_full_disk_has_its_own_remedy() {
    let disk = ForgetfulDisk::new(1);
    disk.set_nameable(false);
    let opened = Spool::open(Arc::new(disk), root(), options());
    let refused = opened.unwrap_err();
    assert!(refused.remedy().starts_with("free space"), "{refused}");
}

#[test]
fn what_nobody_took_over_is_told_without_being_read() {
    let mut bench = Bench::on(ForgetfulDisk::new(1), options());
    let disk = bench.disk.clone();
    bench.put(&[b"one"]);
    assert_eq!(orphaned_bytes(&disk, root()), Ok(0), "its process lives");
    drop(bench);
    drop(Bench::on(disk.clone(), options()));
    // A header of 40, and a frame of 32 with a record of 3; the other segment is empty.
    assert_eq!(orphaned_bytes(&disk, root()), Ok(75));
    forbid(&disk, "p-0123456789abcdef");
    let unknown = orphaned_bytes(&disk, root()).unwrap_err();
    assert_eq!(unknown.reason(), "spool_disk");
    let missing = orphaned_bytes(&disk, Path::new("/elsewhere"));
    assert!(missing.is_err());
}
