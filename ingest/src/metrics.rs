//! What ingest counts. Handles are resolved once, not looked up for each request.

use std::sync::Arc;
use std::time::Duration;

use postback_common::name::{KeyName, SourceName};
use postback_common::reason::Refusal;
use postback_service::metrics::{Latency, Metrics};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::answer::refused_with;
use crate::breaker::Cause;
use crate::storage::Way;

/// Upper bounds in seconds around the promises: answers are due after 0.25 s, networks give 0.4 s.
const BOUNDS: [f64; 14] = [
    0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 1.0,
];

/// Upper bounds in seconds up to the time after which Kafka's client gives a record up.
const DELIVERY_BOUNDS: [f64; 14] = [
    0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0,
];

/// All metrics `postback_ingest_…`. Cloning shares them.
#[derive(Debug, Clone)]
pub struct IngestMetrics {
    requests: Family<RequestLabels, Counter>,
    stored: Family<KeyLabels, Counter>,
    refusals: Arc<[Counter]>,
    /// Requests to no known key, by refusal: they count under an empty source and key.
    strangers: KeyMetrics,
    answers: [Latency; 3],
    /// Requests being answered.
    pub in_flight: Gauge,
    /// Open connections.
    pub connections: Gauge,
    /// Requests whose connection broke before the answer.
    pub abandoned: Counter,
    /// Reloads of the sources that were taken, and that were refused.
    pub reloads: [Counter; 2],
    /// What became of records handed to Kafka.
    pub deliveries: DeliveryMetrics,
    /// What became of the records of refusals.
    pub refusal_records: RefusalRecordMetrics,
    /// Whether Kafka is passed over.
    pub breaker: BreakerMetrics,
}

/// Whether Kafka is passed over, and how often that began.
#[derive(Debug, Clone, Default)]
pub struct BreakerMetrics {
    /// 1 while the breaker is open.
    pub open: Gauge,
    openings: Family<CauseLabel, Counter>,
}

/// What became of records handed to Kafka.
#[derive(Debug, Clone)]
pub struct DeliveryMetrics {
    /// Records of which Kafka's client has said nothing yet.
    pub open: Gauge,
    /// From handing a record over to Kafka's confirmation.
    pub seconds: Latency,
    /// Confirmations later than `kafka_wait_ms`.
    pub late: Counter,
    /// Records that Kafka did not confirm at all, by librdkafka's name of the error.
    pub failures: Family<CodeLabel, Counter>,
    /// How often the client was made anew.
    pub rebuilds: Counter,
}

/// What became of the records of refusals: each refusal counts once.
#[derive(Debug, Clone)]
pub struct RefusalRecordMetrics {
    /// It has a record in Kafka.
    pub published: Counter,
    /// There were too many of its reason.
    pub suppressed: Counter,
    /// Kafka did not take its record.
    pub dropped: Counter,
}

/// Counters of one URL key, by outcome.
#[derive(Debug, Clone)]
pub struct KeyMetrics {
    stored: Counter,
    /// Answers that say so.
    acknowledged: Counter,
    /// `HEAD` requests.
    pub tried: Counter,
    refused: Arc<[Counter]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    source: String,
    key: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabels {
    source: String,
    key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WayLabel {
    way: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabel {
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// A name out of librdkafka's enum of errors, which bounds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabel {
    /// Such as `MessageTimedOut`.
    pub code: String,
}

impl IngestMetrics {
    /// Registers them.
    pub fn register(metrics: &mut Metrics) -> Self {
        let part = metrics.part("ingest");
        let requests = Family::default();
        let help = "Requests by source, name of the URL key and status; without a known key both are empty";
        part.register("requests", help, requests.clone());
        let stored = Family::default();
        let help = "Stored postbacks by source and name of the URL key";
        part.register("stored", help, stored.clone());
        let refusals = Family::<ReasonLabel, Counter>::default();
        let help = "Requests that were not accepted, by reason";
        part.register("refusals", help, refusals.clone());
        let reloads = Family::<OutcomeLabel, Counter>::default();
        let help = "Reloads of the sources, by outcome";
        part.register("reloads", help, reloads.clone());
        let records = Family::<OutcomeLabel, Counter>::default();
        let help = "Refusals by what became of their records: published, suppressed by the rate limit, or dropped because Kafka did not take them";
        part.register("refused_records", help, records.clone());
        let record = |outcome| records.get_or_create_owned(&OutcomeLabel { outcome });
        let by_reason = |refusal: &Refusal| {
            let reason = refusal.as_str();
            refusals.get_or_create_owned(&ReasonLabel { reason })
        };
        let answers =
            Family::<WayLabel, Latency, _>::new_with_constructor(|| Latency::new(&BOUNDS));
        let help = "Time from the last byte of a request to its answer, by the way that was taken";
        part.register("answer_seconds", help, answers.clone());
        let by_way = |way| answers.get_or_create_owned(&WayLabel { way });
        let by_outcome = |outcome| reloads.get_or_create_owned(&OutcomeLabel { outcome });
        let all = Self {
            // Nothing of theirs is stored.
            strangers: KeyMetrics::new(&requests, "", "", 200, Counter::default()),
            requests,
            stored,
            refusals: Refusal::ALL.iter().map(by_reason).collect(),
            answers: ["kafka", "spool", "refused"].map(by_way),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            abandoned: Counter::default(),
            reloads: ["taken", "refused"].map(by_outcome),
            deliveries: DeliveryMetrics {
                open: Gauge::default(),
                seconds: Latency::new(&DELIVERY_BOUNDS),
                late: Counter::default(),
                failures: Family::default(),
                rebuilds: Counter::default(),
            },
            breaker: BreakerMetrics::default(),
            refusal_records: RefusalRecordMetrics {
                published: record("published"),
                suppressed: record("suppressed"),
                dropped: record("dropped"),
            },
        };
        let help = "Requests being answered";
        part.register("requests_in_flight", help, all.in_flight.clone());
        part.register("connections", "Open connections", all.connections.clone());
        let help = "Requests whose connection broke before the answer";
        part.register("requests_abandoned", help, all.abandoned.clone());
        let deliveries = all.deliveries.clone();
        let help = "Records handed to Kafka's client and neither confirmed nor given up";
        part.register("deliveries_open", help, deliveries.open);
        let help = "Time from handing a record to Kafka's client to Kafka's confirmation";
        part.register("delivery_seconds", help, deliveries.seconds);
        let help = "Confirmations later than ingest.kafka_wait_ms";
        part.register("deliveries_late", help, deliveries.late);
        let help = "Records that Kafka did not confirm at all, by error";
        part.register("deliveries_failed", help, deliveries.failures);
        let help = "How often Kafka's client was made anew after a fatal error";
        part.register("producer_rebuilds", help, deliveries.rebuilds);
        let help = "1 while Kafka does not confirm in time and is passed over";
        part.register("breaker_open", help, all.breaker.open.clone());
        let help = "How often Kafka was passed over from then on, by cause";
        part.register("breaker_openings", help, all.breaker.openings.clone());
        all
    }

    /// The counters of one URL key; `stored` is the status of its successes.
    #[must_use]
    pub fn key(&self, source: &SourceName, key: &KeyName, stored: u16) -> KeyMetrics {
        let labels = KeyLabels {
            source: source.as_str().to_owned(),
            key: key.as_str().to_owned(),
        };
        let count = self.stored.get_or_create_owned(&labels);
        KeyMetrics::new(&self.requests, source.as_str(), key.as_str(), stored, count)
    }

    /// Notes how long an answer took; without a way it was no acknowledgement.
    pub fn answered(&self, way: Option<Way>, took: Duration) {
        let [kafka, spool, refused] = &self.answers;
        match way {
            Some(Way::Kafka) => kafka.observe(took),
            Some(Way::Spool) => spool.observe(took),
            None => refused.observe(took),
        }
    }

    /// Counts a refusal, under its key where that is known.
    pub fn refused(&self, refusal: Refusal, key: Option<&KeyMetrics>) {
        let by_status = &key.unwrap_or(&self.strangers).refused;
        for counters in [&self.refusals, by_status] {
            if let Some(counter) = counters.get(position(refusal)) {
                counter.inc();
            }
        }
    }
}

impl BreakerMetrics {
    /// Counts an opening.
    pub fn opened(&self, cause: Cause) {
        self.by_cause(cause).inc();
    }

    /// How often it opened for this cause.
    #[must_use]
    pub fn openings(&self, cause: Cause) -> u64 {
        self.by_cause(cause).get()
    }

    fn by_cause(&self, cause: Cause) -> Counter {
        let cause = cause.as_str();
        self.openings.get_or_create_owned(&CauseLabel { cause })
    }
}

impl KeyMetrics {
    fn new(
        requests: &Family<RequestLabels, Counter>,
        source: &str,
        key: &str,
        status: u16,
        stored: Counter,
    ) -> Self {
        let counter = |status| {
            requests.get_or_create_owned(&RequestLabels {
                source: source.to_owned(),
                key: key.to_owned(),
                status,
            })
        };
        let refused = |refusal: &Refusal| counter(refused_with(*refusal).0.as_u16());
        Self {
            stored,
            acknowledged: counter(status),
            tried: counter(200),
            refused: Refusal::ALL.iter().map(refused).collect(),
        }
    }

    /// Counts a stored postback, and its answer.
    pub fn stored(&self) {
        self.stored.inc();
        self.acknowledged.inc();
    }
}

/// The variants have no values of their own, so they are numbered as they stand.
const fn position(refusal: Refusal) -> usize {
    refusal as usize
}
