//! What one generation has and another one lacks: raw records that Kafka no longer keeps.
//!
//! Read by slices of a day, so that neither the server nor the reader needs memory for more than a
//! slice's ids.

use std::ops::Range;

use clickhouse::query::RowCursor;
use clickhouse::{Client, Row};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use crate::connection::{run, run_within};
use crate::error::StoreError;
use crate::generations::Offsets;
use crate::tables::{FINAL_WITHIN_PARTITIONS, Generation};

/// Ids of a slice, about: what the server keeps in memory to find what is lacking.
const SLICE_ROWS: u64 = 1_000_000;
/// For the days of all rows, and for one slice's answer to begin.
const ANSWER_WITHIN: std::time::Duration = std::time::Duration::from_mins(5);

/// Part of a generation's postbacks: those received on one day, of which every n-th by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Days since 1970-01-01, UTC.
    day: u16,
    part: u64,
    parts: u64,
}

/// A record that another generation lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacked {
    /// Topic that it was read from: not always the one of the configuration.
    pub topic: String,
    /// The record.
    pub kept: Kept,
}

/// A record as a generation keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub id: Uuid,
    /// When it was received, UTC.
    pub received_at: Timestamp,
    /// Partition that it was read from.
    pub partition: i32,
    /// Offset that it was read at.
    pub offset: i64,
    /// As it stands in the column `raw`.
    pub raw: String,
}

#[derive(Row, Deserialize)]
struct Day {
    day: u16,
    rows: u64,
}

/// All slices of a generation, oldest first.
///
/// # Errors
/// As the server answers.
pub async fn slices(client: &Client, base: Generation) -> Result<Vec<Slice>, StoreError> {
    let sql = format!(
        "SELECT toUInt16(toDate(received_at)) AS day, count() AS rows FROM {} GROUP BY day ORDER BY day",
        base.postbacks()
    );
    // All rows are counted: a profile's limit would end each attempt at the same place.
    let query = client
        .query_raw(&sql)
        .with_setting("max_execution_time", "0");
    let attempt = "read the days of a generation";
    let days: Vec<Day> = run_within(ANSWER_WITHIN, attempt, query.fetch_all()).await?;
    let slices = days.into_iter().flat_map(|Day { day, rows }| {
        let parts = rows.div_ceil(SLICE_ROWS).max(1);
        (0..parts).map(move |part| Slice { day, part, parts })
    });
    Ok(slices.collect())
}

/// For each of these partitions of the topic the offset behind the last row that a generation has at
/// or behind the one that is given; none for one of which it has no such row.
///
/// A generation of a thousand million rows must not be grouped for that: readers wait for the answer.
///
/// # Errors
/// As the server answers.
pub async fn next_offsets(
    client: &Client,
    generation: Generation,
    topic: &str,
    from: &Offsets,
) -> Result<Offsets, StoreError> {
    // Partitions of which nothing is loaded, which are few, or small, do not make it read all others.
    let (empty, begun): (Vec<_>, Vec<_>) = from.iter().partition(|(_, from)| **from <= 0);
    let empty: Vec<i32> = empty.into_iter().map(|(partition, _)| *partition).collect();
    let least = begun.into_iter().map(|(_, from)| *from).min();
    let sql = format!(
        "SELECT toInt32(kafka_partition) AS partition, toInt64(max(kafka_offset) + 1) AS next FROM {} \
         WHERE (kafka_offset >= {{least:UInt64}} OR has({{empty:Array(Int32)}}, toInt32(kafka_partition))) \
           AND kafka_topic = {{topic:String}} GROUP BY partition",
        generation.postbacks()
    );
    let least = least.and_then(|least| u64::try_from(least).ok());
    let query = client
        .query_raw(&sql)
        .param("topic", topic)
        .param("least", least.unwrap_or(u64::MAX))
        .param("empty", empty);
    let found = query.fetch_all::<(i32, i64)>();
    let found = run("read how far a generation has rows", found).await?;
    // Of the others a row may stand behind the least and before their own.
    let is_behind =
        |(partition, next): &(i32, i64)| from.get(partition).is_some_and(|from| next > from);
    Ok(found.into_iter().filter(is_behind).collect())
}

#[derive(Row, Deserialize)]
struct KeptRow {
    #[serde(with = "clickhouse::serde::uuid")]
    id: Uuid,
    received_at: i64,
    kafka_topic: String,
    kafka_partition: u32,
    kafka_offset: u64,
    raw: String,
}

/// Records of a slice of `base` that `generation` lacks, as they come.
pub struct Lacking(RowCursor<KeptRow>);

/// Begins to read what of a slice of `base` is lacking in `generation`.
///
/// # Errors
/// Where the question cannot be asked.
pub fn lacking(
    client: &Client,
    base: Generation,
    generation: Generation,
    slice: &Slice,
) -> Result<Lacking, StoreError> {
    let Slice { day, part, parts } = slice;
    let of_slice = format!(
        "{} AND cityHash64(id) % {parts} = {part}",
        received_on(*day)
    );
    let sql = format!(
        "SELECT id, received_at, kafka_topic, kafka_partition, kafka_offset, raw FROM {} FINAL \
         WHERE {of_slice} AND id NOT IN (SELECT id FROM {} WHERE {of_slice}) \
         SETTINGS {FINAL_WITHIN_PARTITIONS}",
        base.postbacks(),
        generation.postbacks()
    );
    // Read as slowly as what comes is loaded: a profile's limit would end each attempt at the same place.
    let query = client
        .query_raw(&sql)
        .with_setting("max_execution_time", "0");
    let cursor = query.fetch::<KeptRow>();
    cursor
        .map(Lacking)
        .map_err(|error| StoreError::from_client(ATTEMPT, &error))
}

/// Days that no day of June 2149 counts as: dates end with 2149-06-06, and those behind it count from
/// 1970-01-01 again.
const DAYS_ONCE: Range<u16> = 24..65_530;

/// True for rows that were received on this day since 1970-01-01, as the server's dates count.
///
/// The server passes over parts by the first and the last `received_at` that they have. Where June 2149
/// is in one part, its days do not stand between these two: there every row is looked at.
pub(crate) fn received_on(day: u16) -> String {
    if DAYS_ONCE.contains(&day) {
        format!("toDate(received_at) = toDate({day})")
    } else {
        format!("bitAnd(toUInt16(toDate(received_at)), 65535) = {day}")
    }
}

const ATTEMPT: &str = "read what a generation lacks";

impl Lacking {
    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn next(&mut self) -> Result<Option<Lacked>, StoreError> {
        let row = run_within(ANSWER_WITHIN, ATTEMPT, self.0.next()).await?;
        Ok(row.map(|row| Lacked {
            topic: row.kafka_topic,
            kept: Kept {
                id: row.id,
                received_at: Timestamp::from_microsecond(row.received_at).unwrap_or_default(),
                // Both come from Kafka, which counts them in these types.
                partition: i32::try_from(row.kafka_partition).unwrap_or(i32::MAX),
                offset: i64::try_from(row.kafka_offset).unwrap_or(i64::MAX),
                raw: row.raw,
            },
        }))
    }
}
