use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use postback_service::kafka::client_config;
use postback_service::kafka::rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use postback_store::rows::{PostbackRow, RefusalRow};
use postback_store::{Generation, insert};
use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

use crate::installed::{Installed, RAW, load, produce, told};
use crate::run::AWAY;

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
        query: "u1=member-7&token=CANARY&pass%77ord=CANARY",
        query_bytes: 42,
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

/// An own order as a shop posts it, under a name that its source had once.
const POSTED: &str = r#"{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570aa","source":"old-shop","key":"k1","received_at":"2026-09-01T10:08:00.000001Z","method":"POST","query":{"utf8":""},"content_type":"application/json","body":{"utf8":"{\n \"order_id\": \"A-17\",\n \"token\": \"CANARY-7\"\n}"},"remote":"203.0.113.7","headers":{},"via":"http"}"#;

/// What it is called now.
const RENAMED: &str = r#"
[[source]]
name = "shop"
account = "old-shop"
network = "orders"
aliases = ["old-shop"]
currency = "USD"
enabled = false
"#;

fn produce_one(installed: &Installed, raw: &str) {
    let kafka = &installed.settings.kafka;
    let producer: BaseProducer = client_config(kafka, "test").create().unwrap();
    let record = BaseRecord::<(), str>::to(&kafka.topic).payload(raw);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

#[tokio::test]
async fn bodies_are_shown_and_sources_by_their_new_names() {
    let installed = Installed::new("tail_bodies").await;
    let file = installed.place.path().join("postback.toml");
    std::fs::write(file, format!("{AWAY}{RENAMED}")).unwrap();
    load(&installed).await;
    // As it is loaded by the rules of the source that it belongs to by now.
    let row = PostbackRow {
        source: "shop",
        network: "orders",
        ..told(8, POSTED, (0, 0)).postback
    };
    let mut rows = [row].into_iter().collect();
    insert::postbacks(&installed.loader, Generation::FIRST, [&mut rows], || {})
        .await
        .unwrap();
    produce(&installed);
    produce_one(&installed, POSTED);
    let mut text = Vec::new();
    for form in ["table", "json", "jsonl", "csv"] {
        for from in ["table", "kafka"] {
            let words = ["tail", "-q", "-n", "2", "-o", form, "--from", from];
            text.push(installed.shown(&words));
        }
    }
    for source in ["shop", "old-shop", "rakuten-us"] {
        let words = ["tail", "--from", "kafka", "--source", source];
        text.push(installed.shown(&words));
    }
    let text = text.join("\n");
    assert!(!text.contains("CANARY"), "{text}");
    insta::assert_snapshot!(text);
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
