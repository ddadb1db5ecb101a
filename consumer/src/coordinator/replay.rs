//! From a new generation to one that has all of the past.
//!
//! Its group reads Kafka from the earliest offset on, by itself. When it has passed where the live
//! generation was at the beginning, it has all that Kafka has of the past; what Kafka has no more
//! stands in the live generation's `postbacks`, as raw records, and is loaded from there.

use std::collections::BTreeMap;
use std::sync::Arc;

use postback_normalise::Rules;
use postback_service::lifecycle::Shutdown;
use postback_store::history::{self, Kept, Slice};
use postback_store::{Event, Generation, Life, Lineage, generations};
use tracing::{info, warn};

use super::{Coordinator, StepError};
use crate::batch::{Batch, Bounds};
use crate::generations::{current, in_force};
use crate::judge::Examined;
use crate::kafka::SharedProgress;
use crate::load::{Experience, Fate, Loader};
use crate::role::Role;

impl Coordinator {
    pub(super) async fn advance_replay(
        &mut self,
        lineage: &Lineage,
        until: &Shutdown,
    ) -> Result<(), StepError> {
        let Some(life) = lineage.live().find(|life| life.is_replaying()) else {
            return self.ask_for_activation(lineage).await;
        };
        let (Some(base), generation) = (life.base(), life.generation) else {
            return Ok(());
        };
        let Some(target) = &life.target else {
            let target = self.groups.positions(base).await?.next();
            generations::record(&self.client, generation, &Event::Targeted(target)).await?;
            info!(%generation, %base, "replay: noted where the live generation is");
            return Ok(());
        };
        if !self.groups.positions(generation).await?.passed(target) {
            return Ok(());
        }
        // What the live one has loaded since would be taken over, too, and then be read as well.
        if !self.is_close(base, generation).await? {
            return Ok(());
        }
        match self.fill(life, base, until).await {
            Ok(Some(records)) => {
                info!(%generation, %base, records, "replay: took over what Kafka has no more");
                generations::record(&self.client, generation, &Event::Filled(records)).await?;
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => {
                warn!(%generation, %error, "the replay waits; it goes on by itself");
                Err(error)
            }
        }
    }

    /// A generation that was made to be activated asks for it once it is whole.
    async fn ask_for_activation(&self, lineage: &Lineage) -> Result<(), StepError> {
        let wanting = lineage
            .live()
            .find(|life| life.is_whole() && life.wants_activation());
        if let Some(life) = wanting.filter(|_| lineage.activation.is_none()) {
            let asked = Event::ActivationAsked;
            generations::record(&self.client, life.generation, &asked).await?;
        }
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
        let generation = life.generation;
        let mut filled = 0;
        for slice in history::slices(&self.client, base).await? {
            let lineage = generations::lineage(&self.client).await?;
            if lineage.live_one(generation).is_none() {
                return Ok(None);
            }
            let rules = Arc::new(in_force(&current(&self.client, life).await?, generation)?);
            filled += self
                .fill_slice(generation, base, &slice, &rules, until)
                .await?;
        }
        Ok(Some(filled))
    }

    async fn fill_slice(
        &self,
        generation: Generation,
        base: Generation,
        slice: &Slice,
        rules: &Arc<Rules>,
        until: &Shutdown,
    ) -> Result<u64, StepError> {
        let mut lacking = history::lacking(&self.client, base, generation, slice)?;
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
                self.store(generation, &topic, kept, rules, until).await?;
            }
        }
    }

    /// The same way as for records from Kafka, poison and pressure included. They stay rows of the
    /// topic that they came from: their offsets are its own.
    async fn store(
        &self,
        generation: Generation,
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
            generation,
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
