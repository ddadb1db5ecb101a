//! Partitions that are held because of what they contain: a row that ClickHouse refuses, a record
//! of a later version. They are tried again at a slow pace, and go on once the cause is gone.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::progress::{Offset, Partition};

/// First pause before a held partition is tried again; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// Why a partition is held, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Offset of the first record concerned.
    pub(crate) first: Offset,
    /// The next offset behind the last one.
    pub(crate) end: Offset,
    pub(crate) problem: String,
    pub(crate) remedy: String,
}

#[derive(Debug)]
struct Hold {
    cause: Cause,
    attempts: u32,
    /// `None` while it is being tried.
    retry_at: Option<Instant>,
}

/// All held partitions.
#[derive(Debug, Default)]
pub(crate) struct Holds(BTreeMap<Partition, Hold>);

impl Holds {
    /// Holds a partition. True where it was not held for the same cause before.
    pub(crate) fn hold(&mut self, partition: Partition, cause: Cause, now: Instant) -> bool {
        let before = self.0.get(&partition);
        let attempts = before.map_or(0, |hold| hold.attempts);
        let is_news = before.is_none_or(|hold| hold.cause.problem != cause.problem);
        let pause = FIRST.saturating_mul(1 << attempts.min(10)).min(LONGEST);
        let hold = Hold {
            cause,
            attempts: attempts + 1,
            retry_at: Some(now + pause),
        };
        self.0.insert(partition, hold);
        is_news
    }

    /// Partitions whose time has come to be tried again. They stay held until [`Holds::stored`].
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Partition> {
        let due = |(partition, hold): (&Partition, &mut Hold)| {
            hold.retry_at.take_if(|at| *at <= now).map(|_| *partition)
        };
        self.0.iter_mut().filter_map(due).collect()
    }

    /// The attempt did not begin: it is due again after the first pause.
    pub(crate) fn again(&mut self, partition: Partition, now: Instant) {
        if let Some(hold) = self.0.get_mut(&partition) {
            hold.retry_at = Some(now + FIRST);
        }
    }

    /// Everything of a partition before `end` is stored. True if that ends its hold.
    pub(crate) fn stored(&mut self, partition: Partition, end: Offset) -> bool {
        let is_over = self
            .0
            .get(&partition)
            .is_some_and(|hold| end > hold.cause.first);
        is_over && self.0.remove(&partition).is_some()
    }

    /// Forgets partitions that are not ours.
    pub(crate) fn retain(&mut self, is_ours: impl Fn(Partition) -> bool) {
        self.0.retain(|partition, _| is_ours(*partition));
    }

    #[cfg(test)]
    fn contains(&self, partition: Partition) -> bool {
        self.0.contains_key(&partition)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The remedy of the first one.
    pub(crate) fn remedy(&self) -> &str {
        self.0.values().next().map_or("", |hold| &hold.cause.remedy)
    }
}

/// What is held and why, for people.
impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (partition, hold)) in self.0.iter().enumerate() {
            let Cause {
                first,
                end,
                problem,
                ..
            } = &hold.cause;
            let separator = if index == 0 { "" } else { "; " };
            let last = end - 1;
            write!(
                f,
                "{separator}partition {partition} is held at offset {first}"
            )?;
            if last > *first {
                write!(f, " to {last}")?;
            }
            write!(f, ": {problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(first: Offset, end: Offset) -> Cause {
        Cause {
            first,
            end,
            problem: "refused".to_owned(),
            remedy: "mend the table".to_owned(),
        }
    }

    #[test]
    fn pauses_grow_to_a_minute_and_a_hold_ends_when_its_first_record_is_stored() {
        let mut now = Instant::now();
        let mut holds = Holds::default();
        for (attempt, pause) in [5, 10, 20, 40, 60, 60].into_iter().enumerate() {
            assert_eq!(holds.hold(1, cause(7, 9), now), attempt == 0);
            now += Duration::from_secs(pause);
            assert!(holds.due(now - Duration::from_millis(1)).is_empty());
            assert_eq!(holds.due(now), [1]);
            assert!(holds.due(now).is_empty(), "it is being tried");
            assert!(holds.contains(1));
        }
        assert!(!holds.stored(1, 7), "what comes before it says nothing");
        assert!(holds.stored(1, 8));
        assert!(!holds.stored(1, 8));
        assert!(holds.is_empty());
    }

    #[test]
    fn another_problem_is_news_and_partitions_of_others_are_forgotten() {
        let now = Instant::now();
        let mut holds = Holds::default();
        holds.hold(1, cause(7, 8), now);
        let other = Cause {
            problem: "other".to_owned(),
            ..cause(7, 8)
        };
        assert!(holds.hold(1, other, now));
        assert!(holds.hold(2, cause(0, 3), now));
        assert_eq!(
            holds.to_string(),
            "partition 1 is held at offset 7: other; partition 2 is held at offset 0 to 2: refused"
        );
        assert_eq!(holds.remedy(), "mend the table");
        holds.retain(|partition| partition == 2);
        assert!(!holds.contains(1) && holds.contains(2));
    }
}
