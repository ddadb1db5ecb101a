//! Reports of what was received: rejects, activity.

use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use postback_store::insert;
use postback_store::reports::activity::{By, Names, Sender, State};
use postback_store::reports::question::{Column, DateBy, Dimension, Filter, Question, Table};
use postback_store::reports::share::Share;
use postback_store::reports::tally::Tally;
use postback_store::rows::{Outcome, PostbackRow};

use crate::database::with_database;
use crate::insert_postbacks;
use crate::sales::{at, id, postback, refusal};

fn rejected(number: u128, received: &str, reasons: &[&'static str]) -> PostbackRow<'static> {
    PostbackRow {
        outcome: Outcome::Rejected,
        reasons: reasons.to_vec(),
        conversion_key: None,
        key_day: None,
        ..postback(number, number, received, number.try_into().unwrap())
    }
}

#[tokio::test]
async fn rejects_are_counted_once_by_reason() {
    with_database("rejects", |loader, reader| async move {
        const FIRST: &str = "2026-09-01T10:00:00Z";
        const LATER: &str = "2026-09-01T11:00:00Z";
        let rows = vec![
            rejected(1, FIRST, &["missing_identity"]),
            rejected(2, LATER, &["missing_identity", "unreadable_key_date"]),
            PostbackRow {
                source: "eu",
                ..rejected(3, FIRST, &["missing_identity"])
            },
            postback(4, 4, FIRST, 4),
            postback(5, 5, FIRST, 5),
            PostbackRow {
                source: "eu",
                ..postback(6, 6, FIRST, 6)
            },
            // Outside of the range.
            rejected(7, "2026-09-02T00:00:00Z", &["no_parameters"]),
        ];
        insert_postbacks(&loader, rows.clone()).await;
        // What a crash repeats is the same again.
        insert_postbacks(&loader, rows).await;
        let (from, to) = (at("2026-09-01T00:00:00Z"), at("2026-09-02T00:00:00Z"));
        let mut question = Question::new(from, to, DateBy::Received, TimeZone::UTC);
        question.by = vec![Dimension::of(Table::Postbacks, "source").unwrap()];
        let found = reader.rejects(&question, None).await.unwrap().now;
        let seen: Vec<_> = found
            .rows
            .iter()
            .map(|row| {
                (
                    &*row.dimension[0],
                    &*row.word,
                    row.share,
                    row.last,
                    row.sample,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("eu", "missing_identity", Share::new(1, 2), at(FIRST), id(3)),
                ("us", "missing_identity", Share::new(2, 4), at(LATER), id(2)),
                (
                    "us",
                    "unreadable_key_date",
                    Share::new(1, 4),
                    at(LATER),
                    id(2)
                ),
            ]
        );
        assert_eq!(found.total, Share::new(3, 6));
        question.by = Vec::new();
        question
            .only
            .add(
                Column::of(Table::Postbacks, "reason").unwrap(),
                false,
                "unreadable_key_date",
            )
            .unwrap();
        let found = reader.rejects(&question, None).await.unwrap().now;
        assert_eq!((found.total, found.chosen), (Share::new(1, 6), 1));
        let shares: Vec<_> = found.rows.iter().map(|row| row.share).collect();
        // Of all that came, as without the condition.
        assert_eq!(shares, [Share::new(1, 6); 2]);
    })
    .await;
}

#[tokio::test]
async fn an_array_that_was_refused_in_part_is_no_reject_and_is_told_apart() {
    with_database("partly", |loader, reader| async move {
        const FIRST: &str = "2026-09-01T10:00:00Z";
        const LATER: &str = "2026-09-01T11:00:00Z";
        let in_part = |number, received| PostbackRow {
            outcome: Outcome::Accepted,
            ..rejected(number, received, &["missing_identity"])
        };
        let rows = vec![
            in_part(1, LATER),
            in_part(2, FIRST),
            rejected(3, FIRST, &["missing_identity", "unreadable_key_date"]),
            postback(4, 4, FIRST, 4),
            PostbackRow {
                source: "eu",
                ..in_part(5, FIRST)
            },
        ];
        insert_postbacks(&loader, rows).await;
        let (from, to) = (at("2026-09-01T00:00:00Z"), at("2026-09-02T00:00:00Z"));
        let mut question = Question::new(from, to, DateBy::Received, TimeZone::UTC);
        question.by = vec![Dimension::of(Table::Postbacks, "source").unwrap()];
        let mut found = reader.rejects(&question, None).await.unwrap().now;
        let seen = |tallies: Vec<Tally>| -> Vec<_> {
            let one = |row: Tally| (row.dimension[0].clone(), row.word, row.share, row.sample);
            tallies.into_iter().map(one).collect()
        };
        let told = |source: &str, word: &str, share, sample| {
            (source.to_owned(), word.to_owned(), share, id(sample))
        };
        assert_eq!(
            seen(found.rows),
            [
                told("us", "missing_identity", Share::new(1, 4), 3),
                told("us", "unreadable_key_date", Share::new(1, 4), 3),
            ]
        );
        assert_eq!(
            seen(found.partly),
            [
                told("eu", "missing_identity", Share::new(1, 1), 5),
                told("us", "missing_identity", Share::new(2, 4), 1),
            ]
        );
        let totals = (found.total, found.partly_total, found.chosen);
        assert_eq!(totals, (Share::new(1, 5), Share::new(3, 5), 5));
        let reason = Column::of(Table::Postbacks, "reason").unwrap();
        (question.only)
            .add(reason, false, "unreadable_key_date")
            .unwrap();
        found = reader.rejects(&question, None).await.unwrap().now;
        let totals = (found.total, found.partly_total, found.chosen);
        assert_eq!(totals, (Share::new(1, 5), Share::new(0, 5), 1));
        assert_eq!(found.partly, []);
    })
    .await;
}

/// One postback every ten minutes for weeks, as seen on a Sunday at noon in Berlin.
fn until() -> Zoned {
    "2026-11-22T12:00:00[Europe/Berlin]".parse().unwrap()
}

fn steady(source: &'static str, weeks: i64, silent: i64, first: u128) -> Vec<PostbackRow<'static>> {
    let end = until().timestamp();
    let minutes = (silent * 6 + 1)..=(weeks * 7 * 24 * 6);
    let rows = minutes.zip(first..).map(|(tens, number)| {
        let received = end - Span::new().minutes(10 * tens);
        PostbackRow {
            source,
            received_at: received,
            ..postback(
                number,
                number,
                "2026-09-01T00:00:00Z",
                number.try_into().unwrap(),
            )
        }
    });
    rows.collect()
}

#[tokio::test]
async fn activity_is_that_of_the_hour_of_the_week() {
    with_database("activity", |loader, reader| async move {
        const RAW: &str = r#"{"v":1,"key":"k2","query":{"utf8":"a=1&pbt=7&b=2"},"via":"http"}"#;
        let mut rows = steady("us", 10, 0, 1);
        rows.extend(steady("gone", 10, 3, 100_000));
        rows.extend(steady("new", 1, 0, 200_000));
        rows[0].raw = RAW;
        // Imports are no activity; what comes after the moment is not seen yet.
        rows.push(PostbackRow {
            via: "import",
            source: "files",
            ..postback(300_000, 1, "2026-11-22T10:30:00Z", 1)
        });
        rows.push(postback(300_001, 1, "2026-11-22T11:00:00Z", 1));
        insert_postbacks(&loader, rows).await;
        let found = reader
            .activity(&Filter::default(), &Names::default(), &until())
            .await
            .unwrap();
        let seen: Vec<_> = found
            .iter()
            .map(|sender| {
                (
                    &*sender.source,
                    sender.last.to_string(),
                    sender.hour,
                    sender.day,
                    sender.usual.state,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (
                    "gone",
                    "2026-11-22T07:50:00Z".to_owned(),
                    0,
                    21 * 6,
                    State::Silent
                ),
                (
                    "new",
                    "2026-11-22T10:50:00Z".to_owned(),
                    6,
                    24 * 6,
                    State::Learning
                ),
                (
                    "us",
                    "2026-11-22T10:50:00Z".to_owned(),
                    6,
                    24 * 6,
                    State::Usual
                ),
            ]
        );
        let us = &found[2].usual;
        assert_eq!((us.mean, found[0].usual.missing), (Some(6.0), 19.0));
        let mut only = Filter::default();
        only.add(Column::source(), false, "us").unwrap();
        assert_eq!(
            reader
                .activity(&only, &Names::default(), &until())
                .await
                .unwrap()
                .len(),
            1
        );

        for (by, part) in [(By::Key, "k2"), (By::Template, "7")] {
            let parts = reader
                .activity_of(by, &only, &Names::default(), &until())
                .await
                .unwrap();
            let seen: Vec<_> = parts
                .iter()
                .map(|part| (&*part.part, part.day, part.week))
                .collect();
            assert_eq!(seen, [("", 143, 7 * 144 - 1), (part, 1, 1)]);
        }
    })
    .await;
}

/// All of a run has the time at which it began: of two sources that have stopped, one was healed an hour
/// ago; of two that send, one was healed at this hour of last week.
#[tokio::test]
async fn what_was_fetched_is_no_activity() {
    with_database("healed", |loader, reader| async move {
        let mut rows = Vec::new();
        for (place, (source, silent)) in
            (0..).zip([("gone", 3), ("healed", 3), ("us", 0), ("eu", 0)])
        {
            rows.extend(steady(source, 10, silent, place * 100_000 + 1));
        }
        let fetched = |source, place: u128, received: &'static str| {
            (1..=2_000_u128).map(move |number| PostbackRow {
                via: "backfill",
                source,
                raw: r#"{"v":1,"key":"k2","query":{"utf8":"a=1&pbt=7&b=2"},"via":"backfill"}"#,
                ..postback(place + number, place + number, received, 1)
            })
        };
        rows.extend(fetched("healed", 1_000_000, "2026-11-22T10:30:00Z"));
        rows.extend(fetched("eu", 2_000_000, "2026-11-15T10:30:00Z"));
        rows.extend(fetched("never", 3_000_000, "2026-11-22T10:30:00Z"));
        insert_postbacks(&loader, rows).await;
        let (only, names, until) = (Filter::default(), Names::default(), until());
        let found = reader.activity(&only, &names, &until).await.unwrap();
        let names_of: Vec<_> = found.iter().map(|sender| &*sender.source).collect();
        assert_eq!(names_of, ["eu", "gone", "healed", "us"]);
        // Each as the one beside it that nothing was fetched for.
        for (one, other, state) in [(1, 2, State::Silent), (3, 0, State::Usual)] {
            let figures = |place: usize| {
                let Sender {
                    last,
                    hour,
                    day,
                    usual,
                    ..
                } = found[place].clone();
                (last, hour, day, usual)
            };
            assert_eq!(figures(one), figures(other));
            assert_eq!(found[one].usual.state, state);
        }
        for by in [By::Key, By::Template] {
            let parts = reader.activity_of(by, &only, &names, &until).await.unwrap();
            assert!(parts.iter().all(|part| part.part.is_empty()), "{parts:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_fetched_or_imported_was_not_pushed() {
    with_database("pushed", |loader, reader| async move {
        let came = |number: u128, via, source, received| PostbackRow {
            via,
            source,
            ..postback(number, number, received, 1)
        };
        insert_postbacks(
            &loader,
            [
                came(1, "backfill", "us", "2026-09-01T10:00:00Z"),
                came(2, "import", "orders", "2026-09-01T11:00:00Z"),
                came(3, "", "", "2026-09-01T12:00:00Z"),
                came(4, "http", "us", "2026-09-02T00:00:00Z"),
            ],
        )
        .await;
        let days = ["2026-09-01", "2026-09-02", "2026-09-03"];
        let days = days.map(|day| at(&format!("{day}T00:00:00Z")));
        for (from, to, expected) in [(0, 1, false), (1, 2, true), (0, 2, true)] {
            let is_pushed = reader.is_pushed(days[from], days[to]).await.unwrap();
            assert_eq!(is_pushed, expected, "{from} {to}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_source_that_sends_seldom_was_there_before_its_first_postback_that_is_read() {
    with_database("seldom", |loader, reader| async move {
        // The hour that ended 100 hours ago, eight weeks before; and one before all that is read.
        let end = until() - Span::new().hours(100) - Span::new().weeks(8);
        let times = [
            (end - Span::new().minutes(30)).timestamp(),
            (until() - Span::new().weeks(9) - Span::new().days(2)).timestamp(),
        ];
        let rows = times.iter().zip(1_u128..).map(|(at, number)| PostbackRow {
            source: "seldom",
            received_at: *at,
            ..postback(number, number, "2026-09-01T00:00:00Z", 1)
        });
        insert_postbacks(&loader, rows.collect::<Vec<_>>()).await;
        let (only, names, until) = (Filter::default(), Names::default(), until());
        let found = reader.activity(&only, &names, &until).await.unwrap();
        // One in eight of these hours, and nothing in the others of the week.
        assert_eq!(found[0].usual.missing.to_bits(), 0.125_f64.to_bits());
    })
    .await;
}

#[tokio::test]
async fn a_postback_of_a_wrong_clock_is_no_history() {
    with_database("wrong_clock", |loader, reader| async move {
        // A week: the hour before it is not known.
        let mut rows = steady("new", 1, 0, 1);
        rows.extend(steady("old", 10, 3, 100_000));
        rows.extend(steady("renamed", 1, 0, 200_000));
        // Nothing of these stands in the weeks that are read.
        for (number, source) in [(300_000, "new"), (300_001, "before"), (300_002, "past")] {
            rows.push(PostbackRow {
                source,
                ..postback(number, number, "1970-01-01T00:00:07Z", 1)
            });
        }
        insert_postbacks(&loader, rows).await;
        let names = [("before".to_owned(), "renamed".to_owned())];
        let names: Names = names.into_iter().collect();
        let found = reader.activity(&Filter::default(), &names, &until()).await;
        let found = found.unwrap();
        let seen = found.iter().map(|sender| {
            let usual = sender.usual;
            (&*sender.source, sender.hour, usual.mean, usual.state)
        });
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [
                ("new", 6, None, State::Learning),
                ("old", 0, Some(6.0), State::Silent),
                ("past", 0, Some(0.0), State::Usual),
                ("renamed", 6, None, State::Learning),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn rows_of_an_older_name_are_those_of_the_source() {
    with_database("renamed", |loader, reader| async move {
        // Renamed an hour ago, after ten weeks: 11:00 to 12:00 came by the new name.
        let mut rows = steady("shop", 10, 1, 1);
        rows.extend(steady("store", 10, 0, 100_000).into_iter().take(6));
        insert_postbacks(&loader, rows).await;
        let names = [("shop".to_owned(), "store".to_owned())];
        let names: Names = names.into_iter().collect();
        let mut filters = vec![Filter::default()];
        for (negated, name) in [(false, "store"), (false, "shop"), (true, "other")] {
            let mut only = Filter::default();
            only.add(Column::source(), negated, name).unwrap();
            filters.push(only);
        }
        for only in &filters {
            let found = reader.activity(only, &names, &until()).await.unwrap();
            let seen = found.iter().map(|sender| {
                let state = sender.usual.state;
                (&*sender.source, sender.last, sender.hour, sender.day, state)
            });
            let last = at("2026-11-22T10:50:00Z");
            let whole = ("store", last, 6, 144, State::Usual);
            assert_eq!(seen.collect::<Vec<_>>(), [whole], "{only:?}");
            assert_eq!(found[0].usual.mean, Some(6.0));
            let parts = reader.activity_of(By::Key, only, &names, &until()).await;
            let parts = parts.unwrap();
            let seen = parts
                .iter()
                .map(|part| (&*part.source, part.day, part.week));
            assert_eq!(seen.collect::<Vec<_>>(), [("store", 144, 7 * 144)]);
        }
        let refusals = [
            refusal(1, "store", "forbidden", "2026-11-22T10:30:00Z", 0),
            refusal(2, "shop", "not_found", "2026-11-22T09:00:00Z", 4),
        ];
        insert::refusals(&loader, refusals).await.unwrap();
        let found = reader.refused(&names, &until()).await.unwrap();
        let seen = found
            .iter()
            .map(|row| (&*row.source, row.day, row.week, &*row.reason));
        assert_eq!(seen.collect::<Vec<_>>(), [("store", 6, 6, "not_found")]);
    })
    .await;
}

#[tokio::test]
async fn refusals_are_counted_with_those_that_have_no_row() {
    with_database("refused", |loader, reader| async move {
        let rows = [
            refusal(1, "us", "forbidden", "2026-11-22T10:00:00Z", 0),
            refusal(2, "us", "not_found", "2026-11-22T09:00:00Z", 9),
            refusal(3, "us", "forbidden", "2026-11-18T10:00:00Z", 4),
            refusal(4, "", "not_found", "2026-11-22T10:00:00Z", 0),
            refusal(5, "us", "forbidden", "2026-11-01T10:00:00Z", 4),
        ];
        insert::refusals(&loader, rows).await.unwrap();
        let found = reader.refused(&Names::default(), &until()).await.unwrap();
        let seen: Vec<_> = found
            .iter()
            .map(|row| (&*row.source, row.day, row.week, &*row.reason))
            .collect();
        assert_eq!(seen, [("", 1, 1, "not_found"), ("us", 11, 16, "not_found")]);
    })
    .await;
}

#[tokio::test]
async fn loading_is_measured_by_what_the_server_stored_last() {
    with_database("loading", |loader, reader| async move {
        let nothing = reader.loading().await.unwrap();
        assert_eq!((nothing.rows, nothing.delay), (0, None));
        // Received when the tables were there, and two hours before; long before is a replay's.
        let now = jiff::Timestamp::now();
        let received = now.to_string();
        insert_postbacks(
            &loader,
            [
                postback(1, 1, &received, 1),
                postback(2, 2, "2026-09-01T00:00:00Z", 2),
            ],
        )
        .await;
        let found = reader.loading().await.unwrap();
        assert_eq!(found.rows, 1);
        let delay = found.delay.unwrap();
        // The server tells whole seconds.
        assert!((-1.0..60.0).contains(&delay.max), "{delay:?}");
    })
    .await;
}
