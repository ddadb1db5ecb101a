//! A topic that is missing, and one that comes.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postback_ingest::limits::Limits;
use postback_ingest::topic_watch::{Sight, TopicSight, watch};
use postback_service::probes::Readiness;
use tokio::sync::Notify;

use crate::support::{Ingest, Kafka, PATH, get, settings, until};

struct FakeSight(Mutex<Sight>);

impl TopicSight for FakeSight {
    fn look(&self, _: Duration) -> Sight {
        self.0.lock().unwrap().clone()
    }

    fn trouble(&self) -> Arc<Notify> {
        Arc::default()
    }
}

#[tokio::test]
async fn a_missing_topic_is_named_refused_at_once_and_recovered_from() {
    // A minute: an answer that waited for Kafka would fail the test's own limit.
    let due = settings("answer_within_ms = 60000", "");
    let ingest = Ingest::with(Kafka::Silent, &due, Limits::default()).await;
    let sight = Arc::new(FakeSight(Mutex::new(Sight::Missing)));
    let readiness = Readiness::new();
    let times = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&times);
    tokio::spawn(watch(
        Arc::clone(&sight) as Arc<dyn TopicSight>,
        "postbacks.raw".to_owned(),
        ingest.missing.clone(),
        readiness.probe("kafka"),
        move || {
            counted.fetch_add(1, Relaxed);
        },
        ingest.shutdown.clone(),
    ));
    let told = || {
        readiness.report()[0]
            .failure
            .clone()
            .map(|failure| failure.to_string())
    };
    let expected = "topic postbacks.raw does not exist: run `postback migrate`";
    until("the missing topic is named", || {
        told().as_deref() == Some(expected)
    })
    .await;
    let refused = ingest.exchange(get(PATH)).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(ingest.kafka.records().is_empty());

    *sight.0.lock().unwrap() = Sight::NoAnswer("Kafka at b:1 does not answer".to_owned());
    until("the silence is named", || {
        told().is_some_and(|told| told.starts_with("Kafka at b:1 does not answer: start Kafka"))
    })
    .await;
    assert!(
        !ingest.missing.is_known(),
        "silence is not absence: records are tried"
    );

    for (known, shown) in [("", ""), ("last: X", " (last: X)")] {
        *sight.0.lock().unwrap() = Sight::Unconfirmed(known.to_owned());
        let expected = format!(
            "Kafka answers, but confirms nothing{shown}: see that min.insync.replicas of the topic \
             are in sync, and that this user may write to it (ACL Write)"
        );
        until("it is named", || told().as_ref() == Some(&expected)).await;
    }

    *sight.0.lock().unwrap() = Sight::Present;
    until("it is ready", || readiness.is_ready()).await;
    assert_eq!(times.load(Relaxed), 1, "it came into sight once");
}
