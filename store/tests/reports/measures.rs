//! Shares, delays, reversals and amounts against sums of the same rows made here.

use std::collections::{BTreeMap, BTreeSet};

use postback_store::reports::OwnSource;
use postback_store::reports::amounts::Why;
use postback_store::reports::delay::Delay;
use postback_store::reports::question::{DateBy, Dimension, Question, Table};
use postback_store::reports::share::Share;
use postback_store::rows::{ConversionRow, PostbackRow};

use crate::books::{
    FROM, TO, berlin, conversions, day_of, in_past, in_range, is_reversal, is_transaction, load,
    units,
};
use crate::database::with_database;
use crate::sales::{at, postback, sale};
use crate::{insert_conversions, insert_postbacks};

const ROWS: u128 = 6_000;
/// Enough for a day of one advertiser to show a break.
const MANY: u128 = 30_000;

fn asked(by: &str) -> Question {
    let mut question = Question::new(at(FROM), at(TO), DateBy::Occurred, berlin());
    let names = by.split(' ').filter(|name| !name.is_empty());
    question.by = names
        .map(|name| Dimension::of(Table::Conversions, name).unwrap())
        .collect();
    question
}

type Row = ConversionRow<'static>;

/// Own orders stand under the sources of their conversions: one side.
fn own_sources() -> [OwnSource; 2] {
    ["us", "eu"].map(|name| own_source(name, "main", &["main"]))
}

fn own_source(name: &str, account: &str, compared_with: &[&str]) -> OwnSource {
    OwnSource {
        name: name.to_owned(),
        account: account.to_owned(),
        compared_with: compared_with.iter().map(|&name| name.to_owned()).collect(),
    }
}

/// Counts by a key.
fn shares<K: Ord>(
    rows: &[Row],
    key: impl Fn(&Row) -> K,
    is_meant: impl Fn(&Row) -> bool,
) -> BTreeMap<K, Share> {
    let mut shares = BTreeMap::<K, Share>::new();
    for row in rows {
        let share = shares.entry(key(row)).or_default();
        share.all += 1;
        share.part += u64::from(is_meant(row));
    }
    shares
}

fn only(rows: &[Row], keep: impl Fn(&Row) -> bool) -> Vec<Row> {
    rows.iter().filter(|row| keep(row)).cloned().collect()
}

#[tokio::test]
async fn unattributed_shares_are_those_of_the_rows() {
    with_database("unattributed", |loader, reader| async move {
        let rows = conversions(MANY);
        load(&loader, &rows).await;
        let found = reader.unattributed(&asked("day advertiser")).await.unwrap();
        let now = only(&rows, |row| in_range(row) && is_transaction(row));
        let past = only(&rows, |row| in_past(row) && is_transaction(row));
        let lost = |row: &Row| row.click_id.is_empty();
        let key = |row: &Row| {
            let day = day_of(row.occurred_at.unwrap()).to_string();
            vec![day, "rakuten".to_owned(), row.advertiser_id.to_owned()]
        };
        let usual = shares(&past, |row| row.advertiser_id, lost);
        let expected: Vec<_> = shares(&now, key, lost).into_iter().collect();
        assert_eq!(expected.len(), 40);
        let seen: Vec<_> = found
            .rows
            .iter()
            .map(|row| (row.dimension.clone(), row.share))
            .collect();
        assert_eq!(seen, expected);
        for row in &found.rows {
            assert_eq!(row.usual, usual[&*row.dimension[2]], "{:?}", row.dimension);
            let is_broken = row.dimension[2] == "20" && &*row.dimension[0] >= "2026-10-28";
            assert_eq!(row.is_rise(), is_broken, "{row:?}");
        }
        let all = shares(&now, |_| (), lost)[&()];
        assert_eq!(
            (found.total.share, found.total.usual),
            (all, shares(&past, |_| (), lost)[&()])
        );
    })
    .await;
}

#[tokio::test]
async fn flags_are_those_of_the_rows() {
    with_database("flags", |loader, reader| async move {
        let rows = conversions(ROWS);
        load(&loader, &rows).await;
        let now = only(&rows, in_range);
        let found = reader.flags(&asked("source"), None).await.unwrap().now;
        let mut seen = 0;
        for tally in &found.rows {
            let of = |row: &&Row| row.source == tally.dimension[0];
            let with: Vec<&Row> = now
                .iter()
                .filter(of)
                .filter(|row| row.flags.contains(&&*tally.word))
                .collect();
            let all = now.iter().filter(of).count();
            assert_eq!(
                tally.share,
                Share::new(with.len() as u64, all as u64),
                "{tally:?}"
            );
            let last = with.iter().max_by_key(|row| row.received_at).unwrap();
            assert_eq!(
                (tally.last, tally.sample),
                (last.received_at, last.postback_id)
            );
            seen += with.len();
        }
        assert_eq!(found.rows.len(), 6);
        assert_eq!(seen, now.iter().map(|row| row.flags.len()).sum::<usize>());
        let with_any = now.iter().filter(|row| !row.flags.is_empty()).count();
        assert_eq!(found.total, Share::new(with_any as u64, now.len() as u64));
    })
    .await;
}

fn delay(mut micros: Vec<i64>) -> Option<Delay> {
    micros.sort_unstable();
    let n = micros.len();
    let at = |place: usize| micros[place.min(n - 1)] as f64 / 1e6;
    (n > 0).then(|| Delay {
        p50: at(n / 2),
        p90: at(n * 9 / 10),
        p99: at(n * 99 / 100),
        max: at(n),
    })
}

#[tokio::test]
async fn delays_are_those_of_the_rows() {
    with_database("latency", |loader, reader| async move {
        let rows = conversions(ROWS);
        load(&loader, &rows).await;
        let meant = |row: &Row| {
            in_range(row)
                && row.status != "reversed"
                && (row.kind == "signal" || is_transaction(row))
        };
        let now = only(&rows, meant);
        let found = reader.latency(&asked("day source")).await.unwrap();
        assert_eq!(found.len(), 20);
        assert_eq!(
            found.iter().map(|row| row.rows).sum::<u64>(),
            now.len() as u64
        );
        for latency in found {
            let of = |row: &&Row| {
                day_of(row.occurred_at.unwrap()).to_string() == latency.dimension[0]
                    && row.source == latency.dimension[1]
            };
            let of: Vec<&Row> = now.iter().filter(of).collect();
            let since = |date: fn(&Row) -> Option<jiff::Timestamp>| {
                let rows = of
                    .iter()
                    .filter_map(|row| Some((row.received_at, date(row)?)));
                delay(
                    rows.map(|(to, from)| to.as_microsecond() - from.as_microsecond())
                        .collect(),
                )
            };
            assert_eq!(
                latency.since_occurred,
                since(|row| row.occurred_at),
                "{:?}",
                latency.dimension
            );
            assert_eq!(latency.since_processed, since(|row| row.processed_at));
        }
    })
    .await;
}

/// A heal has one time of receipt, days behind the sales that it fetches.
#[tokio::test]
async fn what_was_fetched_is_neither_late_nor_loaded_late() {
    with_database("latency_healed", |loader, reader| async move {
        const SOLD: &str = "2026-11-01T10:00:00Z";
        let healed = at("2026-11-03T10:00:00.000001Z");
        // Received so many microseconds after the sale.
        let of = |key: u128, via: &'static str, micros: i64| {
            let received_at = at(SOLD) + jiff::SignedDuration::from_micros(micros);
            let sold = ConversionRow {
                processed_at: Some(at(SOLD)),
                received_at,
                ..sale(key, "", "c", "USD", ("1", "1"), SOLD)
            };
            let told = PostbackRow {
                via,
                received_at,
                ..postback(key, key, SOLD, 1)
            };
            (sold, told)
        };
        let late = healed.as_microsecond() - at(SOLD).as_microsecond();
        let rows = [
            of(1, "http", 2_000_000),
            of(2, "http", 4_000_000),
            of(3, "backfill", late),
            of(4, "backfill", late),
            // A microsecond later, and by itself.
            of(5, "http", late + 1),
        ];
        let (sold, told): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        insert_conversions(&loader, sold).await;
        insert_postbacks(&loader, told).await;
        let mut expected = delay(vec![2_000_000, 4_000_000, late + 1]);
        for date_by in [DateBy::Occurred, DateBy::Processed, DateBy::Received] {
            let to = at("2026-12-01T00:00:00Z");
            let asked = Question::new(at("2026-11-01T00:00:00Z"), to, date_by, berlin());
            let found = reader.latency(&asked).await.unwrap();
            let seen: Vec<_> = (found.iter())
                .map(|row| (row.rows, row.since_occurred, row.since_processed))
                .collect();
            assert_eq!(seen, [(3, expected, expected)], "{date_by:?}");
        }
        // A range that begins after the sales and in which all were received.
        let (from, to) = (at("2026-11-03T00:00:00Z"), at("2026-11-04T00:00:00Z"));
        let asked = Question::new(from, to, DateBy::Received, berlin());
        expected = delay(vec![late + 1]);
        let found = reader.latency(&asked).await.unwrap();
        assert_eq!((found[0].rows, found[0].since_occurred), (1, expected));
        // They lie in a part that was just stored, and were received after the generation was made.
        let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(5);
        let fresh = |key: u128, via| PostbackRow {
            via,
            received_at: now,
            ..postback(key, key, SOLD, 1)
        };
        let rows = [
            fresh(11, "http"),
            fresh(12, "import"),
            fresh(13, "backfill"),
        ];
        insert_postbacks(&loader, rows).await;
        assert_eq!(reader.loading().await.unwrap().rows, 1);
    })
    .await;
}

#[tokio::test]
async fn reversals_are_those_of_the_rows() {
    with_database("reversals", |loader, reader| async move {
        let rows = conversions(ROWS);
        load(&loader, &rows).await;
        let found = reader
            .reversals(&asked("advertiser"), None)
            .await
            .unwrap()
            .now;
        let keys: Vec<_> = found
            .rows
            .iter()
            .map(|row| (row.dimension[1].as_str(), row.currency.as_str()))
            .collect();
        assert_eq!(
            keys,
            [
                ("10", "JPY"),
                ("10", "USD"),
                ("20", "USD"),
                ("30", "USD"),
                ("40", "EUR"),
                ("40", "USD")
            ]
        );
        for row in found.rows.iter().chain(&found.totals) {
            let figures = row;
            let advertiser = figures.dimension.get(1);
            let of: Vec<&Row> = rows
                .iter()
                .filter(|row| {
                    in_range(row)
                        && row.currency == figures.currency
                        && advertiser.is_none_or(|id| row.advertiser_id == id)
                })
                .collect();
            let sum = |amount: fn(&Row) -> i64| {
                let counted = of
                    .iter()
                    .filter(|row| row.kind == "transaction" && row.status != "rejected");
                counted.map(|row| i128::from(amount(row))).sum::<i128>()
            };
            let taken_back = |row: &Row| match units(row.sale_amount) {
                below if below < 0 => below,
                other if row.status == "reversed" => -other,
                _ => 0,
            };
            assert_eq!(
                figures.transactions,
                of.iter().filter(|row| is_transaction(row)).count() as u64
            );
            let reversed: Vec<&&Row> = of.iter().filter(|row| is_reversal(row)).collect();
            assert_eq!(figures.reversals, reversed.len() as u64);
            assert_eq!(
                figures.gross_sales.0,
                sum(|row| units(row.sale_amount).max(0))
            );
            assert_eq!(figures.reversed_sales.0, sum(taken_back));
            let taken = |row: &Row| match units(row.commission) {
                below if below < 0 => below,
                other if row.status == "reversed" => -other,
                _ => 0,
            };
            assert_eq!(figures.reversed_commission.0, sum(taken));
            let late = reversed.iter().map(|row| {
                row.processed_at.unwrap_or(row.received_at).as_microsecond()
                    - row.occurred_at.unwrap().as_microsecond()
            });
            assert_eq!(row.delay, delay(late.collect()), "{:?}", figures.dimension);
        }
        assert_eq!(found.totals.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn amounts_are_those_of_the_rows_and_breaks_are_marked() {
    with_database("amounts", |loader, reader| async move {
        let rows = conversions(ROWS);
        load(&loader, &rows).await;
        let has_minor_units = |currency: &str| currency != "JPY";
        let found = reader
            .amounts(&asked("advertiser"), &own_sources(), has_minor_units)
            .await
            .unwrap();
        let of = |in_period: fn(&Row) -> bool, advertiser: &str, currency: &str| {
            only(&rows, |row| {
                in_period(row)
                    && is_transaction(row)
                    && row.advertiser_id == advertiser
                    && row.currency == currency
            })
        };
        for line in &found {
            let (advertiser, currency) = (&*line.dimension[1], &*line.currency);
            for (seen, rows) in [
                (line.now, of(in_range, advertiser, currency)),
                (line.usual, of(in_past, advertiser, currency)),
            ] {
                let mut positive: Vec<i64> = rows
                    .iter()
                    .map(|row| units(row.sale_amount))
                    .filter(|units| *units > 0)
                    .collect();
                positive.sort_unstable();
                let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count() as u64;
                assert_eq!(seen.transactions, rows.len() as u64);
                assert_eq!(
                    seen.zero,
                    count(|row| row.sale_amount.is_some_and(|amount| amount.0 == 0))
                );
                assert_eq!(seen.missing, count(|row| row.sale_amount.is_none()));
                assert_eq!(
                    seen.zero_commission,
                    count(|row| row.commission.is_some_and(|amount| amount.0 == 0))
                );
                let whole = positive.iter().filter(|units| *units % 10_000 == 0).count();
                assert_eq!(seen.whole, Share::new(whole as u64, positive.len() as u64));
                let typical = positive.get(positive.len() / 2).copied().unwrap_or(0);
                assert_eq!(seen.typical.0, i128::from(typical));
            }
        }
        let marked: BTreeMap<_, _> = found
            .iter()
            .filter(|line| !line.suspicions.is_empty())
            .map(|line| {
                let words = line.suspicions.iter().map(|suspicion| {
                    let since = suspicion
                        .since
                        .map(|day| day.to_string())
                        .unwrap_or_default();
                    match &suspicion.why {
                        Why::Jumped(factor) => {
                            format!("jumped ×{factor:.0} {since} {}", suspicion.days)
                        }
                        why => format!("{why:?} {since} {}", suspicion.days),
                    }
                });
                (
                    (&*line.dimension[1], &*line.currency),
                    words.collect::<Vec<_>>(),
                )
            })
            .collect();
        let thirty = &marked[&("30", "USD")];
        assert!(
            thirty
                .iter()
                .any(|words| words.starts_with("Rounded 2026-10-28 4")),
            "{thirty:?}"
        );
        assert!(
            thirty
                .iter()
                .any(|words| words.starts_with("jumped ×") && words.ends_with("2026-10-28 4")),
            "{thirty:?}"
        );
        let forty = &marked[&("40", "EUR")];
        assert_eq!(forty[0], "Currency(\"USD\") 2026-10-28 4");
        // Own orders are every fifth conversion's, of whatever kind: some orders differ.
        let mismatched = found
            .iter()
            .filter(|line| line.compared.share.part > 0)
            .count();
        assert!(
            mismatched > 0
                && marked.keys().all(|key| found
                    .iter()
                    .any(|line| (&*line.dimension[1], &*line.currency) == *key))
        );
        // Rows by time are beside the whole period before.
        for step in ["hour", "day", "week", "month"] {
            let by_time = reader.amounts(&asked(step), &[], has_minor_units).await;
            let by_time = by_time.unwrap();
            let now: u64 = by_time.iter().map(|line| line.now.transactions).sum();
            let all = rows
                .iter()
                .filter(|row| in_range(row) && is_transaction(row));
            assert_eq!(now, all.count() as u64, "{step}");
            for line in &by_time {
                let of = |row: &&Row| {
                    in_past(row) && is_transaction(row) && row.currency == line.currency
                };
                let past = rows.iter().filter(of).count();
                assert_eq!(line.usual.transactions, past as u64, "{step}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn orders_that_differ_are_counted_with_one_of_them() {
    with_database("mismatch", |loader, reader| async move {
        let rows = conversions(ROWS);
        load(&loader, &rows).await;
        let found = reader
            .amounts(&asked(""), &own_sources(), |_| true)
            .await
            .unwrap();
        // What the network says of an order, by (advertiser, order, currency), and what the shop says.
        let mut sold = BTreeMap::<_, i64>::new();
        for row in rows
            .iter()
            .filter(|row| in_range(row) && is_transaction(row))
        {
            *sold
                .entry((row.advertiser_id, row.order_id, row.currency))
                .or_default() += units(row.sale_amount);
        }
        let mut own = BTreeMap::<_, (Vec<&str>, i64)>::new();
        let mut unpriced = BTreeSet::new();
        for row in rows.iter().step_by(5) {
            let order = own.entry((row.advertiser_id, row.order_id)).or_default();
            if !order.0.contains(&row.currency) {
                order.0.push(row.currency);
            }
            order.1 += units(row.sale_amount);
            if row.sale_amount.is_none() {
                unpriced.insert((row.advertiser_id, row.order_id));
            }
        }
        // What is not known is not 0.
        own.retain(|key, _| !unpriced.contains(key));
        assert!(unpriced.len() > 5, "{unpriced:?}");
        for line in found {
            let mut expected = Share::default();
            let mut differing = Vec::new();
            for ((advertiser, order, currency), sale) in &sold {
                let Some(known) = own
                    .get(&(*advertiser, *order))
                    .filter(|_| *currency == line.currency)
                else {
                    continue;
                };
                let differs = known.0 != [*currency] || known.1 != *sale;
                expected.all += 1;
                expected.part += u64::from(differs);
                differing.extend(differs.then_some(*order));
            }
            assert!(
                expected.all > 5 && expected.part < expected.all,
                "{expected:?}"
            );
            assert_eq!(line.compared.share, expected);
            assert_eq!(
                Some(&*line.compared.sample),
                differing.iter().max().copied().or(Some(""))
            );
        }
    })
    .await;
}

/// Two shops that number alike, and both statements of a network.
#[tokio::test]
async fn each_own_side_is_compared_by_itself() {
    with_database("mismatch_sides", |loader, reader| async move {
        let placed = "2026-10-25T12:00:00Z";
        let own = |source, kind, key, number, amount| ConversionRow {
            source,
            account: source,
            kind,
            status: if kind == "order" {
                "placed"
            } else {
                "reported"
            },
            ..sale(key, number, "", "USD", (amount, "0"), placed)
        };
        let sold = |account, key, number, amount| ConversionRow {
            account,
            ..sale(key, number, "c", "USD", (amount, "1"), placed)
        };
        let rows = [
            own("a", "order", 1, "1001", "10"),
            own("b", "order", 2, "1001", "99"),
            sold("us", 101, "1001", "10"),
            own("a", "order", 3, "1002", "7"),
            own("b", "order", 4, "1002", "8"),
            sold("us", 102, "1002", "7"),
            sold("eu", 103, "1002", "9"),
            own("items", "statement", 5, "1003", "5"),
            own("feed", "statement", 6, "1003", "5"),
            sold("us", 104, "1003", "5"),
            // Nobody is compared with it, and it with nobody.
            own("c", "order", 7, "1003", "1"),
            sold("jp", 105, "1001", "1"),
        ];
        insert_conversions(&loader, rows).await;
        let sources = [
            own_source("a", "a", &["us"]),
            own_source("b", "b", &["eu"]),
            own_source("items", "items", &["us"]),
            own_source("feed", "feed", &["us"]),
        ];
        let compared = async |sources: &[OwnSource]| {
            let found = reader.amounts(&asked(""), sources, |_| true).await.unwrap();
            let compared = found.into_iter().next().unwrap().compared;
            (compared.share, compared.sample)
        };
        // a's two, b's second, which is another at its network, and both lines of the statements.
        let expected = (Share::new(1, 5), "1002".to_owned());
        assert_eq!(compared(&sources).await, expected);
        // By themselves.
        assert_eq!(compared(&sources[..1]).await.0, Share::new(0, 2));
        assert_eq!(compared(&sources[1..2]).await.0, Share::new(1, 1));
        assert_eq!(compared(&[]).await, (Share::default(), String::new()));
    })
    .await;
}
