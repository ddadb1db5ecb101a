//! Follows a chart through its bins: when a break is found, since when it is, and when it is over.

use std::ops::Range;

use crate::bank::{Bank, Best};

/// From this log-likelihood ratio on a break counts as over: back to usual is 50 times likelier than
/// the break.
const OVER: f64 = 3.9;

/// A question to bins: how much likelier is each of some changes than none?
pub trait Chart {
    /// How many sizes of change are considered.
    fn alternatives(&self) -> usize;

    /// The log-likelihood ratio of one bin, this size of change against none, in nats.
    fn score(&self, alternative: usize, bin: usize) -> f64;

    /// What one bin says about the size of a change: the inverse variance of the size that it alone
    /// would give, as a logarithm (of the count, or of the odds).
    fn information(&self, bin: usize) -> f64;

    /// The variance of what is usual, in the same unit: the baseline is known from history alone.
    fn uncertainty(&self) -> f64;
}

/// One break.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// The first bin of the break, as estimated when it was last seen.
    pub since: usize,
    /// The bin that made it an alarm.
    pub raised: usize,
    /// The first bin that is as usual again; none while the break goes on.
    pub over: Option<usize>,
    /// The largest log-likelihood ratio, in nats: how sure.
    pub statistic: f64,
}

/// The statistic after each bin of the range, with no alarm and no restart in between.
#[must_use]
pub fn path(chart: &impl Chart, bins: Range<usize>) -> Vec<f64> {
    let mut bank = Bank::new(chart, bins.start);
    bins.map(|bin| {
        bank.step(chart, bin);
        bank.best().statistic
    })
    .collect()
}

/// The breaks in a range of bins, oldest first; only the last one can go on.
#[must_use]
pub fn run(chart: &impl Chart, bins: Range<usize>, threshold: f64) -> Vec<Episode> {
    let mut episodes = Vec::new();
    let mut bank = Bank::new(chart, bins.start);
    let mut open: Option<Open> = None;
    for bin in bins {
        bank.step(chart, bin);
        let best = bank.best();
        match &mut open {
            None if best.statistic >= threshold => open = Some(Open::new(best, bin)),
            None => {}
            Some(running) => {
                if let Some(episode) = running.step(chart, best, bin) {
                    episodes.push(episode);
                    open = None;
                    bank = Bank::new(chart, bin + 1);
                }
            }
        }
    }
    episodes.extend(open.map(|open| open.episode));
    episodes
}

/// A break that goes on, and the evidence that it does not.
struct Open {
    episode: Episode,
    best: Best,
    /// The CUSUM of usual against the break, and its first bin.
    back: f64,
    back_since: usize,
}

impl Open {
    fn new(best: Best, bin: usize) -> Self {
        Self {
            episode: Episode {
                since: best.since,
                raised: bin,
                over: None,
                statistic: best.statistic,
            },
            best,
            back: 0.0,
            back_since: bin + 1,
        }
    }

    /// The break with its end, if this bin is the end.
    fn step(&mut self, chart: &impl Chart, best: Best, bin: usize) -> Option<Episode> {
        if best.statistic > self.best.statistic {
            self.best = best;
            self.episode.since = best.since;
            self.episode.statistic = best.statistic;
        }
        self.back -= chart.score(self.best.alternative, bin);
        if self.back <= 0.0 {
            self.back = 0.0;
            self.back_since = bin + 1;
        }
        (self.back >= OVER).then_some(Episode {
            over: Some(self.back_since),
            ..self.episode
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One alternative whose scores are written down.
    struct Scores(Vec<f64>);

    impl Chart for Scores {
        fn alternatives(&self) -> usize {
            1
        }

        fn score(&self, _: usize, bin: usize) -> f64 {
            self.0[bin]
        }

        fn information(&self, _: usize) -> f64 {
            1.0
        }

        fn uncertainty(&self) -> f64 {
            0.0
        }
    }

    #[test]
    fn a_break_begins_is_raised_and_ends() {
        let chart = Scores(vec![-1.0, -1.0, 2.0, 2.0, 2.0, -2.0, 1.0, -2.0, -2.0, -1.0]);
        // The CUSUM leaves zero with bin 2 and passes 5 at bin 4. Usual is likelier by 2, 1, 3, 5.
        let episodes = run(&chart, 0..10, 5.0);
        assert_eq!(
            episodes,
            [Episode {
                since: 2,
                raised: 4,
                over: Some(5),
                statistic: 6.0
            }]
        );
    }

    #[test]
    fn a_break_that_goes_on_has_no_end() {
        let chart = Scores(vec![-1.0, 3.0, 3.0, 3.0]);
        let episodes = run(&chart, 0..4, 5.0);
        assert_eq!((episodes[0].raised, episodes[0].over), (2, None));
        assert!((episodes[0].statistic - 9.0).abs() < 1e-12);
    }

    #[test]
    fn a_second_break_is_a_second_episode() {
        let chart = Scores(vec![6.0, -5.0, -1.0, 6.0]);
        let episodes = run(&chart, 0..4, 5.0);
        assert_eq!(episodes.len(), 2);
        assert_eq!((episodes[1].since, episodes[1].over), (3, None));
    }

    #[test]
    fn a_break_can_begin_with_the_bin_after_another_one() {
        let chart = Scores(vec![6.0, -5.0, 6.0]);
        let episodes = run(&chart, 0..3, 5.0);
        let dates: Vec<_> = episodes.iter().map(|one| (one.since, one.over)).collect();
        assert_eq!(dates, [(0, Some(1)), (2, None)]);
    }

    #[test]
    fn a_break_that_came_back_ends_where_it_is_left_at_last() {
        // Usual is likelier by 1, then by nothing again, then by 4.
        let chart = Scores(vec![6.0, -1.0, 2.0, -4.0]);
        let expected = Episode {
            since: 0,
            raised: 0,
            over: Some(3),
            statistic: 7.0,
        };
        assert_eq!(run(&chart, 0..4, 5.0), [expected]);
    }

    #[test]
    fn the_path_goes_on_through_alarms() {
        let chart = Scores(vec![6.0, -5.0, -2.0, 6.0]);
        assert_eq!(path(&chart, 0..4), [6.0, 1.0, 0.0, 6.0]);
    }
}
