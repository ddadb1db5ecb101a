//! Single rows of `postbacks`, by id or by place.

use std::collections::BTreeMap;

use clickhouse::Row as Columns;
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::{Block, Scope, Tables};
use crate::error::StoreError;
use crate::reports::micros;

/// An id of the topic, with the time that finds its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The id.
    pub id: Uuid,
    /// When it was received.
    pub received_at: Timestamp,
}

/// A row, and where it says that it came from.
#[derive(Debug, Clone, PartialEq, Eq, Columns, Deserialize)]
pub struct Row {
    /// The id.
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    /// When it was received.
    #[serde(deserialize_with = "micros")]
    pub received_at: Timestamp,
    /// Topic that it was read from.
    pub kafka_topic: String,
    /// Partition that it was read from.
    pub kafka_partition: u32,
    /// Offset that it was read at.
    pub kafka_offset: u64,
}

const COLUMNS: &str = "SELECT id, received_at, kafka_topic, kafka_partition, kafka_offset";

/// The month in which the server's dates end and begin again: by its days it passes over rows of it.
const LAST_MONTH: &str = "2149-06";

/// For some thousands of ids written out.
pub(super) const QUERY_BYTES: &str = "16777216";

impl Tables {
    /// The rows that have these ids, whatever offset they stand under: of copies of a record, one
    /// counts. Some thousands at once.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn find(&self, wanted: &[Wanted]) -> Result<Vec<Row>, StoreError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        // By the server's own arithmetic: days that its dates do not reach are others there.
        let days: BTreeMap<String, Timestamp> = wanted
            .iter()
            .map(|wanted| {
                (
                    wanted.received_at.strftime("%F").to_string(),
                    wanted.received_at,
                )
            })
            .collect();
        let day = |at: &Timestamp| {
            let micros = at.as_microsecond();
            format!("toDate(fromUnixTimestamp64Micro(toInt64({micros}), 'UTC'))")
        };
        let mut on_day = format!(
            "toDate(received_at) IN ({})",
            days.values().map(day).collect::<Vec<_>>().join(",")
        );
        if days.keys().any(|day| day.starts_with(LAST_MONTH)) {
            on_day.push_str(" OR toYYYYMM(received_at) = 214906");
        }
        let ids: Vec<String> = wanted.iter().map(|w| format!("'{}'", w.id)).collect();
        // Both are columns of the primary key; neither text comes from outside.
        let sql = format!(
            "{COLUMNS} FROM {{postbacks}} FINAL WHERE ({on_day}) AND id IN ({})",
            ids.join(",")
        );
        let query = self.query(&sql, &Scope::default());
        let query = query
            .with_setting("max_query_size", QUERY_BYTES)
            .with_setting("max_ast_elements", "1000000");
        self.all("look for ids", query).await
    }

    /// The rows of the scope that stand under offsets of these blocks. Reads the whole scope.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn rows_of(
        &self,
        scope: &Scope,
        blocks: &[Block],
        size: u64,
    ) -> Result<Vec<Row>, StoreError> {
        let each = blocks
            .iter()
            .map(|block| format!("({},{})", block.partition, block.number));
        let each: Vec<String> = each.collect();
        if each.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "{COLUMNS} FROM {{postbacks}} FINAL WHERE kafka_topic = {{topic:String}} AND {{range}} \
             AND kafka_offset >= {{low}} AND kafka_offset < {{end}} \
             AND (kafka_partition, intDiv(kafka_offset, {size})) IN ({})",
            each.join(",")
        );
        let query = self.query(&sql, scope);
        let query = query
            .with_setting("max_query_size", QUERY_BYTES)
            .with_setting("max_ast_elements", "1000000");
        self.all("read the rows of differing offsets", query).await
    }
}
