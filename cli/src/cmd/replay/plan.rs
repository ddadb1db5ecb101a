//! `postback replay plan`: what a replay would change, from a sample, without writing.

mod facts;
mod prediction;

use clap::Args;
use postback_normalise::NORMALISER_VERSION;
use postback_store::{Generation, comparison, sample};

use crate::arguments::Options;
use crate::cmd::generation::outlived;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag::GroupLag;
use crate::output::{Cell, Sheet, number, plural, text};
use crate::replays::{Record, renewed};
use prediction::{InKafka, Prediction};

/// Predict from a sample what a replay would change; writes nothing
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback replay plan\n  \
    postback replay plan --sample 200000\n\n\
    The sample is chosen by a hash of the ids: the same one each time. Of a postback with several orders \
    only the outcome is compared. Exit code 3 when something would change.")]
pub(super) struct Plan {
    /// Postbacks to judge anew
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    sample: u64,
}

impl Plan {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let record = Record::of(&loaded.settings)?;
        let (lineage, active) = record.with_active().await?;
        let life = &lineage.lives[&active];
        let base = record.rules(life).await?;
        let file = renewed(&loaded.settings, options, &base)?;
        let trouble = |error| record.trouble(&error);
        let postbacks = sample::postbacks(&record.client, active, self.sample).await;
        let conversions = sample::conversions(&record.client, active, self.sample).await;
        let mut prediction = Prediction::default();
        let postbacks = postbacks.map_err(trouble)?;
        let conversions = conversions.map_err(trouble)?;
        let lag = record.lag(active).await?;
        let kafka = InKafka::of(&loaded.settings.kafka.topic, &lag);
        let judged = postbacks.len();
        prediction.judge(&postbacks, conversions, file.rules(), &kafka);
        let mut sheet = Sheet::new(&[
            text("what", "What"),
            text("from", "From"),
            text("to", "To"),
            number("postbacks", "Postbacks"),
            number("percent", "%"),
            text("sample", "Such as"),
        ]);
        for change in prediction.changes() {
            let share = 100.0 * share(change.postbacks, judged);
            sheet.rows.push(vec![
                Cell::Text(change.what),
                Cell::Text(change.from),
                Cell::Text(change.to),
                Cell::Count(change.postbacks as u64),
                Cell::Percent(share),
                Cell::text(&change.sample),
            ]);
        }
        let lost = comparison::without_postbacks(&record.client, active).await;
        let lost = lost.map_err(|error| record.trouble(&error))?;
        let would_change = !sheet.rows.is_empty() || lost > 0;
        sheet.fact("active", active.number());
        sheet.fact("sample", judged as u64);
        sheet.fact("unchanged", prediction.unchanged as u64);
        sheet.notes.push(format!(
            "Of {} of generation {active}, {} would stay as they are.",
            plural(judged as u64, "sampled postback"),
            prediction.unchanged
        ));
        sheet.fact("unread", prediction.unread as u64);
        if prediction.unread > 0 {
            sheet.notes.push(format!(
                "{} of the sample not judged: ClickHouse has the hash of the raw record alone, and a replay reads it from Kafka.",
                plural(prediction.unread as u64, "postback")
            ));
        }
        sheet.fact("outlived", lost);
        if lost > 0 {
            sheet.notes.push(format!("{}.", outlived(lost)));
        }
        let mut changed = Vec::new();
        for proposed in &file.recorded().sources {
            let source = &proposed.source;
            match base.of(source).map(|known| known.differences(proposed)) {
                None => changed.push(format!("{source} (new)")),
                Some(found) if !found.is_empty() => {
                    let names: Vec<_> = found.iter().map(|found| found.as_str()).collect();
                    changed.push(format!("{source} ({})", names.join(", ")));
                }
                Some(_) => {}
            }
        }
        sheet.fact("changed_sources", changed.clone());
        if !changed.is_empty() {
            sheet
                .notes
                .push(format!("Sources with other rules: {}.", changed.join("; ")));
        }
        let version = life.record.normaliser_version;
        if version != NORMALISER_VERSION {
            sheet.notes.push(format!(
                "Normaliser: version {version} before, {NORMALISER_VERSION} after."
            ));
        }
        about_size(active, &record, &lag, &mut sheet).await?;
        sheet.write(options, console)?;
        Ok(if would_change {
            Ending::Found
        } else {
            Ending::Done
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// What would be read, and what room it takes.
async fn about_size(
    active: Generation,
    record: &Record,
    lag: &GroupLag,
    sheet: &mut Sheet,
) -> Result<(), Failure> {
    let stored = postback_store::generations::stored(&record.client, active).await;
    let stored = stored.map_err(|error| record.trouble(&error))?;
    let in_topic: i64 = lag
        .partitions
        .iter()
        .map(|found| found.high - found.low)
        .sum();
    let in_topic = u64::try_from(in_topic).unwrap_or(0);
    sheet.fact("records_in_topic", in_topic);
    if let Some(stored) = stored {
        sheet.fact("bytes", stored.bytes);
        sheet.notes.push(format!(
            "It would read {} from Kafka, take over what Kafka has no more, and take about {} on ClickHouse's disk beside the old generation.",
            plural(in_topic, "record"),
            crate::output::size(stored.bytes)
        ));
    }
    Ok(())
}
