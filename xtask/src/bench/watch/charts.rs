//! The statistics of our charts and of fixed thresholds, hour by hour.

use postback_detect::{Baseline, Direction, Level, Share, UsualShare, path};

use super::history::{HOURS, History, Question};

/// Days before the present day that are judged, and so not learned from.
const JUDGED_DAYS: usize = 14;

/// Our statistic after each watched hour: learned from the same past as `glrnb`, and begun with the
/// same hour.
pub(super) fn ours(history: &History) -> Vec<f64> {
    statistics(history, History::WATCHED, history.bins.len())
}

/// The same as `postback watch` does it: the baseline is learned anew every day, from everything
/// before the last two weeks.
pub(super) fn in_use(history: &History) -> Vec<f64> {
    let days = History::WATCHED / HOURS..history.bins.len() / HOURS;
    days.flat_map(|day| {
        let learned = (day - JUDGED_DAYS) * HOURS;
        statistics(history, learned, (day + 1) * HOURS).split_off(JUDGED_DAYS * HOURS)
    })
    .collect()
}

fn statistics(history: &History, learned: usize, end: usize) -> Vec<f64> {
    match history.question {
        Question::Volume => volume(history, learned, end),
        _ => share(history, learned, end),
    }
}

fn volume(history: &History, learned: usize, end: usize) -> Vec<f64> {
    let judged = &history.bins[learned..end];
    match Baseline::learn(&history.bins[..learned], HOURS, None) {
        Some(baseline) => {
            let chart = Level::new(judged, &baseline, Direction::Down);
            path(&chart, 0..judged.len())
        }
        None => vec![0.0; judged.len()],
    }
}

fn share(history: &History, learned: usize, end: usize) -> Vec<f64> {
    let judged = &history.trials[learned..end];
    match UsualShare::learn(&history.trials[..learned], HOURS) {
        Some(usual) => path(&Share::new(judged, usual), 0..judged.len()),
        None => vec![0.0; judged.len()],
    }
}

/// What people do without statistics: the last 24 hours against the same 24 hours a week before,
/// as the relative change in the direction that is watched.
pub(super) fn day_against_week(history: &History) -> Vec<f64> {
    (History::WATCHED..history.bins.len())
        .map(|hour| {
            let now = last_day(history, hour);
            let before = last_day(history, hour - 7 * HOURS);
            match history.question {
                Question::Volume => 1.0 - now / before.max(1.0),
                _ if before > 0.0 => now / before - 1.0,
                _ if now > 0.0 => f64::MAX,
                _ => 0.0,
            }
        })
        .collect()
}

/// The count, or the share, of the 24 hours that end with this one.
fn last_day(history: &History, hour: usize) -> f64 {
    let day = hour + 1 - HOURS..hour + 1;
    if history.question == Question::Volume {
        return history.bins[day]
            .iter()
            .map(|bin| f64::from(bin.count))
            .sum();
    }
    let (with, of) = history.trials[day]
        .iter()
        .fold((0, 0), |(with, of), trial| {
            (with + trial.count, of + trial.of)
        });
    if of == 0 {
        0.0
    } else {
        f64::from(with) / f64::from(of)
    }
}
