use std::collections::BTreeSet;

use postback_store::Generation;
use postback_store::history::{lacking, next_offsets, slices};
use postback_store::rows::PostbackRow;
use postback_store::verify::{Group, Scope, Tables, Wanted};
use uuid::Uuid;

use crate::database::{Database, with_tables};
use crate::rows::postback;

const ROWS: [(&str, &str); 6] = [
    ("2149-06-05T10:00:00Z", "postbacks.raw"),
    ("2149-06-06T10:00:00Z", "postbacks.raw"),
    ("2149-06-06T23:00:00Z", "earlier.raw"),
    ("2149-06-07T10:00:00Z", "earlier.raw"),
    ("1970-01-01T05:00:00Z", "postbacks.raw"),
    ("2026-09-01T12:00:00Z", "earlier.raw"),
];

/// Their ids, with their times; all in as few parts as can be.
async fn fill(database: &Database) -> Vec<(Uuid, &'static str)> {
    let ids = ROWS.map(|(at, _)| (Uuid::now_v7(), at));
    let rows = ids
        .iter()
        .zip(ROWS)
        .map(|((id, at), (_, topic))| PostbackRow {
            id: *id,
            received_at: at.parse().unwrap(),
            kafka_topic: topic,
            ..postback()
        });
    database.insert_postbacks(rows).await.unwrap();
    database.execute("OPTIMIZE TABLE postbacks_g1 FINAL").await;
    ids.to_vec()
}

#[test]
fn what_a_generation_lacks_keeps_its_topic_also_where_dates_end() {
    with_tables(|database| async move {
        let ids = fill(&database).await;
        let second = Generation::new(2).unwrap();
        database
            .execute("CREATE TABLE postbacks_g2 AS postbacks_g1")
            .await;
        let client = &database.client;
        let mut found = BTreeSet::new();
        for slice in slices(client, Generation::FIRST).await.unwrap() {
            let mut rows = lacking(client, Generation::FIRST, second, &slice).unwrap();
            while let Some(lacked) = rows.next().await.unwrap() {
                assert!(found.insert((lacked.kept.id, lacked.topic)));
            }
        }
        let expected = ids.iter().zip(ROWS);
        let expected = expected.map(|((id, _), (_, topic))| (*id, topic.to_owned()));
        assert_eq!(found, expected.collect());
    });
}

#[test]
fn rows_are_found_and_summed_up_also_where_dates_end() {
    with_tables(|database| async move {
        let ids = fill(&database).await;
        let tables = Tables::of(database.client.clone(), Generation::FIRST);
        let wanted = ids.iter().map(|(id, at)| Wanted {
            id: *id,
            received_at: at.parse().unwrap(),
        });
        let rows = tables.find(&wanted.collect::<Vec<_>>()).await.unwrap();
        let found: BTreeSet<Uuid> = rows.iter().map(|row| row.id).collect();
        assert_eq!(found, ids.iter().map(|(id, _)| *id).collect());

        let scope = Scope {
            topic: "elsewhere".to_owned(),
            ..Scope::default()
        };
        let mut sums = (0, 0);
        for (day, rows) in tables.days(&scope).await.unwrap() {
            for (group, sum) in tables.blocks(&scope, day, 100).await.unwrap() {
                assert_eq!(group, Group::OtherTopic);
                sums.0 += sum.count;
            }
            sums.1 += rows;
        }
        assert_eq!(sums, (6, 6));
    });
}

#[test]
fn offsets_are_those_of_the_topic() {
    with_tables(|database| async move {
        let rows = [
            ("earlier.raw", 900),
            ("postbacks.raw", 5),
            ("postbacks.raw", 3),
        ];
        let rows = rows.map(|(kafka_topic, kafka_offset)| PostbackRow {
            id: Uuid::now_v7(),
            kafka_topic,
            kafka_offset,
            ..postback()
        });
        database.insert_postbacks(rows).await.unwrap();
        for (from, expected) in [
            (vec![(11, 0)], vec![(11, 6)]),
            (vec![(11, 4), (12, 0)], vec![(11, 6)]),
            (vec![(11, 0), (12, 900)], vec![(11, 6)]),
            // What is committed is not asked for, nor a partition that the topic has not.
            (vec![(11, 6), (12, 2)], vec![]),
            (vec![(12, 0)], vec![]),
        ] {
            let from = from.into_iter().collect();
            let topic = "postbacks.raw";
            let next = next_offsets(&database.client, Generation::FIRST, topic, &from).await;
            let expected = expected.into_iter().collect();
            assert_eq!(next.unwrap(), expected, "{from:?}");
        }
    });
}
