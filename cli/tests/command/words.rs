//! What each report says where it has nothing to show, or cannot be asked.

use std::fs;

use crate::installed::{Installed, load};
use crate::run::AWAY;

const REPORTS: [&str; 10] = [
    "summary",
    "gap",
    "unattributed",
    "amounts",
    "latency",
    "reversals",
    "rejects",
    "flags",
    "activity",
    "digest",
];

/// Own orders, to compare postbacks with.
const SHOP: &str =
    "[[source]]\nname = \"shop\"\nnetwork = \"orders\"\ncurrency = \"USD\"\nenabled = false\n";

async fn installed(test: &str) -> Installed {
    let installed = Installed::new(test).await;
    let file = installed.place.path().join("postback.toml");
    fs::write(file, format!("{AWAY}{SHOP}")).unwrap();
    installed
}

/// Each report with these options, save those that do not know them.
fn each(installed: &Installed, without: &[&str], more: &[&str]) -> String {
    let reports = REPORTS.iter().filter(|report| !without.contains(report));
    let shown = reports.map(|report| installed.shown(&[&["report", report], more].concat()));
    shown.collect::<Vec<_>>().join("\n")
}

/// Activity is as seen now.
const TIMELESS: &[&str] = &["activity"];

const AUGUST: [&str; 4] = ["--from", "2026-08-01", "--to", "2026-08-02"];

#[tokio::test]
async fn nothing_is_loaded_yet() {
    let installed = installed("nothing").await;
    let text = [
        each(&installed, TIMELESS, &AUGUST),
        installed.shown(&["report", "activity"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

#[tokio::test]
async fn nothing_is_found() {
    let installed = installed("found").await;
    load(&installed).await;
    let text = [
        // The digest has each source's silence until now.
        each(&installed, &["activity", "digest"], &AUGUST),
        installed.shown(&["report", "activity", "--where", "network!=rakuten"]),
        installed.shown(&["report", "activity", "--network", "awin"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

#[tokio::test]
async fn an_end_alone_has_its_beginning() {
    let installed = installed("end").await;
    let help = installed.shown(&["report", "digest", "--help"]);
    assert!(help.contains("[default: the beginning of today]"), "{help}");
    for (report, from) in [("summary", "2026-09-01"), ("digest", "2026-09-24")] {
        let shown = installed.shown(&["report", report, "--to", "2026-10-01", "-o", "json"]);
        let expected = format!("\"from\":\"{from}T00:00:00Z\"");
        assert!(shown.contains(&expected), "{shown}");
        assert!(shown.contains("\"to\":\"2026-10-01T00:00:00Z\""), "{shown}");
    }
    installed.remove().await;
}

#[tokio::test]
async fn a_report_cannot_be_asked() {
    let installed = installed("asked").await;
    let away = [("POSTBACK__CLICKHOUSE__URL", "http://127.0.0.1:1")];
    let shown = REPORTS.map(|report| {
        let shown = installed.shown_with(&away, &["report", report]);
        shown.replace("http://127.0.0.1:1", "AWAY")
    });
    let backwards = ["--from", "2026-09-02", "--to", "2026-09-01"];
    let text = [
        shown.join("\n"),
        each(&installed, TIMELESS, &["--from", "last week"]),
        each(&installed, TIMELESS, &backwards),
        each(&installed, &["digest"], &["--source", "rakuten-uk"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}
