//! Everything is read once, whatever the pages do meanwhile.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::error::BackfillError;
use super::fake::{Fake, Row, json, number};

/// 2026-09-01T00:00:00Z, and what is long past then.
const BEGIN: i64 = 1_788_220_800;
const NOW: i64 = BEGIN + 100 * 86_400;

fn rows(seconds: impl IntoIterator<Item = i64>) -> Vec<Row> {
    let rows = seconds.into_iter().enumerate();
    rows.map(|(number, at)| (BEGIN + at, json(number, 0)))
        .collect()
}

fn read(fake: &Fake, length: i64, at_once: u8) -> Result<Vec<String>, BackfillError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(fake.read((BEGIN, BEGIN + length), NOW, at_once))
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn everything_is_read_once(
        seconds in vec(0_i64..20_000, 0..300),
        burst in (0_i64..20_000, 0..40_usize),
        page_size in 1..40_usize,
        at_once in 1..4_u8,
    ) {
        let burst = std::iter::repeat_n(burst.0, burst.1);
        let fake = Fake::new(rows(seconds.into_iter().chain(burst)), page_size);
        let all = read(&fake, 20_000, at_once);
        // More in one second than any number of pages brings to an end is said, and not passed over.
        let all = all.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(sorted(all), sorted(fake.rows()));
    }

    /// A transaction that changes leaves its place and stands at the present, in other words.
    #[test]
    fn what_stays_and_what_changes_is_read(
        seconds in vec(0_i64..5_000, 30..200),
        page_size in 2..12_usize,
        every in 1..4_u32,
        at_once in 1..4_u8,
    ) {
        let now = jiff::Timestamp::now().as_second();
        let mut rows = rows(seconds);
        for (at, _) in &mut rows {
            *at += now - BEGIN - 5_000;
        }
        let fake = Fake::new(rows, page_size).changing(move |call, rows| {
            if call % every == 0 && call < 60 && !rows.is_empty() {
                let place = (call as usize * 7) % rows.len();
                let (_, old) = rows.remove(place);
                rows.push((jiff::Timestamp::now().as_second(), json(number(&old), call)));
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let all = runtime.block_on(fake.read((now - 5_000, now), now, at_once));
        let all = all.map_err(|error| TestCaseError::fail(error.to_string()))?;
        // Each was read, whatever it said then: what changes behind the last look is of the next run.
        let read: BTreeSet<usize> = all.iter().map(|row| number(row)).collect();
        for row in fake.rows() {
            prop_assert!(read.contains(&number(&row)), "{} is missing", row);
        }
    }
}

#[test]
fn rows_that_move_up_between_two_pages_are_not_lost() {
    // 3 pages of 10, all in one second: when page 1 was read, its first row goes, and the first row
    // of page 2 moves onto page 1.
    let fake = Fake::new(rows(std::iter::repeat_n(50, 30)), 10);
    let fake = fake.changing(|call, rows| {
        if call % 5 == 2 && rows.len() > 25 {
            rows.remove(0);
        }
    });
    let all = read(&fake, 100, 1).unwrap();
    for row in fake.rows() {
        assert!(all.contains(&row), "{row} is missing");
    }
}

#[test]
fn a_page_that_comes_twice_costs_nothing() {
    for twice in 2..12 {
        // 100 in different seconds, and 25 in one.
        let seconds = (0..100).chain(std::iter::repeat_n(150, 25));
        let fake = Fake::new(rows(seconds), 10);
        let fake =
            fake.giving(move |call, page| if call == twice { 1.max(page - 1) } else { page });
        let all = read(&fake, 200, 1).unwrap();
        assert_eq!(sorted(all), sorted(fake.rows()), "call {twice}");
    }
}

#[test]
fn pages_that_do_not_end_are_given_up_soon() {
    let endless: [fn() -> Fake; 2] = [
        // The first page, whichever is asked for.
        || Fake::new(rows(std::iter::repeat_n(50, 30)), 10).giving(|_, _| 1),
        // Ever more transactions.
        || {
            Fake::new(rows([50; 30]), 10).changing(|call, rows| {
                rows.extend((0..40).map(|n| (BEGIN + 50, json(1_000 * call as usize + n, 0))));
            })
        },
    ];
    for fake in endless {
        let fake = fake();
        let error = read(&fake, 100, 3).unwrap_err();
        let is_said = matches!(error, BackfillError::Endless { .. });
        assert!(is_said, "{error}");
        assert!(fake.calls() < 600, "{} calls", fake.calls());
    }
}

#[test]
fn a_network_that_gives_fewer_than_asked_for_is_found_out() {
    let fake = Fake::new(rows(0..100), 50).capped(10);
    let error = read(&fake, 200, 1).unwrap_err();
    assert!(
        matches!(error, BackfillError::PageSize { given: 10 }),
        "{error}"
    );
    assert!(error.remedy().contains("page_size = 10"));
}

#[test]
fn a_quiet_week_takes_few_calls() {
    let fake = Fake::new(rows([7 * 86_400 - 1]), 1_000);
    assert_eq!(read(&fake, 7 * 86_400, 3).unwrap().len(), 1);
    assert!(fake.calls() < 20, "{} calls", fake.calls());
}

#[test]
fn most_cells_need_one_page() {
    let fake = Fake::new(rows((0..50_000).map(|n| n * 86_400 / 50_000)), 1_000);
    assert_eq!(read(&fake, 86_400, 3).unwrap().len(), 50_000);
    assert!(fake.calls() < 150, "{} calls", fake.calls());
}

fn begins(fake: &Fake) -> Vec<i64> {
    fake.asked().into_iter().map(|(from, _)| from).collect()
}

/// What leaves the first half of a cell is met in the second one.
#[test]
fn the_second_half_of_what_still_moves_waits_for_the_first() {
    let now = jiff::Timestamp::now().as_second();
    let rows = (0..60).zip(0_i64..);
    let rows = rows.map(|(n, place)| (now - 300 + 5 * place, json(n, 0)));
    let fake = Fake::new(rows.collect(), 10);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let all = runtime
        .unwrap()
        .block_on(fake.read((now - 300, now), now, 3))
        .unwrap();
    assert_eq!(sorted(all), sorted(fake.rows()));
    let begins = begins(&fake);
    assert!(begins.len() > 10 && begins.is_sorted(), "{begins:?}");
}

#[test]
fn halves_of_what_is_settled_are_read_at_once() {
    let fake = Fake::new(rows((0..60).map(|n| 5 * n)), 10);
    assert_eq!(read(&fake, 300, 1).unwrap().len(), 60);
    let begins = begins(&fake);
    assert!(!begins.is_sorted(), "{begins:?}");
}

/// Behind three pages that were not full nothing came: the network gives as many as it is asked for.
#[test]
fn three_short_pages_are_doubted() {
    let fake = Fake::new(rows((0..6_000).map(|n| 100 * n)), 10_000);
    assert_eq!(read(&fake, 600_000, 1).unwrap().len(), 6_000);
    let second = fake.asked().into_iter().filter(|(_, page)| *page == 2);
    let cells: Vec<i64> = second.map(|(from, _)| from - BEGIN).collect();
    // Cells of 600 s, then each four times as wide, asked for from a second before.
    assert_eq!(cells, [-1, 599, 2_999]);
}

#[test]
fn a_reader_that_is_dropped_asks_no_more() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let fake = Fake::new(rows(0..100), 10);
        let mut reader = fake.reader((BEGIN, BEGIN + 20_000), NOW, 3);
        tokio::select! {
            biased;
            read = reader.next() => panic!("{read:?} without a turn of the tasks"),
            () = tokio::task::yield_now() => {}
        }
        drop(reader);
        let calls = fake.calls();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(fake.calls(), calls);
    });
}

#[test]
fn a_range_of_the_past_ends_where_it_ends() {
    let fake = Fake::new(Vec::new(), 10);
    let reader = fake.reader((BEGIN, BEGIN + 20_000), NOW, 1);
    assert_eq!(reader.end().as_second(), BEGIN + 20_000);
}
