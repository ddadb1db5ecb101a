//! Segments end where they should, and the next one continues.

use std::time::{Duration, Instant};

use postback_spool::disk::ForgetfulDisk;
use postback_spool::{Options, Step};

use crate::support::{Bench, eventually, options, read_all, records, segments};

#[test]
fn no_segment_is_longer_than_allowed_and_nothing_is_lost_between_them() {
    let mut bench = Bench::new();
    let sent: Vec<String> = (0..60).map(|n| format!("{n:0>500}")).collect();
    let outcomes: Vec<_> = sent
        .iter()
        .map(|record| bench.offer(record.as_bytes(), 1))
        .collect();
    assert_eq!(bench.committer.step(), Step::Committed);
    assert!(outcomes.iter().all(|o| o.get() == Some(Ok(()))));
    let segments = segments(&bench.disk);
    // 7 frames of 532 bytes fit into 4,096 - 40; 60 records need 9 segments.
    assert_eq!(segments.len(), 9);
    for path in &segments {
        let length = bench.disk.bytes(path).unwrap().0.len();
        assert!(length <= 4_096, "{length}");
    }
    assert_eq!(records(&read_all(&mut bench.drain)), sent);
    // Of one moment: what is older, only the names of the segments say.
    let mut bench = bench.kill();
    assert_eq!(records(&read_all(&mut bench.drain)), sent);
}

#[test]
fn drained_segments_go_one_by_one() {
    let mut bench = Bench::new();
    for n in 0..20 {
        bench.offer(format!("{n:0>500}").as_bytes(), n);
    }
    bench.committer.step();
    let read = read_all(&mut bench.drain);
    // 7, 7, 6.
    assert_eq!(segments(&bench.disk).len(), 3);
    bench.drain.release(read[6].position);
    assert_eq!(segments(&bench.disk).len(), 2);
    bench.drain.release(read[12].position);
    assert_eq!(segments(&bench.disk).len(), 2);
    bench.drain.release(read[13].position);
    assert_eq!(segments(&bench.disk).len(), 1);
    assert_eq!(bench.spool.status().records, 6);
}

#[test]
fn a_segment_that_was_read_whole_and_released_in_part_is_not_read_again() {
    // Found by the model, seed 4.
    let mut bench = Bench::new();
    for n in 0..8 {
        bench.offer(format!("{n:0>500}").as_bytes(), n);
    }
    bench.committer.step();
    let read: Vec<_> = (0..7).filter_map(|_| bench.drain.next()).collect();
    bench.drain.release(read[0].position);
    assert_eq!(
        records(&read_all(&mut bench.drain)),
        [format!("{:0>500}", 7)]
    );
}

#[test]
fn the_longest_record_fits_an_empty_segment() {
    let mut bench = Bench::new();
    let longest = vec![b'x'; 2_048];
    bench.put(&[&longest, &longest, b"last"]);
    let read = read_all(&mut bench.drain);
    assert_eq!(read.len(), 3);
    assert_eq!(read[1].record, longest);
}

#[test]
fn numbers_grow_so_names_sort_by_age() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.put(&[&[b'x'; 2_048]]);
        bench.put(&[&[b'x'; 2_000]]);
    }
    let names = segments(&bench.disk);
    let numbers: Vec<&str> = names
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .map(|name| &name[..16])
        .collect();
    let expected: Vec<String> = (1..=6).map(|n| format!("{n:016x}")).collect();
    assert_eq!(numbers, expected);
}

/// Under a steady trickle the disk would otherwise see a new file for each record.
#[test]
fn a_drained_segment_is_written_on_until_it_has_grown_enough() {
    // One frame of 532 bytes behind 40 of the header is not enough, two are.
    let retiring = Options {
        retire_bytes: 40 + 2 * 532,
        retire_after: Duration::from_hours(1),
        ..options()
    };
    let mut bench = Bench::on(ForgetfulDisk::new(1), retiring);
    let first = bench.segment();
    for _ in 0..2 {
        assert_eq!(segments(&bench.disk), [first.as_path()]);
        bench.put(&[&[b'x'; 500]]);
        let read = read_all(&mut bench.drain);
        bench.drain.release(read[0].position);
    }
    assert_eq!(segments(&bench.disk), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_drained_segment_is_written_on_until_it_has_rested() {
    let rest = Duration::from_millis(200);
    let retiring = Options {
        retire_bytes: u64::MAX,
        retire_after: rest,
        ..options()
    };
    let mut bench = Bench::on(ForgetfulDisk::new(1), retiring);
    let began = Instant::now();
    bench.put(&[b"one"]);
    let read = read_all(&mut bench.drain);
    bench.drain.release(read[0].position);
    eventually(|| {
        bench.drain.next();
        segments(&bench.disk).is_empty()
    });
    assert!(began.elapsed() >= rest);
}

#[test]
fn a_segment_with_something_to_drain_is_written_on() {
    let mut bench = Bench::new();
    let first = bench.segment();
    bench.put(&[b"one"]);
    let one = bench.drain.next().unwrap();
    bench.put(&[b"two"]);
    bench.drain.release(one.position);
    bench.put(&[b"three"]);
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["two", "three"]);
    bench.drain.release(read[0].position);
    bench.put(&[b"four"]);
    assert_eq!(segments(&bench.disk), [first.as_path()]);
}

/// An empty segment that went would only be made again.
#[test]
fn a_segment_without_a_record_stays() {
    let mut bench = Bench::new();
    let fresh = bench.segment();
    for _ in 0..3 {
        assert_eq!(bench.drain.next(), None);
        assert_eq!(bench.committer.step(), Step::Idle);
    }
    assert_eq!(segments(&bench.disk), [fresh.as_path()]);
}
