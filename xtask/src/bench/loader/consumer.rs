//! The consumer, from its start until everything is stored.

use std::time::Duration;

use anyhow::bail;
use postback_stack::{Cancellation, Supervised};

use super::super::host;
use super::cost::{Cost, Measurement, Way};
use super::metrics::Metrics;
use super::site::Site;

/// The columns of a table of postbacks that keeps nearly nothing: the others are read and dropped.
const FORGETFUL_COLUMNS: &str = "SELECT arrayStringConcat(groupArray(concat(name, ' ', type, \
    if(name IN ('id', 'conversion_key'), '', ' EPHEMERAL'))), ', ') \
    FROM system.columns WHERE database = currentDatabase() AND table = 'postbacks_g1' FORMAT TSVRaw";

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);

/// A consumer that stores nothing for so long has stopped.
const STALLED: Duration = Duration::from_secs(60);

/// What is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tables {
    /// As in production.
    Both,
    /// The table of postbacks takes rows and forgets them: the consumer's work is the whole, that
    /// of the server what one table costs, and parsing the other.
    ConversionsAlone,
}

/// Empties the tables, loads the topic from its beginning, and waits for the merges.
pub(super) fn load(
    tables: Tables,
    site: &Site,
    records: u64,
    cancellation: &Cancellation,
) -> anyhow::Result<Cost> {
    site.query("TRUNCATE TABLE conversions_g1")?;
    match tables {
        Tables::Both => site.query("TRUNCATE TABLE postbacks_g1")?,
        Tables::ConversionsAlone => {
            // Not the engine Null: it takes no index, which the consumer adds where it is missing.
            let columns = site.query(FORGETFUL_COLUMNS)?;
            site.query(&format!(
                "CREATE TABLE forgetful ({}, INDEX conversion_key_bloom conversion_key TYPE \
                 bloom_filter(0.01) GRANULARITY 1) ENGINE = MergeTree ORDER BY tuple()",
                columns.trim()
            ))?;
            site.query("EXCHANGE TABLES forgetful AND postbacks_g1")?
        }
    };
    let loaded = run(tables, site, records, cancellation);
    if tables == Tables::ConversionsAlone {
        site.query("EXCHANGE TABLES forgetful AND postbacks_g1")?;
        site.query("DROP TABLE forgetful SYNC")?;
    }
    loaded
}

fn run(
    tables: Tables,
    site: &Site,
    records: u64,
    cancellation: &Cancellation,
) -> anyhow::Result<Cost> {
    let (way, filled): (_, &[&str]) = match tables {
        Tables::Both => (Way::Both, &["conversions_g1", "postbacks_g1"]),
        Tables::ConversionsAlone => (Way::One, &["conversions_g1"]),
    };
    let mut measurement = Measurement::begin(site, cancellation)?;
    let consumer = site.consumer(&format!("bench-{way:?}"))?;
    wait(&consumer, &mut measurement, site, records, cancellation)?;
    let cpu = host::cpu(consumer.pid())?;
    consumer.kill();
    let cost = measurement.end(way, records, cpu, None, filled, cancellation)?;
    if tables == Tables::Both {
        let stored = site.count("postbacks")?;
        if stored != records {
            bail!("{records} records, but {stored} rows of postbacks");
        }
    }
    Ok(cost)
}

fn wait(
    consumer: &Supervised,
    measurement: &mut Measurement<'_>,
    site: &Site,
    records: u64,
    cancellation: &Cancellation,
) -> anyhow::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let wanted = records as f64;
    let (mut stored, mut since) = (0.0, measurement.elapsed());
    loop {
        cancellation.sleep(LOOK)?;
        if !consumer.is_running() {
            bail!("the consumer ended: {}", site.printed());
        }
        measurement.look(Some(consumer.pid()))?;
        let metrics = Metrics::of(site.admin());
        let now = metrics.sum("postback_consumer_rows_total", Some(("table", "postbacks")));
        if now >= wanted {
            return Ok(());
        }
        if now > stored {
            (stored, since) = (now, measurement.elapsed());
        } else if measurement.elapsed() - since > STALLED {
            bail!("the consumer stores nothing: {}", site.printed());
        }
    }
}
