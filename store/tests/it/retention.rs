use jiff::Timestamp;
use jiff::civil::{Date, date};
use postback_store::Generation;
use postback_store::retention::{self, Drop};
use postback_store::rows::{ConversionRow, PostbackRow};
use uuid::Uuid;

use crate::database::{Database, with_tables};
use crate::rows::{conversion, postback};

const FIRST: [Generation; 1] = [Generation::FIRST];

/// One conversion of each of these days, and one postback received at each of these times.
async fn fill(database: &Database, days: &[Date], times: &[&str]) {
    let conversions = days.iter().map(|day| ConversionRow {
        conversion_key: Uuid::now_v7(),
        key_day: *day,
        ..conversion()
    });
    database.insert_conversions(conversions).await.unwrap();
    let postbacks = times.iter().map(|time| PostbackRow {
        id: Uuid::now_v7(),
        received_at: time.parse().unwrap(),
        ..postback()
    });
    database.insert_postbacks(postbacks).await.unwrap();
}

fn named(drops: &[Drop]) -> Vec<String> {
    let name = |drop: &Drop| format!("{} {} {}", drop.table, drop.month, drop.rows);
    drops.iter().map(name).collect()
}

#[test]
fn months_that_are_wholly_older_go_and_buckets_stay() {
    with_tables(|database| async move {
        let days = [
            date(1970, 1, 1),
            date(1970, 1, 16),
            date(2026, 6, 1),
            date(2026, 6, 30),
            date(2026, 7, 1),
            date(2026, 9, 1),
        ];
        let times = [
            "2026-06-30T23:59:59.999999Z",
            "2026-07-01T00:00:00Z",
            "2026-09-01T00:00:00Z",
        ];
        fill(&database, &days, &times).await;
        // 62 days before that day is 2026-07-01.
        let now: Timestamp = "2026-09-01T12:00:00Z".parse().unwrap();
        let client = &database.client;

        let expected = ["conversions_g1 2026-06 2", "postbacks_g1 2026-06 1"];
        let plan = retention::plan(client, &FIRST, now, 62).await.unwrap();
        assert_eq!(named(&plan), expected);
        assert!(plan.iter().all(|drop| drop.bytes > 0), "{plan:?}");
        assert_eq!(database.ask("SELECT count() FROM conversions").await, "6");

        let done = retention::once(client, &FIRST, now, 62).await.unwrap();
        assert_eq!(named(&done), expected);
        let left = "SELECT arrayStringConcat(arraySort(groupArray(toString(key_day))), ' ') FROM conversions";
        assert_eq!(
            database.ask(left).await,
            "1970-01-01 1970-01-16 2026-07-01 2026-09-01"
        );
        let left = "SELECT arrayStringConcat(arraySort(groupArray(toString(toDate(received_at)))), ' ') FROM postbacks";
        assert_eq!(database.ask(left).await, "2026-07-01 2026-09-01");

        let again = retention::once(client, &FIRST, now, 62).await.unwrap();
        assert_eq!(named(&again), [""; 0]);
        // What a replay brings back goes with the next run.
        fill(&database, &[date(2026, 6, 2)], &["2026-06-02T00:00:00Z"]).await;
        let again = retention::once(client, &FIRST, now, 62).await.unwrap();
        assert_eq!(
            named(&again),
            ["conversions_g1 2026-06 1", "postbacks_g1 2026-06 1"]
        );
    });
}

#[test]
fn other_tables_and_generations_are_left_alone() {
    with_tables(|database| async move {
        fill(&database, &[date(2020, 1, 1)], &["2020-01-01T00:00:00Z"]).await;
        let now: Timestamp = "2026-09-01T12:00:00Z".parse().unwrap();
        let client = &database.client;
        let second = [Generation::new(2).unwrap()];
        for generations in [&[][..], &second] {
            let done = retention::once(client, generations, now, 62).await.unwrap();
            assert_eq!(named(&done), [""; 0]);
        }
        // A clock far ahead: the server's own decides, and by that 2020 is old and 2026 is not.
        fill(&database, &[date(2026, 9, 1)], &["2026-09-01T00:00:00Z"]).await;
        let ahead: Timestamp = "2190-01-01T00:00:00Z".parse().unwrap();
        let done = retention::once(client, &FIRST, ahead, 36_500)
            .await
            .unwrap();
        assert_eq!(named(&done), [""; 0]);
        assert_eq!(database.ask("SELECT count() FROM conversions").await, "2");
    });
}
