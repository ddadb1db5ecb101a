//! Loads what ingest refused: `kafka.refused_topic` into the table of refusals.
//!
//! Beside the postbacks and out of their way: a group, a client and a task of its own, small batches,
//! and nothing here makes the process unready. As with postbacks a batch is inserted before its
//! offsets are committed, and what is loaded twice is folded by the view. Trouble is waited out for
//! ever, visibly. What cannot be read is counted and skipped: it is a trace, not a postback.
//!
//! While ClickHouse is away Kafka is not polled. After five minutes (`max.poll.interval.ms`) another
//! member may try, and this one joins again later.

mod batch;
mod member;
mod metrics;

pub(crate) use metrics::RefusalMetrics;

use std::sync::Arc;
use std::time::Duration;

use clickhouse::Client;
use postback_common::config::Settings;
use postback_service::kafka::explain;
use postback_service::kafka::rdkafka::consumer::{CommitMode, Consumer as _};
use postback_service::kafka::rdkafka::error::KafkaError;
use postback_service::lifecycle::Shutdown;
use postback_service::probes::Probe;
use postback_service::topic::{self, Ensured, Purpose};
use postback_store::insert;
use tracing::{debug, info, warn};

use crate::kafka::offsets;
use batch::Batch;
use member::Member;

/// First pause before something is tried again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What loading refusals needs.
#[derive(Clone)]
pub(crate) struct Refusals {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    pub(crate) metrics: RefusalMetrics,
    /// A notice: says what is waited for.
    pub(crate) notice: Probe,
}

impl Refusals {
    /// Loads until shutdown. What was not committed by then is loaded again.
    pub(crate) async fn load(self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = self.make_topic() => {}
        }
        let member = match member::join(&self.settings, self.metrics.clone(), &self.notice) {
            Ok(member) => Arc::new(member),
            Err(error) => {
                let words = explain(&self.settings.kafka, &error);
                return self.notice.fail(words, "correct [kafka.options]");
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.load_for_ever(&member) => {}
            never = member.context().bootstrap.keep(member.client()) => match never {},
        }
        // Leaving the group blocks.
        let leaving = tokio::task::spawn_blocking(move || drop(member));
        if let Err(error) = leaving.await {
            debug!(%error, "leaving the group of refusals failed");
        }
    }

    async fn load_for_ever(&self, member: &Arc<Member>) {
        loop {
            match Batch::collect(member).await {
                Ok(batch) => {
                    self.store(&batch).await;
                    self.commit(member, &batch).await;
                }
                Err(error) => {
                    let remedy = "see the log; start the consumer again, nothing is lost";
                    return self.notice.fail(error.to_string(), remedy);
                }
            }
        }
    }

    async fn make_topic(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match topic::ensure(&self.settings, Purpose::Refused).await {
                Ok(Ensured::Created) => {
                    let topic = &self.settings.kafka.refused_topic;
                    return info!(topic, "made the topic");
                }
                Ok(Ensured::Existed) => return,
                Err(error) => self.notice.fail(error.to_string(), error.remedy()),
            }
            wait(&mut pause).await;
        }
    }

    /// Tries until it is stored.
    async fn store(&self, batch: &Batch) {
        let (records, unreadable) = batch.records();
        if let Some((error, many)) = unreadable {
            self.metrics.skipped.inc_by(many);
            warn!(many, %error, "records of refusals that cannot be read are skipped");
        }
        let mut pause = FIRST_PAUSE;
        while let Err(error) = insert::refusals(&self.client, records.iter().map(batch::row)).await
        {
            self.metrics.waiting.set(1);
            let reason = format!("{}: {}", error.attempt, error.message);
            self.notice.fail(reason, error.loaders_remedy());
            wait(&mut pause).await;
        }
        self.metrics.waiting.set(0);
        self.metrics.loaded.inc_by(records.len() as u64);
        self.notice.pass();
    }

    /// An offset that is not committed is loaded again, at worst.
    async fn commit(&self, member: &Arc<Member>, batch: &Batch) {
        let (member, next) = (Arc::clone(member), batch.next());
        let topic = self.settings.kafka.refused_topic.clone();
        let committing = tokio::task::spawn_blocking(move || {
            member.commit(&offsets(&topic, &next)?, CommitMode::Sync)?;
            Ok::<_, KafkaError>(())
        });
        if let Ok(Err(error)) = committing.await {
            debug!(%error, "offsets of refusals were not committed");
        }
    }
}

async fn wait(pause: &mut Duration) {
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}
