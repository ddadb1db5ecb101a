//! ClickHouse dies between the renames of two parts of one insert: of what was one insert some
//! partitions of the table are stored and others are not. Random kills hardly ever meet that moment.

use std::path::Path;
use std::time::{Duration, Instant};

use postback_stack::{Cancellation, Launch, Supervised, strace};

use super::account::Account;
use super::stage::Stage;
use crate::wait;

/// System calls by which a part gets its name.
const RENAMES: &str = "rename,renameat,renameat2";

/// Into which table, and at which rename it dies: the parts before it are stored, this one is not.
/// An insert of `conversions` has five, for its five months; one of `postbacks` two.
const MOMENTS: [(&str, u32); 4] = [
    ("conversions_g1", 2),
    ("conversions_g1", 4),
    ("conversions_g1", 5),
    ("postbacks_g1", 2),
];

/// Messages of one batch: enough for every month, and few enough that only the first one has a new
/// conversion that is refused, for which it would be divided.
const MESSAGES: u32 = 90;

/// For strace to attach.
const ATTACHED_WITHIN: Duration = Duration::from_secs(30);

/// Dies at each of the moments, and is started again.
pub(super) fn play(stage: &mut Stage) -> Account {
    let tracer = strace(&Cancellation::new(), &|_| {}).expect("strace can be had");
    never_merge(stage);
    let member = stage.add_member(true);
    stage.start(member);
    let watcher = stage.watch();
    stage.send(MESSAGES);
    let mut broken = Account::draw(stage).broken;
    stage.spare_refused();
    for (table, moment) in MOMENTS {
        broken.extend(die(stage, &tracer, table, moment));
    }
    let mut account = Account::draw(stage);
    account.broken.extend(broken);
    account.add(watcher.end());
    account
}

/// A merge renames its part, too, and takes away the parts that are counted. `SYSTEM STOP MERGES` would
/// be forgotten at each restart.
fn never_merge(stage: &Stage) {
    for table in ["conversions_g1", "postbacks_g1"] {
        stage.pipeline.database.run(&format!(
            "ALTER TABLE {{db}}.{table} MODIFY SETTING \
             max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1"
        ));
    }
}

/// The batch is in hand when ClickHouse dies, and is repeated when it is back.
fn die(stage: &mut Stage, tracer: &Path, table: &str, moment: u32) -> Vec<String> {
    let alter = |stage: &Stage, is_read_only: u8| {
        stage.pipeline.database.run(&format!(
            "ALTER TABLE {{db}}.postbacks_g1 MODIFY SETTING table_readonly = {is_read_only}"
        ));
    };
    freeze(stage);
    // Before anything is altered: right behind that, ClickHouse can tell of a table without parts.
    let before = parts(stage, table);
    assert!(
        before > 0,
        "{table}: ClickHouse tells of the parts that it has"
    );
    stage.send(MESSAGES);
    if table == "postbacks_g1" {
        // The conversions come first, and are not what it is to die of.
        let conversions = parts(stage, "conversions_g1");
        alter(stage, 1);
        thaw(stage);
        wait::until_true("the conversions are stored", || {
            parts(stage, "conversions_g1") >= conversions + 5
        });
        freeze(stage);
        alter(stage, 0);
    }
    let log = stage.pipeline.log("strace");
    let tracing = attach(tracer, stage, moment, &log);
    thaw(stage);
    let ended = stage.clickhouse.process().wait_for(wait::LIMIT);
    assert!(ended.is_some(), "ClickHouse comes to its rename {moment}");
    drop(tracing);
    // What it has stored is to be seen before anything is repeated.
    freeze(stage);
    stage.restart_clickhouse();
    let stored = parts(stage, table) - before;
    let note = format!("{table}: dies at rename {moment}, {stored} parts stored");
    assert_eq!(stored, u64::from(moment) - 1, "{note}");
    stage.notes.push(note);
    thaw(stage);
    Account::draw(stage).broken
}

fn freeze(stage: &Stage) {
    let program = stage.program(0).expect("it runs");
    program.process().freeze().expect("it can be frozen");
}

fn thaw(stage: &Stage) {
    let program = stage.program(0).expect("it runs");
    program.process().thaw().expect("it can be thawed");
}

/// Parts that were stored.
fn parts(stage: &Stage, table: &str) -> u64 {
    stage.pipeline.database.count(&format!(
        "SELECT count() FROM system.parts WHERE database = '{{db}}' AND table = '{table}' AND active"
    ))
}

/// Lets ClickHouse be killed when one of its threads begins its `moment`th rename from now on.
fn attach(tracer: &Path, stage: &Stage, moment: u32, log: &Path) -> Supervised {
    let process = stage.clickhouse.process().pid().to_string();
    let traced = format!("trace={RENAMES}");
    let injected = format!("inject={RENAMES}:signal=KILL:when={moment}");
    let tracing = Launch::new(tracer)
        .args(["-f", "-p", &process, "-e", &traced, "-e", &injected])
        .log(log)
        .spawn()
        .expect("strace starts");
    let until = Instant::now() + ATTACHED_WITHIN;
    while !is_traced(&process) {
        let words = std::fs::read_to_string(log).unwrap_or_default();
        assert!(tracing.is_running(), "strace cannot trace: {words}");
        assert!(Instant::now() < until, "strace attaches: {words}");
        std::thread::sleep(Duration::from_millis(10));
    }
    tracing
}

/// Every thread of a process has a tracer.
fn is_traced(process: &str) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    let stats = tasks.into_iter().flatten().flatten();
    let mut stats =
        stats.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    stats.all(|status| !status.contains("TracerPid:\t0\n"))
}
