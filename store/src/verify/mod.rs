//! The tables' side of `postback verify` and of the look that the consumer takes all the time.
//!
//! Rows are told from others by their offset: those below what the group had committed when a check
//! began were stored before it in both tables, so nothing here depends on what is being loaded.

mod blocks;
mod keys;
mod rows;
mod several;

use std::collections::BTreeSet;
use std::time::Duration;

use clickhouse::query::Query;
use clickhouse::{Client, RowOwned, RowRead};
use jiff::Timestamp;

use crate::connection::run_within;
use crate::error::StoreError;
use crate::tables::{FINAL_WITHIN_PARTITIONS, Generation};

pub use blocks::{Block, Group, Sum};
pub use keys::{Fault, KeyFinding, Keys};
pub use rows::{Row, Wanted};
pub use several::{Several, WithoutOwn};

/// Longest time for one statement; each asks for a day, for a share of the keys, or for some ids.
const WITHIN: Duration = Duration::from_secs(600);

/// A partition of the topic, as it was when the check began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Its number.
    pub partition: u32,
    /// The oldest offset that Kafka still has.
    pub low: u64,
    /// The offset behind the last that is loaded.
    pub end: u64,
}

/// Which rows are looked at.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The topic.
    pub topic: String,
    /// Its partitions.
    pub extents: Vec<Extent>,
    /// Only what was received then or later.
    pub from: Option<Timestamp>,
    /// Only what was received before.
    pub to: Option<Timestamp>,
    /// Only this source, as rows name it.
    pub source: Option<String>,
    /// As its records name it.
    pub names: BTreeSet<String>,
}

/// The tables of one generation, to be checked.
#[derive(Clone)]
pub struct Tables {
    client: Client,
    generation: Generation,
}

impl Tables {
    /// Of that generation.
    #[must_use]
    pub const fn of(client: Client, generation: Generation) -> Self {
        Self { client, generation }
    }

    /// In `sql`, `{conversions}` and `{postbacks}` stand for the tables, `{range}` for what the scope
    /// allows, `{low}` and `{end}` for the first offset and the end of each row's partition; other
    /// `{name:Type}` for parameters.
    fn query(&self, sql: &str, scope: &Scope) -> Query {
        let sql = sql
            .replace("{range}", &scope.range())
            .replace("{low}", &scope.by_partition(|extent| extent.low))
            .replace("{end}", &scope.by_partition(|extent| extent.end))
            .replace("{conversions}", &self.generation.conversions())
            .replace("{postbacks}", &self.generation.postbacks());
        let query = self
            .client
            .query_raw(&format!("{sql} SETTINGS {FINAL_WITHIN_PARTITIONS}"))
            .with_setting("max_execution_time", WITHIN.as_secs().to_string())
            .param("topic", &scope.topic);
        match &scope.source {
            Some(source) => query.param("source", source),
            None => query,
        }
    }

    async fn all<T: RowOwned + RowRead>(
        &self,
        attempt: &str,
        query: Query,
    ) -> Result<Vec<T>, StoreError> {
        run_within(WITHIN, attempt, query.fetch_all()).await
    }
}

impl Scope {
    fn range(&self) -> String {
        let mut conditions = vec!["true".to_owned()];
        if let Some(from) = self.from {
            let micros = from.as_microsecond();
            conditions.push(format!(
                "received_at >= fromUnixTimestamp64Micro(toInt64({micros}))"
            ));
        }
        if let Some(to) = self.to {
            let micros = to.as_microsecond();
            conditions.push(format!(
                "received_at < fromUnixTimestamp64Micro(toInt64({micros}))"
            ));
        }
        if self.source.is_some() {
            conditions.push("source = {source:String}".to_owned());
        }
        conditions.join(" AND ")
    }

    /// A number of each row's partition; 0 for a partition that the topic does not have.
    fn by_partition(&self, value: impl Fn(&Extent) -> u64) -> String {
        if self.extents.is_empty() {
            return "toUInt64(0)".to_owned();
        }
        let list = |value: &dyn Fn(&Extent) -> u64| {
            let each: Vec<String> = self.extents.iter().map(|e| value(e).to_string()).collect();
            each.join(",")
        };
        format!(
            "transform(kafka_partition, [{}]::Array(UInt32), [{}]::Array(UInt64), toUInt64(0))",
            list(&|extent| u64::from(extent.partition)),
            list(&value)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_name_what_was_asked_for_and_quote_nothing() {
        assert_eq!(Scope::default().range(), "true");
        let scope = Scope {
            from: Some("2026-09-01T00:00:00Z".parse().unwrap()),
            source: Some("' OR true --".to_owned()),
            ..Scope::default()
        };
        // `date -u -d 2026-09-01 +%s`
        let expected = "true AND received_at >= fromUnixTimestamp64Micro(toInt64(1788220800000000)) \
             AND source = {source:String}";
        assert_eq!(scope.range(), expected);
    }
}
