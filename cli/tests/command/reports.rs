use crate::installed::{Installed, load, produce};

const SEPTEMBER: [&str; 4] = ["--from", "2026-09-01", "--to", "2026-10-01"];

fn summary<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["report", "summary"], &SEPTEMBER[..], more].concat()
}

#[tokio::test]
async fn the_summary_in_every_form() {
    let installed = Installed::new("summary").await;
    let empty = installed.shown(&summary(&[]));
    load(&installed).await;
    produce(&installed);
    let text = [
        empty,
        installed.shown(&summary(&[])),
        installed.shown(&summary(&["--by", "advertiser", "-o", "csv", "-q"])),
        installed.shown(&summary(&["--by", "currency", "-o", "json"])),
        installed.shown(&summary(&["--by", "source", "-o", "jsonl"])),
        installed.shown(&summary(&[
            "--advertiser",
            "nobody",
            "--time-zone",
            "Europe/Berlin",
        ])),
        installed.shown(&summary(&[
            "--by",
            "hour,status",
            "--where",
            "flags=zero_amount",
            "--where",
            "flags=",
        ])),
        installed.shown(&[
            "report",
            "summary",
            "--from",
            "2026-09-01",
            "--to",
            "2026-09-02",
            "--compare",
            "--by",
            "source",
        ]),
        installed.shown(&[
            "report",
            "summary",
            "--from",
            "2026-09-02",
            "--to",
            "2026-09-03",
            "--compare",
            "-o",
            "json",
        ]),
        installed.shown(&summary(&["--source", "rakuten-uk"])),
        installed.shown_with(
            &[("POSTBACK__KAFKA__BROKERS", "127.0.0.1:1")],
            &summary(&["-o", "jsonl"]),
        ),
        installed.shown_with(
            &[("POSTBACK__CLICKHOUSE__DATABASE", "nowhere")],
            &summary(&[]),
        ),
        installed.shown_with(
            &[("POSTBACK__CLICKHOUSE__PASSWORD", "CANARY")],
            &summary(&[]),
        ),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

fn report<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["report", name], &SEPTEMBER[..], more].concat()
}

/// What of the answer depends on when the test runs.
fn without_clock(shown: &str) -> String {
    shown
        .lines()
        .map(|line| match line.split_once("received → loaded, of") {
            Some((before, _)) => format!("{before}received → loaded, of …\n"),
            None => format!("{line}\n"),
        })
        .collect()
}

#[tokio::test]
async fn the_reports_of_quality() {
    let installed = Installed::new("quality").await;
    let empty = installed.shown(&report("rejects", &[]));
    let empty_latency = installed.shown(&report("latency", &[]));
    load(&installed).await;
    let away = [("POSTBACK__CLICKHOUSE__URL", "http://127.0.0.1:1")];
    let text = [
        empty,
        empty_latency,
        installed.shown(&report("rejects", &[])),
        installed.shown(&report("rejects", &["--by", "nothing", "-o", "json"])),
        installed.shown(&report("rejects", &["--where", "via=import"])),
        installed.shown(&report("rejects", &["--where", "click_id="])),
        installed.shown(&report("rejects", &["--where", "outcome=accepted"])),
        installed.shown(&report("flags", &[])),
        installed.shown(&report("flags", &["--by", "advertiser", "-o", "csv", "-q"])),
        installed.shown(&report("flags", &["--where", "flags="])),
        installed.shown(&report("unattributed", &["--by", "advertiser"])),
        installed.shown(&report("unattributed", &["-o", "jsonl", "-q"])),
        installed.shown(&report("amounts", &[])),
        installed.shown(&report("amounts", &["--all"])),
        installed.shown(&report(
            "amounts",
            &["--all", "--by", "nothing", "-o", "json"],
        )),
        installed.shown(&report("latency", &[])),
        installed.shown(&report("latency", &["--by", "nothing", "-o", "csv", "-q"])),
        installed.shown(&report("reversals", &[])),
        installed.shown(&report("reversals", &["--compare", "--by", "source"])),
        installed.shown(&[
            "report",
            "reversals",
            "--from",
            "2026-08-01",
            "--to",
            "2026-08-02",
        ]),
        installed.shown(&report("amounts", &["--source", "nobody"])),
        installed
            .shown_with(&away, &report("flags", &[]))
            .replace("http://127.0.0.1:1", "AWAY"),
    ];
    insta::assert_snapshot!(without_clock(&text.join("\n")));
    installed.remove().await;
}

#[tokio::test]
async fn who_sends() {
    let installed = Installed::new("activity").await;
    let empty = installed.shown(&["report", "activity"]);
    load(&installed).await;
    // As of what is loaded: without Kafka, nobody knows what is on its way.
    let away = [("POSTBACK__KAFKA__BROKERS", "127.0.0.1:1")];
    let text = [
        empty,
        installed.shown_with(&away, &["report", "activity"]),
        installed.shown_with(&away, &["report", "activity", "--by", "key", "-o", "json"]),
        installed.shown_with(
            &away,
            &["report", "activity", "--by", "template", "-o", "csv", "-q"],
        ),
        installed.shown_with(&away, &["report", "activity", "--source", "rakuten-uk"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

#[tokio::test]
async fn a_trace_hop_by_hop() {
    let installed = Installed::new("trace").await;
    load(&installed).await;
    let text = [
        installed.shown(&["trace", "M1917799796"]),
        installed.shown(&[
            "trace",
            "01a05a43-fc00-7f54-8d8e-0023af557001",
            "--time-zone",
            "Europe/Berlin",
        ]),
        installed.shown(&["trace", "E1", "--as", "order", "-o", "json"]),
        installed.shown(&["trace", "01a05a43-fc00-7f54-8d8e-0023af557006"]),
        installed.shown(&["trace", "01a05a43-fc00-7f54-8d8e-0023af557007"]),
        installed.shown(&["trace", "E1", "--as", "click"]),
        installed.shown(&["trace", "nobody", "-o", "json"]),
        installed.shown(&["trace", "nobody", "-o", "csv"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

#[tokio::test]
async fn the_doctor_sees_what_is_there_and_what_is_not() {
    let installed = Installed::new("doctor").await;
    produce(&installed);
    let version = "SELECT version()";
    let version: String = installed.loader.query(version).fetch_one().await.unwrap();
    let text = [
        installed.shown(&["doctor"]),
        installed.shown(&["doctor", "-o", "json"]),
    ];
    insta::assert_snapshot!(text.join("\n").replace(&version, "SERVER"));
    installed.remove().await;
}
