//! Before the first record: topic, tables, and the rules of new sources, waited for as long as it
//! takes, visibly.

use std::path::Path;
use std::time::Duration;

use clickhouse::Client;
use postback_common::config::Settings;
use postback_normalise::{Configured, NORMALISER_VERSION};
use postback_service::lifecycle::Shutdown;
use postback_service::probes::Probe;
use postback_service::topic::{self, Ensured, Purpose, TopicError};
use postback_service::version::RELEASE;
use postback_store::{Kind, Manifest, Report, StoreError, generations, migrate};
use tracing::{info, warn};

use crate::generations::{OfferError, Offered, Parts, offer, tell};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Why there is nothing to wait for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error("{error}\n    remedy: {}", error.remedy())]
    Topic { error: TopicError },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Offer(#[from] OfferError),
}

impl PrepareError {
    /// Waiting may help.
    fn passing(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error).filter(|error| error.kind.passes_with_time()),
            Self::Offer(error) => error.passing(),
            Self::Topic { .. } => None,
        }
    }
}

/// Makes what is missing, and records the rules of sources that are new. `None` at shutdown.
pub(crate) async fn prepare(
    file: &Path,
    settings: &Settings,
    proposed: &Configured,
    parts: &Parts,
    asking: &Client,
    shutdown: &Shutdown,
) -> Result<Option<()>, PrepareError> {
    let prepared = tokio::select! {
        () = shutdown.cancelled() => return Ok(None),
        prepared = async {
            let kafka = topic_is_there(settings, &parts.probes.kafka);
            tokio::try_join!(kafka, rules_are_there(file, settings, proposed, parts, asking))
        } => prepared,
    };
    let ((), offered) = prepared?;
    for (source, note) in proposed.notes() {
        warn!(%source, "{note}");
    }
    tell(&offered);
    Ok(Some(()))
}

async fn topic_is_there(settings: &Settings, probe: &Probe) -> Result<(), PrepareError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match topic::ensure(settings, Purpose::Raw).await {
            Ok(ensured) => {
                if ensured == Ensured::Created {
                    info!(topic = settings.kafka.topic, "made the topic");
                }
                return Ok(());
            }
            Err(error @ TopicError::Options(_)) => return Err(PrepareError::Topic { error }),
            Err(error) => probe.fail(error.to_string(), error.remedy()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn rules_are_there(
    file: &Path,
    settings: &Settings,
    proposed: &Configured,
    parts: &Parts,
    asking: &Client,
) -> Result<Offered, PrepareError> {
    let report = patiently(parts, || tables_are_there(settings, proposed)).await?;
    for step in &report.steps {
        info!("migrate: {step}");
    }
    let sources = &settings.sources;
    patiently(parts, || async {
        let lineage = generations::lineage(asking).await?;
        Ok(offer(asking, file, sources, &lineage).await?)
    })
    .await
}

async fn tables_are_there(
    settings: &Settings,
    proposed: &Configured,
) -> Result<Report, PrepareError> {
    let rules = proposed.recorded().to_json();
    let rules = rules.map_err(|error| {
        let remedy = "report this as a fault of Postback";
        StoreError::own(
            Kind::Contradiction,
            "write the rules down",
            error.to_string(),
            remedy,
        )
    })?;
    let first = Manifest {
        normaliser_version: NORMALISER_VERSION,
        rules: &rules,
        made_by: &format!("postback-consumer {RELEASE}"),
    };
    Ok(migrate(&settings.clickhouse, first).await?)
}

/// Tries until it is done, or waiting does not help.
async fn patiently<T, F: Future<Output = Result<T, PrepareError>>>(
    parts: &Parts,
    act: impl Fn() -> F,
) -> Result<T, PrepareError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match act().await {
            Ok(done) => {
                parts.health.works();
                return Ok(done);
            }
            Err(error) => error,
        };
        match error.passing() {
            Some(passing) => parts.health.waits(passing),
            None => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
