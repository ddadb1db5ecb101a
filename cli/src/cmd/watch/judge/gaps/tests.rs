use jiff::tz::TimeZone;
use postback_detect::Delays;
use postback_store::reports::Money;
use postback_store::reports::gap::{Missed, Own};
use uuid::Uuid;

use super::*;
use crate::cmd::watch::history::{days, start_of};

/// A Monday.
const FIRST: u32 = 20_696 * 96;

/// Six weeks.
const BINS: u32 = days(42);

/// Orders of 50.00 each, of which so many are unexplained.
fn row(bin: u32, advertiser: &str, orders: u32, unexplained: u32) -> Missed {
    let amount = |orders: u32| Money(i128::from(orders) * 500_000);
    Missed {
        advertiser: advertiser.to_owned(),
        bin: FIRST + bin,
        currency: "EUR".to_owned(),
        orders,
        unexplained,
        amount: amount(orders),
        unexplained_amount: amount(unexplained),
        squares: f64::from(orders) * 2_500.0,
    }
}

fn book(rows: Vec<Missed>) -> Book {
    Book {
        source: "shop".to_owned(),
        own: Own::Orders,
        networks: vec!["rakuten-us".to_owned()],
        end: FIRST + BINS,
        rows,
        delays: Delays::learn(Vec::new()),
    }
}

/// Five orders in each bin, with one in fifty unexplained; of the last `bins` bins as many as `lost` says.
fn widened(advertiser: &str, bins: u32, lost: impl Fn(u32) -> u32) -> Vec<Missed> {
    let usual = |bin: u32| u32::from(bin.is_multiple_of(10));
    (0..BINS)
        .map(|bin| {
            let unexplained = if bin < BINS - bins {
                usual(bin)
            } else {
                lost(bin)
            };
            row(bin, advertiser, 5, unexplained)
        })
        .collect()
}

/// Everything is loaded through four hours behind the last mature order.
fn through() -> Timestamp {
    start_of(FIRST + BINS) + jiff::SignedDuration::from_hours(4)
}

fn found(book: &Book, annotations: &[Annotation]) -> Vec<Alert> {
    judge(book, through(), annotations)
}

fn gap(alert: &Alert) -> &Gap {
    match &alert.finding {
        Finding::Gap(gap) => gap,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_gap_as_usual_is_no_alert() {
    let rows = widened("", 96, |bin| u32::from(bin.is_multiple_of(10)));
    assert_eq!(found(&book(rows), &[]), []);
}

#[test]
fn a_widened_gap_says_what_since_when_and_how_to_look_closer() {
    // Two of five, for ten hours.
    let alerts = found(&book(widened("", 40, |_| 2)), &[]);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!(alert.id(), "shop/gap");
    assert_eq!(alert.since, start_of(FIRST + BINS - 40));
    let what = alert.finding.what();
    assert!(
        what.starts_with("80 of 200 orders have no postback: 40.0 % ("),
        "{what}"
    );
    assert!(
        what.ends_with(" where 2.0 % are usual; 4000.00 of 10000.00 EUR"),
        "{what}"
    );
    assert!(alert.cause(&TimeZone::UTC).starts_with("identifier"));
    assert_eq!(
        alert.look(),
        format!(
            "postback report gap --with shop --from {} --class unexplained",
            start_of(FIRST + BINS - 40)
        )
    );
    assert!(alert.evidence.unwrap().false_alarms_a_month < 0.05);
    assert!(!alert.learning);
}

#[test]
fn none_reported_any_more_is_the_endpoint() {
    let alerts = found(&book(widened("", 8, |_| 5)), &[]);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].cause(&TimeZone::UTC).starts_with("endpoint"));
}

#[test]
fn a_deploy_that_was_marked_for_the_network_is_the_cause() {
    let mark = |source: &str| Annotation {
        id: Uuid::nil(),
        at: start_of(FIRST + BINS - 42),
        text: "deployed checkout 4.2".to_owned(),
        source: source.to_owned(),
        made_by: "ana@shop".to_owned(),
    };
    let book = book(widened("", 40, |_| 2));
    for about in ["", "shop", "rakuten-us"] {
        let alerts = found(&book, &[mark(about)]);
        assert!(
            alerts[0]
                .cause(&TimeZone::UTC)
                .contains("deployed checkout 4.2"),
            "{about}"
        );
    }
    let alerts = found(&book, &[mark("another")]);
    assert!(alerts[0].cause(&TimeZone::UTC).starts_with("identifier"));
}

#[test]
fn one_advertiser_is_told_by_itself_and_not_again_with_all() {
    let mut rows = widened("39", 0, |_| 0);
    rows.extend(widened("40", 40, |_| 3));
    let alerts = found(&book(rows), &[]);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].id(), "shop/gap/40");
    assert_eq!(gap(&alerts[0]).orders, 200);
    assert!(
        alerts[0].look().contains(" --where 'advertiser=40' "),
        "{}",
        alerts[0].look()
    );
}

#[test]
fn what_no_advertiser_shows_alone_is_seen_of_all() {
    // Forty advertisers with one order every ten hours: each loses one or two in the last day.
    let mut rows = Vec::new();
    for advertiser in 0..40 {
        for bin in (advertiser..BINS).step_by(40) {
            let lost = bin >= BINS - 96 && (bin + advertiser).is_multiple_of(3);
            rows.push(row(bin, &advertiser.to_string(), 1, u32::from(lost)));
        }
    }
    let alerts = found(&book(rows), &[]);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].id(), "shop/gap");
}

#[test]
fn large_orders_that_are_lost_are_told_by_their_money() {
    // One order of 1,000 among a hundred of 10: of the last day's large ones none is reported.
    let mut rows = Vec::new();
    for bin in 0..BINS {
        let is_lost = bin >= BINS - 96;
        let small = row(bin, "", 10, u32::from(bin.is_multiple_of(5)));
        rows.push(Missed {
            amount: Money(1_000_000),
            unexplained_amount: Money(if bin.is_multiple_of(5) { 100_000 } else { 0 }),
            squares: 1_000.0,
            ..small
        });
        if bin % 10 == 3 {
            rows.push(Missed {
                amount: Money(10_000_000),
                unexplained_amount: Money(if is_lost { 10_000_000 } else { 0 }),
                squares: 1_000_000.0,
                ..row(bin, "", 1, u32::from(is_lost))
            });
        }
    }
    let alerts = found(&book(rows), &[]);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].id(), "shop/gap_money/EUR");
    let what = alerts[0].finding.what();
    assert!(what.contains("no more than usual"), "{what}");
}

#[test]
fn what_comes_late_is_expected_late() {
    // Half of the postbacks need two days, so of what is younger half is not there yet.
    let rows = widened("", 2 * 96 - 16, |bin| 2 + bin % 2);
    let delays: Vec<f64> = (0..100)
        .map(|of| if of % 2 == 0 { 60.0 } else { 2.0 * 86_400.0 })
        .collect();
    let late = Book {
        delays: Delays::learn(delays),
        ..book(rows.clone())
    };
    assert_eq!(found(&late, &[]), []);
    assert_eq!(found(&book(rows), &[]).len(), 1);
}

#[test]
fn a_short_book_is_learning_and_a_shorter_one_is_not_judged() {
    let of_days = |days: u32| {
        let first = BINS - days * 96;
        let rows = widened("", 8, |_| 5);
        book(
            rows.into_iter()
                .filter(|row| row.bin >= FIRST + first)
                .collect(),
        )
    };
    let alerts = found(&of_days(6), &[]);
    assert!(alerts.len() == 1 && alerts[0].learning, "{alerts:?}");
    assert!(of_days(1).divided().is_none());
    assert_eq!(found(&of_days(1), &[]), []);
    assert!(book(Vec::new()).divided().is_none());
}

#[test]
fn bins_have_the_age_of_their_end() {
    let hours = |hours: f64| hours * 3_600.0;
    let late = Book {
        delays: Delays::learn(vec![hours(5.0)]),
        ..book(Vec::new())
    };
    // The last bin ended four hours ago, the fourth before it five hours ago.
    let settled = late.settled(6, through().as_second());
    assert_eq!(settled, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}
