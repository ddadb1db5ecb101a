//! Where records go, what watches over it, and how it is emptied at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postback_common::config::Settings;
use postback_service::kafka::KafkaMetrics;
use postback_service::lifecycle::{ExitCode, Shutdown};
use postback_service::metrics::Metrics;
use postback_service::probes::{Probe, Readiness};
use postback_spool::disk::RealDisk;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::breaker::Breaker;
use crate::kafka::{KafkaProducer, Producer};
use crate::metrics::IngestMetrics;
use crate::run::StartError;
use crate::spool::{self, Drainer, Left, SpoolFigures, SpoolProbes, Spooler};
use crate::storage::Storage;
use crate::topic_watch::{self, TopicMissing, TopicSight};

/// After the last request, time for Kafka, the disk and the drain with what it brought.
const AFTERWARDS: Duration = Duration::from_millis(250);

/// What came to its end while requests were still taken. What did not gets no more time afterwards:
/// senders wait for the successor then.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settled {
    /// Kafka confirms what it is handed.
    flushed: bool,
    /// The spool was empty.
    drained: bool,
}

impl Settled {
    /// Time for what the last requests left with Kafka's client.
    pub(crate) const fn flush_within(self) -> Duration {
        afterwards(self.flushed)
    }
}

const fn afterwards(settled: bool) -> Duration {
    if settled { AFTERWARDS } else { Duration::ZERO }
}

/// Kafka's client and, where there is one, the spool.
pub(crate) struct Places {
    producer: Arc<KafkaProducer>,
    missing: TopicMissing,
    breaker: Arc<Breaker>,
    spooler: Option<Arc<Spooler>>,
    probe: Probe,
}

impl Places {
    /// Makes Kafka's client; opens nothing yet. `probe` is Kafka's.
    pub(crate) fn new(
        settings: &Settings,
        metrics: &mut Metrics,
        counted: &IngestMetrics,
        probe: Probe,
    ) -> Result<Self, StartError> {
        let ingest = &settings.ingest;
        let kafka = KafkaMetrics::register(metrics);
        let producer = KafkaProducer::new(settings, kafka, counted.deliveries.clone());
        let breaker = Breaker::new(ingest.kafka_wait, counted.breaker.clone());
        let spooler = ingest
            .spool
            .as_ref()
            .map(|spool| Arc::new(Spooler::new(spool, ingest, Arc::new(RealDisk))));
        Ok(Self {
            producer: Arc::new(producer.map_err(StartError::Kafka)?),
            missing: TopicMissing::default(),
            breaker: Arc::new(breaker),
            spooler,
            probe,
        })
    }

    fn producer(&self) -> Arc<dyn Producer> {
        Arc::clone(&self.producer) as Arc<dyn Producer>
    }

    /// For the requests.
    pub(crate) fn storage(&self) -> Storage {
        Storage::new(
            self.producer(),
            self.missing.clone(),
            Arc::clone(&self.breaker),
            self.spooler.clone(),
        )
    }

    /// Opens and drains the spool from now on, if there is one.
    pub(crate) fn start_spool(
        &self,
        readiness: &Readiness,
        metrics: &mut Metrics,
        counted: &IngestMetrics,
        end: &Shutdown,
    ) -> Result<Option<Drainer>, StartError> {
        let Some(spooler) = &self.spooler else {
            warn!("no ingest.spool_dir: while Kafka is away, senders get 503");
            return Ok(None);
        };
        let figures = SpoolFigures::new(Arc::clone(spooler));
        metrics.collect(figures.clone());
        let probes = SpoolProbes {
            spool: readiness.one_of("storage", "spool"),
            stranded: readiness.notice("stranded"),
        };
        let watching = spool::watch(Arc::clone(spooler), figures, probes, end.clone());
        tokio::spawn(watching);
        let drainer = Drainer::start(
            Arc::clone(spooler),
            self.producer(),
            self.missing.clone(),
            Arc::clone(&self.breaker),
            counted,
        )?;
        Ok(Some(drainer))
    }

    /// Keeps an eye on the topic until `end`.
    pub(crate) fn watch_topic(&self, settings: &Arc<Settings>, end: &Shutdown) {
        let judged = Arc::clone(settings);
        tokio::spawn(topic_watch::watch(
            Arc::clone(&self.producer) as Arc<dyn TopicSight>,
            settings.kafka.topic.clone(),
            self.missing.clone(),
            self.probe.clone(),
            move || drop(tokio::spawn(topic_watch::judge(Arc::clone(&judged)))),
            end.clone(),
        ));
    }

    /// Brings to Kafka what can be brought there `within` that time. Requests may go on.
    pub(crate) async fn settle(&self, spool: Option<&Drainer>, within: Duration) -> Settled {
        let flushing = async {
            let begun = Instant::now();
            let unconfirmed = self.flush(within).await;
            // It ends when it sees none. There may be new ones by now.
            unconfirmed.is_ok_and(|records| records == 0 || begun.elapsed() < within)
        };
        let draining = async {
            match spool {
                Some(drainer) => drainer.comes_to_rest(within).await,
                None => true,
            }
        };
        let (flushed, drained) = tokio::join!(flushing, draining);
        Settled { flushed, drained }
    }

    /// Says how many records Kafka has not confirmed by then.
    fn flush(&self, within: Duration) -> JoinHandle<usize> {
        let producer = Arc::clone(&self.producer);
        tokio::task::spawn_blocking(move || producer.flush(within))
    }

    /// After the last request: brings to Kafka what is still to come to its end. What then stays in
    /// the spool is drained by the next process.
    pub(crate) async fn empty(&self, spool: Option<Drainer>, settled: Settled) -> ExitCode {
        // For all that follows: the disk may take its time twice.
        let due = Instant::now() + afterwards(settled.drained);
        let flushing = self.flush(settled.flush_within());
        let closing = self.spooler.clone().map(|spooler| {
            // Nothing comes any more, so this takes one write.
            tokio::task::spawn_blocking(move || spooler.close(AFTERWARDS))
        });
        if let Some(closing) = closing
            && let Err(error) = closing.await
        {
            warn!(%error, "the spool was not closed");
        }
        let left = match spool {
            Some(drainer) => {
                let left = due.saturating_duration_since(Instant::now());
                drainer.finish(left).await
            }
            None => Left::default(),
        };
        match flushing.await {
            Ok(0) => {}
            Ok(records) if self.spooler.is_some() => {
                info!(
                    records,
                    "Kafka has not confirmed these records; what was acknowledged of them is in the spool"
                );
            }
            Ok(records) => warn!(
                records,
                "Kafka has not confirmed these records; their senders were told 503"
            ),
            Err(error) => warn!(%error, "the producer was not flushed"),
        }
        if left == Left::default() {
            return ExitCode::Done;
        }
        let Left {
            records,
            bytes,
            stranded,
            unknown,
        } = left;
        if records > 0 || bytes > 0 {
            let remedy = "start postback-ingest again, or run `postback spool drain`";
            warn!(
                records_counted = records,
                bytes, remedy, "records stay in the spool"
            );
        }
        if stranded > 0 {
            warn!(
                directories = stranded,
                remedy = spool::STRANDED_REMEDY,
                "records may stay in directories of the spool that could not be taken over"
            );
        }
        if unknown {
            let remedy = "look with `postback spool status`, and start postback-ingest again";
            warn!(remedy, "records may stay in the spool: nobody could look");
        }
        ExitCode::Found
    }
}
