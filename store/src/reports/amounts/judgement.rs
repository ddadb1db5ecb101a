//! Whether amounts look wrong, judged by what they were before.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Amounts;
use crate::reports::share::Share;

/// What looks wrong about the amounts of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// More of them are 0 than usual: by more than a percentage point, and beyond chance.
    Zero,
    /// More of them have no minor units than usual: by more than ten percentage points, and beyond
    /// chance, in a currency that has them: rounded, or another field.
    Rounded,
    /// The typical amount is so many times the usual one, at least 1.5 times or at most two thirds,
    /// and four standard errors away.
    Jumped(f64),
    /// More than half of the transactions came into this currency from others, beyond chance; the one
    /// that had most of them before.
    Currency(String),
    /// Own orders or statements have another amount or currency.
    Mismatched,
}

/// Something that looks wrong, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspicion {
    /// What.
    pub why: Why,
    /// The first day of the range on which it is so; `None` where it is not of days.
    pub since: Option<Date>,
    /// On how many days of the range.
    pub days: u32,
}

/// Fewer positive amounts on a day say nothing about what is typical.
const FEWEST: u64 = 5;
/// Standard errors of the difference of two logarithms of medians.
const ERRORS: f64 = 4.0;
/// Smaller changes of the typical amount are seasons and sales.
const LEAST_FACTOR: f64 = 1.5;
/// Standard error of a median, in standard errors of a mean: √(π/2), of normal values.
const MEDIAN: f64 = 1.253_314;
/// Upper - lower quartile of normal values, in standard deviations.
const QUARTILES: f64 = 1.349;
/// Amounts that are all alike still vary.
const LEAST_SPREAD: f64 = 0.05;

/// One row's past.
pub(super) struct Judged<'a> {
    pub(super) currency: &'a str,
    pub(super) has_minor_units: bool,
    /// Of the same dimension, by currency.
    pub(super) past: &'a BTreeMap<&'a str, Amounts>,
}

impl Judged<'_> {
    /// Judges each day; `all` tells the transactions of a day in all currencies.
    pub(super) fn suspicions(
        &self,
        days: &[(Date, Amounts)],
        all: impl Fn(Date) -> u64,
    ) -> Vec<Suspicion> {
        let tests: [&dyn Fn(Date, &Amounts) -> Option<Why>; 4] = [
            &|_, now| self.zero(now),
            &|_, now| self.rounded(now),
            &|_, now| self.jumped(now),
            &|day, now| self.currency(now, all(day)),
        ];
        let judged = tests.into_iter().filter_map(|test| {
            let mut found = days
                .iter()
                .filter_map(|(day, now)| Some((*day, test(*day, now)?)));
            let (since, first) = found.next()?;
            // The last day says what it is now.
            let (days, why) = found.fold((1, first), |(days, _), (_, why)| (days + 1, why));
            Some(Suspicion {
                why,
                since: Some(since),
                days,
            })
        });
        judged.collect()
    }

    fn usual(&self) -> Amounts {
        self.past.get(self.currency).copied().unwrap_or_default()
    }

    fn zero(&self, now: &Amounts) -> Option<Why> {
        let share = |amounts: &Amounts| Share::new(amounts.zero, amounts.transactions);
        share(now)
            .is_surely_higher(share(&self.usual()), 1.0)
            .then_some(Why::Zero)
    }

    fn rounded(&self, now: &Amounts) -> Option<Why> {
        let is_rounded =
            self.has_minor_units && now.whole.is_surely_higher(self.usual().whole, 10.0);
        is_rounded.then_some(Why::Rounded)
    }

    #[expect(clippy::cast_precision_loss, reason = "a factor with two digits")]
    fn jumped(&self, now: &Amounts) -> Option<Why> {
        let usual = self.usual();
        if now.whole.all < FEWEST || usual.whole.all < FEWEST {
            return None;
        }
        let factor = now.typical.0 as f64 / usual.typical.0 as f64;
        let spread = (usual.spread / QUARTILES).max(LEAST_SPREAD);
        let counts = 1.0 / now.whole.all as f64 + 1.0 / usual.whole.all as f64;
        let error = MEDIAN * spread * counts.sqrt();
        let is_large = !(1.0 / LEAST_FACTOR..LEAST_FACTOR).contains(&factor);
        (is_large && factor.ln().abs() >= ERRORS * error).then_some(Why::Jumped(factor))
    }

    fn currency(&self, now: &Amounts, all: u64) -> Option<Why> {
        let before = self.past.values().map(|amounts| amounts.transactions).sum();
        let share = Share::new(now.transactions, all);
        let usual = Share::new(self.usual().transactions, before);
        let others = self
            .past
            .iter()
            .filter(|(currency, _)| **currency != self.currency);
        let (main, _) = others.max_by_key(|(_, amounts)| amounts.transactions)?;
        let changed = share.is_surely_higher(usual, 50.0);
        changed.then(|| Why::Currency((*main).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::reports::Money;

    /// A thousand transactions: one in a hundred is zero, one in twenty whole, typically 40.00.
    const USUAL: Amounts = Amounts {
        transactions: 1_000,
        zero: 10,
        missing: 0,
        zero_commission: 0,
        whole: Share::new(50, 990),
        typical: Money(400_000),
        spread: 1.349,
    };

    /// A fiftieth of it.
    const DAY: Amounts = Amounts {
        transactions: 20,
        zero: 0,
        whole: Share::new(1, 20),
        ..USUAL
    };

    fn of(now: Amounts) -> Vec<Suspicion> {
        let past = BTreeMap::from([("USD", USUAL)]);
        let judged = Judged {
            currency: "USD",
            has_minor_units: true,
            past: &past,
        };
        let days = [
            (date(2026, 9, 1), DAY),
            (date(2026, 9, 2), now),
            (date(2026, 9, 3), now),
        ];
        judged.suspicions(&days, |_| 20)
    }

    fn since_the_second(why: Why) -> Vec<Suspicion> {
        vec![Suspicion {
            why,
            since: Some(date(2026, 9, 2)),
            days: 2,
        }]
    }

    #[test]
    fn what_is_as_ever_is_not_marked() {
        assert_eq!(of(DAY), []);
        // Chance: two zeros, four whole ones, half as much again with so few sales.
        assert_eq!(of(Amounts { zero: 2, ..DAY }), []);
        assert_eq!(
            of(Amounts {
                whole: Share::new(4, 20),
                ..DAY
            }),
            []
        );
        assert_eq!(
            of(Amounts {
                typical: Money(640_000),
                ..DAY
            }),
            []
        );
    }

    #[test]
    fn breaks_are_marked_with_their_first_day() {
        assert_eq!(
            of(Amounts {
                zero: 12,
                whole: Share::new(0, 8),
                ..DAY
            }),
            since_the_second(Why::Zero)
        );
        assert_eq!(
            of(Amounts {
                whole: Share::new(20, 20),
                ..DAY
            }),
            since_the_second(Why::Rounded)
        );
        let cents = Amounts {
            typical: Money(40_000_000),
            ..DAY
        };
        assert_eq!(of(cents), since_the_second(Why::Jumped(100.0)));
        let cents = Amounts {
            typical: Money(4_000),
            ..DAY
        };
        assert_eq!(of(cents), since_the_second(Why::Jumped(0.01)));
    }

    #[test]
    fn a_currency_that_took_anothers_place_is_marked() {
        let past = BTreeMap::from([("USD", USUAL), ("CAD", DAY)]);
        let judged = |currency| Judged {
            currency,
            has_minor_units: true,
            past: &past,
        };
        let days = [(date(2026, 9, 2), DAY)];
        let found = judged("EUR").suspicions(&days, |_| 20);
        assert_eq!(found[0].why, Why::Currency("USD".to_owned()));
        // One sale of twenty in a foreign currency; the main one; a row without a past.
        let one = [(
            date(2026, 9, 2),
            Amounts {
                transactions: 1,
                ..DAY
            },
        )];
        assert_eq!(judged("EUR").suspicions(&one, |_| 20), []);
        assert_eq!(judged("USD").suspicions(&days, |_| 20), []);
        let nothing = Judged {
            currency: "EUR",
            has_minor_units: true,
            past: &BTreeMap::new(),
        };
        assert_eq!(nothing.suspicions(&days, |_| 20), []);
    }
}
