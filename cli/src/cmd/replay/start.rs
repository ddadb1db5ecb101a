//! `postback replay start`.

use clap::Args;
use postback_normalise::NORMALISER_VERSION;
use postback_service::version;
use postback_store::{Manifest, generations, identities};

use super::Until;
use crate::arguments::Options;
use crate::cmd::load;
use crate::cmd::migrate::of_file;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, text};
use crate::replays::{Phase, Record, renewed};
use crate::servers::Trouble;

/// Make a new generation with the rules of this configuration; the running consumers load it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback replay plan                       what would change\n  \
    postback replay start --wait               load, and compare with `postback replay status`\n  \
    postback replay start --activate --wait    load, and switch readers as soon as it is whole\n\n\
    Nothing that readers see changes before the switch. Interrupting the wait interrupts nothing else:\n\
    `postback replay status --wait` waits on, `postback replay cancel` undoes it all.")]
pub(super) struct Start {
    /// Switch readers to it as soon as it has all of the past
    #[arg(long)]
    activate: bool,
    /// Wait until it has, or until readers are switched
    #[arg(long)]
    wait: bool,
}

impl Start {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let record = Record::of(&loaded.settings)?;
        let (lineage, active) = record.with_active().await?;
        if let Some(other) = lineage.live().find(|life| life.generation != active) {
            let (number, phase) = (other.generation, Phase::of(other, &lineage, None));
            let what = format!(
                "generation {number} is there beside the active one ({})",
                phase.as_str()
            );
            let remedy = format!(
                "two at once are enough: `postback generation drop {number}`, or `postback generation activate {number}` and drop {active}"
            );
            return Err(Trouble::new(what, remedy).into());
        }
        let Some(next) = lineage.next() else {
            return Err(Failure::Usage(
                "there are no more numbers for generations".to_owned(),
            ));
        };
        let base = record.rules(&lineage.lives[&active]).await?;
        let file = renewed(&loaded.settings, options, &base)?;
        let rules = file.recorded().to_json().map_err(Failure::failed)?;
        let manifest = Manifest {
            normaliser_version: NORMALISER_VERSION,
            rules: &rules,
            made_by: &format!("postback {}", version::VERSION),
        };
        let made = generations::make_next(&record.client, next, active, self.activate, manifest);
        let made = made.await.map_err(|error| record.trouble(&error))?;
        let Some(made) = made else {
            let what = "somebody else began a replay at the same moment";
            return Err(Trouble::new(what, "see `postback replay status`").into());
        };
        let accounts: Vec<_> = file.accounts().iter().map(of_file).collect();
        let settled = identities::settle(&record.client, made, &accounts, &[]).await;
        settled.map_err(|error| record.trouble(&error))?;
        if self.wait {
            console.note(format_args!(
                "Generation {made} is made; the consumers load it."
            ));
            let until = if self.activate {
                Until::Active
            } else {
                Until::Whole
            };
            until.reached(made, &record, console).await?;
        }
        let mut sheet = Sheet::new(&[
            number("generation", "Generation"),
            number("base", "Beside"),
            text("phase", "Phase"),
        ]);
        let lineage = record.lineage().await?;
        let phase = (lineage.lives.get(&made)).map(|life| Phase::of(life, &lineage, None));
        sheet.rows.push(vec![
            Cell::Count(made.number().into()),
            Cell::Count(active.number().into()),
            Cell::text(phase.map_or("", Phase::as_str)),
        ]);
        if phase == Some(Phase::Loading) {
            let next = "How far it is: `postback replay status`. What readers see is as before.";
            sheet.notes.push(next.to_owned());
        } else if phase == Some(Phase::Standby) {
            let compare = format!(
                "What changed: `postback replay status`. Switch readers: `postback generation activate {made}`."
            );
            sheet.notes.push(compare);
        }
        sheet.write(options, console)?;
        Ok(Ending::Done)
    }
}
