//! `postback generation activate`.

use clap::Args;
use postback_store::{Event, generations};

use crate::arguments::Options;
use crate::cmd::load;
use crate::cmd::replay::Until;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number};
use crate::replays::{Record, live_one};
use crate::servers::Trouble;

/// Switch readers to a generation, in either direction
#[derive(Debug, Args)]
#[command(after_help = "Example: postback generation activate 2\n\
    The generation that readers leave stands still for a moment, until the other one has passed it; \
    nobody sees less than before. Both are loaded on: going back is another `activate`. Interrupting \
    the wait does not take the request back; --withdraw does.")]
pub(super) struct Activate {
    /// The generation that readers shall see
    #[arg(value_name = "GENERATION")]
    generation: u32,
    /// Ask for the switch and do not wait for it
    #[arg(long, conflicts_with = "withdraw")]
    no_wait: bool,
    /// Take a request back that is not done yet
    #[arg(long)]
    withdraw: bool,
}

impl Activate {
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
        if self.withdraw {
            let event = Event::ActivationWithdrawn;
            let recorded = generations::record(&record.client, generation, &event).await;
            let recorded = recorded.map_err(|error| record.trouble(&error))?;
            let seen = recorded
                .active
                .map_or(0, postback_store::Generation::number);
            console.note(format_args!("Readers see generation {seen}."));
            return Ok(Ending::Done);
        }
        if active == generation && lineage.activation.is_some() {
            // To ask for the active one takes the switch away from it back.
            let asked = generations::record(&record.client, generation, &Event::ActivationAsked);
            let now = asked.await.map_err(|error| record.trouble(&error))?.active;
            if now == Some(generation) {
                console.note("The switch that was under way is taken back.");
            } else {
                let what = "readers were switched at this very moment";
                return Err(Trouble::new(what, "ask again").into());
            }
        }
        if active == generation {
            console.note(format_args!("Readers see generation {generation} already."));
            return self.show(generation.number(), options, console);
        }
        if !life.is_whole() {
            let what = format!("generation {generation} has not all of the past yet");
            let remedy = "wait for it: `postback replay status --wait`";
            return Err(Trouble::new(what, remedy).into());
        }
        let recorded = generations::record(&record.client, generation, &Event::ActivationAsked);
        recorded.await.map_err(|error| record.trouble(&error))?;
        if self.no_wait {
            console.note("Asked for. The consumers switch as soon as the generation is close.");
            return Ok(Ending::Done);
        }
        Until::Active.reached(generation, &record, console).await?;
        self.show(generation.number(), options, console)
    }

    fn show(
        &self,
        active: u32,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let mut sheet = Sheet::new(&[number("active", "Active")]);
        sheet.rows.push(vec![Cell::Count(active.into())]);
        sheet.write(options, console)?;
        Ok(Ending::Done)
    }
}
