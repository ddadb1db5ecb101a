//! `postback verify`: is everything that Kafka has in the tables, and counted once?

mod asked;
mod differing;
mod outcome;
mod several;
mod sheet;
mod topic;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use jiff::{Timestamp, Zoned};
use postback_common::config::Settings;
use postback_normalise::{NORMALISER_VERSION, Rules};
use postback_service::kafka::{Amount, LogReader};
use postback_store::reports::Reader;
use postback_store::retention::Horizon;
use postback_store::verify::{Block, Fault, Keys, Scope, Sum, Tables};
use postback_store::{Generation, Role, client};

use super::load;
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag;
use crate::progress::{self, Meter};
use crate::range;
use crate::replays::{Record, live_one};
use crate::servers::Trouble;
use asked::Asked;
use differing::{Differing, VerifyError};
use outcome::{Outcome, Rows};
use several::{Lacking, Looking};
use topic::Topic;

/// Compare the ids in Kafka with the ids in the tables, and look for keys that count twice
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback verify\n  \
    postback verify --from 7d --source rakuten-us\n\n\
    missing         a record of the topic, loaded by its offset, has no row\n\
    extra           a row stands under an offset of the topic that has another record, or none\n\
    two_days        a conversion stands under two days, and counts twice\n\
    no_conversion   a postback was accepted, and its conversion is not there; of an array of orders:\n                  \
                    none of its conversions\n\
    wrong_revision  the view does not show the highest revision of a conversion, once\n\
    older_counts    the revision that counts was received before another one: the network dated the\n                  \
                    later one earlier. Right as it is; listed with --verbose only\n\n\
    What waits to be loaded is not looked at. Changes nothing, and takes memory for a part of the ids \
    at a time. Exit code 3 when something is wrong.")]
pub(crate) struct Verify {
    /// Only what was received then or later: a date, a time, today, yesterday, 7d or 12h [default: all that the topic has]
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// Only what was received before, in the same forms
    #[arg(long, value_name = "WHEN")]
    to: Option<String>,
    /// Only this source, by its name or one that it had before
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Most rows to list of each finding
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
}

/// The readers of the topic stop when whoever waits for them is gone.
struct StopAtEnd(Arc<AtomicBool>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Verify {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let now = Zoned::now().with_time_zone(options.time_zone.clone());
        let (from, to) = range::open(self.from.as_deref(), self.to.as_deref(), &now)?;
        let settings = load(options, console)?.settings;
        let trouble = |error| Trouble::of_clickhouse(&error, &settings.clickhouse);
        let reader = Reader::of_active(&settings.clickhouse).await;
        let generation = reader.map_err(trouble)?.generation();
        let (asked, rules) = self.by_rules(generation, &settings).await?;
        let client = client(&settings.clickhouse, Role::Query).map_err(trouble)?;
        let tables = Tables::of(client, generation);
        // Before anything is read: what was committed by now is in the tables.
        let lag = lag::of_generation(&settings, generation).await;
        let lag = lag.map_err(|words| Trouble::new(words, "see `postback doctor`"))?;
        let keep_days = settings.clickhouse.keep_days;
        let today = now.timestamp().to_zoned(jiff::tz::TimeZone::UTC).date();
        let horizon = keep_days.map(|days| Horizon::new(today, days));
        let check = Check {
            settings: &settings,
            tables: &tables,
            horizon,
            rules,
            limit: self.limit,
            scope: Scope {
                topic: settings.kafka.topic.clone(),
                extents: topic::extents(&lag),
                from: later(from, horizon.map(Horizon::begins_at)),
                to,
                source: asked.as_ref().map(|asked| asked.source.clone()),
                names: asked.map(|asked| asked.names).unwrap_or_default(),
            },
            stop: StopAtEnd(Arc::default()),
        };
        let meter = Meter::new("asking Kafka");
        let outcome = progress::shown(&meter, console, check.run(&meter)).await;
        let outcome = outcome.map_err(|error| failure(error, &settings))?;
        let is_well = outcome.is_well() && lag.partitions.iter().all(|found| found.lost() == 0);
        let about = sheet::About {
            outcome: &outcome,
            lag: &lag,
            scope: &check.scope,
            generation,
            horizon,
            asked_from: from,
        };
        about.sheet(is_well, options).write(options, console)?;
        Ok(if is_well { Ending::Done } else { Ending::Found })
    }

    /// `--source` as the generation calls it, and its rules where this program loads by them.
    async fn by_rules(
        &self,
        generation: Generation,
        settings: &Settings,
    ) -> Result<(Option<Asked>, Option<Rules>), Failure> {
        let record = Record::of(settings)?;
        let lineage = record.lineage().await?;
        let life = live_one(&lineage, generation.number())?;
        let is_ours = life.record.normaliser_version == NORMALISER_VERSION;
        if !is_ours && self.source.is_none() {
            return Ok((None, None));
        }
        let rules = record.rules(life).await?;
        let asked = self.source.as_ref();
        let asked = asked.map(|name| Asked::of(name, &rules, settings));
        let rules = is_ours.then(|| Rules::of(&rules.sources));
        let rules = rules.transpose().map_err(Failure::failed)?;
        Ok((asked.transpose()?, rules))
    }
}

fn later(from: Option<Timestamp>, kept: Option<Timestamp>) -> Option<Timestamp> {
    from.max(kept)
}

fn failure(error: VerifyError, settings: &Settings) -> Failure {
    match error {
        VerifyError::Log(error) => Trouble::new(error.to_string(), error.remedy()).into(),
        VerifyError::Store(error) => Trouble::of_clickhouse(&error, &settings.clickhouse).into(),
        VerifyError::Task(error) => Failure::failed(error),
    }
}

/// Everything that a check needs.
struct Check<'a> {
    settings: &'a Settings,
    tables: &'a Tables,
    horizon: Option<Horizon>,
    /// Those of the generation; `None` where another version of the normaliser loads it.
    rules: Option<Rules>,
    limit: usize,
    scope: Scope,
    stop: StopAtEnd,
}

impl Check<'_> {
    async fn run(&self, meter: &Meter) -> Result<Outcome, VerifyError> {
        let mut outcome = Outcome::default();
        let kafka = &self.settings.kafka;
        let reader = LogReader::open(
            kafka,
            &self.scope.topic,
            "postback-verify",
            Amount::Stretches,
        )?;
        let reader = Arc::new(reader);
        let (topic, size) = self.topic(&reader, meter).await?;
        let rows = self.rows(size, meter).await?;
        let blocks = differing(&topic, &rows);
        meter.begin("looking at blocks that differ", blocks.len() as u64);
        let differing = Differing {
            reader,
            tables: self.tables,
            scope: &self.scope,
            extents: &self.scope.extents,
            size,
            limit: self.limit,
            stop: Arc::clone(&self.stop.0),
            meter,
        };
        outcome.differences = differing.look(&blocks).await?;
        outcome.records = topic.records();
        outcome.unreadable = topic.unreadable;
        outcome.rows = rows;
        self.keys(&mut outcome, meter).await?;
        Ok(outcome)
    }

    /// The sums of the topic, and how many offsets a block has.
    async fn topic(
        &self,
        reader: &Arc<LogReader>,
        meter: &Meter,
    ) -> Result<(Topic, u64), VerifyError> {
        let (asked, extents) = (Arc::clone(reader), self.scope.extents.clone());
        let from = self.scope.from;
        let parts = move || topic::parts(&asked, &extents, from);
        let parts = tokio::task::spawn_blocking(parts).await??;
        let size = topic::block_size(&parts);
        let offsets = |part: &topic::Part| part.extent.end - part.start;
        meter.begin("reading the topic", parts.iter().map(offsets).sum());
        let (reader, scope) = (Arc::clone(reader), self.scope.clone());
        let (stop, meter) = (Arc::clone(&self.stop.0), meter.clone());
        let reading = tokio::task::spawn_blocking(move || {
            topic::sum_up(&reader, &parts, size, &scope, &meter, &stop)
        });
        Ok((reading.await??, size))
    }

    async fn rows(&self, size: u64, meter: &Meter) -> Result<Rows, VerifyError> {
        let days = self.tables.days(&self.scope).await?;
        meter.begin("reading the table", days.iter().map(|(_, rows)| rows).sum());
        let mut found = Rows::default();
        for (day, rows) in days {
            for (group, sum) in self.tables.blocks(&self.scope, day, size).await? {
                found.add(group, sum);
            }
            meter.advance(rows);
        }
        Ok(found)
    }

    async fn keys(&self, outcome: &mut Outcome, meter: &Meter) -> Result<(), VerifyError> {
        let shares = self.tables.shares().await?;
        meter.begin(
            "looking at the conversions' keys",
            shares * Fault::ALL.len() as u64,
        );
        let mut lacking = Lacking::default();
        for share in 0..shares {
            let keys = Keys { share, of: shares };
            for fault in Fault::ALL {
                let found = self
                    .tables
                    .keys(fault, &self.scope, keys, self.horizon, self.limit);
                let (total, some) = found.await?;
                outcome.add(fault, total, some, self.limit);
                meter.advance(1);
            }
            if let Some(rules) = &self.rules {
                let several = Looking {
                    tables: self.tables,
                    scope: &self.scope,
                    rules,
                    horizon: self.horizon,
                    limit: self.limit,
                };
                several.look(keys, &mut lacking).await?;
            }
        }
        let total = lacking.total();
        outcome.add(Fault::NoConversion, total, lacking.some, self.limit);
        Ok(())
    }
}

/// The blocks whose sums are not the same, with the rows' sums.
fn differing(topic: &Topic, rows: &Rows) -> BTreeMap<Block, Sum> {
    let all = topic.blocks.keys().chain(rows.blocks.keys());
    let of = |sums: &BTreeMap<Block, Sum>, block| sums.get(block).copied().unwrap_or_default();
    all.filter(|block| of(&topic.blocks, block) != of(&rows.blocks, block))
        .map(|block| (*block, of(&rows.blocks, block)))
        .collect()
}

#[cfg(test)]
mod tests {
    use postback_store::verify::Group;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn blocks_differ_by_number_or_by_ids() {
        let block = |number| Block {
            partition: 0,
            number,
        };
        let sum = |ids: &[u128]| {
            let mut sum = Sum::default();
            ids.iter().for_each(|id| sum.add(Uuid::from_u128(*id)));
            sum
        };
        let topic = Topic {
            blocks: BTreeMap::from([
                (block(0), sum(&[1, 2])),
                (block(1), sum(&[3])),
                (block(2), sum(&[4, 5])),
                (block(4), sum(&[9])),
            ]),
            unreadable: 0,
        };
        let mut rows = Rows::default();
        rows.add(Group::Block(block(0)), sum(&[2]));
        rows.add(Group::Block(block(0)), sum(&[1]));
        rows.add(Group::Block(block(1)), sum(&[8]));
        // The same exclusive or, of another number.
        rows.add(Group::Block(block(2)), sum(&[4 ^ 5]));
        rows.add(Group::Block(block(3)), sum(&[7]));
        let found: Vec<(u64, u64)> = differing(&topic, &rows)
            .into_iter()
            .map(|(block, sum)| (block.number, sum.count))
            .collect();
        assert_eq!(found, [(1, 1), (2, 1), (3, 1), (4, 0)]);
    }

    #[test]
    fn what_was_dropped_is_not_looked_for() {
        let early: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let late: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
        assert_eq!(later(None, None), None);
        assert_eq!(later(Some(early), Some(late)), Some(late));
        assert_eq!(later(Some(late), Some(early)), Some(late));
        assert_eq!(later(None, Some(early)), Some(early));
    }
}
