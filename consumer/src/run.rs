//! Puts the parts together, and takes them apart at the end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use postback_common::config::Settings;
use postback_normalise::Configured;
use postback_service::admin::{self, Admin, BindError};
use postback_service::command_line::Options;
use postback_service::kafka::KafkaMetrics;
use postback_service::lifecycle::{ExitCode, Reloads, Shutdown, shutdown_on_signal};
use postback_service::listen::take_or_bind;
use postback_service::metrics::Metrics;
use postback_service::probes::{Probe, Readiness};
use postback_service::supervisor::{self, HandoverError, Sockets};
use postback_service::version::VERSION;
use postback_store::{Kind, Role, StoreError};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::endpoints::EndpointMetrics;
use crate::generations::{Keeper, OfferError, Parts, PipelineProbes};
use crate::health::ClickHouseHealth;
use crate::lasting::uphold;
use crate::metrics::ConsumerMetrics;
use crate::pipeline::PipelineError;
use crate::refusals::{RefusalMetrics, Refusals};
use crate::role::Turns;
use crate::start::{PrepareError, prepare};
use crate::upkeep::UpkeepMetrics;

/// At the end, for the member of the group that loads refusals to leave it.
const REFUSALS_END_WITHIN: Duration = Duration::from_secs(5);

/// Why the consumer ends before it is asked to.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Handover(#[from] HandoverError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error("the operating system refuses: {0}")]
    System(#[from] io::Error),
    /// A bug.
    #[error(
        "the admin listener ended in a panic\n    remedy: see the log; start the consumer again, nothing is lost"
    )]
    Admin,
}

impl RunError {
    /// 2 where the configuration is wrong, 1 for everything else.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Handover(_)
            | Self::Prepare(
                PrepareError::Topic { .. } | PrepareError::Offer(OfferError::Config(_)),
            ) => ExitCode::Usage,
            // Two processes are configured as one: started again, they would drive each other out for ever.
            Self::Pipeline(PipelineError::Fenced { .. }) => ExitCode::Usage,
            Self::Prepare(PrepareError::Store(error)) if error.kind == Kind::Contradiction => {
                ExitCode::Usage
            }
            _ => ExitCode::Failed,
        }
    }
}

/// Runs until a signal; says to stderr why it could not.
#[must_use]
pub fn to_the_end(options: &Options, settings: Settings, rules: Configured) -> ExitCode {
    // Before there are threads.
    let sockets = Sockets::handed_over(&["admin"]);
    options.run(
        consume(options, settings, rules, sockets),
        RunError::exit_code,
    )
}

/// What `/readyz` shows.
struct Probes {
    pipelines: PipelineProbes,
    clickhouse: Probe,
    refusals: Probe,
    generations: Probe,
}

impl Probes {
    fn of(readiness: &Readiness) -> Self {
        let kafka = readiness.probe("kafka");
        let clickhouse = readiness.probe("clickhouse");
        let partitions = readiness.probe("partitions");
        Self {
            pipelines: PipelineProbes {
                kafka,
                partitions,
                standby: readiness.notice("standby"),
            },
            clickhouse,
            refusals: readiness.notice("refusals"),
            generations: readiness.notice("generations"),
        }
    }
}

/// What is counted.
struct Counted {
    active: ConsumerMetrics,
    standby: ConsumerMetrics,
    kafka: KafkaMetrics,
    refused: RefusalMetrics,
    upkeep: UpkeepMetrics,
    endpoints: EndpointMetrics,
}

impl Counted {
    fn register(metrics: &mut Metrics) -> Self {
        Self {
            active: ConsumerMetrics::of_active(metrics),
            standby: ConsumerMetrics::of_standby(metrics),
            kafka: KafkaMetrics::register(metrics),
            refused: RefusalMetrics::register(metrics),
            upkeep: UpkeepMetrics::register(metrics),
            endpoints: EndpointMetrics::register(metrics),
        }
    }
}

async fn consume(
    options: &Options,
    settings: Settings,
    proposed: Configured,
    sockets: Result<Sockets, HandoverError>,
) -> Result<ExitCode, RunError> {
    let (mut sockets, address) = (sockets?, settings.consumer.admin_listen);
    let operators = take_or_bind(&mut sockets, "admin", "consumer.admin_listen", address);
    let operators = operators.await?;
    let admin_address = operators.address(address);
    let shutdown = shutdown_on_signal()?;
    let reloads = Reloads::listen()?;
    let (mut metrics, readiness) = (Metrics::new(), Readiness::new());
    let counted = Counted::register(&mut metrics);
    let probes = Probes::of(&readiness);
    metrics.collect(readiness.clone());
    let admin = Admin {
        readiness,
        metrics: Arc::new(metrics),
    };
    let admin_end = Shutdown::new();
    let serving = tokio::spawn(admin::serve(operators.listener, admin, admin_end.clone()));
    let serving = tokio::spawn(ending_without(serving, shutdown.clone()));
    info!(version = VERSION, admin = %admin_address, "starting");
    if settings.sources.is_empty() {
        warn!("no source is configured: every record is rejected as unknown_source");
    }
    // It waits for Kafka and ClickHouse as long as it takes, which is no reason to start it anew.
    supervisor::tell_ready();
    let ended = load(
        options, settings, proposed, probes, counted, reloads, shutdown,
    )
    .await;
    admin_end.cancel();
    ended?;
    match serving.await {
        Ok(Ok(())) => Ok(ExitCode::Done),
        Ok(Err(_)) | Err(_) => Err(RunError::Admin),
    }
}

/// Nobody could see any more how the process is: where what shows it is gone, it ends in order, to be
/// started anew.
async fn ending_without(serving: JoinHandle<()>, shutdown: Shutdown) -> Result<(), JoinError> {
    let served = serving.await;
    if served.is_err() {
        error!("the admin listener ended in a panic, which is a bug: ending");
        shutdown.cancel();
    }
    served
}

async fn load(
    options: &Options,
    settings: Settings,
    proposed: Configured,
    probes: Probes,
    counted: Counted,
    reloads: Reloads,
    shutdown: Shutdown,
) -> Result<(), RunError> {
    let clickhouse = &settings.clickhouse;
    let url = &clickhouse.url;
    let health = ClickHouseHealth::new(probes.clickhouse, counted.active.clone(), url);
    let asking = postback_store::client(clickhouse, Role::Query)?;
    let parts = Parts {
        settings: settings.clone(),
        loading: postback_store::client(clickhouse, Role::Load)?,
        health: health.clone(),
        kafka_metrics: counted.kafka,
        metrics: counted.active,
        standby: counted.standby,
        probes: probes.pipelines,
        turns: Turns::default(),
        upkeep: counted.upkeep,
        endpoints: counted.endpoints,
    };
    let prepared = prepare(
        &options.config,
        &settings,
        &proposed,
        &parts,
        &asking,
        &shutdown,
    );
    if prepared.await?.is_none() {
        return Ok(());
    }
    let (asked, until) = (asking.clone(), shutdown.clone());
    let watch = move || health.clone().watch(asked.clone(), until.clone());
    drop(uphold("health of ClickHouse", shutdown.clone(), watch));
    let refusals = Refusals {
        settings: settings.clone(),
        client: postback_store::client(clickhouse, Role::Load)?,
        metrics: counted.refused,
        notice: probes.refusals,
    };
    let until = shutdown.clone();
    let refusing = move || refusals.clone().load(until.clone());
    let refusals = uphold("refusals", shutdown.clone(), refusing);
    let file = options.config.clone();
    let keeper = Keeper::new(file, settings, asking, parts, probes.generations);
    Box::pin(keeper.run(reloads, shutdown)).await?;
    // What it does not finish is loaded again.
    match timeout(REFUSALS_END_WITHIN, refusals).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => warn!("loading refusals ended in a panic"),
        Err(_) => warn!("loading refusals did not end in time"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_its_listener_the_process_ends() {
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(async { panic!("injected") });
        assert!(ending_without(serving, shutdown.clone()).await.is_err());
        assert!(shutdown.is_cancelled());

        let shutdown = Shutdown::new();
        let serving = tokio::spawn(async {});
        assert!(ending_without(serving, shutdown.clone()).await.is_ok());
        assert!(!shutdown.is_cancelled());
    }

    #[test]
    fn two_processes_configured_as_one_are_a_fault_of_the_configuration() {
        let fenced = PipelineError::Fenced {
            group: "g".to_owned(),
            instance: "i".to_owned(),
        };
        assert_eq!(RunError::from(fenced).exit_code(), ExitCode::Usage);
        assert_eq!(RunError::Admin.exit_code(), ExitCode::Failed);
    }
}
