//! Which sources are silent, and which only look so.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use postback_store::rows::PostbackRow;
use postback_store::{Generation, insert};
use serde_json::Value;
use uuid::Uuid;

use crate::installed::{Installed, told};
use crate::run::AWAY;

const MORE: &str = r#"
[[source]]
name = "switched-off"
network = "rakuten"
enabled = false
[[source]]
name = "store"
network = "everflow"
account = "store"
aliases = ["shop"]
enabled = false
"#;

/// One postback every ten minutes of four weeks, until so many hours ago.
fn steady(place: u128, source: &'static str, hours: i64) -> Vec<PostbackRow<'static>> {
    let now = Timestamp::now();
    let row = |tens: i64| PostbackRow {
        id: Uuid::from_u128((place << 64) + u128::try_from(tens).unwrap()),
        source,
        received_at: now - SignedDuration::from_mins(10 * tens),
        ..told(1, "", (1, 1)).postback
    };
    (hours * 6..4 * 7 * 24 * 6).map(row).collect()
}

fn json(shown: &str) -> Value {
    let (_, data) = shown.split_once('\n').unwrap();
    let (data, _) = data.split_once("--- stderr").unwrap();
    assert!(!data.is_empty(), "{shown}");
    serde_json::from_str(data).unwrap()
}

#[tokio::test]
async fn only_who_is_meant_to_send_is_silent() {
    let installed = Installed::new("silent").await;
    let configuration = format!("{AWAY}{MORE}");
    fs::write(installed.place.path().join("postback.toml"), configuration).unwrap();
    let sources = ["rakuten-us", "switched-off", "removed"];
    for (place, source) in (1..).zip(sources) {
        let mut rows = steady(place, source, 5).into_iter().collect();
        let inserted = insert::postbacks(&installed.loader, Generation::FIRST, [&mut rows], || {});
        inserted.await.unwrap();
    }
    // What is fetched says nothing of who sends: an hour ago, and when nothing was pushed at all.
    let fetched = [(1, 1), (2, 40 * 24)].map(|(number, hours)| PostbackRow {
        id: Uuid::from_u128((9 << 64) + number),
        via: "backfill",
        received_at: Timestamp::now() - SignedDuration::from_hours(hours),
        ..told(1, "", (1, 1)).postback
    });
    let mut rows = fetched.into_iter().collect();
    let inserted = insert::postbacks(&installed.loader, Generation::FIRST, [&mut rows], || {});
    inserted.await.unwrap();
    let report = json(&installed.shown(&["report", "activity", "-o", "json"]));
    assert_eq!(report["meta"]["silent"], 1, "{report}");
    let states: Vec<_> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["source"].as_str().unwrap(),
                row["state"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("rakuten-us", "silent"),
        ("removed", "not configured"),
        ("switched-off", "disabled"),
    ];
    assert_eq!(states, expected);
    let found = json(&installed.shown(&["report", "digest", "-o", "json"]));
    let found = found["rows"].as_array().unwrap().clone();
    let silent = |row: &&Value| {
        row["finding"]
            .as_str()
            .is_some_and(|words| words.contains("silent"))
    };
    let silent: Vec<_> = found
        .iter()
        .filter(silent)
        .map(|row| &row["finding"])
        .collect();
    assert_eq!(
        silent,
        ["1 source silent for longer than is usual."],
        "{found:?}"
    );
    let past = [
        "report", "digest", "--from", "42d", "--to", "35d", "-o", "json",
    ];
    let found = json(&installed.shown(&past));
    assert_eq!(
        found["meta"]["sections"]["rejects"]["received"], 1,
        "{found}"
    );
    let words = &found["rows"][0]["finding"];
    assert_eq!(words, "No postback was pushed in this range.", "{found}");

    // An older name that has stopped is no source of its own.
    for (place, source, hours) in [(4, "shop", 5), (5, "store", 0)] {
        let mut rows = steady(place, source, hours).into_iter().collect();
        let inserted = insert::postbacks(&installed.loader, Generation::FIRST, [&mut rows], || {});
        inserted.await.unwrap();
    }
    let report = json(&installed.shown(&["report", "activity", "-o", "json"]));
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["source"] != "shop"), "{report}");
    assert_eq!(report["meta"]["silent"], 1, "{report}");
    installed.remove().await;
}
