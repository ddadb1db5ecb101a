//! What Kafka has no more of the past, for a new generation.
//!
//! Its group reads Kafka from the earliest offset on, by itself. When it has passed where the live
//! generation was at the beginning, it has all that Kafka has of the past; what Kafka has no more
//! stands in the live generation's `postbacks`, as raw records, and is loaded from there. Tables that
//! are missing yet are made first.
//!
//! The owner of partition 0 in the new generation's own group does it, not who coordinates: in an
//! upgrade that is a program of the old version, which would judge these records by its own
//! normaliser. It can be repeated, so two at once do no harm.

use std::collections::BTreeMap;
use std::sync::Arc;

use clickhouse::Client;
use postback_common::config::Settings;
use postback_normalise::Rules;
use postback_service::lifecycle::Shutdown;
use postback_store::history::{self, Kept, Slice};
use postback_store::{Event, Generation, Life, generations};
use tracing::{info, warn};

use super::close::Chase;
use super::groups::Groups;
use super::{AGAIN_AFTER, STEP_EVERY, StepError};
use crate::batch::{Batch, Bounds};
use crate::generations::{Parts, current, in_force};
use crate::judge::Examined;
use crate::kafka::SharedProgress;
use crate::load::{Experience, Fate, Loader};
use crate::role::Role;

/// Takes over the past of one generation.
pub(crate) struct Filler {
    client: Client,
    parts: Parts,
    groups: Groups,
    chase: Chase,
    generation: Generation,
    /// Its tables were found, or made.
    has_tables: bool,
}

impl Filler {
    pub(crate) fn new(
        settings: &Settings,
        client: Client,
        parts: &Parts,
        generation: Generation,
    ) -> Self {
        Self {
            client,
            parts: parts.clone(),
            groups: Groups::new(settings),
            chase: Chase::default(),
            generation,
            has_tables: false,
        }
    }

    /// Works until it is done, or told otherwise.
    pub(crate) async fn run(mut self, until: Shutdown) {
        let filling = async {
            let mut told = None;
            loop {
                let pause = match self.step(&until).await {
                    Ok(true) => return,
                    Ok(false) => {
                        told = None;
                        STEP_EVERY
                    }
                    Err(error) => {
                        let error = error.to_string();
                        // The same again and again is said once: it holds up the replay.
                        if told.as_ref() != Some(&error) {
                            warn!(generation = %self.generation, error, "a step of the replay is tried again");
                        }
                        told = Some(error);
                        AGAIN_AFTER
                    }
                };
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = until.cancelled() => {}
            () = filling => {}
        }
    }

    /// True where nothing is left to do.
    async fn step(&mut self, until: &Shutdown) -> Result<bool, StepError> {
        let lineage = generations::lineage(&self.client).await?;
        let generation = self.generation;
        let life = lineage.live_one(generation);
        let Some(life) = life.filter(|life| life.is_replaying()) else {
            return Ok(true);
        };
        if !self.has_tables {
            self.make_tables().await?;
        }
        let (Some(base), Some(target)) = (life.base(), &life.target) else {
            return Ok(false);
        };
        if !self.groups.positions(generation).await?.passed(target) {
            return Ok(false);
        }
        // What the live one has loaded since would be taken over, too, and then be read as well.
        let chase = &mut self.chase;
        if !chase.is_close(&self.groups, base, generation).await? {
            return Ok(false);
        }
        match self.fill(life, base, until).await {
            Ok(Some(records)) => {
                info!(%generation, %base, records, "replay: took over what Kafka has no more");
                generations::record(&self.client, generation, &Event::Filled(records)).await?;
                Ok(true)
            }
            Ok(None) => Ok(true),
            Err(error) => {
                warn!(%generation, %error, "the replay waits; it goes on by itself");
                Err(error)
            }
        }
    }

    /// `replay start` may have been killed before it made them: nothing could be loaded.
    async fn make_tables(&mut self) -> Result<(), StepError> {
        let generation = self.generation;
        let made = generations::make_missing_tables(&self.client, generation).await;
        let made = made.inspect_err(|error| {
            warn!(%generation, %error, "the replay's tables could not be looked at or made; it is tried again");
        })?;
        if made {
            info!(%generation, "replay: made its tables, which were missing");
        }
        self.has_tables = true;
        Ok(())
    }

    /// Loads every record of `base` that is lacking. `None` where the generation was dropped
    /// meanwhile. What was loaded before an interruption is not lacking any more.
    async fn fill(
        &self,
        life: &Life,
        base: Generation,
        until: &Shutdown,
    ) -> Result<Option<u64>, StepError> {
        let generation = self.generation;
        let mut filled = 0;
        for slice in history::slices(&self.client, base).await? {
            let lineage = generations::lineage(&self.client).await?;
            if lineage.live_one(generation).is_none() {
                return Ok(None);
            }
            let rules = Arc::new(in_force(&current(&self.client, life).await?, generation)?);
            filled += self.fill_slice(base, &slice, &rules, until).await?;
        }
        Ok(Some(filled))
    }

    async fn fill_slice(
        &self,
        base: Generation,
        slice: &Slice,
        rules: &Arc<Rules>,
        until: &Shutdown,
    ) -> Result<u64, StepError> {
        let mut lacking = history::lacking(&self.client, base, self.generation, slice)?;
        let bounds = Bounds::of(&self.parts.settings.consumer);
        let mut filled = 0;
        loop {
            let mut kept: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
            let (mut records, mut bytes) = (0, 0);
            while let Some(lacked) = lacking.next().await? {
                records += 1;
                bytes += lacked.kept.raw.len();
                kept.entry(lacked.topic).or_default().push(lacked.kept);
                if bounds.is_full(records, bytes) {
                    break;
                }
            }
            if records == 0 {
                return Ok(filled);
            }
            filled += records as u64;
            for (topic, kept) in kept {
                self.store(&topic, kept, rules, until).await?;
            }
        }
    }

    /// The same way as for records from Kafka, poison and pressure included. They stay rows of the
    /// topic that they came from: their offsets are its own.
    async fn store(
        &self,
        topic: &str,
        kept: Vec<Kept>,
        rules: &Arc<Rules>,
        until: &Shutdown,
    ) -> Result<(), StepError> {
        let progress = SharedProgress::default();
        let mut batch = Batch::new(topic.into(), Arc::clone(rules));
        {
            let mut progress = progress.lock();
            let partitions = kept.iter().map(|record| record.partition);
            let mut partitions: Vec<_> = partitions.collect();
            partitions.sort_unstable();
            partitions.dedup();
            progress.assign(partitions);
            let epochs: BTreeMap<_, _> = (progress.assignments())
                .map(|(partition, epoch, _)| (partition, epoch))
                .collect();
            let now = std::time::Instant::now();
            for record in kept {
                let partition = record.partition;
                if let Some(epoch) = epochs.get(&partition) {
                    let examined = Examined::again(&record);
                    batch.push(partition, *epoch, &examined.judge(rules), now);
                }
            }
        }
        let role = Role::new(false);
        let metrics = self.parts.metrics_of(&role);
        let loader = Loader {
            client: self.parts.loading.clone(),
            generation: self.generation,
            topic: topic.to_owned(),
            progress,
            health: self.parts.health.told_by(&metrics),
            metrics,
            shutdown: until.clone(),
            experience: Experience::default(),
        };
        for loaded in Arc::new(loader).load(batch).await {
            match loaded.fate {
                Fate::Stored => {}
                Fate::Refused(_, error) => return Err(StepError::NotStored(error.to_string())),
                Fate::Dropped => return Err(StepError::NotStored("interrupted".to_owned())),
            }
        }
        Ok(())
    }
}
