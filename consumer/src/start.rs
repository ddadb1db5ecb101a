//! Before the first record: topic, tables and the accounts' identities, waited for as long as it
//! takes, visibly.

use std::path::Path;
use std::time::Duration;

use postback_common::config::Settings;
use postback_normalise::{Configured, NORMALISER_VERSION};
use postback_service::lifecycle::Shutdown;
use postback_service::probes::Probe;
use postback_service::topic::{self, Ensured, Purpose, TopicError};
use postback_service::version::RELEASE;
use postback_store::{Manifest, Report, StoreError, migrate};
use serde_json::json;
use tracing::{info, warn};

use crate::accounts::{self, AccountsError};
use crate::health::ClickHouseHealth;

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
    Accounts(#[from] AccountsError),
}

/// Makes what is missing, and gives the rules under what is recorded. `None` at shutdown.
pub(crate) async fn prepare(
    file: &Path,
    settings: &Settings,
    proposed: &Configured,
    kafka: &Probe,
    clickhouse: &ClickHouseHealth,
    shutdown: &Shutdown,
) -> Result<Option<Configured>, PrepareError> {
    let prepared = tokio::select! {
        () = shutdown.cancelled() => return Ok(None),
        prepared = async {
            tokio::try_join!(topic_is_there(settings, kafka), tables_are_there(settings, proposed, clickhouse))
        } => prepared,
    };
    let ((), report) = prepared?;
    for step in &report.steps {
        info!("migrate: {step}");
    }
    let rules = accounts::rules(file, &settings.sources, report.identities)?;
    for (source, note) in rules.notes() {
        warn!(%source, "{note}");
    }
    Ok(Some(rules))
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

async fn tables_are_there(
    settings: &Settings,
    proposed: &Configured,
    health: &ClickHouseHealth,
) -> Result<Report, PrepareError> {
    let rules = json!({ "sources": proposed.recorded() }).to_string();
    let first = Manifest {
        normaliser_version: NORMALISER_VERSION,
        rules: &rules,
        made_by: &format!("postback-consumer {RELEASE}"),
    };
    let wanted = accounts::wanted(proposed);
    let mut pause = FIRST_PAUSE;
    loop {
        match migrate(&settings.clickhouse, first, &wanted).await {
            Ok(report) => {
                health.works();
                return Ok(report);
            }
            Err(error) if error.kind.passes_with_time() => health.waits(&error),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
