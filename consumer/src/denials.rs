//! What Kafka does not let a member do. librdkafka says it once, and then tries for ever in silence:
//! it is kept until something shows that it is so no more.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_service::kafka::rdkafka::statistics::Statistics;
use tracing::{debug, warn};

/// What keeps a member from its work until somebody mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    /// There is no such topic.
    NoTopic = 1,
    /// The user may not join the group.
    Group = 2,
    /// The user may not read the topic.
    Topic = 4,
    /// The user may not use the cluster.
    Cluster = 8,
}

impl Denial {
    const ALL: [Self; 4] = [Self::NoTopic, Self::Group, Self::Topic, Self::Cluster];

    fn of(code: RDKafkaErrorCode) -> Option<Self> {
        match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                Some(Self::NoTopic)
            }
            RDKafkaErrorCode::GroupAuthorizationFailed => Some(Self::Group),
            RDKafkaErrorCode::TopicAuthorizationFailed => Some(Self::Topic),
            RDKafkaErrorCode::ClusterAuthorizationFailed => Some(Self::Cluster),
            _ => None,
        }
    }
}

/// What a member was denied, if anything.
#[derive(Debug)]
pub(crate) struct Denials {
    topic: String,
    group: String,
    /// With which the names of all groups begin.
    prefix: String,
    denied: AtomicU8,
    /// Errors that were logged already.
    told: Mutex<Vec<RDKafkaErrorCode>>,
}

impl Denials {
    pub(crate) fn new(topic: &str, group: &str, prefix: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            group: group.to_owned(),
            prefix: prefix.to_owned(),
            denied: AtomicU8::new(0),
            told: Mutex::default(),
        }
    }

    /// Takes note of an error of the member, and logs it where it is news.
    pub(crate) fn hear(&self, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        if let Some(denial) = code.and_then(Denial::of) {
            self.denied.fetch_or(denial as u8, Ordering::Relaxed);
        }
        let is_news = code.is_none_or(|code| {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let is_news = !told.contains(&code);
            if is_news {
                told.push(code);
            }
            is_news
        });
        let (group, topic) = (&self.group, &self.topic);
        if is_news {
            warn!(group, topic, %error, "trouble with Kafka: it is tried again, and said once until partitions are assigned");
        } else {
            debug!(group, topic, %error, "trouble with Kafka");
        }
    }

    /// The member got what it asked the group for: to join, with these partitions or none.
    pub(crate) fn joined(&self, has_partitions: bool) {
        self.lift(Denial::Group);
        self.lift(Denial::Cluster);
        if has_partitions {
            self.lift(Denial::NoTopic);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.clear();
    }

    /// The group took offsets.
    pub(crate) fn committed(&self) {
        self.lift(Denial::Group);
    }

    /// A record came. Called for each.
    pub(crate) fn read(&self) {
        if self.denied.load(Ordering::Relaxed) != 0 {
            self.lift(Denial::NoTopic);
            self.lift(Denial::Topic);
        }
    }

    fn lift(&self, denial: Denial) {
        self.denied.fetch_and(!(denial as u8), Ordering::Relaxed);
    }

    /// What is denied as things stand, with what to do.
    ///
    /// Where nothing new is written no record shows that the topic may be read again: what is fetched
    /// has an end then, also where that is empty.
    pub(crate) fn current(&self, statistics: &Statistics) -> Option<(String, String)> {
        let denied = self.denied.load(Ordering::Relaxed);
        let is_so = |denial: &Denial| {
            denied & *denial as u8 != 0
                && (*denial != Denial::Topic || !is_fetched(statistics, &self.topic))
        };
        let first = Denial::ALL.into_iter().find(is_so)?;
        Some((self.reason(first), self.remedy(first)))
    }

    fn reason(&self, denial: Denial) -> String {
        let Self { group, topic, .. } = self;
        match denial {
            Denial::NoTopic => format!("topic {topic} does not exist"),
            Denial::Group => format!("Kafka refuses to let group {group} be joined"),
            Denial::Topic => format!("Kafka refuses to let topic {topic} be read"),
            Denial::Cluster => "Kafka refuses to let the cluster be used".to_owned(),
        }
    }

    fn remedy(&self, denial: Denial) -> String {
        let Self { topic, prefix, .. } = self;
        match denial {
            Denial::NoTopic => "make it with `postback migrate`".to_owned(),
            Denial::Group | Denial::Topic | Denial::Cluster => format!(
                "allow the user in kafka.options to Read topic {topic} and groups with the prefix {prefix}"
            ),
        }
    }
}

/// Partitions of the topic are being fetched, and the brokers say of all of them where they end: in an
/// answer that refuses they do not.
fn is_fetched(statistics: &Statistics, topic: &str) -> bool {
    let Some(topic) = statistics.topics.get(topic) else {
        return false;
    };
    let active = || (topic.partitions.values()).filter(|found| found.fetch_state == "active");
    active().next().is_some() && active().all(|found| found.hi_offset >= 0)
}

#[cfg(test)]
mod tests {
    use postback_service::kafka::rdkafka::statistics;

    use super::*;

    fn denials() -> Denials {
        Denials::new("t", "loader-g1", "loader")
    }

    fn error(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::MessageConsumption(code)
    }

    /// Of a member that fetches partitions that end there.
    fn fetching(ends: &[i64]) -> Statistics {
        let partition = |end: &i64| statistics::Partition {
            fetch_state: "active".to_owned(),
            hi_offset: *end,
            ..statistics::Partition::default()
        };
        let partitions = (0..).zip(ends.iter().map(partition)).collect();
        let topic = statistics::Topic {
            partitions,
            ..statistics::Topic::default()
        };
        Statistics {
            topics: [("t".to_owned(), topic)].into(),
            ..Statistics::default()
        }
    }

    fn said(denials: &Denials, statistics: &Statistics) -> Option<String> {
        denials.current(statistics).map(|(reason, _)| reason)
    }

    #[test]
    fn a_topic_that_may_not_be_read_is_said_while_it_is_not_fetched() {
        let (denials, denied) = (denials(), fetching(&[-1, 7]));
        assert_eq!(said(&denials, &denied), None, "librdkafka knows no end yet");
        denials.hear(&error(RDKafkaErrorCode::TopicAuthorizationFailed));
        // The group lets us join, and what then is to be fetched was refused before: it is not said again.
        denials.joined(true);
        let refused = Some("Kafka refuses to let topic t be read".to_owned());
        assert_eq!(said(&denials, &denied), refused);
        assert_eq!(said(&denials, &fetching(&[])), refused);
        // Nothing new is written, and yet it is fetched.
        assert_eq!(said(&denials, &fetching(&[0, 7])), None);
        denials.read();
        assert_eq!(said(&denials, &denied), None);
    }

    #[test]
    fn a_group_is_open_again_when_it_is_joined_or_takes_offsets() {
        let (denials, none) = (denials(), fetching(&[]));
        for lift in [
            (|denials| denials.joined(false)) as fn(&Denials),
            Denials::committed,
        ] {
            denials.hear(&error(RDKafkaErrorCode::GroupAuthorizationFailed));
            // Of what was fetched before.
            denials.read();
            let refused = Some("Kafka refuses to let group loader-g1 be joined".to_owned());
            assert_eq!(said(&denials, &none), refused);
            lift(&denials);
            assert_eq!(said(&denials, &none), None);
        }
    }

    #[test]
    fn a_missing_topic_is_there_when_it_has_partitions_or_records() {
        let (denials, none) = (denials(), fetching(&[]));
        for lift in [
            (|denials| denials.joined(true)) as fn(&Denials),
            Denials::read,
        ] {
            denials.hear(&error(RDKafkaErrorCode::UnknownTopicOrPartition));
            denials.joined(false);
            let missing = Some("topic t does not exist".to_owned());
            assert_eq!(said(&denials, &none), missing);
            lift(&denials);
            assert_eq!(said(&denials, &none), None);
        }
    }

    #[test]
    fn other_errors_are_no_denial_and_logged_once() {
        let denials = denials();
        for code in [
            RDKafkaErrorCode::BrokerTransportFailure,
            RDKafkaErrorCode::AllBrokersDown,
            RDKafkaErrorCode::BrokerTransportFailure,
        ] {
            denials.hear(&error(code));
        }
        assert_eq!(said(&denials, &fetching(&[])), None);
        assert_eq!(denials.told.lock().unwrap().len(), 2);
        denials.joined(true);
        assert!(denials.told.lock().unwrap().is_empty());
    }
}
