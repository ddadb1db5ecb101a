//! What a dead process left is read, whatever state it is in.

use postback_spool::disk::{Disk as _, ForgetfulDisk};
use postback_spool::{Condition, Drain, Found, OpenError, Options, Records, Report, Step, survey};

use crate::support::{Bench, Outcome, options, read_all, reasons, records, root, segments};

/// Where the frames of three-byte records lie.
const FIRST: usize = 40;
const SECOND: usize = FIRST + 35;
const THIRD: usize = SECOND + 35;
const END: usize = THIRD + 35;

fn three() -> Bench {
    let mut bench = Bench::new();
    bench.put(&[b"one", b"two", b"tre"]);
    bench
}

/// Changes the only segment, kills the process, and drains as the next one.
fn after(change: impl FnOnce(&mut Vec<u8>)) -> (Bench, Vec<String>, Vec<&'static str>) {
    let bench = three();
    let path = bench.segment();
    bench
        .disk
        .change_bytes(&path, |bytes| {
            change(bytes);
            Ok(())
        })
        .unwrap();
    let mut bench = bench.kill();
    let read = read_all(&mut bench.drain);
    let reasons = reasons(&bench.drain);
    if let Some(last) = read.last() {
        bench.drain.release(last.position);
    }
    (bench, records(&read), reasons)
}

fn set_aside(bench: &Bench) -> Vec<Vec<u8>> {
    let files = bench.disk.files().into_iter();
    files
        .filter(|path| path.extension().is_some_and(|e| e == "damaged"))
        .map(|path| bench.disk.bytes(&path).unwrap().0)
        .collect()
}

#[test]
fn synced_records_survive_a_crash_and_a_kill() {
    let mut bench = three().crash();
    assert_eq!(records(&read_all(&mut bench.drain)), ["one", "two", "tre"]);
    let mut bench = bench.kill();
    let read = read_all(&mut bench.drain);
    assert_eq!(
        records(&read),
        ["one", "two", "tre"],
        "nothing was released"
    );
    bench.drain.release(read[2].position);
    assert_eq!(segments(&bench.disk).len(), 1, "the new process's own");
    assert_eq!(reasons(&bench.drain), [] as [&str; 0]);
}

#[test]
fn a_torn_tail_is_reported_and_costs_nothing_else() {
    for cut in [THIRD + 1, THIRD + 31, THIRD + 32, END - 1] {
        let (bench, read, reasons) = after(|bytes| bytes.truncate(cut));
        assert_eq!(read, ["one", "two"], "cut at {cut}");
        assert_eq!(reasons, ["spool_torn_tail"], "cut at {cut}");
        assert_eq!(segments(&bench.disk).len(), 1, "drained and gone");
        assert_eq!(set_aside(&bench), [] as [Vec<u8>; 0]);
    }
}

#[test]
fn zeroes_at_the_end_are_a_torn_tail() {
    let (_, read, reasons) = after(|bytes| bytes[THIRD..].fill(0));
    assert_eq!((read.len(), reasons), (2, vec!["spool_torn_tail"]));
    let (_, read, reasons) = after(|bytes| bytes.resize(END + 100_000, 0));
    assert_eq!((read.len(), reasons), (3, vec!["spool_torn_tail"]));
}

#[test]
fn any_flipped_bit_costs_its_record_only_and_is_set_aside() {
    for bit in FIRST * 8..END * 8 {
        let (bench, read, reasons) = after(|bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let (hit, start) = match bit / 8 {
            byte if byte < SECOND => ("one", FIRST),
            byte if byte < THIRD => ("two", SECOND),
            _ => ("tre", THIRD),
        };
        let mut expected = vec!["one", "two", "tre"];
        expected.retain(|record| *record != hit);
        assert_eq!(read, expected, "bit {bit}");
        assert_eq!(reasons, ["spool_damage"], "bit {bit}");
        let kept = set_aside(&bench);
        let head = format!("# bytes {start}..{}\n", start + 35);
        assert!(kept[0].starts_with(head.as_bytes()), "bit {bit}");
        assert_eq!(kept[0].len(), head.len() + 35 + 1);
        assert_eq!(segments(&bench.disk).len(), 1, "drained and gone");
    }
}

#[test]
fn damage_in_a_great_many_places_is_kept_too_and_told_by_a_thousand_ranges() {
    let roomy = Options {
        segment_max_bytes: 1024 * 1024,
        queue_max_records: 10_000,
        queue_max_bytes: 1024 * 1024,
        ..options()
    };
    let mut bench = Bench::on(ForgetfulDisk::new(1), roomy);
    let outcomes: Vec<Outcome> = (0..2_010).map(|at| bench.offer(b"one", at)).collect();
    assert_eq!(bench.committer.step(), Step::Committed);
    assert!(outcomes.iter().all(|outcome| outcome.get() == Some(Ok(()))));
    let path = bench.segment();
    // Every second record, the first of them hit.
    let start = |nth: usize| FIRST + 2 * 35 * nth;
    for nth in 0..1_005 {
        bench.disk.flip_bit(&path, start(nth) * 8).unwrap();
    }
    let mut bench = bench.kill();
    let read = read_all(&mut bench.drain);
    assert_eq!(read.len(), 1_005, "every whole one");
    bench.drain.release(read.last().unwrap().position);
    assert_eq!(segments(&bench.disk).len(), 1, "drained and gone");
    let kept = set_aside(&bench);
    let kept = String::from_utf8_lossy(&kept[0]);
    let heads: Vec<&str> = kept
        .lines()
        .filter(|line| line.starts_with("# bytes"))
        .collect();
    let one = |nth| format!("# bytes {}..{}", start(nth), start(nth) + 35);
    let mut expected: Vec<String> = (0..999).map(one).collect();
    // The last one has the whole records between the others of the damage in it, too.
    expected.push(format!("# bytes {}..{}", start(999), start(1_004) + 35));
    assert_eq!(heads, expected);
}

#[test]
fn a_lost_header_loses_no_record() {
    let (bench, read, reasons) = after(|bytes| bytes[..40].fill(0xAA));
    assert_eq!(read, ["one", "two", "tre"]);
    assert_eq!(reasons, ["spool_damage"]);
    assert_eq!(set_aside(&bench).len(), 1);
}

#[test]
fn a_block_of_zeroes_in_the_middle_costs_what_was_in_it() {
    let (_, read, reasons) = after(|bytes| bytes[FIRST + 10..SECOND + 5].fill(0));
    assert_eq!(read, ["tre"]);
    assert_eq!(reasons, ["spool_damage"]);
}

#[test]
fn empty_and_cut_headers_are_no_obstacle() {
    let (bench, read, reasons) = after(Vec::clear);
    assert_eq!((read.len(), reasons.len()), (0, 0));
    assert_eq!(segments(&bench.disk).len(), 1, "the empty one is gone");
    let (_, read, reasons) = after(|bytes| bytes.truncate(39));
    assert_eq!((read.len(), reasons), (0, vec!["spool_torn_tail"]));
    let (_, read, reasons) = after(|bytes| bytes.truncate(40));
    assert_eq!((read.len(), reasons.len()), (0, 0));
}

#[test]
fn garbage_alone_is_set_aside_whole() {
    let (bench, read, reasons) = after(|bytes| *bytes = vec![0xF5; 5_000]);
    assert_eq!((read.len(), reasons), (0, vec!["spool_damage"]));
    assert_eq!(
        set_aside(&bench)[0].len(),
        "# bytes 0..5000\n".len() + 5_001
    );
}

#[test]
fn bytes_that_a_sender_chose_never_pass_as_a_record() {
    // A whole segment, as a sender could make one, inside a record whose frame is then lost.
    let mut bench = three();
    let forged = bench.disk.bytes(&bench.segment()).unwrap().0;
    let path = bench.segment();
    bench.put(&[&forged]);
    bench.disk.flip_bit(&path, END * 8).unwrap();
    let mut bench = bench.kill();
    // Its own frames lie at other offsets now.
    assert_eq!(records(&read_all(&mut bench.drain)), ["one", "two", "tre"]);
}

#[test]
fn damage_is_found_in_a_living_segment_too() {
    let mut bench = three();
    let path = bench.segment();
    bench.disk.flip_bit(&path, THIRD * 8).unwrap();
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["one", "two"]);
    bench.put(&[b"for"]);
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["for"]);
    let expected = Report::Damage {
        segment: path,
        bytes: THIRD as u64..END as u64,
    };
    assert_eq!(bench.drain.take_reports(), [expected]);
    bench.drain.release(read[0].position);
    assert_eq!(set_aside(&bench).len(), 1);
}

#[test]
fn an_unknown_version_is_reported_and_left_alone() {
    let bench = three();
    let path = bench.segment();
    bench
        .disk
        .change_bytes(&path, |bytes| {
            bytes[8] = 2;
            let check = twox_hash::XxHash3_64::oneshot_with_seed(0, &bytes[..32]);
            bytes[32..40].copy_from_slice(&check.to_le_bytes());
            Ok(())
        })
        .unwrap();
    let (before, _) = bench.disk.bytes(&path).unwrap();
    let mut bench = bench.kill();
    bench.put(&[b"new"]);
    let read = read_all(&mut bench.drain);
    assert_eq!(records(&read), ["new"], "it does not block");
    bench.drain.release(read[0].position);
    let expected = Report::UnknownVersion {
        segment: path.clone(),
        version: 2,
    };
    assert_eq!(bench.drain.take_reports(), [expected]);
    assert_eq!(bench.disk.bytes(&path).unwrap().0, before);
    let refused = Records::open(&bench.disk, &path).unwrap_err();
    assert_eq!(refused, OpenError::UnknownVersion { path, version: 2 });
}

#[test]
fn a_foreign_file_is_reported_and_keeps_its_directory() {
    let bench = three();
    let foreign = bench.segment().with_file_name("notes.txt");
    bench.disk.create(&foreign).unwrap();
    let mut bench = bench.kill();
    let read = read_all(&mut bench.drain);
    bench.drain.release(read[2].position);
    assert_eq!(reasons(&bench.drain), ["spool_foreign_file"]);
    assert!(bench.disk.files().contains(&foreign));
    bench.drain.adopt().unwrap();
    assert_eq!(reasons(&bench.drain), [] as [&str; 0], "once is enough");
}

#[test]
fn what_cannot_be_set_aside_stays_until_it_can() {
    let bench = three();
    bench.disk.flip_bit(&bench.segment(), FIRST * 8).unwrap();
    let mut bench = bench.kill();
    let read = read_all(&mut bench.drain);
    bench.disk.set_capacity(Some(bench.disk.used()));
    bench.drain.release(read[1].position);
    assert_eq!(reasons(&bench.drain), ["spool_damage", "spool_tidy_failed"]);
    assert_eq!(segments(&bench.disk).len(), 2);
    bench.disk.set_capacity(None);
    assert_eq!(bench.drain.next(), None);
    assert_eq!(segments(&bench.disk).len(), 1);
    assert_eq!(set_aside(&bench).len(), 1);
}

#[test]
fn a_set_aside_file_is_locked_for_as_long_as_it_may_grow() {
    let mut bench = three();
    let read = read_all(&mut bench.drain);
    let path = bench.drain.set_aside(&read[0], "too odd").unwrap();
    let held = bench.disk.lock(&path, false).unwrap_err();
    assert_eq!(held.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(bench.drain.set_aside(&read[1], "too odd"), Ok(path.clone()));
    bench.disk.kill();
    let lock = bench.disk.lock(&path, false);
    assert!(lock.is_ok(), "its process is dead");

    // One that was written to its end is free too.
    let mut bench = Bench::new();
    bench.put(&[&[b'x'; 2_000], &[b'y'; 2_000], &[b'z'; 2_000]]);
    let read = read_all(&mut bench.drain);
    let first = bench.drain.set_aside(&read[0], "too odd").unwrap();
    while bench.drain.set_aside(&read[1], "too odd").unwrap() == first {}
    assert!(bench.disk.lock(&first, false).is_ok());
}

#[test]
fn a_survey_sees_everything_and_changes_nothing() {
    let mut bench = three();
    let read = read_all(&mut bench.drain);
    bench
        .drain
        .set_aside(&read[1], "MessageSizeTooLarge")
        .unwrap();
    let path = bench.segment();
    bench.disk.flip_bit(&path, SECOND * 8).unwrap();
    let (files, steps) = (bench.disk.files(), bench.disk.steps());
    let found = survey(&bench.disk, root()).unwrap();
    assert_eq!((bench.disk.files(), bench.disk.steps()), (files, steps));
    assert!(found.directories[0].in_use);
    let segment = &found.directories[0].segments[0];
    assert_eq!(segment.path, path);
    assert_eq!((segment.records, segment.damaged_bytes), (2, 35));
    assert_eq!(segment.times, Some((1, 3)));
    assert_eq!(segment.condition, Condition::Readable);
    let rejected = &found.rejected[0];
    assert_eq!((rejected.records, rejected.times), (1, Some((2, 2))));
    let mut exported = Records::open(&bench.disk, &rejected.path).unwrap();
    let Some(Ok(Found::Rejected { rejected, .. })) = exported.next() else {
        panic!("no rejected record");
    };
    assert_eq!(rejected.reason, "MessageSizeTooLarge");
    assert_eq!(rejected.record, b"two");
    bench.disk.kill();
    assert!(!survey(&bench.disk, root()).unwrap().directories[0].in_use);
}

#[test]
fn a_file_with_another_name_than_a_spool_gives_is_no_segment() {
    let mut bench = three();
    let read = read_all(&mut bench.drain);
    bench
        .drain
        .set_aside(&read[1], "MessageSizeTooLarge")
        .unwrap();
    let path = survey(&bench.disk, root()).unwrap().rejected[0]
        .path
        .clone();
    let name = path.file_name().unwrap().to_str().unwrap();
    let copy = path.with_file_name(format!("copy of {name}"));
    bench.disk.rename(&path, &copy).unwrap();
    let unfinished = path.with_file_name("p-1-2-3.damaged.new");
    bench.disk.create(&unfinished).unwrap();
    let found = survey(&bench.disk, root()).unwrap();
    let [segment] = &found.rejected[..] else {
        panic!("{:?}", found.rejected);
    };
    assert_eq!((&segment.path, segment.records), (&copy, 0));
    assert_eq!(segment.condition, Condition::NoSegment);
    assert_eq!(found.damaged, [(unfinished, 0)]);
    assert!(matches!(
        Records::open(&bench.disk, &copy),
        Err(OpenError::NoSegment { .. })
    ));
}

#[test]
fn a_directory_from_a_dead_host_is_drained_without_a_spool_of_ones_own() {
    let bench = three();
    let disk: ForgetfulDisk = bench.disk.clone();
    drop(bench);
    disk.kill();
    // Copied without its lock.
    let lock = segments(&disk)[0].with_file_name("lock");
    disk.unlink(&lock).unwrap();
    let shared = std::sync::Arc::new(disk.clone());
    let mut drain = Drain::of_orphans(shared, root(), options()).unwrap();
    let adopted = drain.adopt().unwrap();
    assert_eq!((adopted.directories, adopted.segments), (1, 1));
    let read = read_all(&mut drain);
    assert_eq!(records(&read), ["one", "two", "tre"]);
    drain.release(read[2].position);
    assert_eq!(disk.files(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn zeroes_with_something_behind_them_are_damage_and_kept() {
    let (bench, read, reasons) = after(|bytes| bytes[THIRD..THIRD + 10].fill(0));
    assert_eq!((read.len(), reasons), (2, vec!["spool_damage"]));
    let head = format!("# bytes {THIRD}..{END}\n");
    assert!(set_aside(&bench)[0].starts_with(head.as_bytes()));
}

#[test]
fn a_segment_under_another_name_is_read_by_its_header() {
    let bench = three();
    let path = bench.segment();
    let name = path.file_name().unwrap().to_str().unwrap();
    let (number, _) = name.split_once('-').unwrap();
    let other = path.with_file_name(format!("{number}-0123456789abcdef.segment"));
    bench.disk.rename(&path, &other).unwrap();
    let mut bench = bench.kill();
    assert_eq!(records(&read_all(&mut bench.drain)), ["one", "two", "tre"]);
    assert_eq!(reasons(&bench.drain), [] as [&str; 0]);
}

#[test]
fn a_stray_byte_among_zeroes_is_no_torn_tail() {
    let (bench, read, reasons) = after(|bytes| {
        let mark = bytes[THIRD];
        bytes[THIRD..].fill(0);
        bytes[THIRD + 20] = mark;
    });
    assert_eq!((read.len(), reasons), (2, vec!["spool_damage"]));
    assert_eq!(set_aside(&bench).len(), 1);
}

#[test]
fn a_long_reason_is_cut_between_its_letters() {
    let mut bench = three();
    let read = read_all(&mut bench.drain);
    let reason = format!("x{}", "\u{e4}".repeat(600));
    bench.drain.set_aside(&read[1], &reason).unwrap();
    let found = survey(&bench.disk, root()).unwrap();
    let mut kept = Records::open(&bench.disk, &found.rejected[0].path).unwrap();
    let Some(Ok(Found::Rejected { rejected, .. })) = kept.next() else {
        panic!("no rejected record");
    };
    assert_eq!(rejected.reason, reason[..1_023]);
    assert_eq!(rejected.record, b"two");
}
