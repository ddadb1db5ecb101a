//! Whether the database is as it must be, for `postback doctor`.

use clickhouse::{Client, Row};
use postback_common::config::ClickHouseSettings;
use serde::Deserialize;

use crate::connection::{self, Role, run};
use crate::error::StoreError;
use crate::generations::{self, Lineage, READS};
use crate::migrate;
use crate::tables::{Generation, OF_ALL, REFUSALS_LOG, VIEWS, safety_settings};

/// The oldest ClickHouse that this version is tested with: year and month.
pub const TESTED_VERSION: (u32, u32) = (26, 7);

/// What was found. Everything can be read without rights beyond the database's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// As the server says it: `26.7.3.1`.
    pub server_version: String,
    /// False where the server is older than [`TESTED_VERSION`], or says something unreadable.
    pub is_tested_version: bool,
    /// Migrations that are not applied: `0001 bookkeeping`.
    pub pending_migrations: Vec<String>,
    /// The generation that readers see; `None` where nothing is migrated.
    pub active: Option<Generation>,
    /// Tables and views that are missing, of all generations that are loaded.
    pub missing_tables: Vec<String>,
    /// Views that read another generation than the active one: `conversions reads generation 2`.
    pub strayed_views: Vec<String>,
    /// Settings of tables that a promise rests on and that are not as `migrate` made them:
    /// `conversions_g1: fsync_after_insert = 1`.
    pub changed_settings: Vec<String>,
}

impl Findings {
    /// True where nothing needs doing.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.is_tested_version
            && self.active.is_some()
            && self.pending_migrations.is_empty()
            && self.missing_tables.is_empty()
            && self.strayed_views.is_empty()
            && self.changed_settings.is_empty()
    }
}

/// Asks the server for one row: whether it answers, and to this user.
///
/// # Errors
/// [`StoreError`] says why not.
pub async fn ping(client: &Client) -> Result<(), StoreError> {
    run(
        "ask ClickHouse",
        client.query_raw("SELECT 1").fetch_one::<u8>(),
    )
    .await
    .map(drop)
}

/// Looks at server, migrations, tables and their settings. Changes nothing.
///
/// # Errors
/// [`StoreError`] where the server cannot be asked, is not told the settings of a statement, or the
/// database is missing.
pub async fn check(settings: &ClickHouseSettings) -> Result<Findings, StoreError> {
    let client = connection::client(settings, Role::Query)?;
    let request = client.query_raw("SELECT version()").fetch_one::<String>();
    let server_version = run("ask for the server's version", request).await?;
    connection::settings_arrive(&client).await?;
    let pending_migrations = migrate::pending(&client).await?;
    let lineage = if pending_migrations.is_empty() {
        generations::lineage(&client).await?
    } else {
        Lineage::default()
    };
    let mut findings = Findings {
        is_tested_version: is_tested(&server_version),
        server_version,
        pending_migrations,
        active: lineage.active,
        missing_tables: Vec::new(),
        strayed_views: Vec::new(),
        changed_settings: Vec::new(),
    };
    let tables = tables(&client).await?;
    if let Some(active) = lineage.active {
        let live: Vec<_> = lineage.live().map(|life| life.generation).collect();
        findings.missing_tables = missing(&tables, &live);
        findings.changed_settings = changed(&tables, &live);
        // While readers are being switched the views may be ahead of the record.
        let is_held = lineage.activation.is_some_and(|found| found.hold.is_some());
        if !is_held {
            findings.strayed_views = strayed(&tables, active);
        }
    }
    Ok(findings)
}

#[derive(Row, Deserialize)]
struct Table {
    name: String,
    engine_full: String,
    /// The generation that it reads; 0 for none.
    reads: u32,
}

async fn tables(client: &Client) -> Result<Vec<Table>, StoreError> {
    let sql = format!(
        "SELECT name, engine_full, {READS} AS reads FROM system.tables WHERE database = currentDatabase()"
    );
    run("read the tables", client.query_raw(&sql).fetch_all()).await
}

fn tables_of(live: &[Generation]) -> impl Iterator<Item = String> {
    (live.iter()).flat_map(|generation| [generation.postbacks(), generation.conversions()])
}

fn missing(tables: &[Table], live: &[Generation]) -> Vec<String> {
    let is_missing = |name: &String| tables.iter().all(|table| table.name != *name);
    let of_all = OF_ALL.map(ToOwned::to_owned);
    let wanted = of_all.into_iter().chain(tables_of(live));
    wanted.filter(is_missing).collect()
}

fn strayed(tables: &[Table], active: Generation) -> Vec<String> {
    let is_ours = |table: &&Table| VIEWS.iter().any(|(name, _)| *name == table.name);
    let strayed = |table: &&Table| table.reads != 0 && table.reads != active.number();
    tables
        .iter()
        .filter(is_ours)
        .filter(strayed)
        .map(|table| format!("{} reads generation {}", table.name, table.reads))
        .collect()
}

fn changed(tables: &[Table], live: &[Generation]) -> Vec<String> {
    let ours: Vec<_> = tables_of(live).chain([REFUSALS_LOG.to_owned()]).collect();
    let lacking = |table: &Table| {
        let text = format!("{},", table.engine_full);
        safety_settings()
            .filter(|setting| !text.contains(&format!(" {setting},")))
            .map(|setting| format!("{}: {setting}", table.name))
            .collect::<Vec<_>>()
    };
    tables
        .iter()
        .filter(|table| ours.contains(&table.name))
        .flat_map(lacking)
        .collect()
}

fn is_tested(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(year), Some(month)) => (year, month) >= TESTED_VERSION,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        for (version, tested) in [
            ("26.7.3.1", true),
            ("26.10.1", true),
            ("27.1", true),
            ("26.6.9", false),
            ("25.12.1.1", false),
            ("nightly", false),
        ] {
            assert_eq!(is_tested(version), tested, "{version}");
        }
    }

    #[test]
    fn a_missing_table_and_a_changed_setting_are_named() {
        let all = safety_settings().collect::<Vec<_>>().join(", ");
        let engine = |settings: &str| {
            format!("ReplacingMergeTree(v) SETTINGS index_granularity = 8192, {settings}")
        };
        let table = |name: &str, settings: &str| Table {
            name: name.to_owned(),
            engine_full: engine(settings),
            reads: 0,
        };
        let unsafe_settings = all.replace("fsync_after_insert = 1", "fsync_after_insert = 0");
        let tables = [
            table("postbacks_g1", &all),
            table("conversions_g1", &unsafe_settings),
            table("postbacks", ""),
            table("refusals_log", &unsafe_settings),
            table("refusals", ""),
            table("orders", ""),
            table("imports", ""),
            table("imports_log", &all),
            table("backfills", ""),
            table("backfills_log", &all),
        ];
        let lacking = [
            "conversions",
            "statements",
            "annotations",
            "endpoint_history",
        ];
        let missing = missing(&tables, &[Generation::FIRST]);
        let (bookkeeping, others) = missing.split_at(5);
        assert_eq!(bookkeeping[0], "schema_migrations");
        assert_eq!(others, lacking);
        assert_eq!(
            changed(&tables, &[Generation::FIRST]),
            [
                "conversions_g1: fsync_after_insert = 1",
                "refusals_log: fsync_after_insert = 1"
            ]
        );
    }

    #[test]
    fn each_generation_that_is_loaded_needs_its_tables() {
        let live = [2, 5].map(|number| Generation::new(number).unwrap());
        let missing = missing(&[], &live);
        let last = [
            "postbacks_g2",
            "conversions_g2",
            "postbacks_g5",
            "conversions_g5",
        ];
        assert_eq!(missing[missing.len() - 4..], last);
    }

    #[test]
    fn a_view_of_another_generation_is_named() {
        let table = |name: &str, reads| Table {
            name: name.to_owned(),
            engine_full: String::new(),
            reads,
        };
        let tables = [
            table("conversions", 2),
            table("conversions_g2", 0),
            table("mine", 1),
            table("orders", 1),
            table("postbacks", 12),
        ];
        let strayed = strayed(&tables, Generation::new(2).unwrap());
        let expected = ["orders reads generation 1", "postbacks reads generation 12"];
        assert_eq!(strayed, expected);
    }
}
