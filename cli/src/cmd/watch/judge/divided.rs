//! How a history is divided into what is learned from and what is judged.

use postback_detect::LEARNING_DAYS;

use crate::cmd::watch::history::BINS_A_DAY;

/// Days that are judged, and so not learned from, where history is long.
const JUDGED_DAYS: usize = 14;

/// Days of history without which nothing is judged.
const LEAST_DAYS: usize = 2;

/// How a history is divided.
#[derive(Debug, Clone, Copy)]
pub(in crate::cmd::watch) struct Divided {
    /// Bins that are learned from.
    pub(super) learned: usize,
    /// The history is shorter than three weeks.
    pub(in crate::cmd::watch) learning: bool,
}

impl Divided {
    /// A history of so many whole days; none is too short for any judgement.
    pub(in crate::cmd::watch) fn of(days: usize) -> Option<Self> {
        let judged = if days >= LEARNING_DAYS + JUDGED_DAYS {
            JUDGED_DAYS
        } else {
            (days.saturating_sub(LEARNING_DAYS)).max(days / 3).max(1)
        };
        let learned = days.checked_sub(judged)?;
        (days >= LEAST_DAYS).then_some(Self {
            learned: learned * BINS_A_DAY,
            learning: days < LEARNING_DAYS,
        })
    }
}
