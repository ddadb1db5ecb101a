//! What was fetched and never pushed, as a person meets it.

use jiff::Timestamp;
use postback_store::endpoints::{self, Note, Poll, State};
use postback_store::rows::PostbackRow;
use postback_store::{Generation, backfills, insert};
use uuid::Uuid;

use crate::installed::{Installed, insert_conversions, told};

const SEPTEMBER: [&str; 4] = ["--from", "2026-09-01", "--to", "2026-09-03"];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn gap<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["report", "gap", "--with", "events"], &SEPTEMBER[..], more].concat()
}

fn run(from: &str, to: &str) -> backfills::Backfill {
    backfills::Backfill {
        id: Uuid::from_u128(1),
        step: 1,
        source: "rakuten-us".to_owned(),
        range_from: at(from),
        range_to: at(to),
        started_at: at("2026-09-03T00:00:00Z"),
        done_through: at(to),
        pulled: 3,
        matched: 1,
        missing: 2,
        changed: 0,
        newer: 0,
        undecided: 0,
        rejected: 0,
        superseded: 0,
        totals: Vec::new(),
        is_finished: true,
        made_by: "test".to_owned(),
        recorded_at: at("2026-09-03T00:01:00Z"),
    }
}

/// The endpoint, as two polls saw it.
async fn note_outage(installed: &Installed) {
    for (when, state) in [
        ("2026-09-01T09:59:00Z", State::Active),
        ("2026-09-01T10:00:20Z", State::Disabled),
        ("2026-09-01T10:30:00Z", State::Active),
    ] {
        let poll = Note::Poll(Poll {
            state,
            reason: String::new(),
            updated_at: None,
            is_template: Some(true),
        });
        let noted = endpoints::note(&installed.loader, "rakuten-us", at(when), &poll);
        noted.await.unwrap();
    }
}

#[tokio::test]
async fn missed_pushes_in_words() {
    let installed = Installed::new("pushes").await;
    let nothing = installed.shown(&gap(&[]));
    // One was pushed; two were fetched, one of them processed while the endpoint was off.
    let pushed = told(1, "", (100_000, 10_000));
    let (mut missed, mut later) = (
        told(2, "", (200_000, 20_000)),
        told(3, "", (-200_000, -20_000)),
    );
    missed.conversion.order_id = "M-2";
    later.conversion.order_id = "M-3";
    later.conversion.status = "reversed";
    later.conversion.processed_at = Some(at("2026-09-02T08:00:00Z"));
    insert_conversions(
        &installed.loader,
        [
            pushed.conversion,
            missed.conversion,
            later.conversion.clone(),
        ],
    )
    .await;
    let fetched = |row: PostbackRow<'static>| PostbackRow {
        via: "backfill",
        received_at: at("2026-09-03T00:00:00Z"),
        ..row
    };
    let rows = [
        pushed.postback,
        fetched(missed.postback),
        fetched(later.postback),
    ];
    let mut rows = rows.into_iter().collect();
    insert::postbacks(&installed.loader, Generation::FIRST, [&mut rows], || {})
        .await
        .unwrap();
    note_outage(&installed).await;
    let unfetched = installed.shown(&gap(&["--source", "awin"]));
    for run in [
        run("2026-08-25T00:00:00Z", "2026-09-01T12:00:00Z"),
        backfills::Backfill {
            id: Uuid::from_u128(2),
            ..run("2026-09-01T11:00:00Z", "2026-09-02T00:00:00Z")
        },
        // Interrupted at noon.
        backfills::Backfill {
            id: Uuid::from_u128(3),
            done_through: at("2026-09-02T12:00:00Z"),
            is_finished: false,
            ..run("2026-09-02T06:00:00Z", "2026-09-03T00:00:00Z")
        },
    ] {
        backfills::note(&installed.loader, &run).await.unwrap();
    }
    let away = [("POSTBACK__CLICKHOUSE__URL", "http://127.0.0.1:1")];
    let text = [
        nothing,
        unfetched,
        installed.shown(&gap(&[])),
        installed.shown(&gap(&["--by", "nothing", "-o", "json"])),
        installed.shown(&gap(&["--class", "missed"])),
        installed.shown(&gap(&["--class", "missed", "--limit", "1", "-o", "csv"])),
        installed.shown(&gap(&["--class", "matched"])),
        installed.shown(&["report", "gap", "--class", "missed"]),
        installed
            .shown_with(&away, &gap(&[]))
            .replace("http://127.0.0.1:1", "AWAY"),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}
