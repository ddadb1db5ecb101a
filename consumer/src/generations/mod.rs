//! Which generations this process loads: one pipeline each, as the record of generations says.
//!
//! The record is looked at every second. What it says is done by everybody alike: a generation
//! that appears is joined, one that is dropped is left, one that is held stands still. A generation
//! of another version of the normaliser is left to programs of that version.

mod changes;
mod offer;
mod reload;
mod rules;
mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use clickhouse::Client;
use postback_common::config::{Settings, SourceSettings};
use postback_normalise::{NORMALISER_VERSION, RecordedRules, Rules};
use postback_service::lifecycle::{Reloads, Shutdown};
use postback_service::probes::Probe;
use postback_store::{Generation, Kind, Lineage, generations};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use changes::Changes;
pub(crate) use offer::{OfferError, Offered, offer};
use reload::Waiting;
pub(crate) use rules::{RulesError, current};
use running::Running;
pub(crate) use running::{Parts, PipelineProbes};

use crate::coordinator::{Coordinator, Filler};
use crate::lasting::uphold;
use crate::pipeline::PipelineError;

/// Pause between two looks at the record.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// While readers are being switched, and a generation is held for that.
const LOOK_OFTEN: Duration = Duration::from_millis(200);

/// Keeps a pipeline for each generation.
pub(crate) struct Keeper {
    pub(crate) file: PathBuf,
    pub(crate) settings: Settings,
    /// For questions, not for loads.
    pub(crate) client: Client,
    pub(crate) parts: Parts,
    /// A notice: generations that this program cannot load.
    pub(crate) notice: Probe,
    running: BTreeMap<Generation, Running>,
    lineage: Lineage,
    coordinating: Option<Shutdown>,
    /// The generation whose past this process takes over.
    filling: Option<(Generation, Shutdown)>,
    /// The sources, for who coordinates.
    sources: watch::Sender<Vec<SourceSettings>>,
    told: BTreeSet<Generation>,
    changes: Changes,
    /// A reload that ClickHouse has held up.
    waiting: Option<Waiting>,
}

impl Keeper {
    pub(crate) fn new(
        file: PathBuf,
        settings: Settings,
        client: Client,
        parts: Parts,
        notice: Probe,
    ) -> Self {
        Self {
            file,
            sources: watch::Sender::new(settings.sources.clone()),
            settings,
            client,
            parts,
            notice,
            running: BTreeMap::new(),
            lineage: Lineage::default(),
            coordinating: None,
            filling: None,
            told: BTreeSet::new(),
            changes: Changes::default(),
            waiting: None,
        }
    }

    /// Works until shutdown, or until a pipeline cannot go on.
    pub(crate) async fn run(
        mut self,
        mut reloads: Reloads,
        shutdown: Shutdown,
    ) -> Result<(), PipelineError> {
        let ended = loop {
            // Questions to a ClickHouse that hangs must not hold up the end. What `look` leaves half
            // done then, the next start does.
            let looked = tokio::select! {
                () = shutdown.cancelled() => break Ok(()),
                looked = self.look(&shutdown) => looked,
            };
            let is_read = looked.is_ok();
            match looked {
                Ok(()) => {}
                Err(RulesError::Store(error)) if error.kind == Kind::Contradiction => {
                    self.notice.fail(error.to_string(), error.remedy);
                }
                Err(RulesError::Store(error)) => {
                    debug!(%error, "the record of generations was not read");
                }
                Err(error @ RulesError::Recorded { .. }) => {
                    let remedy = "use the version of Postback that recorded these rules";
                    self.notice.fail(error.to_string(), remedy);
                }
            }
            self.lead(&shutdown);
            self.fill(&shutdown);
            let pause = match &self.lineage.activation {
                Some(_) => LOOK_OFTEN,
                None => LOOK_EVERY,
            };
            let is_asked = tokio::select! {
                () = shutdown.cancelled() => break Ok(()),
                () = reloads.next() => true,
                (generation, ended) = running::first_ended(&mut self.running) => {
                    self.running.remove(&generation);
                    break ended;
                }
                () = tokio::time::sleep(pause) => false,
            };
            // It asks ClickHouse, too.
            tokio::select! {
                () = shutdown.cancelled() => break Ok(()),
                () = self.reload(is_asked, is_read) => {}
            }
        };
        self.end(ended).await
    }

    /// The first thing that went wrong counts.
    async fn end(mut self, ended: Result<(), PipelineError>) -> Result<(), PipelineError> {
        if let Some(coordinating) = &self.coordinating {
            coordinating.cancel();
        }
        if let Some((_, filling)) = &self.filling {
            filling.cancel();
        }
        for running in self.running.values() {
            running.stop.cancel();
        }
        let mut ended = ended;
        for (_, running) in std::mem::take(&mut self.running) {
            let last = running.ended().await;
            ended = ended.and(last);
        }
        ended
    }

    /// Reads the record and does what it says.
    async fn look(&mut self, shutdown: &Shutdown) -> Result<(), RulesError> {
        let lineage = generations::lineage(&self.client).await?;
        self.leave_dropped(&lineage).await;
        let mut others = Vec::new();
        for life in lineage.live() {
            let (generation, version) = (life.generation, life.record.normaliser_version);
            if version != NORMALISER_VERSION {
                others.push((generation, version));
                continue;
            }
            let rules = current(&self.client, life).await?;
            let is_active = lineage.active == Some(generation);
            match self.running.get_mut(&generation) {
                Some(running) => running.follow(&rules, generation)?,
                None => self.begin(generation, &rules, is_active, shutdown)?,
            }
            self.changes
                .look_at(generation, &rules, is_active, &self.settings.sources);
        }
        self.changes.keep(&self.running.keys().copied().collect());
        self.changes.show(&self.parts.metrics, &self.parts.standby);
        for (generation, running) in &self.running {
            running.play(lineage.active == Some(*generation));
            running.hold(lineage.hold_on(*generation));
        }
        self.tell_of_others(&others, lineage.active);
        self.lineage = lineage;
        Ok(())
    }

    /// Joins the group of a generation that is not loaded here yet.
    fn begin(
        &mut self,
        generation: Generation,
        rules: &RecordedRules,
        is_active: bool,
        shutdown: &Shutdown,
    ) -> Result<(), RulesError> {
        if is_active {
            // What another generation, or none, let pass says nothing about this one.
            let PipelineProbes {
                kafka, partitions, ..
            } = &self.parts.probes;
            for probe in [kafka, partitions] {
                if probe.failure().is_none() {
                    probe.fail(format!("joining the group of generation {generation}"), "");
                }
            }
        }
        let running = self.parts.start(generation, rules, is_active, shutdown)?;
        info!(%generation, is_active, "loading the generation");
        self.running.insert(generation, running);
        Ok(())
    }

    async fn leave_dropped(&mut self, lineage: &Lineage) {
        let gone: Vec<_> = (self.running.keys().copied())
            .filter(|generation| lineage.live_one(*generation).is_none())
            .collect();
        for generation in gone {
            let Some(running) = self.running.remove(&generation) else {
                continue;
            };
            info!(%generation, "the generation was dropped: leaving it");
            running.stop.cancel();
            if let Err(error) = running.ended().await {
                warn!(%generation, %error, "a dropped generation was not left in order");
            }
        }
    }

    fn tell_of_others(&mut self, others: &[(Generation, u32)], active: Option<Generation>) {
        for (generation, version) in others {
            if self.told.insert(*generation) {
                warn!(
                    %generation,
                    version,
                    ours = NORMALISER_VERSION,
                    "the generation is loaded by another version of the normaliser: it is left to programs of that version"
                );
            }
        }
        let is_active = |(generation, _): &&(Generation, u32)| active == Some(*generation);
        match others.iter().find(is_active) {
            Some((generation, version)) => {
                self.notice.fail(
                    format!(
                        "readers see generation {generation}, which is loaded by normaliser version {version}; this program has {NORMALISER_VERSION}"
                    ),
                    "keep a postback-consumer of the other version running, and load everything anew by this one with `postback replay start`",
                );
                // Nothing of its own tells these two. A rollout that waits for readiness keeps the old
                // consumers for as long as this one has nothing to load.
                self.parts.probes.kafka.pass();
                if self.running.is_empty() {
                    self.parts.probes.partitions.fail(
                        "nothing is loaded here: every generation is of another normaliser version",
                        "`postback replay start` makes one of this version",
                    );
                } else {
                    self.parts.probes.partitions.pass();
                }
            }
            None => self.notice.pass(),
        }
    }

    /// Of a generation that this process loads, one process alone has partition 0.
    fn has_first_partition(&self, generation: Generation) -> bool {
        let running = self.running.get(&generation);
        running.is_some_and(|running| running.progress.lock().is_ours(0))
    }

    /// Who has partition 0 of what readers see does what one alone may do.
    fn lead(&mut self, shutdown: &Shutdown) {
        let active = self.lineage.active;
        let leads = active.is_some_and(|active| self.has_first_partition(active));
        match (&self.coordinating, leads) {
            (None, true) => {
                let token = shutdown.child_token();
                let (settings, sources) = (self.settings.clone(), self.sources.subscribe());
                let (client, parts) = (self.client.clone(), self.parts.clone());
                let until = token.clone();
                let lead = move || {
                    let client = client.clone();
                    Coordinator::new(&settings, sources.clone(), client, &parts).lead(until.clone())
                };
                drop(uphold("coordination", token.clone(), lead));
                self.coordinating = Some(token);
            }
            (Some(token), false) => {
                token.cancel();
                self.coordinating = None;
            }
            _ => {}
        }
    }

    /// Who has partition 0 of a generation that replays takes over what Kafka has no more for it.
    fn fill(&mut self, shutdown: &Shutdown) {
        let replaying = self.lineage.live().find(|life| life.is_replaying());
        let ours = replaying
            .map(|life| life.generation)
            .filter(|generation| self.has_first_partition(*generation));
        if self.filling.as_ref().map(|(generation, _)| *generation) == ours {
            return;
        }
        if let Some((_, filling)) = self.filling.take() {
            filling.cancel();
        }
        if let Some(generation) = ours {
            let token = shutdown.child_token();
            let (settings, until) = (self.settings.clone(), token.clone());
            let (client, parts) = (self.client.clone(), self.parts.clone());
            let fill = move || {
                Filler::new(&settings, client.clone(), &parts, generation).run(until.clone())
            };
            drop(uphold("replay", token.clone(), fill));
            self.filling = Some((generation, token));
        }
    }
}

/// Says what was added.
pub(crate) fn tell(offered: &Offered) {
    for (generation, source) in &offered.added {
        info!(%generation, %source, "new source, or a template with a new marker: its rules are recorded");
    }
}

/// The rules in force, or why this version cannot tell.
pub(crate) fn in_force(
    recorded: &RecordedRules,
    generation: Generation,
) -> Result<Rules, RulesError> {
    Rules::of(&recorded.sources).map_err(|error| RulesError::Recorded { generation, error })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_common::config;
    use postback_normalise::Configured;
    use postback_service::kafka::KafkaMetrics;
    use postback_service::kafka::rdkafka::mocking::MockCluster;
    use postback_service::metrics::Metrics;
    use postback_service::probes::Readiness;
    use postback_store::{Role, client};

    use super::*;
    use crate::endpoints::EndpointMetrics;
    use crate::health::ClickHouseHealth;
    use crate::metrics::ConsumerMetrics;
    use crate::role::Turns;
    use crate::upkeep::UpkeepMetrics;

    const OTHER: u32 = NORMALISER_VERSION + 1;

    fn generation(number: u32) -> Generation {
        Generation::new(number).unwrap()
    }

    /// Loads nothing yet. The probes that pipelines set decide alone whether it is ready.
    fn keeper(brokers: &str) -> (Keeper, Readiness) {
        let text = format!("[kafka]\nbrokers = \"{brokers}\"\ntopic = \"t\"\n");
        let settings = config::read(Path::new("t.toml"), &text, []).unwrap();
        let (mut metrics, readiness) = (Metrics::new(), Readiness::new());
        let active = ConsumerMetrics::of_active(&mut metrics);
        let clickhouse = readiness.notice("clickhouse");
        let parts = Parts {
            settings: settings.clone(),
            loading: client(&settings.clickhouse, Role::Load).unwrap(),
            health: ClickHouseHealth::new(clickhouse, active.clone(), &settings.clickhouse.url),
            kafka_metrics: KafkaMetrics::register(&mut metrics),
            metrics: active,
            standby: ConsumerMetrics::of_standby(&mut metrics),
            probes: PipelineProbes {
                kafka: readiness.probe("kafka"),
                partitions: readiness.probe("partitions"),
                standby: readiness.notice("standby"),
            },
            turns: Turns::default(),
            upkeep: UpkeepMetrics::register(&mut metrics),
            endpoints: EndpointMetrics::register(&mut metrics),
        };
        let asking = client(&settings.clickhouse, Role::Query).unwrap();
        let notice = readiness.notice("generations");
        let keeper = Keeper::new("t.toml".into(), settings, asking, parts, notice);
        (keeper, readiness)
    }

    #[test]
    fn it_says_what_to_do_where_every_generation_is_another_versions() {
        let (mut keeper, readiness) = keeper("127.0.0.1:1");
        keeper.tell_of_others(&[], None);
        assert!(!readiness.is_ready(), "there is no generation");
        // A generation of its own is seen and not begun.
        keeper.tell_of_others(&[(generation(2), OTHER)], Some(generation(1)));
        assert!(!readiness.is_ready());
        let others = [(generation(1), OTHER), (generation(2), OTHER)];
        keeper.tell_of_others(&others, Some(generation(1)));
        assert!(!readiness.is_ready());
        let probes = &keeper.parts.probes;
        assert_eq!(probes.kafka.failure(), None);
        let failure = probes.partitions.failure().unwrap().to_string();
        assert!(failure.contains("nothing is loaded here"), "{failure}");
        let failure = keeper.notice.failure().unwrap().to_string();
        assert!(failure.contains("readers see generation 1"), "{failure}");
    }

    /// What it begins does nothing before the test waits: they have one thread.
    #[tokio::test]
    async fn a_generation_that_is_begun_later_is_joined_before_it_is_ready_again() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let (mut keeper, readiness) = keeper(&cluster.bootstrap_servers());
        let others = [(generation(1), OTHER)];
        keeper.tell_of_others(&others, Some(generation(1)));
        assert!(!readiness.is_ready());
        let configured = Configured::new(&[], &BTreeMap::new()).unwrap();
        let (rules, shutdown) = (configured.recorded(), Shutdown::new());

        // Beside what readers see it is no reason to take the process for unfit.
        let begun = keeper.begin(generation(2), rules, false, &shutdown);
        begun.unwrap();
        keeper.tell_of_others(&others, Some(generation(1)));
        assert!(readiness.is_ready());

        let begun = keeper.begin(generation(3), rules, true, &shutdown);
        begun.unwrap();
        let probes = &keeper.parts.probes;
        for probe in [&probes.kafka, &probes.partitions] {
            let failure = probe.failure().unwrap().to_string();
            assert!(failure.starts_with("joining "), "{failure}");
        }
        let joined = async {
            while !readiness.is_ready() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let joined = tokio::time::timeout(Duration::from_secs(60), joined).await;
        assert!(joined.is_ok(), "{:?}", readiness.report());
        keeper.end(Ok(())).await.unwrap();
    }
}
