use postback_store::{Generation, insert};

use crate::installed::{Installed, RAW, load, produce, told};

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
        installed.shown(&report("rejects", &["--where", "reason=missing_identity"])),
        installed.shown(&report("flags", &["--where", "flags=zero_amount"])),
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

/// Five sales a day for 40 days: on the last five most click ids are lost, and cents come for whole
/// units.
async fn load_a_break(installed: &Installed) {
    let mut rows = Vec::new();
    for number in 0..200_u8 {
        let day = i64::from(number / 5);
        let is_broken = day >= 35;
        let cents = 1_000 + i64::from(number) * 37;
        let units = cents * if is_broken { 10_000 } else { 100 };
        let mut sold = told(1, RAW, (units, units / 10)).conversion;
        let moment = "2026-08-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let moment = moment + jiff::SignedDuration::from_hours(24 * day);
        sold.conversion_key = uuid::Uuid::from_u128(u128::from(number));
        (sold.occurred_at, sold.received_at) = (Some(moment), moment);
        sold.key_day = moment.to_zoned(jiff::tz::TimeZone::UTC).date();
        sold.click_id = if is_broken && number % 5 > 0 {
            ""
        } else {
            "member-7"
        };
        rows.push(sold);
    }
    let mut rows = rows.into_iter().collect();
    let loaded = insert::conversions(&installed.loader, Generation::FIRST, [&mut rows], || {});
    loaded.await.unwrap();
}

#[tokio::test]
async fn breaks_are_marked() {
    let installed = Installed::new("breaks").await;
    load_a_break(&installed).await;
    let range = ["--from", "2026-09-01", "--to", "2026-09-10"];
    let text = [["report", "unattributed"], ["report", "amounts"]]
        .map(|report| installed.shown(&[&report[..], &range].concat()));
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

#[tokio::test]
async fn a_mark_is_read_by_programs() {
    let installed = Installed::new("mark").await;
    let at = ["--at", "2026-09-01T10:00:00Z", "-o", "json"];
    let made = installed.shown(&[&["annotate", "deployed"], &at[..]].concat());
    assert!(
        made.contains("\"rows\":[\n{\"at\":\"2026-09-01T10:00:00Z\",\"text\":\"deployed\""),
        "{made}"
    );
    assert!(made.contains("--- stderr\nmarked at 2026"), "{made}");
    let listed = installed.shown(&["annotate", "ls", "--from", "2026-09-01", "-o", "jsonl"]);
    let row = listed.lines().nth(1).unwrap();
    assert!(made.contains(row), "{made}{listed}");
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
