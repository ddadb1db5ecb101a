use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use postback_store::rows::{PostbackRow, RefusalRow};
use postback_store::{Generation, insert};
use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

use crate::installed::{Installed, RAW, load, produce, told};

fn refusal() -> RefusalRow<'static> {
    RefusalRow {
        id: Uuid::from_u128(7),
        refused_at: "2026-09-01T11:00:00Z".parse().unwrap(),
        reason: "not_found",
        status: 404,
        source: "",
        key: "",
        method: "GET",
        path: "/postback/…",
        query: "u1=member-7",
        query_bytes: 11,
        remote: "203.0.113.7",
        user_agent: "",
        cut: Vec::new(),
        suppressed: 3,
    }
}

#[tokio::test]
async fn the_newest_are_shown() {
    let installed = Installed::new("tail").await;
    let empty = [
        installed.shown(&["tail"]),
        installed.shown(&["tail", "--refused"]),
        installed.shown(&["tail", "--from", "kafka"]),
    ];
    load(&installed).await;
    produce(&installed);
    insert::refusals(&installed.loader, [refusal()])
        .await
        .unwrap();
    let away = [("POSTBACK__CLICKHOUSE__URL", "http://127.0.0.1:1")];
    let mut text = Vec::from(empty);
    let tries: [&[&str]; 9] = [
        &["tail"],
        &["tail", "-n", "2", "--outcome", "rejected", "-o", "json"],
        &["tail", "--source", "rakuten-uk"],
        &["tail", "--refused", "--time-zone", "Europe/Berlin"],
        &["tail", "--from", "kafka", "-n", "1"],
        &[
            "tail",
            "--from",
            "kafka",
            "--outcome",
            "waiting",
            "-o",
            "csv",
            "-q",
        ],
        &["tail", "--from", "kafka", "--outcome", "rejected"],
        &["tail", "--outcome", "waiting"],
        &["tail", "-f", "-o", "json"],
    ];
    text.extend(tries.iter().map(|words| installed.shown(words)));
    let away = installed.shown_with(&away, &["tail", "--from", "kafka", "-o", "jsonl"]);
    text.push(away.replace("http://127.0.0.1:1", "AWAY"));
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

/// A running `tail -f`, and its lines.
struct Followed {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Followed {
    fn start(installed: &Installed, more: &[&str]) -> Self {
        let words = [&["tail", "-f", "-n", "3", "-o", "jsonl"], more].concat();
        let mut command = installed.place.command(&words);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self, count: usize) -> Vec<String> {
        self.lines
            .by_ref()
            .take(count)
            .map(Result::unwrap)
            .collect()
    }

    /// Nothing else has come, and Ctrl-C ends it.
    fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
        assert!(self.lines.next().is_none(), "nothing else");
    }
}

#[tokio::test]
async fn what_comes_is_followed_until_ctrl_c() {
    let installed = Installed::new("follow").await;
    load(&installed).await;
    let mut table = Followed::start(&installed, &[]);
    let ids = |lines: Vec<String>| {
        let last = |line: &String| line.split_once("af5570").unwrap().1[..2].to_owned();
        lines.iter().map(last).collect::<Vec<_>>()
    };
    assert_eq!(ids(table.next(3)), ["05", "06", "07"]);
    let later = told(9, RAW, (0, 0)).postback;
    // An hour late: behind what is looked back for.
    let older = PostbackRow {
        received_at: "2026-09-01T09:00:00Z".parse().unwrap(),
        ..told(8, RAW, (0, 0)).postback
    };
    for row in [older, later.clone(), later] {
        let mut rows = [row].into_iter().collect();
        insert::postbacks(&installed.loader, Generation::FIRST, [&mut rows], || {})
            .await
            .unwrap();
    }
    assert_eq!(ids(table.next(1)), ["09"]);
    table.end();

    produce(&installed);
    let mut topic = Followed::start(&installed, &["--from", "kafka"]);
    assert_eq!(topic.next(2).len(), 2);
    produce(&installed);
    let waiting = topic.next(2);
    assert!(
        waiting
            .iter()
            .all(|line| line.contains("\"state\":\"waiting\"")),
        "{waiting:?}"
    );
    topic.end();
    installed.remove().await;
}
