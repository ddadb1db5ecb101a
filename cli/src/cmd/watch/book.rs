//! Own orders, or a network's statement, and what of them has a postback: as series. Pure.

use std::collections::BTreeMap;

use postback_detect::{Delays, Trial};
use postback_store::reports::Money;
use postback_store::reports::gap::{Missed, Own};

use super::finding::Lost;
use super::history::{WIDTH, days};

/// Ten-thousandths in one unit of a currency.
const ONE: f64 = 10_000.0;

/// One source of orders or statements.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) source: String,
    pub(super) own: Own,
    /// The networks' sources with whose conversions it is compared.
    pub(super) networks: Vec<String>,
    /// The bin behind the last whose orders are all mature.
    pub(super) end: u32,
    /// By advertiser and bin, in order.
    pub(super) rows: Vec<Missed>,
    /// How long after the order conversions are received.
    pub(super) delays: Delays,
}

/// Series of some of a book's orders. All have the same bins.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Unexplained of matched and unexplained.
    pub(super) orders: Vec<Trial>,
    /// By currency.
    pub(super) money: BTreeMap<String, Vec<Sums>>,
}

/// Money of one bin.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) amount: Money,
    pub(super) unexplained: Money,
    /// Of the orders' amounts, in units of the currency.
    squares: f64,
}

impl Book {
    /// The first bin of the UTC day of the first order; none without any.
    pub(super) fn first(&self) -> Option<u32> {
        let first = self.rows.iter().map(|row| row.bin).min()?;
        (first < self.end).then_some(first - first % days(1))
    }

    /// Advertisers by their number of orders, at most so many; those that are not named are none.
    pub(super) fn largest(&self, most: usize) -> Vec<&str> {
        let mut orders: BTreeMap<&str, u64> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| !row.advertiser.is_empty()) {
            *orders.entry(&row.advertiser).or_default() += u64::from(row.orders);
        }
        let mut largest: Vec<(&str, u64)> = orders.into_iter().collect();
        largest.sort_by_key(|(_, orders)| std::cmp::Reverse(*orders));
        largest.truncate(most);
        largest
            .into_iter()
            .map(|(advertiser, _)| advertiser)
            .collect()
    }

    /// The series of wanted advertisers, from bin `first` on.
    pub(super) fn series(&self, first: u32, wanted: impl Fn(&str) -> bool) -> Series {
        let bins = usize::try_from(self.end.saturating_sub(first)).unwrap_or(0);
        let mut series = Series {
            orders: vec![Trial::default(); bins],
            money: BTreeMap::new(),
        };
        for row in self.rows.iter().filter(|row| wanted(&row.advertiser)) {
            let place = row.bin.checked_sub(first);
            let place = place.and_then(|place| usize::try_from(place).ok());
            let Some(at) = place.filter(|at| *at < bins) else {
                continue;
            };
            series.orders[at].of += row.orders;
            series.orders[at].count += row.unexplained;
            let sums = series.money.entry(row.currency.clone());
            let sums = &mut sums.or_insert_with(|| vec![Sums::default(); bins])[at];
            sums.amount = sums.amount + row.amount;
            sums.unexplained = sums.unexplained + row.unexplained_amount;
            sums.squares += row.squares;
        }
        series
    }

    /// For each of the last `bins` bins: how much of what will be matched can be matched by now,
    /// when everything up to `through` seconds since 1970 is loaded.
    pub(super) fn settled(&self, bins: usize, through: i64) -> Vec<f64> {
        let width = i64::from(WIDTH);
        let bins = i64::try_from(bins).unwrap_or(0);
        let age = |back: i64| seconds(through - (i64::from(self.end) - back) * width);
        (0..bins)
            .rev()
            .map(|back| self.delays.reported_of(age(back), seconds(width)))
            .collect()
    }
}

impl Series {
    /// Since a bin: orders, unexplained ones, and their money.
    pub(super) fn since(&self, at: usize) -> (u64, u64, Vec<Lost>) {
        let orders = self.orders[at..].iter();
        let (of, count) = orders.fold((0, 0), |(of, count), trial| {
            (of + u64::from(trial.of), count + u64::from(trial.count))
        });
        let lost = self.money.iter().map(|(currency, sums)| {
            let mut lost = Lost {
                currency: currency.clone(),
                amount: Money(0),
                unexplained: Money(0),
            };
            for sums in &sums[at..] {
                lost.amount = lost.amount + sums.amount;
                lost.unexplained = lost.unexplained + sums.unexplained;
            }
            lost
        });
        (of, count, lost.filter(|lost| lost.amount.0 != 0).collect())
    }
}

/// Money as trials: so many that their share scatters as that of the money does, if orders are lost
/// by chance.
///
/// A share of the money scatters by Σa², one of n orders by n; so an order counts as a·Σa / Σa²
/// trials. What a bin's whole numbers leave goes to the next one.
pub(super) fn trials(sums: &[Sums]) -> Vec<Trial> {
    let amount: f64 = sums.iter().map(|sums| units(sums.amount)).sum();
    let squares: f64 = sums.iter().map(|sums| sums.squares).sum();
    let each = if amount > 0.0 {
        squares / amount
    } else {
        f64::INFINITY
    };
    let (mut with, mut without) = (Whole::default(), Whole::default());
    sums.iter()
        .map(|sums| {
            let unexplained = units(sums.unexplained);
            let count = with.add(unexplained / each);
            let rest = without.add((units(sums.amount) - unexplained) / each);
            Trial {
                of: count + rest,
                count,
            }
        })
        .collect()
}

/// Amounts below zero are of lines that take back: none of them is an order.
fn units(money: Money) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a weight, no money")]
    let units = money.0 as f64 / ONE;
    units.max(0.0)
}

/// Adds fractions up to whole numbers.
#[derive(Default)]
struct Whole {
    rest: f64,
}

impl Whole {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of trials"
    )]
    fn add(&mut self, trials: f64) -> u32 {
        self.rest += trials.max(0.0);
        let whole = self.rest.floor();
        self.rest -= whole;
        whole as u32
    }
}

#[expect(clippy::cast_precision_loss, reason = "weeks")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(amount: i128, unexplained: i128, squares: f64) -> Sums {
        Sums {
            amount: Money(amount * 10_000),
            unexplained: Money(unexplained * 10_000),
            squares,
        }
    }

    #[test]
    fn equal_amounts_count_as_their_orders() {
        // Four orders of 10.00, one of them lost; then none; then two, both lost.
        let trials = trials(&[sums(40, 10, 400.0), sums(0, 0, 0.0), sums(20, 20, 200.0)]);
        let shown: Vec<(u32, u32)> = trials.iter().map(|trial| (trial.count, trial.of)).collect();
        assert_eq!(shown, [(1, 4), (0, 0), (2, 2)]);
    }

    #[test]
    fn one_large_order_is_one_trial_and_small_ones_are_parts() {
        // 100 and ten times 10: Σa = 200, Σa² = 11,000, so 55 make one trial.
        let all = trials(&[sums(100, 100, 10_000.0), sums(100, 0, 1_000.0)]);
        let shown: Vec<(u32, u32)> = all.iter().map(|trial| (trial.count, trial.of)).collect();
        assert_eq!(shown, [(1, 1), (0, 1)]);
        // What is left of one bin is in the next: 1.82 and 1.82 are 3.64.
        let both = trials(&[sums(100, 100, 10_000.0), sums(100, 100, 1_000.0)]);
        assert_eq!(both.iter().map(|trial| trial.count).sum::<u32>(), 3);
    }

    #[test]
    fn nothing_that_cost_anything_is_no_trial() {
        assert_eq!(trials(&[sums(0, 0, 0.0)]), [Trial::default()]);
    }
}
