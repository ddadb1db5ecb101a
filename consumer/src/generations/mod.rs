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
                None => {
                    let running = self.parts.start(generation, &rules, is_active, shutdown)?;
                    info!(%generation, is_active, "loading the generation");
                    self.running.insert(generation, running);
                }
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
                // It does what is to be done in an upgrade, and nothing of its own tells these two.
                if !self.running.is_empty() {
                    self.parts.probes.kafka.pass();
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
