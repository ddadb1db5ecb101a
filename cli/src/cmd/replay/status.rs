//! `postback replay status`: how far, how fast, how long, and what it changes.

use clap::Args;
use jiff::Timestamp;
use postback_store::{Generation, Life, Lineage};

use super::Until;
use crate::arguments::Options;
use crate::cmd::generation::Differences;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, age, number, text};
use crate::replays::{Distance, Phase, Record};

/// How far the replay is, and what it changes
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 3 without a replay. The comparison is by id, up to where the active generation was \
    when the replay began; `postback generation diff` compares everything."
)]
pub(super) struct Status {
    /// Wait until it has all of the past
    #[arg(long)]
    wait: bool,
}

impl Status {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let record = Record::of(&loaded.settings)?;
        let (lineage, active) = record.with_active().await?;
        let beside = lineage.live().find(|life| life.generation != active);
        let mut sheet = Sheet::new(&[
            number("generation", "Generation"),
            number("base", "Beside"),
            text("phase", "Phase"),
            number("loaded", "Loaded"),
            number("total", "Of"),
            number("percent", "%"),
            number("records_per_second", "Records/s"),
            text("left", "Left"),
            number("taken_over", "Taken over"),
            number("waiting", "Waiting"),
            number("members", "Members"),
        ]);
        let Some(beside) = beside else {
            sheet.fact("active", active.number());
            sheet.notes.push(format!(
                "No replay is under way: readers see generation {active}, and it is the only one."
            ));
            sheet.write(options, console)?;
            return Ok(Ending::Found);
        };
        let generation = beside.generation;
        if self.wait && !beside.is_whole() {
            Until::Whole.reached(generation, &record, console).await?;
        }
        let lineage = record.lineage().await?;
        let life = crate::replays::live_one(&lineage, generation.number())?;
        let lag = record.lag(generation).await?;
        let phase = Phase::of(life, &lineage, Some(&lag));
        let far = Distance::of(&lag, life);
        sheet
            .rows
            .push(row(life, far, phase, &lag, active.number()));
        if lag.members == 0 {
            let nobody = "No postback-consumer is a member of its group: nothing is being loaded.";
            sheet.notes.push(nobody.to_owned());
        }
        if record.lag(active).await?.members == 0 {
            sheet.notes.push(nobody_loads(active, &lineage));
        }
        if !life.is_whole() {
            sheet
                .notes
                .push("What it changes is told here when it has all of the past.".to_owned());
            sheet.write(options, console)?;
            return Ok(Ending::Done);
        }
        if life.target.is_none() {
            let compare =
                format!("What differs: `postback generation diff {active} {generation}`.");
            sheet.notes.push(compare);
            sheet.write(options, console)?;
            return Ok(Ending::Done);
        }
        let differences = Differences::between(&record, active, life, life.target.clone()).await?;
        sheet.fact("differences", differences.for_programs());
        sheet.notes.extend(differences.for_people());
        if phase == Phase::Standby {
            let next = format!("Switch readers: `postback generation activate {generation}`.");
            sheet.notes.push(next);
        }
        sheet.write(options, console)?;
        Ok(Ending::Done)
    }
}

/// What follows from it that no consumer is a member of the group of what readers see.
pub(super) fn nobody_loads(active: Generation, lineage: &Lineage) -> String {
    format!(
        "No postback-consumer loads generation {active}, which readers see: neither can it be passed nor can \
         readers be switched. It takes one with normaliser version {}.",
        lineage.lives[&active].record.normaliser_version
    )
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people"
)]
fn row(
    life: &Life,
    far: Distance,
    phase: Phase,
    lag: &crate::lag::GroupLag,
    active: u32,
) -> Vec<Cell> {
    let is_loading = phase == Phase::Loading && far.done > 0;
    let rate = rate(far.done, life.record.made_at).filter(|_| is_loading);
    let left = rate.map(|rate| {
        let left = (far.total - far.done) as f64 / rate;
        age(jiff::SignedDuration::from_secs(left as i64))
    });
    let percent = (far.total > 0).then(|| 100.0 * far.done as f64 / far.total as f64);
    vec![
        Cell::Count(life.generation.number().into()),
        Cell::Count(active.into()),
        Cell::text(phase.as_str()),
        Cell::Count(far.done),
        Cell::Count(far.total),
        percent.map_or(Cell::Missing, Cell::Percent),
        rate.map_or(Cell::Missing, |rate| Cell::Count(rate as u64)),
        left.map_or(Cell::Missing, Cell::Text),
        life.filled.map_or(Cell::Missing, Cell::Count),
        Cell::Count(lag.waiting()),
        Cell::Count(lag.members as u64),
    ]
}

/// Records a second since a time in microseconds; none since one that cannot be.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(done: u64, since: i64) -> Option<f64> {
    let since = Timestamp::from_microsecond(since).ok()?;
    let seconds = Timestamp::now().duration_since(since).as_secs_f64();
    Some(done as f64 / seconds.max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_since_a_time_that_is_known() {
        let hour_ago = Timestamp::now() - jiff::SignedDuration::from_hours(1);
        let known = rate(7_200, hour_ago.as_microsecond()).unwrap();
        assert!((1.99..=2.0).contains(&known), "{known}");
        assert_eq!(rate(7_200, i64::MAX), None);
    }
}
