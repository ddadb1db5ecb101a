use clickhouse::Client;
use jiff::civil::date;
use jiff::tz::TimeZone;
use postback_store::Generation;
use postback_store::reports::question::{Column, DateBy, Dimension, Filter, Question, Table};
use postback_store::reports::summary::{Figures, Summary};
use postback_store::reports::{Money, Reader};
use postback_store::rows::ConversionRow;

use crate::insert_conversions;

use crate::database::with_database;
use crate::sales::{all, at, sale, units};

/// (dimension, currency, orders, transactions, reversals, [gross, reversed, net] sales and
/// commission, signals, unattributed)
type Expected<'a> = (&'a str, &'a str, [u64; 3], [&'a str; 6], [u64; 2]);

fn money(text: &str) -> Money {
    Money(units(text).into())
}

#[track_caller]
fn assert_figures(found: &[Figures], expected: &[Expected<'_>]) {
    let shown = |row: &Figures| {
        (
            (row.dimension.join(" "), row.currency.clone()),
            [row.orders, row.transactions, row.reversals],
            [row.gross_sales, row.reversed_sales, row.net_sales()],
            [
                row.gross_commission,
                row.reversed_commission,
                row.net_commission(),
            ],
            [row.signals, row.unattributed],
        )
    };
    let wanted = |(dimension, currency, counts, amounts, rest): &Expected<'_>| {
        let [gross, reversed, net, gross_c, reversed_c, net_c] = amounts.map(money);
        (
            ((*dimension).to_owned(), (*currency).to_owned()),
            *counts,
            [gross, reversed, net],
            [gross_c, reversed_c, net_c],
            *rest,
        )
    };
    let found: Vec<_> = found.iter().map(shown).collect();
    assert_eq!(found, expected.iter().map(wanted).collect::<Vec<_>>());
}

async fn load(loader: &Client) {
    for batch in all() {
        insert_conversions(loader, batch).await;
    }
}

/// Both days, by this; nothing is one row per currency.
fn asked(by: &str) -> Question {
    let (from, to) = (at("2026-09-01T00:00:00Z"), at("2026-09-03T00:00:00Z"));
    let mut question = Question::new(from, to, DateBy::Occurred, TimeZone::UTC);
    let names = by.split(',').filter(|name| !name.is_empty());
    question.by = names
        .map(|name| Dimension::of(Table::Conversions, name).unwrap())
        .collect();
    question
}

/// `column=value` or `column!=value`.
fn only(conditions: &[&str]) -> Filter {
    let mut only = Filter::default();
    for condition in conditions {
        let (name, value) = condition.split_once('=').unwrap();
        let negated = name.ends_with('!');
        let column = Column::of(Table::Conversions, name.trim_end_matches('!')).unwrap();
        only.add(column, negated, value).unwrap();
    }
    only
}

async fn summary(reader: &Reader, query: &Question) -> Summary {
    reader.summary(query, None).await.unwrap().now
}

const EUR: (&str, [u64; 3], [&str; 6], [u64; 2]) = (
    "EUR",
    [1, 1, 1],
    ["200", "-200", "0", "20", "-20", "0"],
    [0, 0],
);
const GBP: (&str, [u64; 3], [&str; 6], [u64; 2]) =
    ("GBP", [1, 1, 0], ["80", "0", "80", "0", "0", "0"], [0, 0]);

fn of<'a>(dimension: &'a str, rest: (&'a str, [u64; 3], [&'a str; 6], [u64; 2])) -> Expected<'a> {
    (dimension, rest.0, rest.1, rest.2, rest.3)
}

#[tokio::test]
async fn figures_by_day_are_those_calculated_by_hand() {
    with_database("day", |loader, reader| async move {
        load(&loader).await;
        let found = summary(&reader, &asked("day")).await;
        assert_figures(
            &found.rows,
            &[
                // 100 + 50.5 + 1.2345 + 5; 10 + 5.05 + 0.1 + 0.5
                (
                    "2026-09-01",
                    "USD",
                    [3, 4, 1],
                    ["156.7345", "-50.5", "106.2345", "15.65", "-5.05", "10.6"],
                    [1, 1],
                ),
                of("2026-09-02", EUR),
                of("2026-09-02", GBP),
                // Sales 40 + 12 (taken back); commission 4 + 4 of the sale in GBP.
                (
                    "2026-09-02",
                    "USD",
                    [1, 2, 1],
                    ["52", "-12", "40", "8", "-1", "7"],
                    [0, 1],
                ),
            ],
        );
        assert_figures(
            &found.totals,
            &[
                of("", EUR),
                of("", GBP),
                (
                    "",
                    "USD",
                    [4, 6, 2],
                    ["208.7345", "-62.5", "146.2345", "23.65", "-6.05", "17.6"],
                    [1, 2],
                ),
            ],
        );
        assert_eq!((found.unknown, found.rejected, found.undated), (1, 1, 1));
        assert_eq!(found.rows[0].unattributed_percent(), Some(25.0));
        assert_eq!(found.rows[1].unattributed_percent(), Some(0.0));
    })
    .await;
}

#[tokio::test]
async fn days_are_those_of_the_zone() {
    with_database("zone", |loader, reader| async move {
        load(&loader).await;
        let mut query = asked("day");
        query.zone = TimeZone::get("Europe/Berlin").unwrap();
        (query.from, query.to) = (at("2026-08-31T22:00:00Z"), at("2026-09-02T22:00:00Z"));
        let found = summary(&reader, &query).await;
        assert_figures(
            &found.rows,
            &[
                (
                    "2026-09-01",
                    "USD",
                    [2, 3, 1],
                    ["155.5", "-50.5", "105", "15.55", "-5.05", "10.5"],
                    [1, 0],
                ),
                of("2026-09-02", EUR),
                of("2026-09-02", GBP),
                (
                    "2026-09-02",
                    "USD",
                    [2, 3, 1],
                    ["53.2345", "-12", "41.2345", "8.1", "-1", "7.1"],
                    [0, 2],
                ),
            ],
        );
        (query.from, query.to) = (at("2026-10-24T22:00:00Z"), at("2026-10-26T23:00:00Z"));
        let found = summary(&reader, &query).await;
        assert_figures(
            &found.rows,
            &[
                (
                    "2026-10-25",
                    "JPY",
                    [2, 2, 0],
                    ["2000", "0", "2000", "20", "0", "20"],
                    [0, 0],
                ),
                (
                    "2026-10-26",
                    "JPY",
                    [1, 1, 0],
                    ["7", "0", "7", "7", "0", "7"],
                    [0, 0],
                ),
            ],
        );
    })
    .await;
}

#[tokio::test]
async fn other_dimensions_and_filters() {
    with_database("dimensions", |loader, reader| async move {
        load(&loader).await;
        let us = (
            "us",
            "USD",
            [3, 5, 2],
            ["203.7345", "-62.5", "141.2345", "23.15", "-6.05", "17.1"],
            [1, 2],
        );
        let eu: Expected<'_> = (
            "eu",
            "USD",
            [1, 1, 0],
            ["5", "0", "5", "0.5", "0", "0.5"],
            [0, 0],
        );
        let by_source = summary(&reader, &asked("source")).await;
        assert_figures(&by_source.rows, &[eu, of("us", EUR), of("us", GBP), us]);

        let by_advertiser = summary(&reader, &asked("advertiser")).await;
        let twenty = (
            "rakuten 20",
            "USD",
            [1, 1, 0],
            ["1.2345", "0", "1.2345", "0.1", "0", "0.1"],
            [0, 1],
        );
        let ten = (
            "rakuten 10",
            "USD",
            [3, 5, 2],
            ["207.5", "-62.5", "145", "23.55", "-6.05", "17.5"],
            [1, 1],
        );
        assert_figures(
            &by_advertiser.rows,
            &[of("rakuten 10", EUR), of("rakuten 10", GBP), ten, twenty],
        );

        let by_currency = summary(&reader, &asked("")).await;
        assert_eq!(by_currency.rows.len(), 3);
        assert_eq!(
            by_currency
                .rows
                .iter()
                .map(Figures::net_sales)
                .collect::<Vec<_>>(),
            by_currency
                .totals
                .iter()
                .map(Figures::net_sales)
                .collect::<Vec<_>>(),
        );

        let mut some = asked("source");
        some.only = only(&["source=eu"]);
        assert_figures(&summary(&reader, &some).await.rows, &[eu]);
        some.only = only(&["advertiser=20", "network=rakuten"]);
        let found = summary(&reader, &some).await;
        assert_eq!((found.rows.len(), found.undated), (1, 0));
        for hostile in [
            "20' OR 1=1 --",
            "\\' OR true OR '",
            "{from:Int64}",
            "\n",
            "?",
            "a','b",
            "]",
        ] {
            some.only = Filter::default();
            let column = Column::of(Table::Conversions, "advertiser").unwrap();
            some.only.add(column, false, hostile).unwrap();
            assert_eq!(
                summary(&reader, &some).await,
                Summary::default(),
                "{hostile:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_other_dates_place_conversions_too() {
    with_database("dates", |loader, reader| async move {
        load(&loader).await;
        let mut query = asked("day");
        query.date_by = DateBy::Processed;
        let found = summary(&reader, &query).await;
        assert_figures(
            &found.rows,
            &[(
                "2026-09-02",
                "USD",
                [1, 1, 0],
                ["10", "0", "10", "1", "0", "1"],
                [0, 0],
            )],
        );
        // All but conversion 11.
        assert_eq!(found.undated, 17);
        query.date_by = DateBy::Received;
        let found = summary(&reader, &query).await;
        // As by occurred, with conversion 11 on the second day.
        let expected = (
            "2026-09-02",
            "USD",
            [2, 3, 1],
            ["62", "-12", "50", "9", "-1", "8"],
            [0, 1],
        );
        assert_figures(&found.rows[3..], &[expected]);
        assert_eq!(found.undated, 0);
    })
    .await;
}

#[tokio::test]
async fn a_revision_that_moves_a_sale_counts_where_it_went_and_nowhere_else() {
    with_database("moved", |loader, reader| async move {
        const INSIDE: &str = "2026-09-01T10:00:00Z";
        const OUTSIDE: &str = "2026-08-01T10:00:00Z";
        let dated = |key, amount, occurred, revision| ConversionRow {
            // Of a network without a date: the key does not say when it was.
            key_day: date(1970, 1, 5),
            revision,
            ..sale(key, "O1", "c1", "USD", (amount, "0"), occurred)
        };
        for row in [
            dated(1, "100", INSIDE, 1),
            dated(1, "100", OUTSIDE, 2),
            dated(2, "7", OUTSIDE, 1),
            dated(2, "7", INSIDE, 2),
            dated(3, "1000", OUTSIDE, 1),
        ] {
            insert_conversions(&loader, [row]).await;
        }
        let found = summary(&reader, &asked("")).await;
        let expected = ("", "USD", [1, 1, 0], ["7", "0", "7", "0", "0", "0"], [0, 0]);
        assert_figures(&found.rows, &[expected]);
    })
    .await;
}

#[tokio::test]
async fn nothing_loaded_is_no_error() {
    with_database("empty", |_, reader| async move {
        assert_eq!(summary(&reader, &asked("day")).await, Summary::default());
        let all = Filter::default();
        let complete =
            reader.completeness(at("2026-09-01T00:00:00Z"), at("2026-09-02T00:00:00Z"), &all);
        let complete = complete.await.unwrap();
        assert_eq!((complete.loaded_through, complete.rejected), (None, 0));
        assert_eq!(complete.generation, Generation::FIRST);
    })
    .await;
}
