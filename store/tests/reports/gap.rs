//! Orders and statements against conversions: a set by hand, and random sets against a calculation
//! that knows nothing of SQL.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use postback_store::reports::gap::{Comparison, Figures, Own, Wanted};
use postback_store::reports::question::{Column, DateBy, Dimension, Question, Table};
use postback_store::reports::{Money, OwnSource};
use postback_store::rows::{ConversionRow, Decimal4};

use crate::database::with_database;
use crate::insert_conversions;
use crate::sales::{at, sale, units};

const DAY: &str = "2026-09-01T10:00:00Z";

fn order<'a>(
    key: u128,
    number: &'a str,
    status: &'a str,
    amount: &str,
    placed: &str,
) -> ConversionRow<'a> {
    ConversionRow {
        source: "shop",
        network: "orders",
        account: "shop",
        kind: "order",
        status,
        commission: None,
        ..sale(key, number, "", "USD", (amount, "0"), placed)
    }
}

/// A source of its own account.
fn source(name: &str, compared_with: &[&str]) -> OwnSource {
    OwnSource {
        name: name.to_owned(),
        account: name.to_owned(),
        compared_with: compared_with.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn asked(own: Own, by: &str) -> Comparison {
    let (from, to) = (at("2026-09-01T00:00:00Z"), at("2026-09-03T00:00:00Z"));
    let mut question = Question::new(from, to, DateBy::Occurred, TimeZone::UTC);
    question.by.extend(Dimension::of(Table::Conversions, by));
    Comparison {
        question,
        own,
        sources: vec![match own {
            Own::Orders => source("shop", &["main"]),
            Own::Statements => source("items", &["main"]),
        }],
        accounts: vec!["main".to_owned()],
        mature_until: at("2026-09-02T20:00:00Z"),
    }
}

fn money(text: &str) -> Money {
    Money(units(text).into())
}

/// Number, and class.
async fn listed(
    reader: &postback_store::reports::Reader,
    asked: &Comparison,
    wanted: Wanted,
) -> Vec<(String, String)> {
    let list = reader.gap_list(asked, wanted, 100).await.unwrap();
    assert!(list.iter().all(|row| row.total == list.len() as u64));
    list.into_iter()
        .map(|row| (row.order_no, row.class))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(number, class): &(&str, &str)| ((*number).to_owned(), (*class).to_owned());
    expected.iter().map(pair).collect()
}

#[tokio::test]
async fn every_order_is_in_one_class() {
    Box::pin(with_database("gap_classes", |loader, reader| async move {
        insert_conversions(
            &loader,
            [
                order(1, "match", "placed", "10", DAY),
                ConversionRow {
                    click_id: "own",
                    ..order(2, "lines", "placed", "30", DAY)
                },
                order(3, "amount", "placed", "10.01", DAY),
                order(4, "currency", "placed", "10", DAY),
                ConversionRow {
                    click_id: "own",
                    ..order(5, "click", "placed", "10", DAY)
                },
                order(6, "taken", "placed", "10", DAY),
                ConversionRow {
                    click_id: "c",
                    ..order(7, "partly", "placed", "4", DAY)
                },
                order(8, "cancelled", "cancelled", "10", DAY),
                order(9, "returned", "returned", "10", DAY),
                order(10, "outside", "out_of_network", "10", DAY),
                order(11, "standing", "cancelled", "10", DAY),
                order(12, "signal", "placed", "10", DAY),
                order(13, "missing", "placed", "10", DAY),
                order(14, "young", "placed", "10", "2026-09-02T20:00:00Z"),
                order(15, "old", "placed", "10", "2026-09-02T19:59:59Z"),
                order(16, "refused", "placed", "10", DAY),
                order(17, "away", "placed", "10", "2026-09-03T00:00:00Z"),
                order(18, "elsewhere", "placed", "10", DAY),
                // A newer revision of the first.
                ConversionRow {
                    revision: 2,
                    ..order(1, "match", "placed", "20", DAY)
                },
            ],
        )
        .await;
        insert_conversions(
            &loader,
            [
                sale(101, "match", "c", "USD", ("20", "1"), DAY),
                sale(102, "lines", "c", "USD", ("10", "1"), DAY),
                // One of several with the own side's click is enough, whichever that is.
                sale(103, "lines", "own", "USD", ("20", "1"), DAY),
                sale(104, "amount", "c", "USD", ("10", "1"), DAY),
                sale(105, "currency", "c", "EUR", ("10", "1"), DAY),
                sale(106, "click", "other", "USD", ("10", "1"), DAY),
                // An early notice is no transaction, and its click none of theirs.
                ConversionRow {
                    kind: "signal",
                    ..sale(120, "click", "own", "USD", ("10", "1"), DAY)
                },
                sale(107, "taken", "c", "USD", ("10", "1"), DAY),
                ConversionRow {
                    status: "reversed",
                    ..sale(108, "taken", "c", "USD", ("-10", "-1"), DAY)
                },
                sale(109, "partly", "c", "USD", ("10", "1"), DAY),
                ConversionRow {
                    status: "reversed",
                    ..sale(110, "partly", "own", "USD", ("-6", "-1"), DAY)
                },
                sale(111, "standing", "c", "USD", ("7.5", "1"), DAY),
                ConversionRow {
                    kind: "signal",
                    ..sale(112, "signal", "c", "USD", ("10", "1"), DAY)
                },
                ConversionRow {
                    status: "rejected",
                    ..sale(113, "refused", "c", "USD", ("10", "1"), DAY)
                },
                // Another account's; a sale that nobody knows; that of the next day's order, which is known.
                ConversionRow {
                    account: "other",
                    ..sale(114, "elsewhere", "c", "USD", ("10", "1"), DAY)
                },
                sale(115, "strange", "c", "USD", ("99", "1"), DAY),
                sale(116, "away", "c", "USD", ("10", "1"), "2026-09-02T23:59:59Z"),
                sale(117, "", "c", "USD", ("1", "1"), DAY),
            ],
        )
        .await;
        let asked = asked(Own::Orders, "nothing");
        let gap = reader.gap(&asked).await.unwrap();
        let [total] = gap.totals.as_slice() else {
            panic!("{:?}", gap.totals)
        };
        let counts = [
            total.own,
            total.matched,
            total.reversed,
            total.cancelled,
            total.returned,
            total.out_of_network,
            total.immature,
            total.signal_only,
            total.missing,
            total.extra,
        ];
        assert_eq!(counts, [17, 7, 2, 1, 1, 1, 1, 1, 3, 1]);
        assert_eq!(
            total.explained() + total.unexplained() + total.matched + total.immature,
            17
        );
        let differences = [
            total.standing,
            total.other_amounts,
            total.other_currencies,
            total.other_clicks,
        ];
        assert_eq!(differences, [1, 1, 1, 1]);
        // 20 + 30 + 10.01 + 10 + 10 + 4 + 10, and 4 × 10 unexplained.
        assert_eq!(total.matched_amount, money("94.01"));
        assert_eq!(total.unexplained_amount, money("40"));
        assert_eq!(total.extra_amount, money("99"));
        assert_eq!(total.standing_amount, money("7.5"));
        assert_eq!(total.amount_difference, money("-0.01"));
        assert!(gap.by_advertiser, "every order names advertiser 10");
        assert_eq!((gap.own_unnumbered, gap.their_unnumbered), (0, 1));

        let unexplained = listed(&reader, &asked, Wanted::Unexplained).await;
        let expected = [
            ("elsewhere", "missing"),
            ("missing", "missing"),
            ("signal", "signal_only"),
            ("old", "missing"),
        ];
        assert_eq!(unexplained, pairs(&expected));
        let expected = [
            ("cancelled", "cancelled"),
            ("outside", "out_of_network"),
            ("refused", "reversed"),
            ("returned", "returned"),
            ("taken", "reversed"),
        ];
        assert_eq!(
            listed(&reader, &asked, Wanted::Explained).await,
            pairs(&expected)
        );
        assert_eq!(
            listed(&reader, &asked, Wanted::Immature).await,
            pairs(&[("young", "immature")])
        );
        assert_eq!(
            listed(&reader, &asked, Wanted::Extra).await,
            pairs(&[("strange", "extra")])
        );
        assert_eq!(
            listed(&reader, &asked, Wanted::Standing).await,
            pairs(&[("standing", "matched")])
        );
        let expected = [("amount", "matched"), ("currency", "matched")];
        assert_eq!(
            listed(&reader, &asked, Wanted::Amounts).await,
            pairs(&expected)
        );
        assert_eq!(
            listed(&reader, &asked, Wanted::Clicks).await,
            pairs(&[("click", "matched")])
        );
        assert_eq!(listed(&reader, &asked, Wanted::Matched).await.len(), 7);
    }))
    .await;
}

#[tokio::test]
async fn lines_of_a_statement_are_compared_by_order_and_advertiser() {
    with_database("gap_statement", |loader, reader| async move {
        let line = |key, number, amount, advertiser| ConversionRow {
            source: "items",
            kind: "statement",
            status: "reported",
            advertiser_id: advertiser,
            account: "items",
            ..sale(key, number, "", "USD", (amount, "1"), DAY)
        };
        insert_conversions(
            &loader,
            [
                line(1, "one", "10", "10"),
                line(2, "one", "5", "10"),
                line(3, "two", "7", "10"),
                // The same number at another advertiser.
                line(4, "two", "9", "20"),
                ConversionRow {
                    status: "reversed",
                    ..line(5, "gone", "-3", "10")
                },
                // An own order is not of the statement.
                order(6, "own", "placed", "1", DAY),
            ],
        )
        .await;
        insert_conversions(
            &loader,
            [
                sale(101, "one", "c", "USD", ("15", "1"), DAY),
                sale(102, "two", "c", "USD", ("7", "1"), DAY),
            ],
        )
        .await;
        let gap = reader
            .gap(&asked(Own::Statements, "advertiser"))
            .await
            .unwrap();
        let rows: Vec<_> = gap
            .rows
            .iter()
            .map(|row| {
                (
                    row.dimension.join(" "),
                    row.own,
                    row.matched,
                    row.reversed,
                    row.missing,
                )
            })
            .collect();
        let expected = [("rakuten 10", 3, 2, 1, 0), ("rakuten 20", 1, 0, 0, 1)];
        assert_eq!(
            rows,
            expected.map(|(name, a, b, c, d)| (name.to_owned(), a, b, c, d))
        );
        assert_eq!(
            gap.totals[0].other_amounts, 0,
            "the lines of one order are summed"
        );
    })
    .await;
}

#[tokio::test]
async fn conditions_are_about_the_own_side_and_days_are_those_of_the_zone() {
    with_database("gap_days", |loader, reader| async move {
        let orders = [
            order(1, "a", "placed", "1", "2026-09-01T21:59:59Z"),
            order(2, "b", "placed", "1", "2026-09-01T22:00:00Z"),
            ConversionRow {
                advertiser_id: "",
                currency: "EUR",
                ..order(3, "c", "placed", "1", "2026-09-01T22:00:00Z")
            },
        ];
        insert_conversions(&loader, orders).await;
        insert_conversions(&loader, [sale(101, "c", "x", "EUR", ("1", "1"), DAY)]).await;
        let mut asked = asked(Own::Orders, "day");
        asked.question.zone = TimeZone::get("Europe/Berlin").unwrap();
        let gap = reader.gap(&asked).await.unwrap();
        let days = |rows: &[Figures]| -> Vec<(String, String, u64, u64)> {
            let told = |row: &Figures| {
                (
                    row.dimension.join(" "),
                    row.currency.clone(),
                    row.matched,
                    row.missing,
                )
            };
            rows.iter().map(told).collect()
        };
        let named = |day: &str, currency: &str, matched, missing| {
            (day.to_owned(), currency.to_owned(), matched, missing)
        };
        let expected = [
            named("2026-09-01", "USD", 0, 1),
            named("2026-09-02", "EUR", 1, 0),
            named("2026-09-02", "USD", 0, 1),
        ];
        assert_eq!(days(&gap.rows), expected);
        assert!(!gap.by_advertiser, "one order names none");

        let column = Column::of(Table::Conversions, "currency").unwrap();
        asked.question.only.add(column, false, "USD").unwrap();
        let gap = reader.gap(&asked).await.unwrap();
        assert_eq!(days(&gap.totals), [named("", "USD", 0, 2)]);
        assert_eq!(gap.totals[0].extra, 0, "what is left out is not unknown");
    })
    .await;
}

/// Shops with accounts of their own that both number from 1001; the second has a second source.
#[tokio::test]
async fn each_own_account_numbers_its_orders_by_itself() {
    with_database("gap_sides", |loader, reader| async move {
        let of_shop = |source, key, number, amount| ConversionRow {
            source,
            ..order(key, number, "placed", amount, DAY)
        };
        let of_account = |account, key, number, amount| ConversionRow {
            account,
            ..sale(key, number, "c", "USD", (amount, "1"), DAY)
        };
        let rows = [
            // The same number at both, and at the first one's network alone.
            of_shop("a", 1, "5001", "40.5"),
            of_shop("b", 2, "5001", "99"),
            of_account("us", 101, "5001", "40.5"),
            // At both, and at both networks.
            of_shop("a", 3, "5002", "7"),
            of_shop("b", 4, "5002", "8"),
            of_account("us", 102, "5002", "7"),
            of_account("eu", 103, "5002", "9"),
            // Of an account that both are compared with.
            of_shop("a", 5, "5003", "3"),
            of_account("both", 104, "5003", "3"),
            of_shop("a", 6, "5004", "4"),
            of_shop("b", 7, "5004", "4"),
            of_account("both", 105, "5004", "4"),
            // The second source of the second shop.
            of_shop("b2", 8, "5005", "5"),
            of_account("eu", 106, "5005", "5"),
            // One shop's number is unknown at the other one's network; one that nobody knows is once.
            of_shop("b", 9, "5006", "6"),
            of_account("us", 107, "5006", "60"),
            of_account("both", 108, "9001", "100"),
            of_account("us", 109, "", "1"),
            of_account("both", 110, "", "1"),
            of_shop("b", 10, "", "1"),
        ];
        insert_conversions(&loader, rows).await;
        let mut asked = asked(Own::Orders, "source");
        let account = "b".to_owned();
        asked.sources = vec![
            source("a", &["us", "both"]),
            source("b", &["eu", "both"]),
            OwnSource {
                account,
                ..source("b2", &["eu"])
            },
        ];
        asked.accounts = ["us", "eu", "both"].map(str::to_owned).to_vec();
        for by_advertiser in [true, false] {
            if !by_advertiser {
                let nobody = ConversionRow {
                    advertiser_id: "",
                    ..of_shop("a", 11, "5007", "1")
                };
                insert_conversions(&loader, [nobody]).await;
            }
            let more = u64::from(!by_advertiser);
            let gap = reader.gap(&asked).await.unwrap();
            assert_eq!(gap.by_advertiser, by_advertiser);
            assert_eq!((gap.own_unnumbered, gap.their_unnumbered), (1, 2));
            let of_source: Vec<_> = gap
                .rows
                .iter()
                .map(|row| {
                    (
                        row.dimension.concat(),
                        row.own,
                        row.matched,
                        row.missing,
                        row.extra,
                    )
                })
                .collect();
            // Extra ones are of the networks' source.
            let expected = [
                ("a".to_owned(), 4 + more, 4, more, 0),
                ("b".to_owned(), 4, 2, 2, 0),
                ("b2".to_owned(), 1, 1, 0, 0),
                ("us".to_owned(), 0, 0, 0, 2),
            ];
            assert_eq!(of_source, expected);
            let total = &gap.totals[0];
            assert_eq!(
                total.own_amount,
                money("176.5") + money(if more == 1 { "1" } else { "0" })
            );
            assert_eq!((total.other_amounts, total.extra_amount), (1, money("160")));
            assert_eq!(
                listed(&reader, &asked, Wanted::Amounts).await,
                pairs(&[("5002", "matched")])
            );
            let extra = listed(&reader, &asked, Wanted::Extra).await;
            assert_eq!(extra, pairs(&[("5006", "extra"), ("9001", "extra")]));
            let missing = listed(&reader, &asked, Wanted::Unexplained).await;
            let expected = [
                ("5001", "missing"),
                ("5006", "missing"),
                ("5007", "missing"),
            ];
            assert_eq!(
                missing,
                pairs(&expected[..expected.len() - 1 + usize::from(more == 1)])
            );
            let days = reader.gap_before(&asked).await.unwrap();
            let of_days: Vec<(u64, u64)> = days.values().map(|day| (day.part, day.all)).collect();
            assert_eq!(of_days, [(more, 4 + more), (2, 4), (0, 1)]);
        }
        // Under a condition nothing is extra.
        let column = Column::of(Table::Conversions, "source").unwrap();
        asked.question.only.add(column, false, "b").unwrap();
        let gap = reader.gap(&asked).await.unwrap();
        let total = &gap.totals[0];
        assert_eq!(
            (total.own, total.matched, total.missing, total.extra),
            (4, 2, 2, 0)
        );
        assert_eq!((gap.own_unnumbered, gap.their_unnumbered), (1, 2));
    })
    .await;
}

/// Shops that share no account.
#[tokio::test]
async fn own_accounts_that_share_no_network_are_apart() {
    with_database("gap_apart", |loader, reader| async move {
        let of_shop = |source, key, number, amount| ConversionRow {
            source,
            ..order(key, number, "placed", amount, DAY)
        };
        let of_account = |account, key, number, amount| ConversionRow {
            account,
            source: account,
            ..sale(key, number, "c", "USD", (amount, "1"), DAY)
        };
        let rows = [
            of_shop("a", 1, "5001", "40.5"),
            of_shop("b", 2, "5001", "99"),
            of_account("us", 101, "5001", "40.5"),
            of_shop("b", 3, "5002", "2"),
            of_account("us", 102, "5002", "3"),
            of_account("eu", 103, "5002", "2"),
            of_account("eu", 104, "9001", "4"),
            of_account("jp", 105, "9001", "5"),
            of_account("us", 106, "9001", "6"),
            of_shop("a", 4, "", "1"),
            of_account("us", 107, "", "1"),
            of_account("eu", 108, "", "1"),
            // The day before, at another shop than that of the account.
            ConversionRow {
                source: "a",
                ..order(5, "5003", "placed", "7", "2026-08-31T12:00:00Z")
            },
            of_account("us", 109, "5003", "7"),
            of_account("eu", 110, "5003", "8"),
        ];
        insert_conversions(&loader, rows).await;
        let mut asked = asked(Own::Orders, "source");
        asked.sources = vec![source("a", &["us"]), source("b", &["eu", "jp"])];
        asked.accounts = ["us", "eu", "jp"].map(str::to_owned).to_vec();
        let gap = reader.gap(&asked).await.unwrap();
        assert_eq!((gap.own_unnumbered, gap.their_unnumbered), (1, 2));
        let total = &gap.totals[0];
        let counts = [total.own, total.matched, total.missing, total.extra];
        assert_eq!(counts, [3, 2, 1, 4]);
        assert_eq!((total.other_amounts, total.extra_amount), (0, money("26")));
        let extra = listed(&reader, &asked, Wanted::Extra).await;
        let expected = ["5002", "5003", "9001", "9001"].map(|number| (number, "extra"));
        assert_eq!(extra, pairs(&expected));
        let missing = listed(&reader, &asked, Wanted::Unexplained).await;
        assert_eq!(missing, pairs(&[("5001", "missing")]));
    })
    .await;
}

#[tokio::test]
async fn orders_of_the_days_around_the_range_are_known() {
    with_database("gap_margin", |loader, reader| async move {
        let known = [
            ("before", "2026-08-29T00:00:00Z", "2026-09-01T00:00:00Z"),
            ("behind", "2026-09-05T23:59:59Z", "2026-09-02T23:59:59Z"),
            // Further away than what is looked at.
            ("early", "2026-08-28T23:59:59Z", "2026-09-01T00:00:00Z"),
            ("late", "2026-09-06T00:00:00Z", "2026-09-02T23:59:59Z"),
        ];
        let orders = (1..).zip(known);
        let orders =
            orders.map(|(key, (number, placed, _))| order(key, number, "placed", "5", placed));
        insert_conversions(&loader, orders).await;
        let sales = (101..).zip(known);
        let sales =
            sales.map(|(key, (number, _, sold))| sale(key, number, "c", "USD", ("5", "1"), sold));
        insert_conversions(&loader, sales).await;
        let asked = asked(Own::Orders, "nothing");
        let gap = reader.gap(&asked).await.unwrap();
        let total = &gap.totals[0];
        assert_eq!(
            (total.own, total.extra, total.own_amount),
            (0, 2, money("0"))
        );
        let extra = listed(&reader, &asked, Wanted::Extra).await;
        assert_eq!(extra, pairs(&[("early", "extra"), ("late", "extra")]));
    })
    .await;
}

#[tokio::test]
async fn an_order_without_an_amount_has_no_other_amount() {
    with_database("gap_unpriced", |loader, reader| async move {
        let unpriced = |key, number, currency| ConversionRow {
            currency,
            sale_amount: None,
            ..order(key, number, "placed", "0", DAY)
        };
        let rows = [
            unpriced(1, "same", "USD"),
            unpriced(2, "other", ""),
            order(3, "nothing", "placed", "0", DAY),
            sale(101, "same", "c", "USD", ("20", "1"), DAY),
            sale(102, "other", "c", "USD", ("20", "1"), DAY),
            sale(103, "nothing", "c", "USD", ("20", "1"), DAY),
            order(4, "given", "placed", "20", DAY),
            ConversionRow {
                sale_amount: None,
                ..sale(104, "given", "c", "USD", ("0", "1"), DAY)
            },
            // Of two lines of one order one says nothing: then nobody knows the whole.
            order(5, "partly", "placed", "10", DAY),
            unpriced(6, "partly", "USD"),
        ];
        insert_conversions(&loader, rows).await;
        let asked = asked(Own::Orders, "nothing");
        let gap = reader.gap(&asked).await.unwrap();
        let sum = |of: fn(&Figures) -> u64| gap.totals.iter().map(of).sum::<u64>();
        assert_eq!((sum(|row| row.matched), gap.own_unpriced), (4, 3));
        assert_eq!(sum(|row| row.missing), 1);
        let mut sums = gap.totals.iter();
        assert!(sums.all(|row| row.unexplained_amount == money("0")));
        // Of those that name one: the network's 20 against 0, and none at all against 20.
        assert_eq!(
            (
                sum(|row| row.other_amounts),
                sum(|row| row.other_currencies)
            ),
            (2, 0)
        );
        let list = reader.gap_list(&asked, Wanted::Matched, 100).await.unwrap();
        let amounts: Vec<_> = list
            .iter()
            .map(|row| (&*row.order_no, row.own_amount, row.their_amount))
            .collect();
        let (zero, twenty) = (Some(money("0")), Some(money("20")));
        let expected = [
            ("given", twenty, None),
            ("nothing", zero, twenty),
            ("other", None, twenty),
            ("same", None, twenty),
        ];
        assert_eq!(amounts, expected);
        let others = listed(&reader, &asked, Wanted::Amounts).await;
        assert_eq!(
            others,
            pairs(&[("given", "matched"), ("nothing", "matched")])
        );
    })
    .await;
}

#[tokio::test]
async fn amounts_of_several_or_unknown_currencies_are_no_sum() {
    with_database("gap_mixed", |loader, reader| async move {
        let of = |currency, row: ConversionRow<'static>| ConversionRow { currency, ..row };
        let rows = [
            // Known on both sides, and of the networks in two currencies.
            order(1, "theirs", "placed", "90", DAY),
            sale(101, "theirs", "c", "USD", ("50", "1"), DAY),
            sale(102, "theirs", "c", "EUR", ("40", "1"), DAY),
            // Lines of one order in two currencies.
            order(2, "ours", "placed", "5", DAY),
            of("EUR", order(3, "ours", "placed", "5", DAY)),
            sale(103, "ours", "c", "USD", ("10", "1"), DAY),
            // Nobody knows it, in two currencies.
            sale(104, "extra", "c", "USD", ("50", "1"), DAY),
            sale(105, "extra", "c", "EUR", ("40", "1"), DAY),
            // Two of unknown currencies, one of which the networks know.
            of("", order(6, "known", "placed", "10", DAY)),
            sale(106, "known", "c", "USD", ("10", "1"), DAY),
            of("", order(7, "missing", "placed", "7", DAY)),
            // Stands in another currency than ours.
            order(8, "stands", "cancelled", "20", DAY),
            sale(108, "stands", "c", "EUR", ("20", "1"), DAY),
        ];
        insert_conversions(&loader, rows).await;
        let asked = asked(Own::Orders, "nothing");
        let gap = reader.gap(&asked).await.unwrap();
        let figures = gap.totals.iter().map(|row| {
            let counts = (row.own, row.matched, row.missing, row.extra);
            let others = (row.other_amounts, row.other_currencies, row.standing);
            let sums = [
                row.own_amount,
                row.matched_amount,
                row.unexplained_amount,
                row.extra_amount,
                row.standing_amount,
                row.amount_difference,
            ];
            (&*row.currency, counts, others, sums)
        });
        let (nothing, both) = (money("0"), money("110"));
        let expected = [
            // "ours", "known", "missing", "extra": counted, and in no sum.
            ("", (3, 2, 1, 1), (0, 2, 0), [nothing; 6]),
            // "theirs", "stands".
            (
                "USD",
                (2, 2, 0, 0),
                (0, 2, 1),
                [both, both, nothing, nothing, nothing, nothing],
            ),
        ];
        assert_eq!(figures.collect::<Vec<_>>(), expected);
        let list = reader.gap_list(&asked, Wanted::Amounts, 100).await.unwrap();
        let listed: Vec<_> = list
            .iter()
            .map(|row| {
                let own = (&*row.own_currency, row.own_amount);
                (
                    &*row.order_no,
                    own,
                    (&*row.their_currency, row.their_amount),
                )
            })
            .collect();
        let some = |text| Some(money(text));
        let expected = [
            ("known", ("", some("10")), ("USD", some("10"))),
            ("ours", ("", None), ("USD", some("10"))),
            ("stands", ("USD", some("20")), ("EUR", some("20"))),
            ("theirs", ("USD", some("90")), ("", None)),
        ];
        assert_eq!(listed, expected);
    })
    .await;
}

/// A plain generator (Knuth's MMIX constants): the same rows in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

#[tokio::test]
async fn random_books_give_what_a_second_calculation_gives() {
    with_database("gap_random", |loader, reader| async move {
        let mut numbers = Numbers(7);
        let names: Vec<String> = (0..400).map(|n| format!("N{n}")).collect();
        let mature = at("2026-09-02T20:00:00Z");
        let (mut rows, mut expected) = (Vec::new(), BTreeMap::<(String, &str), u64>::new());
        let mut key = 0;
        for name in &names {
            let minutes = i64::try_from(numbers.below(2 * 24 * 60)).unwrap();
            let placed: Timestamp = at("2026-09-01T00:00:00Z")
                .checked_add(minutes.minutes())
                .unwrap();
            let time = placed.to_string();
            let currency = numbers.pick(&["USD", "EUR", "JPY"]);
            let amount = 1 + i64::try_from(numbers.below(1_000_000)).unwrap();
            let status = numbers.pick(&[
                "placed",
                "placed",
                "placed",
                "cancelled",
                "returned",
                "out_of_network",
            ]);
            let is_ordered = numbers.below(10) > 0;
            if is_ordered {
                key += 1;
                rows.push(ConversionRow {
                    currency,
                    sale_amount: Some(Decimal4(amount)),
                    ..order(key, name, status, "0", &time)
                });
            }
            // Lines of sales, some of them taken back.
            let (mut standing, mut sales, mut is_taken) = (0, 0, false);
            for _ in 0..numbers.below(3) {
                key += 1;
                let value = 1 + i64::try_from(numbers.below(500_000)).unwrap();
                let fate = numbers.pick(&["reported", "reported", "rejected", "minus"]);
                rows.push(ConversionRow {
                    status: if fate == "minus" { "reported" } else { fate },
                    currency,
                    sale_amount: Some(Decimal4(value)),
                    ..sale(key, name, "c", currency, ("0", "0"), &time)
                });
                sales += 1;
                match fate {
                    "reported" => standing += value,
                    "rejected" => is_taken = true,
                    _ => {
                        key += 1;
                        rows.push(ConversionRow {
                            status: "reversed",
                            sale_amount: Some(Decimal4(-value)),
                            ..sale(key, name, "c", currency, ("0", "0"), &time)
                        });
                        sales += 1;
                        is_taken = true;
                    }
                }
            }
            let has_signal = numbers.below(4) == 0;
            if has_signal {
                key += 1;
                rows.push(ConversionRow {
                    kind: "signal",
                    ..sale(key, name, "c", currency, ("1", "1"), &time)
                });
            }
            let is_reversed = sales > 0 && is_taken && standing <= 0;
            let class = match (is_ordered, sales > 0) {
                (false, false) => continue,
                (false, true) => "extra",
                (true, true) if is_reversed => "reversed",
                (true, true) => "matched",
                (true, false) if status != "placed" => status,
                (true, false) if placed >= mature => "immature",
                (true, false) if has_signal => "signal_only",
                (true, false) => "missing",
            };
            *expected.entry((currency.to_owned(), class)).or_default() += 1;
            if is_ordered {
                let unexplained = ["signal_only", "missing"].contains(&class);
                if unexplained || class == "matched" {
                    *expected
                        .entry((
                            currency.to_owned(),
                            if unexplained { "lost" } else { "kept" },
                        ))
                        .or_default() += amount.unsigned_abs();
                }
            }
        }
        insert_conversions(&loader, rows).await;
        let gap = reader.gap(&asked(Own::Orders, "nothing")).await.unwrap();
        let mut found = BTreeMap::new();
        for total in &gap.totals {
            let counts = [
                ("matched", total.matched),
                ("reversed", total.reversed),
                ("cancelled", total.cancelled),
                ("returned", total.returned),
                ("out_of_network", total.out_of_network),
                ("immature", total.immature),
                ("signal_only", total.signal_only),
                ("missing", total.missing),
                ("extra", total.extra),
                ("lost", u64::try_from(total.unexplained_amount.0).unwrap()),
                ("kept", u64::try_from(total.matched_amount.0).unwrap()),
            ];
            let counts = counts.into_iter().filter(|(_, count)| *count > 0);
            found.extend(counts.map(|(class, count)| ((total.currency.clone(), class), count)));
        }
        assert_eq!(found, expected);
        assert!(
            expected.len() >= 30,
            "every class in every currency: {}",
            expected.len()
        );
    })
    .await;
}
