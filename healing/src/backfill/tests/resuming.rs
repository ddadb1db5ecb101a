//! Where a run ends, and where one that was interrupted goes on.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use postback_common::name::SourceName;
use postback_store::backfills::Backfill;

use super::super::Job;
use super::super::planner::Planner;
use super::super::reader::Reader;
use super::super::run::{fresh, goes_on_at};
use super::super::standing::{Standing, Through};
use super::fake::{Fake, json};

/// A time of 2026-09-01.
fn at(time: &str) -> Timestamp {
    format!("2026-09-01T{time}Z").parse().unwrap()
}

fn job(from: &str, to: Timestamp) -> Job {
    Job {
        source: SourceName::new("us").unwrap(),
        from: at(from),
        to,
        is_dry: false,
        made_by: String::new(),
    }
}

#[test]
fn nothing_of_the_future_is_said_to_be_fetched() {
    let now = at("12:00:00.5");
    let in_a_month = now + SignedDuration::from_hours(30 * 24);
    assert_eq!(job("10:00:00", in_a_month).up_to(now).to, now);
    assert_eq!(
        job("10:00:00", at("11:00:00")).up_to(now).to,
        at("11:00:00")
    );
}

#[test]
fn a_run_goes_on_before_what_may_have_come_since_it_was_noted() {
    let job = job("10:00:00", at("12:00:00"));
    let noted = |done_through: &str, recorded_at: &str| Backfill {
        done_through: at(done_through),
        recorded_at: at(recorded_at),
        ..fresh(&job)
    };
    for (done_through, recorded_at, goes_on) in [
        ("11:00:00", "11:30:00", "11:00:00"),
        ("11:20:00", "11:30:00", "11:20:00"),
        // So far it cannot have read.
        ("11:40:00", "11:30:00", "11:20:00"),
        // Ten minutes before the range is where it begins.
        ("10:08:00", "09:58:00", "09:50:00"),
    ] {
        let goes_on_at = goes_on_at(&job, &noted(done_through, recorded_at));
        assert_eq!(goes_on_at, at(goes_on), "{done_through} at {recorded_at}");
    }
}

/// Half an hour up to the present, a transaction in each second, in small pages: the present is read in
/// many cells.
#[tokio::test]
async fn what_can_still_come_is_not_done_with() {
    let begun_at = Timestamp::now().as_second();
    let rows = (begun_at - 1_800..begun_at).enumerate();
    let rows: Vec<_> = rows
        .map(|(number, second)| (second, json(number, 0)))
        .collect();
    let planner = Planner::new(begun_at - 1_800, begun_at, begun_at, 100);
    let mut reader = Reader::new(Fake::new(rows, 100), planner, 3);
    let mut cells = BTreeMap::new();
    while let Some(read) = reader.next().await.unwrap() {
        cells.insert(read.cell.to, read.through);
    }
    let ended_at = Timestamp::now().as_second();
    assert!(cells.keys().any(|to| *to > ended_at), "up to the present");
    for (to, through) in cells {
        let done_through = through.second;
        assert_eq!(through.is_all, done_through == to);
        if to <= begun_at - 900 {
            assert_eq!(done_through, to, "it is long past");
        } else {
            assert!(
                done_through <= ended_at - 900 && done_through >= begun_at - 900,
                "{done_through} of {to}, read from {begun_at} to {ended_at}"
            );
        }
    }
}

#[test]
fn what_is_read_again_is_counted_once() {
    let through = |time: &str, is_all| Through {
        second: at(time).as_second(),
        is_all,
    };
    let more = |run: &Backfill, pulled| Backfill {
        pulled: run.pulled + pulled,
        ..run.clone()
    };
    let mut standing = Standing::of(fresh(&job("10:00:00", at("12:00:00"))));
    standing.counts(more(standing.run(), 5), Some(through("11:00:00", true)));
    // The present: what is there now, and only now.
    standing.counts(more(standing.run(), 3), Some(through("11:45:00", false)));
    let noted = standing.note(false).clone();
    assert_eq!((noted.pulled, noted.done_through), (5, at("11:00:00")));
    // Another process goes on with what was noted, and reads the same.
    let mut next = Standing::of(noted);
    next.counts(more(next.run(), 3), Some(through("11:46:00", false)));
    assert_eq!(next.run().pulled, 8);
    // Nothing more came: the counts are those that were shown.
    next.counts(next.run().clone(), None);
    let ended = next.note(true).clone();
    assert_eq!((ended.pulled, ended.done_through), (8, at("12:00:00")));
    assert_eq!((ended.step, ended.is_finished), (2, true));
    // Without a kill, the same.
    assert_eq!(standing.note(true).pulled, 8);
}
