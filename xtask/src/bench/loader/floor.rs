//! The floor: the same rows as they stand in the tables, sent ready-made in batches of the same size
//! and with the same settings as the consumer's.

use anyhow::Context as _;
use postback_stack::Cancellation;

use super::cost::{Cost, Measurement, Way};
use super::site::Site;

/// Postbacks in a batch: what the consumer loads at once by default.
const BATCH: u64 = 75_000;

/// The settings of the consumer's inserts.
const SETTINGS: &str = "async_insert=0&max_partitions_per_insert_block=0&insert_deduplicate=0\
    &optimize_on_insert=0&wait_end_of_query=1";

/// Takes rows of about that many records out of the tables, which a load has just filled, and puts
/// them into empty ones.
pub(super) fn load(
    site: &Site,
    records: u64,
    cancellation: &Cancellation,
) -> anyhow::Result<[Cost; 2]> {
    let partitions: u64 = (site.query("SELECT uniqExact(kafka_partition) FROM postbacks")?)
        .trim()
        .parse()?;
    let batches = records.div_ceil(BATCH).max(1);
    let offsets = records / partitions.max(1) / batches;
    // The consumer reads all partitions alike.
    let batch = |number: u64| {
        let (from, to) = (number * offsets, (number + 1) * offsets);
        format!("SELECT id FROM postbacks_g1 WHERE kafka_offset >= {from} AND kafka_offset < {to}")
    };
    let take = |table: &str, id: &str| {
        let taken = (0..batches).map(|number| {
            cancellation.check()?;
            let sql = format!("SELECT * FROM {table} WHERE {id} IN ({})", batch(number));
            site.take_rows(&sql, &format!("{table}-{number}"))
        });
        taken.collect::<anyhow::Result<Vec<_>>>()
    };
    let conversions = take("conversions_g1", "postback_id")?;
    let postbacks = take("postbacks_g1", "id")?;
    Ok([
        put(
            Way::FloorConversions,
            "conversions_g1",
            &conversions,
            site,
            cancellation,
        )?,
        put(
            Way::FloorPostbacks,
            "postbacks_g1",
            &postbacks,
            site,
            cancellation,
        )?,
    ])
}

fn put(
    way: Way,
    table: &str,
    batches: &[std::path::PathBuf],
    site: &Site,
    cancellation: &Cancellation,
) -> anyhow::Result<Cost> {
    site.query(&format!("TRUNCATE TABLE {table}"))?;
    let mut measurement = Measurement::begin(site, cancellation)?;
    for batch in batches {
        let bytes = std::fs::read(batch).context("the rows that were taken out")?;
        site.put_rows(table, SETTINGS, &bytes)?;
        measurement.look(None)?;
    }
    let rows = site.query(&format!("SELECT count() FROM {table}"))?;
    let rows = rows.trim().parse()?;
    measurement.end(way, rows, 0.0, None, &[table], cancellation)
}
