//! ClickHouse's Kafka engine with a materialized view that reads the same columns from the records.
//!
//! It does less: no template, profile or second table, no reasons for what is rejected, and other
//! hashes. Its settings are the best that were found: a thread per consumer, as many as there are
//! processors, a flush a second.

use std::time::Duration;

use anyhow::bail;
use postback_stack::Cancellation;

use super::cost::{Cost, Measurement, Way};
use super::site::Site;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);

/// Nothing more comes, or nothing at all.
const ENDED: Duration = Duration::from_secs(8);
const STALLED: Duration = Duration::from_secs(60);

/// Records in one of its blocks.
const BLOCK: &str = "65536";

/// Loads the topic from its beginning. `conversions` is how many there must be in the end.
pub(super) fn load(
    site: &Site,
    records: u64,
    conversions: u64,
    cancellation: &Cancellation,
) -> anyhow::Result<Cost> {
    site.query("TRUNCATE TABLE conversions_g1")?;
    site.query("TRUNCATE TABLE postbacks_g1")?;
    site.query("CREATE TABLE engine_conversions AS conversions_g1")?;
    let consumers = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = include_str!("engine_queue.sql")
        .replace("{brokers}", &site.brokers())
        .replace("{topic}", site.topic())
        .replace("{consumers}", &consumers.to_string())
        .replace("{block}", BLOCK);
    site.query(&queue)?;
    let mut measurement = Measurement::begin(site, cancellation)?;
    // It begins to read with the first view.
    site.query(include_str!("engine_view.sql"))?;
    let took = wait(&mut measurement, site, conversions, cancellation)?;
    // Nothing reads any more; the merges can be waited for.
    site.query("DROP TABLE engine_view SYNC")?;
    let tables = ["engine_conversions"];
    let cost = measurement.end(Way::Engine, records, 0.0, Some(took), &tables, cancellation)?;
    let stored = site.query("SELECT count() FROM engine_conversions FINAL")?;
    if stored.trim() != conversions.to_string() {
        bail!("{conversions} conversions, but the engine has {stored}");
    }
    site.query("DROP TABLE engine_queue SYNC")?;
    site.query("DROP TABLE engine_conversions SYNC")?;
    Ok(cost)
}

/// Until everything is there; returns how long it took to the last row.
fn wait(
    measurement: &mut Measurement<'_>,
    site: &Site,
    conversions: u64,
    cancellation: &Cancellation,
) -> anyhow::Result<Duration> {
    let (mut stored, mut since) = (0, measurement.elapsed());
    loop {
        cancellation.sleep(LOOK)?;
        measurement.look(None)?;
        let now: u64 = (site.query("SELECT count() FROM engine_conversions")?)
            .trim()
            .parse()?;
        let quiet = measurement.elapsed() - since;
        if now != stored {
            (stored, since) = (now, measurement.elapsed());
        } else if stored >= conversions && quiet > ENDED {
            return Ok(since);
        } else if quiet > STALLED {
            bail!("the Kafka engine stores nothing: {stored} of {conversions}");
        }
    }
}
