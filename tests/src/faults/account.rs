//! The sender's ledger against Kafka.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use postback_load::{Attempt, Ledger, Outcome};
use serde_json::Value;
use uuid::Uuid;

use super::Promise;

/// What networks give an answer, round trips included.
const IN_TIME: Duration = Duration::from_millis(400);

/// From this on a record goes both ways: ingest's wait for Kafka. From the planned time it is
/// reached no earlier.
const BOTH_WAYS: Duration = Duration::from_millis(100);

/// An answer is due after 250 ms. A record that waited for Kafka first has 140 ms left for the disk,
/// and a disk that takes so much of that gets an honest refusal: it is the machine's, not ingest's.
const TOO_LONG: Duration = Duration::from_millis(100);

/// Around a fault, and around any record that went both ways, others may that were answered quickly:
/// what probes whether Kafka is back, and what is drained again because nothing was heard of it.
const AROUND: Duration = Duration::from_secs(1);

/// The end of a connection is in the kernel's hands before the sender looks for it.
const TOLD_WITHIN: Duration = Duration::from_millis(5);

/// Broken promises that are shown; thousands of one kind say no more.
const SHOWN: usize = 20;

/// When things happened, from the sender's start.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    pub(super) began: Duration,
    pub(super) ended: Duration,
    pub(super) normal: Duration,
    pub(super) killed: Option<(Duration, Duration)>,
    pub(super) topic_gone: Option<Duration>,
    /// Syncs of ingest for which the real disk took long.
    pub(super) slow_syncs: Vec<(Duration, Duration)>,
}

impl Marks {
    /// How long the real disk synced while the attempt was under way.
    fn synced(&self, attempt: &Attempt) -> Duration {
        let during = |(began, ended): &(Duration, Duration)| {
            let began = attempt.planned.max(*began);
            attempt.ended.min(*ended).saturating_sub(began)
        };
        self.slow_syncs.iter().map(during).sum()
    }
}

/// What became of every attempt, and of every acknowledged record.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Requests that were to be sent.
    pub attempts: usize,
    /// Answered with 2xx within 400 ms of the planned time, the sender's own stalls not counted.
    pub in_time: usize,
    /// Of these, how many were late with the sender's own stalls counted.
    pub in_time_but_for_own_stalls: usize,
    /// Answered with 503.
    pub refused: usize,
    /// Of these, how many for which the real disk took too long.
    pub refused_for_the_disk: usize,
    /// Not answered at all.
    pub unanswered: usize,
    /// The slowest outcome, the sender's own stalls not counted.
    pub slowest: Duration,
    /// The sender's longest stall.
    pub own_stall: Duration,
    /// The longest sync of the real disk; 0 below 5 ms.
    pub longest_sync: Duration,
    /// Ids that were acknowledged and have to be in Kafka.
    pub acknowledged: usize,
    /// Those that are not.
    pub missing: usize,
    /// Further copies of records in Kafka of requests that took so long that they went both ways.
    pub copies_of_slow: usize,
    /// Further copies around the fault and around slow requests: probes, and what was drained again.
    pub copies_around: usize,
    /// From the end of the fault until the spool was empty and ingest ready.
    pub normal_after: Duration,
    /// Everything that should not be; empty when all promises were kept.
    pub broken: Vec<String>,
}

/// The figures, and the first of what is broken.
impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = Self {
            broken: Vec::new(),
            ..self.clone()
        };
        write!(formatter, "{figures:#?}")?;
        for broken in self.broken.iter().take(SHOWN) {
            write!(formatter, "\n  {broken}")?;
        }
        match self.broken.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(formatter, "\n  and {more} more"),
        }
    }
}

impl Account {
    /// Draws the account up.
    pub(super) fn draw(
        promise: Promise,
        ledger: &Ledger,
        records: &[Value],
        marks: &Marks,
    ) -> Self {
        let mut account = Self {
            attempts: ledger.attempts.len(),
            normal_after: marks.normal.saturating_sub(marks.ended),
            longest_sync: longest(&marks.slow_syncs),
            ..Self::default()
        };
        for (number, attempt) in ledger.attempts.iter().enumerate() {
            account.answer(promise, number, attempt, marks);
        }
        if promise == Promise::Honest {
            let refused = account.refused;
            account.hold(refused > 0, || "the fault did not show: no 503".to_owned());
        }
        account.storage(ledger, records, marks);
        account
    }

    /// Notes a broken promise unless it is held.
    pub(super) fn hold(&mut self, held: bool, broken: impl FnOnce() -> String) {
        if !held {
            self.broken.push(broken());
        }
    }

    fn answer(&mut self, promise: Promise, number: usize, attempt: &Attempt, marks: &Marks) {
        let took = attempt.without_own_stall();
        self.slowest = self.slowest.max(took);
        self.own_stall = self.own_stall.max(attempt.own_stall);
        let quick = took <= IN_TIME;
        let stored = attempt.is_success() && quick;
        self.in_time += usize::from(stored);
        self.in_time_but_for_own_stalls += usize::from(stored && attempt.latency() > IN_TIME);
        let refused = matches!(attempt.outcome, Outcome::Answered { status: 503, .. });
        self.refused += usize::from(refused);
        self.unanswered += usize::from(matches!(attempt.outcome, Outcome::Failed(_)));
        let honest = refused && quick;
        let for_the_disk = honest && marks.synced(attempt) >= TOO_LONG;
        self.refused_for_the_disk += usize::from(for_the_disk);
        let kept = match promise {
            Promise::Stored => stored || for_the_disk,
            Promise::Honest => stored || honest || in_flight(attempt, marks),
            Promise::InFlightMayFail => stored || for_the_disk || in_flight(attempt, marks),
        };
        let without_id = attempt.is_success() && attempt.acknowledged().is_none();
        self.hold(kept && !without_id, || {
            let synced = marks.synced(attempt);
            format!("attempt {number}, the disk synced for {synced:?}: {attempt:?}")
        });
    }

    fn storage(&mut self, ledger: &Ledger, records: &[Value], marks: &Marks) {
        let mut found: HashMap<Uuid, usize> = HashMap::new();
        for record in records {
            let (id, number) = identity(record);
            *found.entry(id).or_default() += 1;
            let acknowledged = ledger.attempts.get(number).and_then(Attempt::acknowledged);
            self.hold(acknowledged.is_none_or(|acknowledged| acknowledged == id), || {
                format!("the record of attempt {number} has the id {id}, acknowledged as {acknowledged:?}")
            });
        }
        let slow = ledger.attempts.iter();
        let slow = slow.filter(|attempt| attempt.latency() >= BOTH_WAYS);
        let mut troubles: Vec<(Duration, Duration)> =
            slow.map(|slow| (slow.planned, slow.ended)).collect();
        troubles.push((marks.began, marks.normal));
        for (number, attempt) in ledger.attempts.iter().enumerate() {
            let Some(id) = attempt.acknowledged() else {
                continue;
            };
            // What was acknowledged before has gone with the old topic.
            if marks.topic_gone.is_some_and(|gone| attempt.ended < gone) {
                continue;
            }
            self.acknowledged += 1;
            match found.get(&id) {
                None => {
                    self.missing += 1;
                    self.hold(false, || {
                        format!("attempt {number} is missing: {attempt:?}")
                    });
                }
                Some(copies) => self.copies(number, attempt, copies - 1, &troubles),
            }
        }
    }

    fn copies(
        &mut self,
        number: usize,
        attempt: &Attempt,
        copies: usize,
        troubles: &[(Duration, Duration)],
    ) {
        if copies == 0 {
            return;
        }
        let around = troubles.iter().any(|(began, ended)| {
            attempt.ended + AROUND >= *began && attempt.planned <= *ended + AROUND
        });
        if attempt.latency() >= BOTH_WAYS {
            self.copies_of_slow += copies;
        } else if around {
            self.copies_around += copies;
        } else {
            self.hold(false, || {
                format!("attempt {number} has {copies} copies for no reason: {attempt:?}")
            });
        }
    }
}

fn longest(times: &[(Duration, Duration)]) -> Duration {
    let lengths = times
        .iter()
        .map(|(began, ended)| ended.saturating_sub(*began));
    lengths.max().unwrap_or_default()
}

/// Sent before the sender could know that ingest was gone, and without an outcome when it was killed.
fn in_flight(attempt: &Attempt, marks: &Marks) -> bool {
    let failed = matches!(attempt.outcome, Outcome::Failed(_));
    let known = |gone| gone + TOLD_WITHIN + attempt.own_stall;
    failed
        && marks
            .killed
            .is_some_and(|(killed, gone)| attempt.begun <= known(gone) && attempt.ended >= killed)
}

/// A record's id, and the number of the request that it was made of.
fn identity(record: &Value) -> (Uuid, usize) {
    let id = record["id"].as_str().and_then(|id| id.parse().ok());
    let query = record["query"]["utf8"].as_str().unwrap_or_default();
    let number = query.strip_prefix("u1=c-").and_then(|rest| rest.get(..10));
    let number = number.and_then(|digits| digits.parse().ok());
    id.zip(number)
        .unwrap_or_else(|| panic!("not a record of this sender: {record}"))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use postback_load::Failure;
    use serde_json::json;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn id(number: u128) -> Uuid {
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
    }

    fn attempt(number: u64, took: u64, outcome: Outcome) -> Attempt {
        let planned = ms(100 * number);
        Attempt {
            planned,
            begun: planned,
            sent: Some(planned),
            ended: planned + ms(took),
            own_stall: Duration::ZERO,
            outcome,
        }
    }

    fn stored(number: u64, took: u64) -> Attempt {
        let id = Some(id(number.into()));
        attempt(number, took, Outcome::Answered { status: 200, id })
    }

    fn status(number: u64, status: u16) -> Attempt {
        attempt(number, 5, Outcome::Answered { status, id: None })
    }

    fn record(number: u128) -> Value {
        let query = format!("u1=c-{number:010}&is_event=N");
        json!({"id": id(number).to_string(), "query": {"utf8": query}})
    }

    fn draw(promise: Promise, attempts: Vec<Attempt>, records: &[Value], marks: &Marks) -> Account {
        let ledger = Ledger {
            start: Instant::now(),
            attempts,
            connections: 1,
            cpu: Duration::ZERO,
        };
        Account::draw(promise, &ledger, records, marks)
    }

    fn marks() -> Marks {
        Marks {
            began: ms(10_000),
            ended: ms(20_000),
            normal: ms(21_000),
            ..Marks::default()
        }
    }

    #[test]
    fn all_is_well() {
        let all = vec![stored(0, 5), stored(1, 399)];
        let account = draw(Promise::Stored, all, &[record(1), record(0)], &marks());
        assert_eq!(account.broken, [""; 0]);
        assert_eq!((account.in_time, account.acknowledged), (2, 2));
        assert_eq!(account.normal_after, ms(1_000));
    }

    #[test]
    fn late_and_missing_are_told() {
        let all = vec![stored(0, 401), stored(1, 5)];
        let account = draw(Promise::Stored, all, &[record(0)], &marks());
        assert_eq!(account.broken.len(), 2, "{:?}", account.broken);
        assert_eq!((account.in_time, account.missing), (1, 1));
    }

    #[test]
    fn the_sender_s_own_stalls_are_not_ingest_s() {
        let mut late = stored(0, 500);
        late.own_stall = ms(150);
        let account = draw(Promise::Stored, vec![late], &[record(0)], &marks());
        assert_eq!(account.broken, [""; 0]);
        assert_eq!(account.in_time_but_for_own_stalls, 1);
    }

    #[test]
    fn honest_means_a_503_and_there_must_be_one() {
        let all = vec![stored(0, 5), status(1, 503)];
        let account = draw(Promise::Honest, all.clone(), &[record(0)], &marks());
        assert_eq!(account.broken, [""; 0]);
        let broken = draw(Promise::Stored, all, &[record(0)], &marks()).broken;
        assert_eq!(broken.len(), 1);
        let broken = draw(Promise::Honest, vec![status(0, 500)], &[], &marks()).broken;
        assert_eq!(broken.len(), 2, "{broken:?}");
    }

    #[test]
    fn a_disk_that_takes_too_long_excuses_a_503_and_nothing_else() {
        let marks = Marks {
            slow_syncs: vec![(ms(0), ms(50)), (ms(90), ms(160)), (ms(160), ms(500))],
            ..marks()
        };
        let draw = |mut attempt: Attempt, took| {
            attempt.ended = attempt.planned + ms(took);
            draw(Promise::Stored, vec![attempt], &[], &marks)
        };
        // From 100 ms on: 60 ms of one sync and 40 ms of the next.
        let excused = draw(status(1, 503), 100);
        assert_eq!((excused.refused_for_the_disk, excused.broken.len()), (1, 0));
        assert_eq!(excused.longest_sync, ms(340));
        assert_eq!(draw(status(1, 503), 99).broken.len(), 1);
        assert_eq!(draw(status(0, 503), 100).broken.len(), 1);
        assert_eq!(draw(status(1, 500), 100).broken.len(), 1);
        assert_eq!(draw(status(1, 503), 401).broken.len(), 1);
    }

    #[test]
    fn only_what_was_in_flight_may_fail() {
        let failed = |number| attempt(number, 50, Outcome::Failed(Failure::Reset));
        let marks = Marks {
            killed: Some((ms(120), ms(140))),
            ..marks()
        };
        let draw = |failed| draw(Promise::InFlightMayFail, vec![failed], &[], &marks).broken;
        // From 100 to 150 ms: in flight. From 0 to 50, and from 200 to 250: not.
        assert_eq!(draw(failed(1)), [""; 0]);
        assert_eq!(draw(failed(0)).len(), 1);
        assert_eq!(draw(failed(2)).len(), 1);
    }

    #[test]
    fn copies_need_a_reason() {
        let marks = Marks {
            began: ms(1_500),
            ended: ms(1_600),
            normal: ms(1_700),
            ..Marks::default()
        };
        let copies = [record(0), record(0)];
        let draw = |attempt| draw(Promise::Stored, vec![attempt], &copies, &marks);
        assert_eq!(draw(stored(0, 5)).broken.len(), 1);
        let slow = draw(stored(0, 100));
        assert_eq!((slow.copies_of_slow, slow.broken.len()), (1, 0));
        let mut around = stored(0, 5);
        around.planned = ms(1_000);
        around.ended = ms(1_005);
        let around = draw(around);
        assert_eq!((around.copies_around, around.broken.len()), (1, 0));
    }

    #[test]
    fn a_slow_record_explains_quick_ones_beside_it() {
        let copies = [record(0), record(1), record(1), record(12), record(12)];
        let mut all: Vec<Attempt> = (0..=12).map(|number| status(number, 503)).collect();
        (all[0], all[1], all[12]) = (stored(0, 150), stored(1, 5), stored(12, 5));
        // The second is sent 50 ms before the first is answered, the third 1,050 ms after it.
        let account = draw(Promise::Honest, all, &copies, &marks());
        assert_eq!(account.copies_around, 1);
        assert_eq!(account.broken.len(), 1, "{:?}", account.broken);
    }

    #[test]
    fn what_was_acknowledged_before_the_topic_went_need_not_be_in_the_new_one() {
        let marks = Marks {
            topic_gone: Some(ms(50)),
            ..marks()
        };
        let all = vec![stored(0, 5), stored(1, 5)];
        let account = draw(Promise::Stored, all, &[record(1)], &marks);
        assert_eq!(account.broken, [""; 0]);
        assert_eq!(account.acknowledged, 1);
    }

    #[test]
    fn a_record_under_another_request_s_id_is_told() {
        let mut mixed = record(0);
        mixed["id"] = json!(id(7).to_string());
        let all = vec![stored(0, 5)];
        let broken = draw(Promise::Stored, all, &[mixed, record(0)], &marks()).broken;
        assert_eq!(broken.len(), 1, "{broken:?}");
    }
}
