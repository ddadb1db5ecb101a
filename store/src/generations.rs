//! Generations: sets of tables beside each other, one of which readers see.
//!
//! A generation is a row of `generations` (the first row of a number counts), its two tables, and
//! events; the one that was activated last is what the views read. Every step here can be
//! repeated, also by several processes at once.

use clickhouse::{Client, Row};
use serde::Deserialize;

use crate::connection::run;
use crate::error::{Kind, StoreError};
use crate::tables::{
    CONVERSIONS, CONVERSIONS_TABLE, CONVERSIONS_VIEW, GENERATION_EVENTS, GENERATIONS, Generation,
    POSTBACKS, POSTBACKS_ADDED, POSTBACKS_TABLE, POSTBACKS_VIEW,
};

/// With what a generation is made.
#[derive(Debug, Clone, Copy)]
pub struct Manifest<'a> {
    /// Version of the normaliser that loads it.
    pub normaliser_version: u32,
    /// The rules as JSON; what each source's postbacks are read by.
    pub rules: &'a str,
    /// Program and version that makes it.
    pub made_by: &'a str,
}

/// One generation, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Record {
    /// Its number.
    pub number: u32,
    /// Version of the normaliser that loads it.
    pub normaliser_version: u32,
    /// The rules as JSON.
    pub rules: String,
    /// Program and version that made it.
    pub made_by: String,
    /// When, in microseconds since 1970, UTC.
    pub made_at: i64,
}

const ACTIVATED: &str = "activated";

/// Each table and view with its columns.
const COLUMNS: &str = "(SELECT table, groupArray(name) AS names FROM \
    (SELECT table, name FROM system.columns WHERE database = currentDatabase() ORDER BY table, position) \
    GROUP BY table)";

/// The generation that readers see.
///
/// # Errors
/// [`Kind::Setup`] where there is none yet; otherwise as the server answers.
pub async fn active(client: &Client) -> Result<Generation, StoreError> {
    let attempt = "read the active generation";
    let found = last_activated(client).await?;
    found.ok_or_else(|| {
        let remedy = "make the tables with `postback migrate`";
        StoreError::own(Kind::Setup, attempt, "no generation is active", remedy)
    })
}

/// All generations ever made, by number.
///
/// # Errors
/// As the server answers.
pub async fn all(client: &Client) -> Result<Vec<Record>, StoreError> {
    let sql = format!(
        "SELECT ?fields FROM {GENERATIONS} ORDER BY number, _block_number LIMIT 1 BY number"
    );
    run("read the generations", client.query(&sql).fetch_all()).await
}

async fn last_activated(client: &Client) -> Result<Option<Generation>, StoreError> {
    let sql = format!(
        "SELECT number FROM {GENERATION_EVENTS} WHERE event = '{ACTIVATED}' ORDER BY _block_number DESC LIMIT 1"
    );
    let request = client.query_raw(&sql).fetch_optional::<u32>();
    Ok(run("read the active generation", request)
        .await?
        .and_then(Generation::new))
}

/// Records a generation unless it is recorded already, and makes its tables where they are missing.
/// True where something was missing.
pub(crate) async fn make(
    client: &Client,
    generation: Generation,
    manifest: Manifest<'_>,
) -> Result<bool, StoreError> {
    let attempt = format!("make generation {generation}");
    let known = all(client).await?;
    let is_new = known
        .iter()
        .all(|record| record.number != generation.number());
    if is_new {
        let sql = format!(
            "INSERT INTO {GENERATIONS} (number, normaliser_version, rules, made_by) VALUES (?, ?, ?, ?)"
        );
        let insert = client
            .query(&sql)
            .bind(generation.number())
            .bind(manifest.normaliser_version)
            .bind(manifest.rules)
            .bind(manifest.made_by);
        run(&attempt, insert.with_setting("async_insert", "0").execute()).await?;
    }
    for table in [POSTBACKS_TABLE, POSTBACKS_ADDED, CONVERSIONS_TABLE] {
        run(&attempt, client.query_raw(&table.of(generation)).execute()).await?;
    }
    Ok(is_new)
}

/// Activates `generation` unless one was ever activated, and lets the views read the active one.
/// Returns it, and the views that were changed.
pub(crate) async fn settle(
    client: &Client,
    generation: Generation,
) -> Result<(Generation, Vec<&'static str>), StoreError> {
    let attempt = format!("activate generation {generation}");
    let sql = format!(
        "INSERT INTO {GENERATION_EVENTS} (number, event) SELECT {generation}, '{ACTIVATED}' \
         WHERE (SELECT count() FROM {GENERATION_EVENTS} WHERE event = '{ACTIVATED}') = 0"
    );
    let insert = client.query_raw(&sql).with_setting("async_insert", "0");
    run(&attempt, insert.execute()).await?;
    let active = active(client).await?;
    Ok((active, point_views_at(client, active).await?))
}

/// Lets both views read the tables of `generation`; leaves alone a view that does so already and has
/// all of its columns.
async fn point_views_at(
    client: &Client,
    generation: Generation,
) -> Result<Vec<&'static str>, StoreError> {
    let attempt = format!("let the views read generation {generation}");
    let sql = format!(
        "SELECT name FROM system.tables WHERE database = currentDatabase() \
         AND endsWith(comment, 'Reads generation {generation}.') AND name IN ( \
         SELECT seen.table FROM {COLUMNS} AS seen JOIN {COLUMNS} AS read \
         ON concat(seen.table, '_g{generation}') = read.table WHERE seen.names = read.names)"
    );
    let right: Vec<String> = run(&attempt, client.query_raw(&sql).fetch_all()).await?;
    let mut changed = Vec::new();
    for (name, view) in [(CONVERSIONS, CONVERSIONS_VIEW), (POSTBACKS, POSTBACKS_VIEW)] {
        if !right.iter().any(|right| right == name) {
            run(&attempt, client.query_raw(&view.of(generation)).execute()).await?;
            changed.push(name);
        }
    }
    Ok(changed)
}
