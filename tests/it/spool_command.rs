//! `postback spool drain` brings everything that dead processes left to Kafka, whatever interrupts
//! it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postback_spool::disk::RealDisk;
use postback_spool::{Committer, Drain, Options, Spool, SubmitError};
use postback_tests::{Pipeline, Program, Setup, wait};
use rustix::process::Signal;

use crate::outage::own_kafka;

/// So many that a drain of this build takes seconds.
const MANY: u64 = 150_000;

/// How many are written with one sync; fits the spool's queue.
const GROUP: u64 = 10_000;

/// A process that writes into a spool, and lives until it is dropped.
struct Writer {
    spool: Spool,
    committer: Committer,
}

impl Writer {
    fn new(root: &Path) -> Self {
        Self::with(root, Options::default())
    }

    fn with(root: &Path, options: Options) -> Self {
        let disk = Arc::new(RealDisk);
        let (spool, committer) = Spool::with_committer(disk, root, options).unwrap();
        Self { spool, committer }
    }

    fn write(&mut self, records: impl IntoIterator<Item = Vec<u8>>) {
        for record in records {
            let completed = |result: Result<(), SubmitError>| result.unwrap();
            self.spool.submit(&record, 1, completed).unwrap();
        }
        self.committer.step();
    }
}

/// What a dead process leaves: records with the numbers below `count`.
fn leave(root: &Path, count: u64) {
    let mut writer = Writer::new(root);
    for first in (0..count).step_by(usize::try_from(GROUP).unwrap()) {
        writer.write((first..count.min(first + GROUP)).map(record));
    }
}

fn record(number: u64) -> Vec<u8> {
    let query = format!("{number:0>200}");
    format!("{{\"v\":1,\"id\":\"{number}\",\"query\":{{\"utf8\":\"{query}\"}}}}").into_bytes()
}

/// Bytes that no compression makes shorter (xorshift64).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A topic, and a configuration that knows no spool: the directory comes from another host.
fn prepared(setup: Setup, directory: &Path) -> (Pipeline, PathBuf) {
    let pipeline = setup.prepare();
    pipeline.migrate();
    (pipeline, directory.join("spool"))
}

/// How often each message is in the topic.
fn messages(pipeline: &Pipeline) -> BTreeMap<Vec<u8>, u64> {
    let mut counts = BTreeMap::new();
    for (_, message) in pipeline.topic.messages() {
        *counts.entry(message).or_default() += 1;
    }
    counts
}

fn assert_nothing_is_missing(pipeline: &Pipeline, count: u64) {
    let found = messages(pipeline);
    let missing: Vec<_> = (0..count)
        .filter(|number| !found.contains_key(&record(*number)))
        .collect();
    assert_eq!(
        (missing.len(), found.len() as u64),
        (0, count),
        "{missing:?}"
    );
}

fn drain<'a>(root: &'a Path, command: &'a str) -> [&'a str; 4] {
    ["spool", command, "--dir", root.to_str().unwrap()]
}

/// Starts a drain and waits until Kafka has some of the records.
fn started(pipeline: &Pipeline, root: &Path) -> Program {
    let program = pipeline.start_with("postback", &drain(root, "drain"));
    wait::until_true("the first records in Kafka", || pipeline.topic.end() > 0);
    program
}

#[test]
fn everything_a_dead_process_left_is_brought_to_kafka() {
    let directory = tempfile::tempdir().unwrap();
    let (pipeline, root) = prepared(Setup::new("spool_drain"), directory.path());
    leave(&root, 5_000);
    leave(&root, 10);
    let finished = pipeline.postback(&drain(&root, "drain"));
    assert_eq!(finished.code, 0, "{}", finished.shown());
    assert!(
        finished.stderr.contains("5010 records in Kafka's topic")
            && finished.stdout.contains("Nothing waits"),
        "{}",
        finished.shown()
    );
    let found = messages(&pipeline);
    let expected = (0..5_000).map(|n| (record(n), if n < 10 { 2 } else { 1 }));
    assert_eq!(found, expected.collect());
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
}

#[test]
fn living_processes_keep_theirs_and_what_kafka_refuses_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    // The topic takes less than a spool does.
    let lines = "max_body_bytes = 0\nmax_query_bytes = 256";
    let (pipeline, root) = prepared(
        Setup::new("spool_refused").lines("ingest", lines),
        directory.path(),
    );
    let mut living = Writer::new(&root);
    living.write([record(7)]);
    // Broker and producer take 1,048,588 bytes with what is around a record; a spool takes 1 MiB.
    let large = noise(1024 * 1024);
    let mut dead = Writer::new(&root);
    dead.write(
        (0..20)
            .map(record)
            .chain([large.clone()])
            .chain((20..40).map(record)),
    );
    drop(dead);

    let finished = pipeline.postback(&drain(&root, "drain"));
    assert_eq!(finished.code, 3, "{}", finished.shown());
    assert!(
        finished.stderr.contains("40 records in Kafka's topic")
            && finished.stderr.contains("1 set aside"),
        "{}",
        finished.shown()
    );
    assert_nothing_is_missing(&pipeline, 40);
    let exported = pipeline.postback(&drain(&root, "export"));
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let lines: Vec<&str> = exported.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].as_bytes(), record(7));
    assert!(lines[1].starts_with("{\"base64\":"), "{}", &lines[1][..40]);
    drop(living);
}

#[test]
fn what_was_set_aside_is_put_back_whatever_its_size_and_not_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    // Ingest takes postbacks whose records have up to 3.4 MB, and the topic takes those.
    let lines = "max_body_bytes = 524288";
    let (pipeline, root) = prepared(
        Setup::new("spool_set_aside").lines("ingest", lines),
        directory.path(),
    );
    let options = Options {
        record_max_bytes: 4_000_000,
        ..Options::default()
    };
    let large = noise(2_500_000);
    let mut dead = Writer::with(&root, options.clone());
    dead.write([record(0), large.clone(), record(1)]);
    drop(dead);
    let disk = Arc::new(RealDisk);
    let mut living = Drain::of_orphans(disk, &root, options).unwrap();
    living.adopt().unwrap();
    let mut set_next_aside = || {
        let entry = living.next().unwrap();
        living.set_aside(&entry, "too large").unwrap();
        living.release(entry.position);
    };
    set_next_aside();
    let command = [&drain(&root, "drain")[..], &["--set-aside"]].concat();
    let beside = pipeline.postback(&command);
    assert_eq!(beside.code, 3, "{}", beside.shown());
    assert!(
        beside
            .stderr
            .contains("of a living process, stay set aside until it has ended: 1"),
        "{}",
        beside.shown()
    );
    set_next_aside();
    set_next_aside();
    assert_eq!(living.next(), None);
    drop(living);

    let finished = pipeline.postback(&command);
    assert_eq!(finished.code, 0, "{}", finished.shown());
    let expected = [(record(0), 1), (large, 1), (record(1), 1)];
    let is_whole = messages(&pipeline) == BTreeMap::from(expected);
    assert!(is_whole, "{}", finished.shown());
}

#[test]
fn without_kafka_what_was_set_aside_stays_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let (kafka, servers) = own_kafka(directory.path());
    let (pipeline, root) = prepared(Setup::on("spool_stays", servers), directory.path());
    leave(&root, 1);
    let disk = Arc::new(RealDisk);
    let mut dead = Drain::of_orphans(disk, &root, Options::default()).unwrap();
    dead.adopt().unwrap();
    let entry = dead.next().unwrap();
    dead.set_aside(&entry, "too large").unwrap();
    dead.release(entry.position);
    assert_eq!(dead.next(), None);
    drop(dead);
    drop(kafka);
    let command = [&drain(&root, "drain")[..], &["--set-aside"]].concat();
    let finished = pipeline.postback(&command);
    assert_eq!(finished.code, 1, "{}", finished.shown());
    let names = std::fs::read_dir(&root).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["set-aside"]);
}

#[test]
fn a_drain_that_is_killed_is_repeated_and_nothing_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let (pipeline, root) = prepared(Setup::new("spool_killed"), directory.path());
    leave(&root, MANY);
    let program = started(&pipeline, &root);
    program.process().kill();
    assert!(pipeline.topic.end() < MANY, "it was not killed on the way");
    let finished = pipeline.postback(&drain(&root, "drain"));
    assert_eq!(finished.code, 0, "{}", finished.shown());
    assert_nothing_is_missing(&pipeline, MANY);
}

#[test]
fn ctrl_c_stops_a_drain_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (pipeline, root) = prepared(Setup::new("spool_interrupted"), directory.path());
    leave(&root, MANY);
    let program = started(&pipeline, &root);
    program.signal(Signal::INT);
    assert_eq!(program.exit_code(), 130);
    let status = pipeline.postback(&drain(&root, "status"));
    assert_eq!(
        status.code,
        3,
        "it was not stopped on the way: {}",
        status.shown()
    );
    let finished = pipeline.postback(&drain(&root, "drain"));
    assert_eq!(finished.code, 0, "{}", finished.shown());
    assert_nothing_is_missing(&pipeline, MANY);
}

#[test]
fn a_frozen_kafka_ends_a_drain_with_words_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (kafka, servers) = own_kafka(directory.path());
    let (pipeline, root) = prepared(Setup::on("spool_frozen", servers), directory.path());
    leave(&root, MANY);
    let program = started(&pipeline, &root);
    kafka.process().freeze().unwrap();
    let output = pipeline.log("postback");
    assert_eq!(program.exit_code(), 1);
    let output = std::fs::read_to_string(output).unwrap();
    assert!(
        output.contains("does not confirm") && output.contains("remedy"),
        "{output}"
    );
    kafka.process().thaw().unwrap();
    // The broker needs a while to find itself.
    wait::until_true("a drain to the end", || {
        pipeline.postback(&drain(&root, "drain")).code == 0
    });
    assert_nothing_is_missing(&pipeline, MANY);
    drop(kafka);
}

#[test]
fn an_ingest_that_could_not_open_its_spool_does_not_call_it_empty() {
    let directory = tempfile::tempdir().unwrap();
    // Not even root can make a directory below it.
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let line = format!("spool_dir = {:?}", file.join("spool"));
    let pipeline = Setup::new("spool_unopened")
        .lines("ingest", &line)
        .prepare();
    let ingest = pipeline.start_ingest();
    wait::until_true("it listens", || ingest.output().contains("listening"));
    let log = pipeline.log("postback-ingest");
    assert_eq!(ingest.terminate(), 3);
    let said = std::fs::read_to_string(log).unwrap();
    let words = "records may stay in the spool: nobody could look";
    assert!(said.contains(words), "{said}");
}
