//! `postback replay cancel`.

use clap::Args;

use crate::arguments::Options;
use crate::cmd::generation::drop_it;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Sheet, number, text};
use crate::replays::Record;

/// Give the replay up: its generation is dropped, readers notice nothing
#[derive(Debug, Args)]
#[command(
    after_help = "A generation that readers have seen is no replay any more: `postback generation drop`."
)]
pub(super) struct Cancel {}

impl Cancel {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let record = Record::of(&loaded.settings)?;
        let (lineage, active) = record.with_active().await?;
        let replay = lineage.live().find(|life| {
            life.generation != active && life.base().is_some() && life.activated_at.is_empty()
        });
        let Some(replay) = replay else {
            let mut sheet = Sheet::new(&[
                number("generation", "Generation"),
                text("dropped", "Dropped"),
            ]);
            sheet.notes.push("No replay is under way.".to_owned());
            sheet.write(options, console)?;
            return Ok(Ending::Found);
        };
        drop_it(replay.generation, &record, options, console).await?;
        Ok(Ending::Done)
    }
}
