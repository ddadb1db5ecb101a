//! `postback generation drop`.

use clap::Args;
use postback_store::{Event, Generation, generations};

use crate::arguments::Options;
use crate::cmd::load;
use crate::consent::agreed;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, text};
use crate::replays::{Record, live_one};
use crate::servers::Trouble;

/// Drop a generation that readers do not see: its tables, its consumer group
#[derive(Debug, Args)]
#[command(
    name = "drop",
    after_help = "Example: postback generation drop 1\n\
    Its number is not given again. The raw records stay in Kafka, and in the generation that readers see."
)]
pub(super) struct Discard {
    /// The generation
    #[arg(value_name = "GENERATION")]
    generation: u32,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Discard {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let record = Record::of(&loaded.settings)?;
        let (lineage, active) = record.with_active().await?;
        let life = live_one(&lineage, self.generation)?;
        let generation = life.generation;
        if generation == active {
            let what = format!("readers see generation {generation}");
            let remedy = "activate another one first: `postback generation activate`";
            return Err(Trouble::new(what, remedy).into());
        }
        if let Some(replay) = lineage
            .live()
            .find(|other| other.is_replaying() && other.base() == Some(generation))
        {
            let what = format!(
                "generation {} takes the past over from it",
                replay.generation
            );
            let remedy = "wait for that, or `postback replay cancel`";
            return Err(Trouble::new(what, remedy).into());
        }
        if !self.yes {
            let question = format!("Drop generation {generation} and its tables for good? [y/N] ");
            agreed(&question, console).await?;
        }
        drop_it(generation, &record, options, console).await?;
        Ok(Ending::Done)
    }
}

/// Records that it is dropped, then drops its tables. Its group goes when its members have left.
pub(crate) async fn drop_it(
    generation: Generation,
    record: &Record,
    options: &Options,
    console: &mut Console,
) -> Result<(), Failure> {
    let recorded = generations::record(&record.client, generation, &Event::Dropped).await;
    let recorded = recorded.map_err(|error| record.trouble(&error))?;
    if recorded.live_one(generation).is_some() {
        let what = format!("readers see generation {generation} by now: somebody activated it");
        return Err(Trouble::new(what, "activate another one first").into());
    }
    let dropped = generations::drop_tables(&record.client, generation).await;
    let dropped =
        dropped.map_err(|error| still_there(generation, &record.trouble(&error).to_string()))?;
    let mut sheet = Sheet::new(&[
        number("generation", "Generation"),
        text("dropped", "Dropped"),
    ]);
    let what = if dropped {
        format!(
            "tables {}, {}",
            generation.postbacks(),
            generation.conversions()
        )
    } else {
        "recorded; its tables were gone".to_owned()
    };
    sheet.rows.push(vec![
        Cell::Count(generation.number().into()),
        Cell::Text(what),
    ]);
    sheet.write(options, console)
}

/// The record counts: who has partition 0 tries on until the tables are gone.
fn still_there(generation: Generation, why: &str) -> Trouble {
    let why = why.split_once('\n').map_or(why, |(what, _)| what);
    let what =
        format!("generation {generation} is dropped for good, its tables are still there: {why}");
    let remedy = "nothing, where a postback-consumer runs: it goes on until they are gone";
    Trouble::new(what, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_and_goes_on_is_told() {
        let told = still_there(Generation::FIRST, "no answer\n    remedy: wait").to_string();
        let words = "generation 1 is dropped for good, its tables are still there: no answer\n    \
                     remedy: nothing, where a postback-consumer runs: it goes on until they are gone";
        assert_eq!(told, words);
    }
}
