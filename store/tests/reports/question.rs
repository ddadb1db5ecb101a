use std::borrow::Cow;

use jiff::tz::TimeZone;
use postback_store::reports::question::{Column, DateBy, Dimension, Question, Table};
use postback_store::rows::{ConversionRow, Outcome, PostbackRow};

use crate::database::with_database;
use crate::sales::{at, postback, sale};
use crate::{insert_conversions, insert_postbacks};

/// Four sales of 2026-10-25 in Berlin, which has 25 hours; three before it, by its calendar.
fn rows() -> Vec<ConversionRow<'static>> {
    let sub_ids = |name: &'static str| vec![("campaign", name)];
    vec![
        ConversionRow {
            sub_ids: sub_ids("autumn"),
            status: "pending",
            extra: vec![
                ("pbt", &[Cow::Borrowed("2")]),
                ("size", &[Cow::Borrowed("L"), Cow::Borrowed("XL")]),
            ],
            ..sale(1, "O1", "c1", "EUR", ("1", "1"), "2026-10-25T00:30:00Z")
        },
        ConversionRow {
            sub_ids: sub_ids("autumn"),
            status: "approved",
            flags: vec!["whole_amount", "assumed_currency"],
            ..sale(2, "O2", "c2", "EUR", ("2.5", "1"), "2026-10-25T01:30:00Z")
        },
        ConversionRow {
            sub_ids: sub_ids("it's \\ {new:String}"),
            flags: vec!["whole_amount"],
            ..sale(3, "O3", "", "EUR", ("4", "1"), "2026-10-25T22:59:59Z")
        },
        ConversionRow {
            sale_amount: None,
            ..sale(4, "O4", "c4", "EUR", ("0", "1"), "2026-10-24T22:00:00Z")
        },
        // The day before, and a Monday before that; own orders and statements are no conversions.
        sale(5, "O5", "c5", "EUR", ("16", "1"), "2026-10-24T10:00:00Z"),
        sale(6, "O6", "c6", "EUR", ("32", "1"), "2026-10-19T10:00:00Z"),
        ConversionRow {
            kind: "order",
            ..sale(7, "O7", "", "EUR", ("64", "1"), "2026-10-25T10:00:00Z")
        },
        ConversionRow {
            kind: "statement",
            occurred_at: None,
            ..sale(8, "O8", "", "EUR", ("128", "1"), "2026-10-25T10:00:00Z")
        },
    ]
}

fn berlin(from: &str, to: &str, by: &str) -> Question {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let mut question = Question::new(at(from), at(to), DateBy::Occurred, zone);
    let names = by.split(' ').filter(|name| !name.is_empty());
    let dimensions = names.map(|name| Dimension::of(Table::Conversions, name).unwrap());
    question.by = dimensions.collect();
    question
}

const DAY: (&str, &str) = ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");

#[tokio::test]
async fn rows_are_of_every_dimension() {
    with_database("dimension", |loader, reader| async move {
        insert_conversions(&loader, rows()).await;
        let cases: [(&str, &[(&str, u64)]); 11] = [
            ("", &[("", 4)]),
            (
                "hour",
                &[
                    ("2026-10-25T00:00+02:00", 1),
                    ("2026-10-25T02:00+02:00", 1),
                    ("2026-10-25T02:00+01:00", 1),
                    ("2026-10-25T23:00+01:00", 1),
                ],
            ),
            ("day", &[("2026-10-25", 4)]),
            ("week", &[("2026-10-19", 4)]),
            ("month", &[("2026-10", 4)]),
            (
                "day sub_ids.campaign",
                &[
                    ("2026-10-25 ", 1),
                    ("2026-10-25 autumn", 2),
                    ("2026-10-25 it's \\ {new:String}", 1),
                ],
            ),
            (
                "status",
                &[("approved", 1), ("pending", 1), ("reported", 2)],
            ),
            ("extra.size template", &[(" ", 3), ("L 2", 1)]),
            ("advertiser source", &[("rakuten 10 us", 4)]),
            ("click_id", &[("", 1), ("c1", 1), ("c2", 1), ("c4", 1)]),
            ("sale_amount", &[("", 1), ("1", 1), ("2.5", 1), ("4", 1)]),
        ];
        for (by, expected) in cases {
            let found = reader
                .summary(&berlin(DAY.0, DAY.1, by), None)
                .await
                .unwrap()
                .now;
            let found = found
                .rows
                .iter()
                .map(|row| (row.dimension.join(" "), row.transactions));
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect();
            assert_eq!(found.collect::<Vec<_>>(), expected, "{by}");
        }
        for name in Dimension::all(Table::Conversions) {
            let question = berlin(DAY.0, DAY.1, name);
            let found = reader.summary(&question, None).await.unwrap().now;
            let total: u64 = found.rows.iter().map(|row| row.transactions).sum();
            assert_eq!(total, 4, "{name}");
            assert!(
                found
                    .rows
                    .iter()
                    .all(|row| row.dimension.len() == question.names().len())
            );
        }
    })
    .await;
}

#[tokio::test]
async fn rows_are_chosen_by_every_kind_of_column() {
    with_database("filter", |loader, reader| async move {
        insert_conversions(&loader, rows()).await;
        let cases: [(&[&str], u64); 17] = [
            (&["status=pending"], 1),
            (&["status=pending", "status=approved"], 2),
            (&["status!=pending", "status!=approved"], 2),
            (&["sub_ids.campaign=autumn"], 2),
            (&["sub_ids.campaign="], 1),
            (&["sub_ids.campaign=it's \\ {new:String}"], 1),
            (&["extra.size=XL"], 1),
            (&["extra.size="], 3),
            (&["extra.size!="], 1),
            (&["flags=whole_amount"], 2),
            (&["flags=whole_amount", "flags=assumed_currency"], 2),
            (&["flags="], 2),
            (&["sale_amount=2.50"], 1),
            (&["sale_amount="], 1),
            (&["sale_amount!=", "click!="], 2),
            (&["key_day=2026-10-25"], 3),
            (
                &[
                    "conversion_key=00000000-0000-0000-0000-000000000001",
                    "order=O1",
                ],
                1,
            ),
        ];
        for (conditions, expected) in cases {
            let mut question = berlin(DAY.0, DAY.1, "");
            for condition in conditions {
                let (name, value) = condition.split_once('=').unwrap();
                let column = Column::of(Table::Conversions, name.trim_end_matches('!')).unwrap();
                question
                    .only
                    .add(column, name.ends_with('!'), value)
                    .unwrap();
            }
            let found = reader.summary(&question, None).await.unwrap().now;
            let total: u64 = found.totals.iter().map(|row| row.transactions).sum();
            assert_eq!(total, expected, "{conditions:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_period_before_stands_beside_the_period() {
    with_database("before", |loader, reader| async move {
        insert_conversions(&loader, rows()).await;
        let question = berlin(DAY.0, DAY.1, "day");
        let before = reader
            .summary(&question.before().unwrap(), None)
            .await
            .unwrap()
            .now;
        let found: Vec<_> = before
            .rows
            .iter()
            .map(|row| (&*row.dimension[0], row.transactions))
            .collect();
        // The sale of the 24th, at noon; labelled as the day that it is compared with.
        assert_eq!(found, [("2026-10-25", 1)]);
        // Two weeks from Monday: in the first one are five, in the one before none.
        let week = berlin("2026-10-18T22:00:00Z", DAY.1, "week");
        let found = reader.summary(&week, None).await.unwrap().now;
        assert_eq!(
            (&*found.rows[0].dimension[0], found.rows[0].transactions),
            ("2026-10-19", 6)
        );
        assert!(
            reader
                .summary(&week.before().unwrap(), None)
                .await
                .unwrap()
                .now
                .rows
                .is_empty()
        );
    })
    .await;
}

/// Both ranges are told by one query.
#[tokio::test]
async fn both_ranges_at_once_are_what_each_is_alone() {
    with_database("both", |loader, reader| async move {
        let taken_back = |number, occurred| ConversionRow {
            status: "reversed",
            flags: vec!["whole_amount"],
            ..sale(number, "O9", "c9", "EUR", ("8", "1"), occurred)
        };
        let reversed = [
            taken_back(21, "2026-10-25T20:00:00Z"),
            taken_back(22, "2026-10-24T20:00:00Z"),
            taken_back(23, "2026-10-24T21:00:00Z"),
        ];
        let processed = |row: ConversionRow<'static>| ConversionRow {
            processed_at: row.occurred_at,
            ..row
        };
        let all = rows().into_iter().chain(reversed).map(processed);
        insert_conversions(&loader, all).await;
        let rejected = |number, received| PostbackRow {
            outcome: Outcome::Rejected,
            reasons: vec!["missing_identity"],
            conversion_key: None,
            key_day: None,
            ..postback(number, number, received, 1)
        };
        let received = [
            postback(31, 31, "2026-10-25T20:00:00Z", 1),
            rejected(32, "2026-10-25T21:00:00Z"),
            rejected(33, "2026-10-24T21:00:00Z"),
        ];
        insert_postbacks(&loader, received).await;

        macro_rules! assert_same {
            ($report:ident, $question:expr) => {{
                let question: Question = $question;
                let before = question.before().unwrap();
                let both = reader.$report(&question, Some(&before)).await.unwrap();
                let alone = reader.$report(&question, None).await.unwrap();
                let then = reader.$report(&before, None).await.unwrap();
                assert_eq!(both.now, alone.now, "{question:?}");
                assert_eq!(both.before.as_ref(), Some(&then.now), "{question:?}");
                assert_eq!((alone.before, then.before), (None, None));
                assert!(!both.now.rows.is_empty() && !then.now.rows.is_empty());
            }};
        }
        for by in ["day", "source", "hour", ""] {
            for date_by in [DateBy::Occurred, DateBy::Processed, DateBy::Received] {
                let mut question = berlin(DAY.0, DAY.1, by);
                question.date_by = date_by;
                assert_same!(summary, question.clone());
                assert_same!(reversals, question.clone());
                assert_same!(flags, question);
            }
            let mut question = berlin(DAY.0, DAY.1, "");
            question.date_by = DateBy::Received;
            let dimension = Dimension::of(Table::Postbacks, by);
            question.by = dimension.into_iter().collect();
            assert_same!(rejects, question);
        }
    })
    .await;
}

#[tokio::test]
async fn sources_are_those_of_both_tables() {
    with_database("sources", |loader, reader| async move {
        assert!(reader.sources().await.unwrap().is_empty());
        let other = ConversionRow {
            source: "old",
            ..sale(1, "O1", "c1", "EUR", ("1", "1"), DAY.0)
        };
        insert_conversions(&loader, [other]).await;
        insert_postbacks(&loader, [postback(1, 1, DAY.0, 1)]).await;
        assert_eq!(reader.sources().await.unwrap(), ["old", "us"]);
    })
    .await;
}
