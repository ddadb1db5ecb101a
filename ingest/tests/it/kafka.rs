//! librdkafka's producer against the broker that librdkafka brings along for tests.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postback_common::config::{self, Settings};
use postback_ingest::args;
use postback_ingest::breaker::Breaker;
use postback_ingest::confirmation::{Confirmation, Unconfirmed, Waiting};
use postback_ingest::kafka::{KafkaProducer, NotTaken, Producer as _};
use postback_ingest::metrics::{BreakerMetrics, IngestMetrics};
use postback_ingest::topic_watch::{Sight, TopicSight as _};
use postback_service::kafka::{KafkaMetrics, client_config, producer_config};
use postback_service::metrics::Metrics;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tokio::time::timeout;

use crate::support::LIMIT;

/// A broker that takes `rtt` to answer, with the topic.
fn broker(rtt: Duration) -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("postbacks.raw", 4, 1).unwrap();
    cluster.broker_round_trip_time(1, rtt).unwrap();
    cluster
}

fn configured(brokers: &str, ingest: &str, options: &str) -> Settings {
    let text = format!(
        "[kafka]\nbrokers = \"{brokers}\"\n[kafka.options]\n{options}\n[ingest]\n{ingest}\n"
    );
    config::read(Path::new("test.toml"), &text, []).unwrap()
}

fn producer(settings: &Settings) -> (KafkaProducer, Metrics) {
    let mut metrics = Metrics::new();
    let counted = IngestMetrics::register(&mut metrics);
    let kafka = KafkaMetrics::register(&mut metrics);
    (
        KafkaProducer::new(settings, kafka, counted.deliveries).unwrap(),
        metrics,
    )
}

fn offer(producer: &KafkaProducer, record: &[u8]) -> Result<Confirmation, NotTaken> {
    let breaker = Breaker::new(LIMIT, BreakerMetrics::default());
    let (waiting, confirmation) = Waiting::pair(Arc::new(breaker), Instant::now());
    producer.offer(record, waiting).map(|()| confirmation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_confirmed_and_a_slow_confirmation_counts_as_late() {
    let broker = broker(Duration::from_millis(20));
    for (kafka_wait_ms, late) in [(30_000, 0), (1, 2)] {
        let wait = format!("answer_within_ms = 60000\nkafka_wait_ms = {kafka_wait_ms}");
        let settings = configured(&broker.bootstrap_servers(), &wait, "");
        let (producer, metrics) = producer(&settings);
        for record in [&b"one"[..], b"two"] {
            let confirmation = offer(&producer, record).unwrap();
            timeout(LIMIT, confirmation).await.unwrap().unwrap();
        }
        let text = metrics.encode().unwrap();
        for line in [
            "postback_ingest_delivery_seconds_count 2\n".to_owned(),
            format!("postback_ingest_deliveries_late_total {late}\n"),
        ] {
            assert!(text.contains(&line), "{line} is missing from\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_takes_nothing_more() {
    // Nobody listens, so nothing leaves the queue of two.
    let settings = configured("127.0.0.1:1", "", "\"queue.buffering.max.messages\" = 2");
    let (producer, _metrics) = producer(&settings);
    let taken: Vec<_> = (0..3).map(|_| offer(&producer, b"x").map(|_| ())).collect();
    assert_eq!(taken, [Ok(()), Ok(()), Err(NotTaken::QueueFull)]);
    assert_eq!(producer.flush(Duration::ZERO), 2);
}

#[test]
fn the_promise_rests_on_these_settings() {
    let config = producer_config(&configured("b:1", "", "\"linger.ms\" = 7"), "test");
    let expected = [
        ("acks", "all"),
        ("enable.idempotence", "true"),
        ("allow.auto.create.topics", "false"),
        ("compression.type", "lz4"),
        ("reconnect.backoff.max.ms", "1000"),
        // An operator may tune what no promise rests on.
        ("linger.ms", "7"),
        // Six bytes for each of 16,384 + 65,536, and 128 KiB.
        ("message.max.bytes", "622592"),
    ];
    for (option, value) in expected {
        assert_eq!(config.get(option), Some(value), "{option}");
    }
}

#[test]
fn options_that_librdkafka_refuses_end_the_start_and_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    for (options, expected) in [
        (
            "nonsense = 3\n\"sasl.pasword\" = \"canary\"",
            "2 settings are refused\n  kafka.options.\"nonsense\": No such",
        ),
        (
            "\"max.in.flight\" = 100",
            "kafka.options.\"max.in.flight\" = \"100\": `max.in.flight` must be set <= 5",
        ),
    ] {
        let text = format!("[kafka]\nbrokers = \"127.0.0.1:1\"\n[kafka.options]\n{options}\n");
        std::fs::write(&file, text).unwrap();
        let error = args::load_to_start(&file).unwrap_err().to_string();
        assert!(
            error.contains(expected) && !error.contains("canary"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_partitions_take_turns_unless_the_operator_has_chosen() {
    let sticky = "\"sticky.partitioning.linger.ms\" = 600000";
    for (options, expected) in [("", [2, 2, 2, 2]), (sticky, [0, 0, 0, 8])] {
        // Each record is confirmed long after its partition's turn is over.
        let broker = broker(Duration::from_millis(20));
        let settings = configured(&broker.bootstrap_servers(), "", options);
        let (producer, _metrics) = producer(&settings);
        for _ in 0..8 {
            let confirmation = offer(&producer, b"record").unwrap();
            timeout(LIMIT, confirmation).await.unwrap().unwrap();
        }
        let reader: BaseConsumer = client_config(&settings.kafka, "test").create().unwrap();
        let held = |partition| {
            let held = reader.fetch_watermarks("postbacks.raw", partition, LIMIT);
            held.unwrap().1
        };
        let mut held = tokio::task::block_in_place(|| [0, 1, 2, 3].map(held));
        held.sort_unstable();
        assert_eq!(held, expected, "{options}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_is_seen_missed_and_seen_again() {
    let cluster = MockCluster::new(1).unwrap();
    let settings = configured(&cluster.bootstrap_servers(), "", "");
    let (producer, _metrics) = producer(&settings);
    assert_eq!(producer.look(LIMIT), Sight::Missing);
    cluster.create_topic("postbacks.raw", 4, 1).unwrap();
    // The producer's id comes in its own time, and is told once a second.
    let until = Instant::now() + LIMIT;
    while producer.look(LIMIT) != Sight::Present {
        assert!(Instant::now() < until, "{:?}", producer.look(LIMIT));
    }
    let (lonely, _metrics) = self::producer(&configured("127.0.0.1:1", "", ""));
    let Sight::NoAnswer(why) = lonely.look(Duration::from_millis(50)) else {
        panic!("nobody listens there")
    };
    assert!(
        why.starts_with("Kafka at 127.0.0.1:1 does not answer ("),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_that_answers_and_confirms_nothing_is_seen_until_it_confirms() {
    let broker = broker(Duration::ZERO);
    let settings = configured(&broker.bootstrap_servers(), "", "");
    let (producer, _metrics) = producer(&settings);
    let confirmed = offer(&producer, b"one").unwrap();
    timeout(LIMIT, confirmed).await.unwrap().unwrap();
    let look = || tokio::task::block_in_place(|| producer.look(LIMIT));
    let until = Instant::now() + LIMIT;
    while look() != Sight::Present {
        assert!(Instant::now() < until, "{:?}", look());
    }
    let denied = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1_000];
    let mut seen = Sight::Present;
    while seen == Sight::Present {
        broker.request_errors(RDKafkaApiKey::Produce, &denied);
        let lost = offer(&producer, b"two").unwrap();
        let told = timeout(LIMIT, lost).await.unwrap();
        assert!(matches!(told, Err(Unconfirmed::Failed(_))), "{told:?}");
        seen = look();
        assert!(Instant::now() < until, "{seen:?}");
    }
    let known = "last: TopicAuthorizationFailed".to_owned();
    assert_eq!(seen, Sight::Unconfirmed(known));

    broker.clear_request_errors(RDKafkaApiKey::Produce);
    let confirmed = offer(&producer, b"three").unwrap();
    timeout(LIMIT, confirmed).await.unwrap().unwrap();
    assert_eq!(look(), Sight::Present);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fatal_error_the_client_is_made_anew() {
    let broker = broker(Duration::ZERO);
    let settings = configured(&broker.bootstrap_servers(), "", "");
    let (producer, metrics) = producer(&settings);
    let confirmed = offer(&producer, b"one").unwrap();
    timeout(LIMIT, confirmed).await.unwrap().unwrap();
    // A gap in its sequence means that a record got lost: librdkafka then stops for good.
    broker.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
    );
    let lost = offer(&producer, b"two").unwrap();
    let told = timeout(LIMIT, lost).await.unwrap();
    assert!(matches!(told, Err(Unconfirmed::Failed(_))), "{told:?}");
    assert!(matches!(
        offer(&producer, b"three"),
        Err(NotTaken::Refused(_))
    ));
    let trouble = producer.trouble();
    timeout(LIMIT, trouble.notified())
        .await
        .expect("a look is asked for");

    tokio::task::block_in_place(|| producer.look(LIMIT));
    let confirmed = offer(&producer, b"four").unwrap();
    timeout(LIMIT, confirmed).await.unwrap().unwrap();
    let text = metrics.encode().unwrap();
    let line = "postback_ingest_producer_rebuilds_total 1\n";
    assert!(text.contains(line), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_refuses_for_itself_is_told_apart() {
    let broker = broker(Duration::ZERO);
    let settings = configured(&broker.bootstrap_servers(), "", "");
    let (producer, _metrics) = producer(&settings);
    broker.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE],
    );
    let refused = offer(&producer, b"large").unwrap();
    let told = timeout(LIMIT, refused).await.unwrap();
    let expected = Unconfirmed::Refused("MessageSizeTooLarge".to_owned());
    assert_eq!(told, Err(expected));
    let too_large = vec![b'x'; 700_000];
    assert!(matches!(
        offer(&producer, &too_large),
        Err(NotTaken::TooLarge)
    ));
}
