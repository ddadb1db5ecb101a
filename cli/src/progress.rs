//! How far a long command is: a bar with rate and time left for a person who watches, a line now and
//! then in a log.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::SignedDuration;

use crate::console::Console;
use crate::output::age;

/// How often it is shown: to a person who watches, and in a log.
const WATCHED: Duration = Duration::from_millis(200);
const LOGGED: Duration = Duration::from_secs(10);
/// Characters of the bar.
const WIDTH: u64 = 24;

/// What can say how far it is.
pub(crate) trait Shown {
    /// One line; with a bar for a person who watches. Empty where there is nothing to say yet.
    fn line(&self, with_bar: bool) -> String;
}

/// Counts; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    step: Mutex<Step>,
    done: AtomicU64,
    total: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    what: &'static str,
    since: Instant,
}

impl Meter {
    pub(crate) fn new(what: &'static str) -> Self {
        let since = Instant::now();
        Self(Arc::new(Counts {
            step: Mutex::new(Step { what, since }),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
        }))
    }

    /// Begins the next step, with as much to do.
    pub(crate) fn begin(&self, what: &'static str, total: u64) {
        let mut step = self.0.step.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
        let since = Instant::now();
        *step = Step { what, since };
    }

    /// So much more is done.
    pub(crate) fn advance(&self, by: u64) {
        self.0.done.fetch_add(by, Ordering::Relaxed);
    }
}

impl Shown for Meter {
    fn line(&self, with_bar: bool) -> String {
        let step = *self.0.step.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, total) = (&self.0.done, &self.0.total);
        let (done, total) = (done.load(Ordering::Relaxed), total.load(Ordering::Relaxed));
        let text = line(step.what, done, total, step.since.elapsed());
        if with_bar {
            format!("{} {text}", bar(done, total))
        } else {
            text
        }
    }
}

/// Runs `work` to its end and shows how far it is.
pub(crate) async fn shown<T>(
    meter: &impl Shown,
    console: &mut Console,
    work: impl Future<Output = T>,
) -> T {
    let watched = console.is_watched();
    let mut ticks = tokio::time::interval(if watched { WATCHED } else { LOGGED });
    // The first comes at once.
    ticks.tick().await;
    tokio::pin!(work);
    loop {
        tokio::select! {
            ended = &mut work => {
                if watched {
                    console.progress("");
                }
                return ended;
            }
            _ = ticks.tick() => {
                let line = meter.line(watched);
                if watched {
                    console.progress(line);
                } else if !line.is_empty() {
                    console.note(line);
                }
            }
        }
    }
}

/// As long whatever is done.
pub(crate) fn bar(done: u64, total: u64) -> String {
    let filled = (done.min(total) * WIDTH).checked_div(total).unwrap_or(0);
    let signs = (0..WIDTH).map(|place| if place < filled { '#' } else { '-' });
    format!("[{}]", signs.collect::<String>())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people"
)]
fn line(what: &str, done: u64, total: u64, elapsed: Duration) -> String {
    if total == 0 {
        // Nothing of it is counted.
        return what.to_owned();
    }
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = (done as f64 / seconds).round() as u64;
    let left = if done == 0 {
        "time left unknown".to_owned()
    } else {
        let left = total.saturating_sub(done) as f64 * seconds / done as f64;
        let left = SignedDuration::from_secs(left.min(1e12) as i64);
        format!("{} left", age(left))
    };
    format!("{what}: {done} of {total}, {rate}/s, {left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_from_what_is_done() {
        let shown = line("reading", 50_000, 200_000, Duration::from_secs(10));
        assert_eq!(shown, "reading: 50000 of 200000, 5000/s, 30 s left");
        let shown = line("reading", 0, 7, Duration::ZERO);
        assert_eq!(shown, "reading: 0 of 7, 0/s, time left unknown");
        let shown = line("switching readers", 0, 0, Duration::from_secs(3));
        assert_eq!(shown, "switching readers");
    }

    #[test]
    fn the_bar_is_as_long_whatever_is_done() {
        assert_eq!(bar(0, 0), format!("[{}]", "-".repeat(24)));
        let half = format!("[{}{}]", "#".repeat(12), "-".repeat(12));
        assert_eq!(bar(5, 10), half);
        assert_eq!(bar(12, 10), format!("[{}]", "#".repeat(24)));
    }
}
