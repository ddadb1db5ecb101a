//! A reader that polls the views all the time: never more than was sent, nothing twice, nothing that
//! goes away again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::books::{Books, Sent};
use crate::Database;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);

/// More are not kept.
const MOST_BROKEN: usize = 20;

/// What it saw.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Looks that ClickHouse answered.
    pub(super) looks: u64,
    /// What was wrong with one of them.
    pub(super) broken: Vec<String>,
}

/// A reader at work.
#[derive(Debug)]
pub(super) struct Watcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Watched>,
}

impl Watcher {
    pub(super) fn begin(database: Database, books: Arc<Books>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || watch(&database, &books, &told));
        Self { stop, thread }
    }

    pub(super) fn end(self) -> Watched {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watcher does not panic")
    }
}

/// What the views show at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Shown {
    postbacks: u64,
    distinct_ids: u64,
    conversions: u64,
    distinct_keys: u64,
    usd: i64,
}

fn watch(database: &Database, books: &Books, stop: &AtomicBool) -> Watched {
    let mut watched = Watched::default();
    let mut before = Shown::default();
    while !stop.load(Ordering::Relaxed) {
        // Killed or frozen: nothing is shown.
        if let Some(shown) = look(database) {
            watched.looks += 1;
            // Read afterwards: what is shown was sent before.
            let broken = judge(before, shown, books.sent());
            if let Some(broken) = broken
                && watched.broken.len() < MOST_BROKEN
            {
                watched.broken.push(broken);
            }
            before = shown;
        }
        std::thread::sleep(EVERY);
    }
    watched
}

fn look(database: &Database) -> Option<Shown> {
    let numbers = |query: &str| -> Option<Vec<i64>> {
        let text = database.try_run(query).ok()?;
        text.split_whitespace().map(|n| n.parse().ok()).collect()
    };
    let postbacks = numbers("SELECT count(), uniqExact(id) FROM {db}.postbacks")?;
    let conversions = numbers(
        "SELECT count(), uniqExact(account, conversion_key), \
         toInt64(sumIf(sale_amount, currency = 'USD') * 100) FROM {db}.conversions",
    )?;
    let [postbacks, distinct_ids] = postbacks[..] else {
        return None;
    };
    let [conversions, distinct_keys, usd] = conversions[..] else {
        return None;
    };
    let count = |number: i64| u64::try_from(number).ok();
    Some(Shown {
        postbacks: count(postbacks)?,
        distinct_ids: count(distinct_ids)?,
        conversions: count(conversions)?,
        distinct_keys: count(distinct_keys)?,
        usd,
    })
}

fn judge(before: Shown, now: Shown, sent: Sent) -> Option<String> {
    let wrong = if now.postbacks != now.distinct_ids {
        "an id stands there twice"
    } else if now.conversions != now.distinct_keys {
        "a conversion stands there twice"
    } else if now.postbacks > sent.postbacks || now.conversions > sent.conversions {
        "more than was sent"
    } else if now.usd > sent.usd {
        "more money than was sent"
    } else if now.postbacks < before.postbacks
        || now.conversions < before.conversions
        || now.usd < before.usd
    {
        "something has gone away"
    } else {
        return None;
    };
    Some(format!("{wrong}: {now:?} after {before:?}, sent {sent:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Sent = Sent {
        messages: 12,
        postbacks: 10,
        conversions: 5,
        usd: 700,
    };
    const SHOWN: Shown = Shown {
        postbacks: 10,
        distinct_ids: 10,
        conversions: 5,
        distinct_keys: 5,
        usd: 700,
    };

    #[test]
    fn each_promise_is_looked_at() {
        assert_eq!(judge(SHOWN, SHOWN, SENT), None);
        let wrong = |now| judge(Shown::default(), now, SENT).unwrap();
        assert!(
            wrong(Shown {
                distinct_ids: 9,
                ..SHOWN
            })
            .starts_with("an id")
        );
        assert!(
            wrong(Shown {
                distinct_keys: 4,
                ..SHOWN
            })
            .starts_with("a conversion")
        );
        let more = Shown {
            postbacks: 11,
            distinct_ids: 11,
            ..SHOWN
        };
        assert!(wrong(more).starts_with("more than"));
        assert!(wrong(Shown { usd: 701, ..SHOWN }).starts_with("more money"));
        let gone = judge(SHOWN, Shown { usd: 699, ..SHOWN }, SENT).unwrap();
        assert!(gone.starts_with("something"));
    }
}
