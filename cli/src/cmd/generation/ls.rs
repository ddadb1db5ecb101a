//! `postback generation ls`.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_normalise::{Configured, NORMALISER_VERSION, RecordedRules};
use postback_store::{Generation, Life, Lineage};

use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, size, text};
use crate::range::shown;
use crate::replays::{Phase, Record, changed_sources, remedy_for_changes, renewed};

/// All generations: what readers see, what is beside it, what was dropped
#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Also those that were dropped
    #[arg(short, long)]
    all: bool,
}

impl Ls {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let record = Record::of(&loaded.settings)?;
        let (lineage, active) = record.with_active().await?;
        let mut sheet = Sheet::new(&[
            number("generation", "Generation"),
            text("phase", "Phase"),
            number("base", "Base"),
            number("normaliser", "Normaliser"),
            number("postbacks", "Postbacks"),
            number("conversions", "Conversions"),
            number("bytes", "Size"),
            number("waiting", "Waiting"),
            number("members", "Members"),
            text("made_at", "Made"),
            text("made_by", "By"),
        ]);
        let mut waits: Vec<String> = Vec::new();
        for life in lineage.lives.values() {
            if life.is_live() || self.all {
                sheet
                    .rows
                    .push(row(life, &lineage, &record, options).await?);
            }
            if life.is_live() && life.record.normaliser_version != NORMALISER_VERSION {
                sheet.notes.push(format!(
                    "Generation {} is loaded by programs with normaliser version {}; this one has {NORMALISER_VERSION}.",
                    life.generation, life.record.normaliser_version
                ));
            }
        }
        let rules: RecordedRules = record.rules(&lineage.lives[&active]).await?;
        let file = renewed(&loaded.settings, options, &rules);
        match &file {
            Ok(file) => {
                waits = changed_sources(&rules, file);
                sheet.notes.extend(untaken(active, &waits, &rules, file));
            }
            Err(failure) => sheet.notes.push(unfit(active, failure)),
        }
        sheet.notes.push(
            "Postbacks and conversions are stored rows: revisions that ClickHouse has yet to merge, own orders and lines of statements count, too.".to_owned(),
        );
        sheet.fact("active", active.number());
        sheet.fact("changed_sources", waits);
        sheet.write(options, console)?;
        Ok(Ending::Done)
    }
}

/// What the file says otherwise, and what can be done about it: in the words of the consumer's log.
fn untaken(
    active: Generation,
    waits: &[String],
    rules: &RecordedRules,
    file: &Configured,
) -> Option<String> {
    (!waits.is_empty()).then(|| {
        format!(
            "The configuration has other rules than generation {active} for: {}. {}.",
            waits.join("; "),
            remedy_for_changes(rules, file)
        )
    })
}

/// The configuration lacks a source of what readers see, or does not fit under what is fixed.
fn unfit(active: Generation, failure: &Failure) -> String {
    let text = failure.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    format!(
        "The configuration does not fit generation {active}, and no replay can begin by it: {}.",
        lines.join("; ")
    )
}

async fn row(
    life: &Life,
    lineage: &Lineage,
    record: &Record,
    options: &Options,
) -> Result<Vec<Cell>, Failure> {
    let generation = life.generation;
    // What Kafka does not tell stays empty: the list is about ClickHouse.
    let lag = if life.is_live() {
        record.lag(generation).await.ok()
    } else {
        None
    };
    let stored = postback_store::generations::stored(&record.client, generation).await;
    let stored = stored.map_err(|error| record.trouble(&error))?;
    let count = |count: Option<u64>| count.map_or(Cell::Missing, Cell::Count);
    let is_table = options.output == crate::arguments::Form::Table;
    Ok(vec![
        Cell::Count(generation.number().into()),
        Cell::text(Phase::of(life, lineage, lag.as_ref()).as_str()),
        life.base()
            .map_or(Cell::Missing, |base| Cell::Count(base.number().into())),
        Cell::Count(life.record.normaliser_version.into()),
        count(stored.as_ref().map(|stored| stored.postbacks)),
        count(stored.as_ref().map(|stored| stored.conversions)),
        match &stored {
            Some(stored) if is_table => Cell::Text(size(stored.bytes)),
            Some(stored) => Cell::Count(stored.bytes),
            None => Cell::Missing,
        },
        count(lag.as_ref().map(crate::lag::GroupLag::waiting)),
        count(lag.as_ref().map(|lag| lag.members as u64)),
        made_at(life.record.made_at, &options.time_zone),
        Cell::text(&life.record.made_by),
    ])
}

/// A time that cannot be is no other one.
fn made_at(micros: i64, zone: &TimeZone) -> Cell {
    let at = Timestamp::from_microsecond(micros);
    at.map_or(Cell::Missing, |at| Cell::Text(shown(at, zone)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use postback_common::config;

    use super::*;

    fn configured(source: &str) -> Configured {
        let text = format!(
            "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"shop\"\nnetwork = \"rakuten\"\n\
             enabled = false\n{source}"
        );
        let settings = config::read(Path::new("t.toml"), &text, []).unwrap();
        Configured::new(&settings.sources, &BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_change_that_can_be_accepted_needs_no_replay() {
        let loaded = configured("");
        let told = |file: &Configured| {
            let rules = loaded.recorded();
            untaken(
                Generation::FIRST,
                &changed_sources(rules, file),
                rules,
                file,
            )
        };
        assert_eq!(told(&loaded), None);
        let words = told(&configured("currency = \"EUR\"\n")).unwrap();
        let begin = "The configuration has other rules than generation 1 for: shop (currency). \
             `postback generation accept shop` has what comes from now on";
        assert!(words.starts_with(begin), "{words}");
        let words = told(&configured("time_zone = \"Europe/Berlin\"\n")).unwrap();
        let begin = "The configuration has other rules than generation 1 for: shop (time_zone). \
             `postback replay start` loads everything anew";
        assert!(words.starts_with(begin), "{words}");
    }

    #[test]
    fn times_have_their_offset_and_none_is_made_up() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let text = |micros| made_at(micros, &zone).for_csv();
        assert_eq!(text(1_788_220_800_000_000), "2026-09-01T02:00:00+02:00");
        assert_eq!(text(i64::MAX), "");
    }
}
