//! `postback spool` on directories that the spool itself made. What Kafka says is tested end to end.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postback_spool::disk::RealDisk;
use postback_spool::{Committer, Drain, Options, Spool, Step, SubmitError};

use crate::run::{AWAY, Place};

/// 2026-09-01T00:00:00Z in µs.
const SEPTEMBER: u64 = 1_788_220_800_000_000;

/// A process that writes into a spool, and lives until it is dropped.
struct Writer {
    spool: Spool,
    committer: Committer,
}

impl Writer {
    fn new(root: &Path) -> Self {
        let disk = Arc::new(RealDisk);
        let (spool, committer) = Spool::with_committer(disk, root, Options::default()).unwrap();
        Self { spool, committer }
    }

    /// One record a second.
    fn write(&mut self, records: &[&[u8]]) {
        for (second, record) in records.iter().enumerate() {
            let at = SEPTEMBER + second as u64 * 1_000_000;
            let completed = |result: Result<(), SubmitError>| result.unwrap();
            self.spool.submit(record, at, completed).unwrap();
        }
        assert_eq!(self.committer.step(), Step::Committed);
    }
}

/// A configured spool directory that is not there yet.
fn place() -> (Place, PathBuf) {
    let with_spool = AWAY.replace(
        "[ingest]",
        "[ingest]\nspool_dir = \"spool\"\nspool_max_bytes = 10_000_000",
    );
    let place = Place::with(&with_spool);
    let root = place.path().join("spool");
    (place, root)
}

/// Three records of a dead process, one of them no JSON.
fn leave_records(root: &Path) {
    Writer::new(root).write(&[br#"{"v":1,"id":"a"}"#, b"\xff\n", br#"{"v":1,"id":"c"}"#]);
}

fn segments(root: &Path) -> Vec<PathBuf> {
    let files = files(root).into_keys();
    files
        .filter(|path| path.extension().is_some_and(|e| e == "segment"))
        .collect()
}

/// All files below a directory with their contents.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

/// What differs between runs is replaced.
fn snapshot(place: &Place, text: &[String]) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&regex_of(place.path()), "PLACE");
    settings.add_filter("p-[0-9a-f]{16}", "p-HEX");
    settings.add_filter("[0-9a-f]{16}-[0-9a-f]{16}", "NUMBER-HEX");
    settings.add_filter("the oldest for [^.,\"\n]+", "the oldest for AGE");
    settings.add_filter(r"[0-9.]+ .?B free", "SIZE free");
    // Not every machine has its temporary files on a disk.
    settings.add_filter("spool,doubtful,\"?[^\n]* is on [^\n]*\n", "");
    settings.add_filter("\"free_bytes\":[0-9]+", "\"free_bytes\":BYTES");
    settings.bind(|| {
        let name = std::thread::current().name().map(str::to_owned).unwrap();
        let name = name.rsplit("::").next().unwrap().to_owned();
        insta::assert_snapshot!(name, text.join("\n"));
    });
}

fn regex_of(path: &Path) -> String {
    path.to_str().unwrap().replace('.', r"\.")
}

#[test]
fn where_there_is_nothing_it_says_so() {
    let (place, root) = place();
    let mut text = vec![
        Place::with(AWAY).run(&["spool", "status"]),
        place.run(&["spool", "status"]),
        place.run(&["spool", "export"]),
        place.run(&["spool", "drain"]),
        place.run(&["spool", "status", "--dir", "postback.toml"]),
    ];
    fs::create_dir(&root).unwrap();
    text.push(place.run(&["spool", "status"]));
    text.push(place.run(&["spool", "export"]));
    // Kafka is away, and is not needed.
    text.push(place.run(&["spool", "drain"]));
    snapshot(&place, &text);
}

#[test]
fn what_waits_and_what_was_set_aside_is_listed() {
    let (place, root) = place();
    leave_records(&root);
    let mut drain = Drain::of_orphans(Arc::new(RealDisk), &root, Options::default()).unwrap();
    drain.adopt().unwrap();
    let first = drain.next().unwrap();
    drain
        .set_aside(&first, "Broker: Message size too large")
        .unwrap();
    drop(drain);
    fs::write(
        root.join("set-aside/p-1-2-3.damaged"),
        "# bytes 1..4\nabc\n",
    )
    .unwrap();
    let mut living = Writer::new(&root);
    living.write(&[br#"{"v":1,"id":"d"}"#]);
    // In a listing by name, the dead process comes first.
    let dead = segments(&root)
        .into_iter()
        .find(|path| fs::metadata(path).unwrap().len() > 150);
    let dead = dead.unwrap().parent().unwrap().to_owned();
    let moved = root.join("p-0000000000000000");
    fs::rename(&dead, &moved).unwrap();
    let before = files(&root);
    let moved = moved.to_str().unwrap();
    let text = [
        place.run(&["spool", "status"]),
        place.run(&["spool", "status", "-o", "json"]),
        place.run(&["spool", "status", "-o", "csv", "-q"]),
        place.run(&["-c", "nowhere.toml", "spool", "status", "--dir", "spool"]),
        place.run(&["spool", "status", "--dir", moved]),
        place.run(&["spool", "export", "-v"]),
        // Nothing is lost while Kafka is away, and the living process is left alone.
        place.run(&["spool", "drain"]),
    ];
    snapshot(&place, &text);
    assert_eq!(files(&root), before);
}

#[test]
fn damage_is_told_and_the_records_around_it_are_exported() {
    let (place, root) = place();
    leave_records(&root);
    let segment = segments(&root).remove(0);
    let file = fs::File::options().write(true).open(segment).unwrap();
    // The header has 40 bytes, a frame's head 32: this is the first record.
    file.write_all_at(b"X", 40 + 32).unwrap();
    let text = [
        place.run(&["spool", "status"]),
        place.run(&["spool", "export"]),
    ];
    snapshot(&place, &text);
}

#[test]
fn a_directory_that_is_no_spool_is_never_empty_of_records() {
    let (place, root) = place();
    leave_records(&root);
    let copied = place.path().join("copied");
    fs::create_dir(&copied).unwrap();
    let segment = segments(&root).remove(0);
    fs::copy(&segment, copied.join(segment.file_name().unwrap())).unwrap();
    fs::create_dir(place.path().join("empty")).unwrap();
    let host = place.path().join("host");
    fs::create_dir_all(host.join("log")).unwrap();
    fs::rename(&root, host.join("spool")).unwrap();
    fs::create_dir(&root).unwrap();
    // A name like that of a process directory says nothing against what is in it.
    let named = place.path().join("p-one");
    Writer::new(&named).write(&[b"one"]);
    let before = files(place.path());
    let mut text = Vec::new();
    for directory in ["copied", "empty", "host", "host/spool", "p-one", "spool"] {
        for command in ["status", "export"] {
            text.push(place.run(&["spool", command, "--dir", directory, "-q"]));
        }
    }
    for directory in ["copied", "host"] {
        text.push(place.run(&["spool", "drain", "--dir", directory]));
    }
    snapshot(&place, &text);
    assert_eq!(files(place.path()), before);
}

#[test]
fn what_lies_beside_the_spools_directories_is_told() {
    let (place, root) = place();
    leave_records(&root);
    let segment = segments(&root).remove(0);
    let name = segment.file_name().unwrap();
    fs::rename(&segment, root.join(name)).unwrap();
    fs::write(root.join(name).with_extension("rejected"), "").unwrap();
    fs::write(root.join("core"), vec![0; 9_000_000]).unwrap();
    fs::create_dir(root.join("lost+found")).unwrap();
    let text = [
        place.run(&["spool", "status"]),
        place.run(&["spool", "status", "-o", "json"]),
        doctor(&place),
    ];
    snapshot(&place, &text);
}

#[test]
fn of_damage_alone_no_command_is_promised() {
    let (place, root) = place();
    fs::create_dir_all(root.join("set-aside")).unwrap();
    let text = "# bytes 1..4\nabc\n";
    fs::write(root.join("set-aside/p-1-2-3.damaged"), text).unwrap();
    snapshot(&place, &[place.run(&["spool", "status"])]);
}

#[test]
fn what_is_no_segment_by_its_name_is_not_taken_for_an_empty_one() {
    let (place, root) = place();
    fs::create_dir_all(root.join("set-aside")).unwrap();
    let name = "set-aside/copy of 0000000000000001-0123456789abcdef.rejected";
    fs::write(root.join(name), "no record").unwrap();
    let text = [
        place.run(&["spool", "status"]),
        place.run(&["spool", "export"]),
    ];
    snapshot(&place, &text);
}

#[test]
fn a_file_of_records_is_new_and_for_its_owner_alone() {
    let (place, root) = place();
    leave_records(&root);
    let before = files(&root);
    let export = [
        "spool",
        "export",
        "--dir",
        "spool",
        "--out",
        "records.jsonl",
    ];
    let first = place.run(&[&["-c", "nowhere.toml"], &export[..]].concat());
    let path = place.path().join("records.jsonl");
    let expected = "{\"v\":1,\"id\":\"a\"}\n{\"base64\":\"/wo=\"}\n{\"v\":1,\"id\":\"c\"}\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = place.run(&export);
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    snapshot(&place, &[first, second]);
    assert_eq!(files(&root), before);
}

/// What the doctor says about the spool, remedies included.
fn doctor(place: &Place) -> String {
    let told = place.run(&["doctor", "-o", "csv", "-q"]);
    let about_spool = told.lines().filter(|line| line.starts_with("spool,"));
    about_spool
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

#[test]
fn the_doctor_looks_at_the_spool() {
    let states: [fn(&Path); 5] = [
        |_| {},
        leave_records,
        |root| fs::create_dir(root).unwrap(),
        |root| {
            fs::create_dir_all(root.join("set-aside")).unwrap();
            let text = "# bytes 1..4\nabc\n";
            fs::write(root.join("set-aside/p-1-2-3.damaged"), text).unwrap();
        },
        |root| fs::write(root, "").unwrap(),
    ];
    // At once, because each waits for a Kafka that is away.
    let told = std::thread::scope(|scope| {
        let asked = states.map(|make| {
            scope.spawn(move || {
                let (place, root) = place();
                make(&root);
                doctor(&place)
            })
        });
        asked.map(|told| told.join().unwrap())
    });
    snapshot(&place().0, &told);
}
