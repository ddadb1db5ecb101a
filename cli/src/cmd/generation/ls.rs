//! `postback generation ls`.

use clap::Args;
use jiff::Timestamp;
use postback_normalise::{NORMALISER_VERSION, RecordedRules};
use postback_store::{Generation, Life, Lineage};

use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, size, text};
use crate::replays::{Phase, Record, changed_sources, renewed};

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
            Ok(file) => waits = changed_sources(&rules, file),
            Err(failure) => sheet.notes.push(unfit(active, failure)),
        }
        if !waits.is_empty() {
            sheet.notes.push(format!(
                "The configuration has other rules than generation {active} for: {}. They take effect with a replay; see `postback replay plan`.",
                waits.join("; ")
            ));
        }
        sheet.fact("active", active.number());
        sheet.fact("changed_sources", waits);
        sheet.write(options, console)?;
        Ok(Ending::Done)
    }
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
    let made_at = Timestamp::from_microsecond(life.record.made_at).unwrap_or_default();
    let made_at = made_at
        .to_zoned(options.time_zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string();
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
        Cell::Text(made_at),
        Cell::text(&life.record.made_by),
    ])
}
