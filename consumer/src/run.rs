//! Puts the parts together, and takes them apart at the end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use postback_common::config::Settings;
use postback_normalise::Configured;
use postback_service::admin::{self, Admin, BindError};
use postback_service::command_line::Options;
use postback_service::kafka::KafkaMetrics;
use postback_service::kafka::rdkafka::error::KafkaError;
use postback_service::lifecycle::{ExitCode, Reloads, Shutdown, shutdown_on_signal};
use postback_service::listen::take_or_bind;
use postback_service::metrics::Metrics;
use postback_service::probes::{Probe, Readiness};
use postback_service::supervisor::{self, HandoverError, Sockets};
use postback_service::version::VERSION;
use postback_store::{Generation, Kind, Role, StoreError};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::batch::Bounds;
use crate::health::ClickHouseHealth;
use crate::kafka::{GroupEvents, SharedProgress, join, member_config};
use crate::load::{Experience, Loader};
use crate::metrics::ConsumerMetrics;
use crate::pipeline::{Pipeline, PipelineError};
use crate::refusals::{RefusalMetrics, Refusals};
use crate::reload::Reloader;
use crate::start::{PrepareError, prepare};

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
    #[error(
        "kafka.options: {0}\n    remedy: correct [kafka.options]; librdkafka's CONFIGURATION.md lists them"
    )]
    Options(#[from] KafkaError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error("the operating system refuses: {0}")]
    System(#[from] io::Error),
}

impl RunError {
    /// 2 where the configuration is wrong, 1 for everything else.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Options(_)
            | Self::Handover(_)
            | Self::Prepare(PrepareError::Topic { .. } | PrepareError::Accounts(_)) => {
                ExitCode::Usage
            }
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
    kafka: Probe,
    clickhouse: Probe,
    partitions: Probe,
    refusals: Probe,
}

async fn consume(
    options: &Options,
    settings: Settings,
    proposed: Configured,
    sockets: Result<Sockets, HandoverError>,
) -> Result<ExitCode, RunError> {
    let (mut sockets, address) = (sockets?, settings.consumer.admin_listen);
    let operators = take_or_bind(&mut sockets, "admin", "consumer.admin_listen", address);
    let operators = operators.await?.listener;
    let shutdown = shutdown_on_signal()?;
    let reloads = Reloads::listen()?;
    let (mut metrics, readiness) = (Metrics::new(), Readiness::new());
    let counted = ConsumerMetrics::register(&mut metrics);
    let kafka_metrics = KafkaMetrics::register(&mut metrics);
    let refused = RefusalMetrics::register(&mut metrics);
    let probes = Probes {
        kafka: readiness.probe("kafka"),
        clickhouse: readiness.probe("clickhouse"),
        partitions: readiness.probe("partitions"),
        refusals: readiness.notice("refusals"),
    };
    metrics.collect(readiness.clone());
    let admin = Admin {
        readiness,
        metrics: Arc::new(metrics),
    };
    let admin_end = Shutdown::new();
    tokio::spawn(admin::serve(operators, admin, admin_end.clone()));
    info!(version = VERSION, admin = %settings.consumer.admin_listen, "starting");
    if settings.sources.is_empty() {
        warn!("no source is configured: every record is rejected as unknown_source");
    }
    // It waits for Kafka and ClickHouse as long as it takes, which is no reason to start it anew.
    supervisor::tell_ready();
    let begun = shutdown.clone();
    tokio::spawn(async move {
        begun.cancelled().await;
        supervisor::tell_stopping();
    });
    let ended = load(
        options,
        settings,
        proposed,
        probes,
        counted,
        refused,
        &kafka_metrics,
        reloads,
        shutdown,
    )
    .await;
    admin_end.cancel();
    ended.map(|()| ExitCode::Done)
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is made by the one caller and used once"
)]
async fn load(
    options: &Options,
    settings: Settings,
    proposed: Configured,
    probes: Probes,
    metrics: ConsumerMetrics,
    refused: RefusalMetrics,
    kafka_metrics: &KafkaMetrics,
    reloads: Reloads,
    shutdown: Shutdown,
) -> Result<(), RunError> {
    let Settings {
        kafka,
        clickhouse,
        consumer,
        ..
    } = &settings;
    let url = &clickhouse.url;
    let health = ClickHouseHealth::new(probes.clickhouse, metrics.clone(), url);
    let prepared = prepare(
        &options.config,
        &settings,
        &proposed,
        &probes.kafka,
        &health,
        &shutdown,
    );
    let Some(rules) = prepared.await? else {
        return Ok(());
    };
    let (rules, rules_seen) = watch::channel(Arc::new(rules));
    let asking = postback_store::client(clickhouse, Role::Query)?;
    tokio::spawn(health.clone().watch(asking.clone(), shutdown.clone()));

    let generation = Generation::FIRST;
    let group = generation.consumer_group(&consumer.group);
    let progress = SharedProgress::default();
    let events = GroupEvents {
        topic: kafka.topic.clone(),
        brokers: kafka.brokers.join(","),
        events: kafka_metrics.client("consumer"),
        progress: progress.clone(),
        metrics: metrics.clone(),
        probe: probes.kafka,
        is_topic_missing: AtomicBool::new(false),
    };
    let member = Arc::new(join(&member_config(kafka, consumer, &group), events)?);
    info!(group, topic = kafka.topic, %generation, "joining the group");
    let loader = Loader {
        client: postback_store::client(clickhouse, Role::Load)?,
        generation,
        topic: kafka.topic.clone(),
        progress: progress.clone(),
        health,
        metrics: metrics.clone(),
        shutdown: shutdown.clone(),
        experience: Experience::default(),
    };
    let pipeline = Pipeline {
        member,
        group,
        topic: kafka.topic.clone(),
        instance: consumer.instance_id.clone(),
        bounds: Bounds::of(consumer),
        progress,
        loader: Arc::new(loader),
        metrics: metrics.clone(),
        probe: probes.partitions,
        rules: rules_seen,
    };
    let refusals = Refusals {
        settings: settings.clone(),
        client: postback_store::client(clickhouse, Role::Load)?,
        metrics: refused,
        notice: probes.refusals,
    };
    let refusals = tokio::spawn(refusals.load(shutdown.clone()));
    let reloader = Reloader {
        file: options.config.clone(),
        client: asking,
        rules,
        metrics,
        running: settings,
    };
    tokio::spawn(reloader.listen(reloads, shutdown.clone()));
    pipeline.run(shutdown).await?;
    // What it does not finish is loaded again.
    if timeout(REFUSALS_END_WITHIN, refusals).await.is_err() {
        warn!("loading refusals did not end in time");
    }
    Ok(())
}
