//! What `clickhouse.keep_days` drops next.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postback_common::config::Settings;
use postback_store::retention::{self, Drop};
use postback_store::{Generation, Role, StoreError, client, generations};

use super::check::Check;
use super::clickhouse;
use crate::output::{plural, size};

/// The months that are due, by table. Nothing where everything is kept.
pub(super) async fn check(settings: &Settings) -> Vec<Check> {
    let Some(keep_days) = settings.clickhouse.keep_days else {
        return Vec::new();
    };
    match due(settings, keep_days).await {
        Ok(drops) => vec![Check::well("retention", told(&drops, keep_days))],
        Err(error) => vec![clickhouse::unknown("retention", &error, settings)],
    }
}

async fn due(settings: &Settings, keep_days: u32) -> Result<Vec<Drop>, StoreError> {
    let client = client(&settings.clickhouse, Role::Query)?;
    let lineage = generations::lineage(&client).await?;
    let generations: Vec<Generation> = lineage.live().map(|life| life.generation).collect();
    retention::plan(&client, &generations, Timestamp::now(), keep_days).await
}

fn told(drops: &[Drop], keep_days: u32) -> String {
    if drops.is_empty() {
        return format!("no month is wholly older than {keep_days} days");
    }
    let mut tables: BTreeMap<&str, Vec<&Drop>> = BTreeMap::new();
    for drop in drops {
        tables.entry(&drop.table).or_default().push(drop);
    }
    let each = tables.into_iter().map(|(table, drops)| {
        let months: Vec<String> = drops.iter().map(|drop| drop.month.to_string()).collect();
        let rows: u64 = drops.iter().map(|drop| drop.rows).sum();
        let bytes: u64 = drops.iter().map(|drop| drop.bytes).sum();
        let (months, rows, bytes) = (months.join(", "), plural(rows, "row"), size(bytes));
        format!("{table}: {months} ({rows}, {bytes})")
    });
    let each: Vec<String> = each.collect();
    format!(
        "older than {keep_days} days, dropped by the consumer: {}",
        each.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use postback_store::retention::Month;

    use super::*;

    #[test]
    fn months_are_listed_by_table() {
        let drop = |table: &str, month: &str, rows| Drop {
            table: table.to_owned(),
            month: Month::from_partition(month).unwrap(),
            rows,
            bytes: 1_000,
        };
        let drops = [
            drop("conversions_g1", "202605", 1),
            drop("conversions_g1", "202606", 2),
            drop("postbacks_g1", "202606", 1),
        ];
        assert_eq!(
            told(&drops, 62),
            "older than 62 days, dropped by the consumer: conversions_g1: 2026-05, 2026-06 \
             (3 rows, 2.0 kB); postbacks_g1: 2026-06 (1 row, 1.0 kB)"
        );
        assert_eq!(told(&[], 62), "no month is wholly older than 62 days");
    }
}
