//! Whether the share of events with a property is higher than usual: the GLR chart for binomial
//! counts.

use std::ops::Range;

use crate::{Change, Chart, Trial};

/// After so many days half of a day's weight in the usual share is gone.
const HALF_LIFE_DAYS: f64 = 21.0;

/// No share counts as rarer than this, so that one event is no alarm.
const RAREST: f64 = 0.002;

/// What must be added to the usual share, at the least, for a change to matter.
const LEAST_RISE: f64 = 0.01;

/// How far a day may be from usual, in standard deviations, to count as usual.
const OUTLIER: f64 = 4.0;

/// How often the share is learned, from the days that do not stand out from it.
const ROUNDS: usize = 3;

/// How many times the usual odds, for each size of a rise.
const ODDS: [f64; 12] = [
    1.15, 1.3, 1.5, 1.8, 2.2, 3.0, 5.0, 10.0, 30.0, 100.0, 1_000.0, 10_000.0,
];

/// Which share is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsualShare {
    share: f64,
    scale: f64,
    /// The variance of the logarithm of the usual odds.
    uncertainty: f64,
}

impl UsualShare {
    /// Learns from history, oldest bin first; days that stand out do not count. None where history
    /// has not a single event.
    #[must_use]
    pub fn learn(history: &[Trial], bins_a_day: usize) -> Option<Self> {
        let days: Vec<(f64, f64)> = history.chunks(bins_a_day).map(sums).collect();
        let mut share = median(&days)?;
        let mut scale = robust_scale(&days, share);
        let mut usual = as_usual(&days, share, scale);
        share = weighted(&days, &usual).unwrap_or(share);
        for _ in 1..ROUNDS {
            scale = day_scale(&days, &usual, share);
            usual = as_usual(&days, share, scale);
            share = weighted(&days, &usual).unwrap_or(share);
        }
        let bins = history.chunks(bins_a_day).zip(&usual);
        let bins = bins.filter(|(_, usual)| **usual).flat_map(|(bins, _)| bins);
        let scale = scale.max(bin_scale(bins, share));
        let known = effective(&days, &usual) * share * (1.0 - share);
        Some(Self {
            share,
            scale,
            uncertainty: scale / known.max(1.0),
        })
    }

    /// The usual share, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.share
    }

    /// How many times as much the share scatters as chance alone would have it; at least 1.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }
}

fn sums(bins: &[Trial]) -> (f64, f64) {
    bins.iter().fold((0.0, 0.0), |(count, of), bin| {
        (count + f64::from(bin.count), of + f64::from(bin.of))
    })
}

/// For each day whether it has events and does not stand out.
fn as_usual(days: &[(f64, f64)], share: f64, scale: f64) -> Vec<bool> {
    let stands_out = |count: f64, of: f64| {
        let spread = (scale * of * share * (1.0 - share)).sqrt();
        (count - of * share).abs() > OUTLIER * spread + 2.0
    };
    let days = days.iter();
    days.map(|&(count, of)| of > 0.0 && !stands_out(count, of))
        .collect()
}

fn kept(share: f64) -> f64 {
    share.clamp(RAREST, 1.0 - RAREST)
}

/// How much days scatter beyond chance, from their median deviation, which a break of the past does
/// not move.
fn robust_scale(days: &[(f64, f64)], share: f64) -> f64 {
    /// The standard deviation of a normal distribution for a median absolute deviation of one.
    const MAD: f64 = 1.4826;
    let days = days.iter().filter(|(_, of)| *of > 0.0);
    let deviation =
        |(count, of): &(f64, f64)| (count - of * share).abs() / (of * share * (1.0 - share)).sqrt();
    let mut deviations: Vec<f64> = days.map(deviation).collect();
    deviations.sort_by(f64::total_cmp);
    let middle = deviations.get(deviations.len() / 2).copied();
    (MAD * middle.unwrap_or(0.0)).powi(2).max(1.0)
}

/// The median of the days' shares, a starting point that a break of the past does not move.
fn median(days: &[(f64, f64)]) -> Option<f64> {
    let days = days.iter().filter(|(_, of)| *of > 0.0);
    let mut shares: Vec<f64> = days.map(|(count, of)| count / of).collect();
    shares.sort_by(f64::total_cmp);
    shares.get(shares.len() / 2).copied().map(kept)
}

/// The share over the usual days; recent ones weigh more.
fn weighted(days: &[(f64, f64)], usual: &[bool]) -> Option<f64> {
    let (mut counts, mut all) = (0.0, 0.0);
    for (weight, (count, of)) in recent(days, usual) {
        counts += weight * count;
        all += weight * of;
    }
    // Jeffreys's prior: half an event with the property, and half without.
    (all > 0.0).then(|| kept((counts + 0.5) / (all + 1.0)))
}

/// How many events that are all alike would tell the share as well.
fn effective(days: &[(f64, f64)], usual: &[bool]) -> f64 {
    let (mut all, mut squares) = (0.0, 0.0);
    for (weight, (_, of)) in recent(days, usual) {
        all += weight * of;
        squares += weight * weight * of;
    }
    all * all / f64::max(squares, f64::MIN_POSITIVE)
}

/// The usual days with their weights.
fn recent<'a>(
    days: &'a [(f64, f64)],
    usual: &'a [bool],
) -> impl Iterator<Item = (f64, &'a (f64, f64))> {
    let days = days.iter().zip(usual).rev().enumerate();
    days.filter(|(_, (_, usual))| **usual)
        .map(|(back, (day, _))| {
            let age = f64::from(u32::try_from(back).unwrap_or(u32::MAX));
            ((-age / HALF_LIFE_DAYS).exp2(), day)
        })
}

/// How much whole days scatter beyond chance.
fn day_scale(days: &[(f64, f64)], usual: &[bool], share: f64) -> f64 {
    let days = days.iter().zip(usual).filter(|(_, usual)| **usual);
    pearson(days.map(|(day, _)| *day), share)
}

/// How much single bins scatter beyond chance.
fn bin_scale<'a>(bins: impl Iterator<Item = &'a Trial>, share: f64) -> f64 {
    let bins = bins.filter(|bin| bin.of > 0);
    pearson(
        bins.map(|bin| (f64::from(bin.count), f64::from(bin.of))),
        share,
    )
}

/// Pearson's χ² by degree of freedom, where it is more than chance gives; else 1.
fn pearson(bins: impl Iterator<Item = (f64, f64)>, share: f64) -> f64 {
    let (mut sum, mut count, mut excess) = (0.0, 0.0, 0.0);
    for (with, of) in bins {
        let variance = of * share * (1.0 - share);
        sum += (with - of * share).powi(2) / variance;
        // The variance of χ² is larger where hardly anything is expected.
        excess += 2.0 + 1.0 / variance;
        count += 1.0;
    }
    let free: f64 = count - 1.0;
    if free < 6.0 {
        return 1.0;
    }
    let scale = sum / free;
    let chance = 1.0 + 2.0 * excess.sqrt() / free;
    if scale > chance { scale } else { 1.0 }
}

/// The chart of a share against what is usual.
#[derive(Debug)]
pub struct Share<'a> {
    bins: &'a [Trial],
    usual: UsualShare,
    /// For each size of change the share.
    risen: Vec<f64>,
    /// For each size of change ln(p₁/p₀) and ln((1−p₁)/(1−p₀)), where everything has settled.
    logs: Vec<(f64, f64)>,
    /// See [`Share::settling`]; empty where everything has settled.
    settled: Vec<f64>,
}

impl<'a> Share<'a> {
    /// The chart of these bins, which are not those that the usual share was learned from.
    #[must_use]
    pub fn new(bins: &'a [Trial], usual: UsualShare) -> Self {
        Self::settling(bins, usual, Vec::new())
    }

    /// The same for a property that events lose: an order has no postback until it comes.
    ///
    /// `settled` has for each bin the share, from 0 to 1, of those of its events that lose the
    /// property in time that have lost it by now; the usual share is that of bins in which all have.
    #[must_use]
    pub fn settling(bins: &'a [Trial], usual: UsualShare, settled: Vec<f64>) -> Self {
        let share = usual.share;
        let odds = share / (1.0 - share);
        let risen = ODDS.iter().map(|factor| {
            let odds = odds * factor;
            odds / (1.0 + odds)
        });
        let mut risen: Vec<f64> = risen.filter(|risen| risen - share >= LEAST_RISE).collect();
        if risen.is_empty() {
            risen.push(share);
        }
        let logs = risen.iter().map(|risen| logs(*risen, share)).collect();
        Self {
            bins,
            usual,
            risen,
            logs,
            settled,
        }
    }

    fn settled(&self, bin: usize) -> f64 {
        self.settled.get(bin).copied().unwrap_or(1.0)
    }

    /// What is usual of a bin that may not have settled.
    fn usual(&self, bin: usize) -> f64 {
        by_now(self.usual.share, self.settled(bin))
    }

    /// The share in a range of bins, and the usual one.
    #[must_use]
    pub fn change(&self, bins: Range<usize>) -> Change {
        let (count, of) = sums(&self.bins[bins.clone()]);
        let usual = bins.map(|bin| f64::from(self.bins[bin].of) * self.usual(bin));
        let usual = usual.sum::<f64>() / of.max(1.0);
        Change::of_shares(count, of, usual, self.usual.scale)
    }
}

/// The share that has a property by now, of what will have it for good and what is yet to lose it.
fn by_now(share: f64, settled: f64) -> f64 {
    1.0 - (1.0 - share) * settled
}

fn logs(risen: f64, share: f64) -> (f64, f64) {
    ((risen / share).ln(), ((1.0 - risen) / (1.0 - share)).ln())
}

impl Chart for Share<'_> {
    fn alternatives(&self) -> usize {
        self.logs.len()
    }

    fn score(&self, alternative: usize, bin: usize) -> f64 {
        let settled = self.settled(bin);
        let (mut with, without) = self.logs[alternative];
        if settled < 1.0 {
            // Those without it have settled, under either share: their ratio stays.
            with = (by_now(self.risen[alternative], settled) / self.usual(bin)).ln();
        }
        let bin = self.bins[bin];
        let count = f64::from(bin.count);
        let rest = f64::from(bin.of.saturating_sub(bin.count));
        (count * with + rest * without) / self.usual.scale
    }

    fn information(&self, bin: usize) -> f64 {
        let (share, settled) = (self.usual.share, self.settled(bin));
        // Fisher's, of the odds; what is yet to settle hides what it will be.
        let seen = settled * share / by_now(share, settled);
        f64::from(self.bins[bin].of) * seen * share * (1.0 - share) / self.usual.scale
    }

    fn uncertainty(&self) -> f64 {
        self.usual.uncertainty
    }
}

#[cfg(test)]
mod tests;
