//! Makes the database what this version needs.
//!
//! Safe at any time and from several processes at once: every statement can be repeated, and what
//! is recorded twice is read once.

use std::fmt;

use clickhouse::{Client, Row};
use postback_common::config::ClickHouseSettings;
use postback_common::name::AccountName;
use serde::Deserialize;

use crate::connection::{self, Role, run};
use crate::error::{Kind, StoreError};
use crate::generations::{self, Manifest};
use crate::identities::AccountIdentity;
use crate::tables::{Generation, REFUSALS_SQL, SCHEMA_MIGRATIONS};

/// A file of `schemas/clickhouse/`.
struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "bookkeeping",
        sql: include_str!("../../schemas/clickhouse/0001_bookkeeping.sql"),
    },
    Migration {
        number: 2,
        name: "refusals",
        sql: REFUSALS_SQL,
    },
    Migration {
        number: 3,
        name: "generations",
        sql: include_str!("../../schemas/clickhouse/0003_generations.sql"),
    },
    Migration {
        number: 4,
        name: "imports",
        sql: include_str!("../../schemas/clickhouse/0004_imports.sql"),
    },
    Migration {
        number: 5,
        name: "annotations",
        sql: include_str!("../../schemas/clickhouse/0005_annotations.sql"),
    },
    Migration {
        number: 6,
        name: "backfills",
        sql: include_str!("../../schemas/clickhouse/0006_backfills.sql"),
    },
    Migration {
        number: 7,
        name: "endpoints",
        sql: include_str!("../../schemas/clickhouse/0007_endpoints.sql"),
    },
    Migration {
        number: 8,
        name: "by_hand_is_kept",
        sql: include_str!("../../schemas/clickhouse/0008_by_hand_is_kept.sql"),
    },
];

impl Migration {
    fn digest(&self) -> String {
        blake3::hash(self.sql.as_bytes()).to_hex().to_string()
    }

    /// ClickHouse takes one statement at a time. A statement ends at a line's end.
    fn statements(&self) -> impl Iterator<Item = &'static str> {
        let has_code = |part: &&str| {
            part.lines()
                .any(|line| !line.trim().is_empty() && !line.trim().starts_with("--"))
        };
        self.sql.split(";\n").filter(has_code)
    }
}

/// One thing that was missing and is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The database was made.
    DatabaseMade(String),
    /// A migration was applied: its number and name.
    MigrationApplied(u32, String),
    /// A generation was recorded, and its tables made.
    GenerationMade(Generation),
    /// A view reads this generation now.
    ViewSwitched(&'static str, Generation),
    /// The identity of an account was recorded.
    AccountFrozen(AccountName, AccountIdentity),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DatabaseMade(name) => write!(f, "made database {name}"),
            Self::MigrationApplied(number, name) => {
                write!(f, "applied migration {number:04} {name}")
            }
            Self::GenerationMade(generation) => write!(
                f,
                "made generation {generation}: tables {}, {}",
                generation.postbacks(),
                generation.conversions()
            ),
            Self::ViewSwitched(view, generation) => {
                write!(f, "view {view} reads generation {generation}")
            }
            Self::AccountFrozen(account, AccountIdentity { identity, key_day }) => write!(
                f,
                "account {account}: identity {identity}, key_day by {key_day}, from now on"
            ),
        }
    }
}

/// What was done, and what holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order done; empty where nothing was missing.
    pub steps: Vec<Step>,
    /// The generation that readers see.
    pub active: Generation,
}

/// Makes database, tables, generation 1 and views where they are missing. The accounts of the active
/// generation are settled afterwards: [`identities::settle`](crate::identities::settle).
///
/// # Errors
/// [`StoreError`]: of [`Kind::Contradiction`] where a migration was applied with other text than this
/// version has.
pub async fn migrate(
    settings: &ClickHouseSettings,
    first: Manifest<'_>,
) -> Result<Report, StoreError> {
    let mut steps = Vec::new();
    steps.extend(make_database(settings).await?);
    let client = connection::client(settings, Role::Query)?;
    steps.extend(apply_migrations(&client).await?);
    if generations::make_first(&client, first).await? {
        steps.push(Step::GenerationMade(Generation::FIRST));
    }
    let (active, views) = generations::settle(&client).await?;
    describe_views(&client).await?;
    steps.extend(
        views
            .into_iter()
            .map(|view| Step::ViewSwitched(view, active)),
    );
    Ok(Report { steps, active })
}

async fn make_database(settings: &ClickHouseSettings) -> Result<Option<Step>, StoreError> {
    let attempt = format!("make database {}", settings.database);
    let client = connection::server_client(settings)?;
    // Asked first, because the user may have rights on the database and none to make one.
    let exists = client
        .query("SELECT count() FROM system.databases WHERE name = ?")
        .bind(&settings.database)
        .fetch_one::<u64>();
    let exists = run(&attempt, exists).await? > 0;
    connection::settings_arrive(&client).await?;
    if exists {
        return Ok(None);
    }
    let sql = format!("CREATE DATABASE IF NOT EXISTS {}", settings.database);
    run(&attempt, client.query_raw(&sql).execute()).await?;
    Ok(Some(Step::DatabaseMade(settings.database.clone())))
}

/// A view that stands in a migration takes over no comment of the columns of its table, `…_log`.
async fn describe_views(client: &Client) -> Result<(), StoreError> {
    let attempt = "describe the views' columns";
    let sql = "SELECT view.table, view.name, told.comment FROM \
           (SELECT * FROM system.columns WHERE database = currentDatabase()) AS view INNER JOIN \
           (SELECT * FROM system.columns WHERE database = currentDatabase()) AS told \
           ON told.table = concat(view.table, '_log') AND told.name = view.name \
         WHERE view.comment != told.comment ORDER BY view.table, view.position";
    let found: Vec<(String, String, String)> =
        run(attempt, client.query_raw(sql).fetch_all()).await?;
    for (view, column, comment) in found {
        let comment = comment.replace('\\', "\\\\").replace('\'', "\\'");
        let sql = format!("ALTER TABLE {view} COMMENT COLUMN {column} '{comment}'");
        run(attempt, client.query_raw(&sql).execute()).await?;
    }
    Ok(())
}

#[derive(Row, Deserialize)]
struct Applied {
    number: u32,
    digest: String,
}

async fn apply_migrations(client: &Client) -> Result<Vec<Step>, StoreError> {
    let applied = applied(client).await?;
    let mut steps = Vec::new();
    for migration in MIGRATIONS {
        let found: Vec<_> = applied
            .iter()
            .filter(|row| row.number == migration.number)
            .collect();
        if found.is_empty() {
            apply(client, migration).await?;
            steps.push(Step::MigrationApplied(
                migration.number,
                migration.name.to_owned(),
            ));
        } else if found.iter().all(|row| row.digest != migration.digest()) {
            return Err(changed(migration));
        }
    }
    Ok(steps)
}

async fn applied(client: &Client) -> Result<Vec<Applied>, StoreError> {
    let attempt = "read the applied migrations";
    let exists = format!("EXISTS TABLE {SCHEMA_MIGRATIONS}");
    if run(attempt, client.query_raw(&exists).fetch_one::<u8>()).await? == 0 {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT ?fields FROM {SCHEMA_MIGRATIONS}");
    run(attempt, client.query(&sql).fetch_all()).await
}

async fn apply(client: &Client, migration: &Migration) -> Result<(), StoreError> {
    let attempt = format!("apply migration {:04} {}", migration.number, migration.name);
    for statement in migration.statements() {
        run(&attempt, client.query_raw(statement).execute()).await?;
    }
    let sql = format!("INSERT INTO {SCHEMA_MIGRATIONS} (number, name, digest) VALUES (?, ?, ?)");
    let record = client
        .query(&sql)
        .bind(migration.number)
        .bind(migration.name)
        .bind(migration.digest());
    run(&attempt, record.with_setting("async_insert", "0").execute()).await
}

fn changed(migration: &Migration) -> StoreError {
    StoreError::own(
        Kind::Contradiction,
        "compare the applied migrations",
        format!(
            "migration {:04} {} was applied with other text than this version has",
            migration.number, migration.name
        ),
        "use the version that made this database, or another clickhouse.database",
    )
}

/// Names of migrations that this version has and the database does not.
pub(crate) async fn pending(client: &Client) -> Result<Vec<String>, StoreError> {
    let applied = applied(client).await?;
    let is_missing =
        |migration: &&Migration| applied.iter().all(|row| row.number != migration.number);
    let name = |migration: &Migration| format!("{:04} {}", migration.number, migration.name);
    Ok(MIGRATIONS.iter().filter(is_missing).map(name).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::tables::{OF_ALL, VIEWS};

    #[test]
    fn every_file_of_the_folder_is_listed_and_the_numbers_have_no_gap() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/clickhouse");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "generation")
            .collect();
        let listed = MIGRATIONS
            .iter()
            .map(|m| format!("{:04}_{}.sql", m.number, m.name));
        assert_eq!(files, listed.collect());
        let is_in_order = MIGRATIONS
            .iter()
            .zip(1..)
            .all(|(m, number)| m.number == number);
        assert!(is_in_order);
    }

    #[test]
    fn what_the_migrations_make_is_looked_for() {
        let made = MIGRATIONS.iter().flat_map(|migration| {
            let lines = migration.sql.lines();
            lines.filter_map(|line| {
                let (begun, name) = line.split_once(" IF NOT EXISTS ")?;
                let is_made = ["CREATE TABLE", "CREATE VIEW"].contains(&begun);
                is_made.then(|| name.trim_end_matches(" AS"))
            })
        });
        let views = VIEWS.iter().map(|(name, _)| *name);
        let made: BTreeSet<&str> = made.chain(views).collect();
        assert_eq!(made, BTreeSet::from(OF_ALL));
    }

    #[test]
    fn each_statement_is_one_that_can_be_repeated() {
        for migration in MIGRATIONS {
            assert!(migration.sql.ends_with(";\n"), "{}", migration.name);
            for statement in migration.statements() {
                // What is modified is so afterwards, however often.
                let can = ["IF NOT EXISTS", "MODIFY TTL", "MODIFY COMMENT"];
                assert!(
                    can.iter().any(|words| statement.contains(words)),
                    "{statement}"
                );
                let begun =
                    statement.matches("CREATE ").count() + statement.matches("ALTER ").count();
                assert_eq!(begun, 1, "{statement}");
            }
        }
        assert_eq!(MIGRATIONS[0].statements().count(), 4);
    }
}
