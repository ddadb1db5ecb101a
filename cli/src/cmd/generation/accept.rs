//! `postback generation accept`: changed rules for a running generation, without a replay.

use clap::Args;
use postback_normalise::{Recorded, RecordedRules};
use postback_service::version;
use postback_store::generations::{Change, LaterRule, record_rule};
use postback_store::{Generation, Offsets, history};

use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag::GroupLag;
use crate::output::{Cell, Sheet, number, text};
use crate::replays::{Record, renewed};
use crate::servers::Trouble;

/// Take changed rules into the generation that readers see, for what comes from now on
#[derive(Debug, Args)]
#[command(after_help = "Example: postback generation accept rakuten-us\n\
    What is loaded already stays as it is: only a replay changes the past. So only changes are taken \
    that leave every conversion where it is; another account, identity or key_day takes a replay, and \
    so does a template that is changed in its place where it reads what keys are made of.\n\
    The consumers must be stopped: the record says from which offsets on the new rules hold.")]
pub(super) struct Accept {
    /// The source whose rules have changed
    #[arg(value_name = "SOURCE")]
    source: String,
}

impl Accept {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let record = Record::of(&loaded.settings)?;
        let (lineage, active) = record.with_active().await?;
        let rules = record.rules(&lineage.lives[&active]).await?;
        let file = renewed(&loaded.settings, options, &rules)?;
        let proposed = file
            .recorded()
            .sources
            .iter()
            .find(|rules| rules.source.as_str() == self.source);
        let Some(proposed) = proposed else {
            return Err(Failure::Usage(format!(
                "the configuration has no source {}",
                self.source
            )));
        };
        let Some(known) = rules.of(&proposed.source) else {
            return Err(new_to(active, &rules, proposed).into());
        };
        let differences = known.differences(proposed);
        let mut sheet = Sheet::new(&[
            number("generation", "Generation"),
            text("source", "Source"),
            text("changed", "Changed"),
        ]);
        if differences.is_empty() {
            let already = format!("Generation {active} is loaded by these rules already.");
            sheet.notes.push(already);
            sheet.write(options, console)?;
            return Ok(Ending::Done);
        }
        let moving: Vec<_> = (differences.iter())
            .filter(|difference| difference.moves_conversions())
            .map(|difference| difference.as_str())
            .collect();
        if !moving.is_empty() {
            let what = format!(
                "source {}: {} would change; conversions that are loaded already could count twice",
                self.source,
                moving.join(", ")
            );
            return Err(Trouble::new(what, "load everything anew: `postback replay start`").into());
        }
        let lag = record.lag(active).await?;
        if lag.members > 0 {
            let what = format!("group {} has {} member(s)", lag.group, lag.members);
            let remedy = "stop every postback-consumer first, and start them again afterwards";
            return Err(Trouble::new(what, remedy).into());
        }
        let topic = &loaded.settings.kafka.topic;
        let next = lag
            .partitions
            .iter()
            .map(|found| (found.partition, found.next()));
        let stored = history::next_offsets(&record.client, active, topic, &next.collect()).await;
        let stored = stored.map_err(|error| record.trouble(&error))?;
        if is_loaded_beyond_its_commits(&lag, &stored) {
            let what = format!(
                "group {} has stored records that it did not commit: a consumer ended in between, and they would be loaded again, by the new rules",
                lag.group
            );
            let remedy = "start the consumers: they go on by the rules of the generation; stop them when nothing is left to load (`postback doctor`), and accept then";
            return Err(Trouble::new(what, remedy).into());
        }
        let offsets: std::collections::BTreeMap<_, _> = (lag.partitions.iter())
            .map(|found| (found.partition, found.committed.unwrap_or(found.low)))
            .collect();
        let later = LaterRule {
            source: self.source.clone(),
            change: Change::Accepted,
            rule: proposed.to_json().map_err(Failure::failed)?,
        };
        let offsets = serde_json::to_string(&offsets).map_err(Failure::failed)?;
        let by = format!("postback {}", version::VERSION);
        let recorded = record_rule(&record.client, active, &later, &offsets, &by).await;
        recorded.map_err(|error| record.trouble(&error))?;
        let changed = differences
            .iter()
            .map(|found| found.as_str().to_owned())
            .collect();
        sheet.rows.push(vec![
            Cell::Count(active.number().into()),
            Cell::text(&self.source),
            Cell::List(changed),
        ]);
        sheet
            .notes
            .push("It holds for what is loaded from now on. Start the consumers again.".to_owned());
        sheet.write(options, console)?;
        Ok(Ending::Done)
    }
}

/// There is nothing to accept: consumers add a new source, but for one that would count sales twice.
fn new_to(active: Generation, rules: &RecordedRules, proposed: &Recorded) -> Trouble {
    let what = format!("source {} is new to generation {active}", proposed.source);
    let Some((from, differences)) = rules.apart_in_account(proposed) else {
        let remedy = "the consumers add it by themselves: reload (SIGHUP) or restart them";
        return Trouble::new(what, remedy);
    };
    let differs: Vec<_> = differences.iter().map(|found| found.as_str()).collect();
    let what = format!(
        "{what}, which loads source {} of the same account by another {}; the same sale could count twice",
        from.source,
        differs.join(", ")
    );
    let remedy = "load everything anew: `postback replay start`; or give the source what its account has there, or an account of its own";
    Trouble::new(what, remedy)
}

/// Of a topic that was made anew there may be rows of higher offsets than it has.
fn is_loaded_beyond_its_commits(lag: &GroupLag, stored: &Offsets) -> bool {
    lag.partitions.iter().any(|found| {
        let committed = found.committed.unwrap_or(found.low);
        let stored = stored.get(&found.partition);
        stored.is_some_and(|next| *next.min(&found.high) > committed)
    })
}
