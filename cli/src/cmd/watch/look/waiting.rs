//! What waits in Kafka to be loaded, and since when.

use std::sync::atomic::AtomicBool;

use jiff::{SignedDuration, Timestamp};
use postback_common::config::KafkaSettings;
use postback_common::record::Message;
use postback_service::kafka::{Amount, LogError, LogReader, Span};

use crate::cmd::watch::alert::Alert;
use crate::cmd::watch::finding::Finding;
use crate::lag::{GroupLag, PartitionLag};

/// Records on their way are not waiting: batches are collected for a second, and a look takes one.
const ON_THE_WAY: SignedDuration = SignedDuration::from_secs(30);

/// From this age on unread records are an alert.
const UNREAD: SignedDuration = SignedDuration::from_mins(15);

/// What is judged up to a time that is longer ago says nothing of now.
const RECENT: SignedDuration = UNREAD;

/// What the group that loads has yet to load.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    records: u64,
    /// Of each partition in which anything waits.
    oldest: Vec<Oldest>,
}

/// The first record of a partition that is not loaded. How old the one before it is says nothing:
/// at low rates that one came hours ago.
#[derive(Debug, Clone, Copy)]
struct Oldest {
    /// When the broker took it.
    taken: Timestamp,
    /// When ingest did: earlier, where it lay in the spool.
    received: Timestamp,
}

impl Waiting {
    /// Reads when what waits came. Kafka's words when it does not answer.
    pub(super) async fn read(
        kafka: &KafkaSettings,
        lag: Result<GroupLag, String>,
    ) -> Result<Self, String> {
        let lag = lag?;
        let behind = lag.partitions.iter().filter(|one| one.waiting() > 0);
        let spans: Vec<Span> = behind.map(first).collect();
        if spans.is_empty() {
            return Ok(Self::default());
        }
        let kafka = kafka.clone();
        let asked = tokio::task::spawn_blocking(move || oldest(&kafka, &spans));
        let oldest = asked.await.map_err(|error| error.to_string())?;
        Ok(Self {
            records: lag.waiting(),
            oldest: oldest.map_err(|error| error.to_string())?,
        })
    }

    /// Up to when everything is loaded.
    pub(super) fn through(&self, now: Timestamp) -> Timestamp {
        let settled = now - ON_THE_WAY;
        let behind = self.oldest.iter().filter(|oldest| oldest.taken < settled);
        let received = behind.map(|oldest| oldest.received).min();
        received.map_or(settled, |received| received.min(settled))
    }

    /// Words for it where everything is loaded only up to a time that is long ago: what lay in the spool
    /// waits, however short a time Kafka has it.
    pub(super) fn unjudged(&self, now: Timestamp) -> Option<String> {
        let is_recent = now.duration_since(self.through(now)) < RECENT;
        (!is_recent).then(|| {
            "Records that were received long ago wait to be loaded: nothing behind them is judged."
                .to_owned()
        })
    }

    /// An alert where something waits for too long.
    pub(super) fn alert(&self, now: Timestamp) -> Option<Alert> {
        let since = self.oldest.iter().map(|oldest| oldest.taken).min()?;
        let age = now.duration_since(since);
        (age >= UNREAD).then(|| Alert {
            source: "all sources".to_owned(),
            finding: Finding::Unread {
                waiting: self.records,
                seconds: age.as_secs(),
            },
            since,
            evidence: None,
            learning: false,
            near: None,
        })
    }
}

impl Oldest {
    /// Where the bytes do not say when they were received, the broker does.
    fn of(message: Message<'_>) -> Self {
        let taken = message.broker_time();
        let received = message.identity().map(|identity| identity.received_at);
        Self {
            taken,
            received: received.unwrap_or(taken),
        }
    }
}

/// Where the first record stands that is not loaded: marks of transactions and holes, which are no
/// records, may come before it.
fn first(lag: &PartitionLag) -> Span {
    let from = lag.next().max(lag.low);
    Span {
        partition: lag.partition,
        from,
        to: lag.high,
    }
}

fn oldest(kafka: &KafkaSettings, spans: &[Span]) -> Result<Vec<Oldest>, LogError> {
    let reader = LogReader::open(kafka, &kafka.topic, "postback-watch", Amount::Few)?;
    let mut found = Vec::new();
    reader.read_first(spans, &AtomicBool::new(false), |message| {
        found.push(Oldest::of(message));
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-09-01T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Each with when the broker took it and when ingest received it.
    fn waiting(oldest: &[(&str, &str)]) -> Waiting {
        let oldest = oldest.iter().map(|(taken, received)| Oldest {
            taken: at(taken),
            received: at(received),
        });
        Waiting {
            records: 7,
            oldest: oldest.collect(),
        }
    }

    fn judged(oldest: &[(&str, &str)]) -> (String, Option<String>) {
        let waiting = waiting(oldest);
        let alert = waiting.alert(at(NOW));
        let alert = alert.map(|alert| alert.since.to_string());
        (waiting.through(at(NOW)).to_string(), alert)
    }

    #[test]
    fn what_is_on_its_way_does_not_wait() {
        let settled = ("2026-09-01T11:59:30Z".to_owned(), None);
        assert_eq!(judged(&[]), settled);
        let sent = ("2026-09-01T11:59:58Z", "2026-09-01T11:59:57Z");
        assert_eq!(judged(&[sent]), settled);
    }

    #[test]
    fn what_waits_ends_what_is_judged_and_is_an_alert_after_a_quarter_of_an_hour() {
        let young = ("2026-09-01T11:45:01Z", "2026-09-01T11:45:00Z");
        assert_eq!(judged(&[young]), ("2026-09-01T11:45:00Z".to_owned(), None));
        let old = ("2026-09-01T11:45:00Z", "2026-09-01T11:44:59Z");
        let since = Some("2026-09-01T11:45:00Z".to_owned());
        assert_eq!(
            judged(&[young, old]),
            ("2026-09-01T11:44:59Z".to_owned(), since)
        );
    }

    #[test]
    fn what_lay_in_the_spool_waits_since_kafka_has_it() {
        let spooled = ("2026-09-01T11:58:00Z", "2026-09-01T07:00:00Z");
        assert_eq!(
            judged(&[spooled]),
            ("2026-09-01T07:00:00Z".to_owned(), None)
        );
    }

    #[test]
    fn what_is_judged_up_to_long_ago_says_nothing_of_now() {
        let is_unjudged = |oldest: &[(&str, &str)]| {
            let words = waiting(oldest).unjudged(at(NOW));
            words.is_some()
        };
        assert!(!is_unjudged(&[]));
        let young = ("2026-09-01T11:58:00Z", "2026-09-01T11:45:01Z");
        assert!(!is_unjudged(&[young]));
        let spooled = ("2026-09-01T11:58:00Z", "2026-09-01T11:45:00Z");
        assert!(is_unjudged(&[young, spooled]));
        let on_its_way = ("2026-09-01T11:59:58Z", "2026-09-01T07:00:00Z");
        assert!(!is_unjudged(&[on_its_way]));
    }

    #[test]
    fn bytes_that_are_no_record_were_received_when_the_broker_took_them() {
        let oldest = Oldest::of(Message {
            topic: "postbacks.raw",
            partition: 0,
            offset: 5,
            broker_millis: 1_788_264_000_000,
            bytes: b"{",
        });
        assert_eq!((oldest.taken, oldest.received), (at(NOW), at(NOW)));
    }

    #[test]
    fn reading_begins_where_the_loader_goes_on() {
        let lag = |committed, low| PartitionLag {
            partition: 2,
            committed,
            low,
            high: 10,
        };
        let from = |lag: PartitionLag| (first(&lag).from, first(&lag).to);
        assert_eq!(from(lag(Some(7), 0)), (7, 10));
        assert_eq!(from(lag(None, 4)), (4, 10));
        // Retention has taken what was to be loaded next.
        assert_eq!(from(lag(Some(1), 4)), (4, 10));
    }
}
