//! `postback report rejects`

use std::collections::BTreeMap;

use clap::Args;
use jiff::tz::TimeZone;
use postback_common::reason::Rejection;
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::question::{Question, Table};
use postback_store::reports::tally::{Tallies, Tally};

use super::asked::Rows;
use super::compared::Compared;
use super::frame::{self, Answer, Answers, Report, names};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Column, Sheet, number, plural, text};
use crate::range::shown;

/// Why postbacks became no conversions: each reason, how often, a sample
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    postback report rejects --from 7d\n  \
    postback report rejects --by day --where reason=missing_identity\n  \
    postback report rejects --from 7d --to now --compare\n\n\
    Rows are by source unless --by says otherwise (hour, day, week, month, source, network, account, \
    via, remote, nothing), and by reason always; a postback with two reasons counts for both.\n\n\
    share   of all postbacks received of the same source, or what else rows are by; --where reason=\n\
    \x20       chooses rows and leaves the share\n\
    sample  the newest of them: postback trace ID shows the whole of it\n\n\
    A postback of several orders of which only some were refused is accepted, and told below the table.\n\n\
    Nothing is lost: the raw records stay, and a replay with better rules can accept them.")]
pub(super) struct Rejects {
    #[command(flatten)]
    rows: Rows,
    /// Show each figure's change against the period of the same length before
    #[arg(long)]
    compare: bool,
}

impl Rejects {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let question = self.rows.of_postbacks(&["source"], &frame::now(options))?;
        frame::run(self, &question, self.compare, options, console).await
    }
}

impl Report for Rejects {
    const NAME: &'static str = "rejects";
    const TABLE: Table = Table::Postbacks;
    const OF_MONEY: bool = false;
    const COMPARED: Compared = Compared {
        keys: 1,
        figures: &["postbacks", "share_percent"],
    };

    async fn answer(
        &self,
        reader: &Reader,
        question: &Question,
        before: Option<&Question>,
    ) -> Result<Answers, StoreError> {
        let found = reader.rejects(question, before).await?;
        Ok(Answers::of(&found, question, before, told))
    }
}

fn told(found: &Tallies, question: &Question) -> Answer {
    let columns = [text("reason", "Reason"), number("postbacks", "Postbacks")];
    let meaning = |tag: &str| {
        let known = Rejection::ALL.iter().find(|one| one.as_str() == tag);
        known.map_or("", |one| one.explanation())
    };
    let mut sheet = words(found, question, &columns, meaning);
    let (rejected, all) = (found.total.part, found.total.all);
    sheet.fact("rejected", rejected);
    sheet.fact("received", all);
    sheet.fact("partly_refused", found.partly_total.part);
    if found.chosen > 0 {
        sheet.notes.push(match rejected {
            0 => format!(
                "Nothing was rejected of {}.",
                plural(found.chosen, "postback")
            ),
            _ => format!(
                "{rejected} of {} rejected; look closer with `postback trace SAMPLE`",
                plural(all, "postback")
            ),
        });
    }
    sheet.notes.extend(in_part(found));
    Answer {
        sheet,
        is_about_something: found.chosen > 0,
    }
}

/// Accepted arrays of orders of which some were refused: how many, why, the newest of each reason.
fn in_part(found: &Tallies) -> Option<String> {
    let mut reasons = BTreeMap::<&str, (u64, &Tally)>::new();
    for tally in &found.partly {
        let (count, newest) = reasons.entry(&tally.word).or_insert((0, tally));
        *count += tally.share.part;
        if tally.last > newest.last {
            *newest = tally;
        }
    }
    let told: Vec<String> = reasons
        .iter()
        .map(|(reason, (count, newest))| {
            format!("{reason} {count} (`postback trace {}`)", newest.sample)
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "Of {}, accepted in part, the rest was refused: {}",
            plural(found.partly_total.part, "postback"),
            told.join(", ")
        )
    })
}

/// Rows of words: what each is of, the word, how many rows have it, their share, the newest of them.
pub(super) fn words(
    found: &Tallies,
    question: &Question,
    own: &[Column; 2],
    meaning: impl Fn(&str) -> &'static str,
) -> Sheet {
    let mut columns = names(question);
    columns.extend_from_slice(own);
    columns.extend([
        number("share_percent", "Share %"),
        text("last", "Newest"),
        text("sample", "Sample"),
        text("meaning", "Meaning"),
    ]);
    let mut sheet = Sheet::new(&columns);
    let zone: &TimeZone = &question.zone;
    let rows = found.rows.iter().map(|tally| {
        let mut cells: Vec<Cell> = tally.dimension.iter().map(Cell::text).collect();
        cells.extend([
            Cell::text(&tally.word),
            Cell::Count(tally.share.part),
            tally.share.percent().map_or(Cell::Missing, Cell::Percent),
            Cell::Text(shown(tally.last, zone)),
            Cell::text(&tally.sample),
            Cell::text(meaning(&tally.word)),
        ]);
        cells
    });
    sheet.rows = rows.collect();
    sheet
}
