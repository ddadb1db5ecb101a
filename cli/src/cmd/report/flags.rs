//! `postback report flags`

use clap::Args;
use postback_common::reason::Flag;
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::question::{Question, Table};
use postback_store::reports::tally::Tallies;

use super::asked::Asked;
use super::compared::Compared;
use super::frame::{self, Answer, Answers, Report};
use super::rejects::words;
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{number, plural, text};

/// What is remarkable about conversions: each flag, how often, what it means, a sample
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    postback report flags --from 7d\n  \
    postback report flags --by advertiser --where flags=zero_amount\n  \
    postback report flags --from 7d --to now --compare\n\n\
    Rows are by source unless --by says otherwise, and by flag always; a conversion with two flags \
    counts for both.\n\n\
    share   of all conversions of the same source, or what else rows are by, signals included;\n\
    \x20       --where flags= chooses rows and leaves the share\n\
    sample  the newest of them: postback trace ID shows the whole of it\n\n\
    A flag is no error: one that all postbacks of a source have, or suddenly many, says that a \
    template or a network has changed.")]
pub(super) struct Flags {
    #[command(flatten)]
    asked: Asked,
    /// Show each figure's change against the period of the same length before
    #[arg(long)]
    compare: bool,
}

impl Flags {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let question = self.asked.question(&["source"], &frame::now(options))?;
        frame::run(self, &question, self.compare, options, console).await
    }
}

impl Report for Flags {
    const NAME: &'static str = "flags";
    const TABLE: Table = Table::Conversions;
    const OF_MONEY: bool = false;
    const COMPARED: Compared = Compared {
        keys: 1,
        figures: &["conversions", "share_percent"],
    };

    async fn answer(
        &self,
        reader: &Reader,
        question: &Question,
        before: Option<&Question>,
    ) -> Result<Answers, StoreError> {
        let found = reader.flags(question, before).await?;
        Ok(Answers::of(&found, question, before, told))
    }
}

fn told(found: &Tallies, question: &Question) -> Answer {
    let columns = [
        text("flag", "Flag"),
        number("conversions", "Conver-\nsions"),
    ];
    let meaning = |tag: &str| {
        let known = Flag::ALL.iter().find(|one| one.as_str() == tag);
        known.map_or("", |one| one.explanation())
    };
    let mut sheet = words(found, question, &columns, meaning);
    let (flagged, all) = (found.total.part, found.total.all);
    sheet.fact("flagged", flagged);
    sheet.fact("conversions", all);
    if found.chosen > 0 {
        sheet.notes.push(match flagged {
            0 => format!("No flag on any of {}.", plural(found.chosen, "conversion")),
            _ => format!(
                "{flagged} of {} have a flag; look closer with `postback trace SAMPLE`",
                plural(all, "conversion")
            ),
        });
    }
    Answer {
        sheet,
        is_about_something: found.chosen > 0,
    }
}
