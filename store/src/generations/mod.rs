//! Generations: sets of tables beside each other, one of which readers see.
//!
//! A generation is a row of `generations` (the first row of a number counts), its two tables,
//! rules that came later, and events, from which [`Lineage`] says what holds. Every
//! step here can be repeated, also by several processes at once.

mod changes;
mod lineage;
mod views;

use clickhouse::{Client, Row};
use jiff::Timestamp;
use serde::Deserialize;

pub use changes::{Change, LaterRule, later_rules, record_rule};
pub use lineage::{Activation, Event, Life, Lineage, Offsets};
pub(crate) use views::READS;
pub use views::{point_views_at, settle_views};

use crate::connection::{LONG_STATEMENT, run};
use crate::error::{Kind, StoreError};
use crate::recorded;
use crate::tables::{
    CONVERSIONS_TABLE, GENERATION_EVENTS, GENERATIONS, Generation, POSTBACKS_ADDED, POSTBACKS_TABLE,
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
    /// Number of the generation that it replays; 0 for the first one.
    pub base: u32,
    /// Readers are switched to it as soon as it is whole.
    pub activate: bool,
    /// The rules as JSON.
    pub rules: String,
    /// Program and version that made it.
    pub made_by: String,
    /// When, in microseconds since 1970, UTC.
    pub made_at: i64,
}

#[derive(Debug, Clone, Row, Deserialize)]
struct EventRow {
    number: u32,
    event: String,
    detail: String,
    recorded_at: i64,
}

/// The generation that readers see.
///
/// # Errors
/// [`Kind::Setup`] where there is none yet; otherwise as the server answers.
pub async fn active(client: &Client) -> Result<Generation, StoreError> {
    let attempt = "read the active generation";
    let found = lineage(client).await?.active;
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
    let order = recorded::order(GENERATIONS, "made_at", "number");
    let sql =
        format!("SELECT ?fields FROM {GENERATIONS} ORDER BY number, {order} LIMIT 1 BY number");
    run("read the generations", client.query(&sql).fetch_all()).await
}

/// All generations and what is under way.
///
/// # Errors
/// As the server answers; [`Kind::Contradiction`] for an event that this version cannot read.
pub async fn lineage(client: &Client) -> Result<Lineage, StoreError> {
    // Events first: an event is only ever recorded about a generation that was recorded before.
    let order = recorded::order(GENERATION_EVENTS, "recorded_at", "tuple()");
    let sql = format!("SELECT ?fields FROM {GENERATION_EVENTS} ORDER BY {order}");
    let events = client.query(&sql).fetch_all::<EventRow>();
    let attempt = "read the generations";
    let events = run(attempt, events).await?;
    Lineage::of(all(client).await?, &events).map_err(|unread| {
        let message = unread.to_string();
        StoreError::own(
            Kind::Contradiction,
            attempt,
            message,
            "upgrade this program",
        )
    })
}

/// Records an event, and says what holds after it.
///
/// # Errors
/// As the server answers.
pub async fn record(
    client: &Client,
    generation: Generation,
    event: &Event,
) -> Result<Lineage, StoreError> {
    let attempt = format!("record of generation {generation}: {}", event.as_str());
    let time = recorded::time(GENERATION_EVENTS, "recorded_at");
    let sql = format!(
        "INSERT INTO {GENERATION_EVENTS} (number, event, detail, recorded_at) SELECT ?, ?, ?, {time}"
    );
    let detail = event.detail().map_err(|error| {
        let remedy = "report this as a fault of Postback";
        StoreError::own(Kind::Data, &attempt, error.to_string(), remedy)
    })?;
    let insert = client
        .query(&sql)
        .bind(generation.number())
        .bind(event.as_str())
        .bind(detail);
    run(&attempt, insert.with_setting("async_insert", "0").execute()).await?;
    lineage(client).await
}

/// Makes the generation that `migrate` makes where there is none at all, and the tables of every
/// live one where they are missing. True where the first generation was new.
pub(crate) async fn make_first(
    client: &Client,
    manifest: Manifest<'_>,
) -> Result<bool, StoreError> {
    let is_new = all(client).await?.is_empty();
    if is_new {
        insert_record(client, Generation::FIRST, None, false, manifest).await?;
    }
    for life in lineage(client).await?.live() {
        make_tables(client, life.generation).await?;
    }
    Ok(is_new)
}

/// Makes a generation that replays `base`. `None` where another process took that number first:
/// its own generation may do as well.
///
/// # Errors
/// As the server answers.
pub async fn make_next(
    client: &Client,
    generation: Generation,
    base: Generation,
    activate: bool,
    manifest: Manifest<'_>,
) -> Result<Option<Generation>, StoreError> {
    let made_at = insert_record(client, generation, Some(base), activate, manifest).await?;
    let ours = all(client).await?.into_iter().any(|record| {
        record.number == generation.number()
            && (&*record.made_by, record.made_at) == (manifest.made_by, made_at)
    });
    if !ours {
        return Ok(None);
    }
    make_tables(client, generation).await?;
    Ok(Some(generation))
}

async fn insert_record(
    client: &Client,
    generation: Generation,
    base: Option<Generation>,
    activate: bool,
    manifest: Manifest<'_>,
) -> Result<i64, StoreError> {
    let attempt = format!("make generation {generation}");
    // By which its row is told from another one of the same moment's.
    let made_at = Timestamp::now().as_microsecond();
    let sql = format!(
        "INSERT INTO {GENERATIONS} (number, normaliser_version, base, activate, rules, made_by, made_at) \
         SELECT ?, ?, ?, ?, ?, ?, fromUnixTimestamp64Micro(?)"
    );
    let insert = client
        .query(&sql)
        .bind(generation.number())
        .bind(manifest.normaliser_version)
        .bind(base.map_or(0, Generation::number))
        .bind(activate)
        .bind(manifest.rules)
        .bind(manifest.made_by)
        .bind(made_at);
    let (setting, bytes) = LONG_STATEMENT;
    let insert = insert
        .with_setting("async_insert", "0")
        .with_setting(setting, bytes);
    run(&attempt, insert.execute()).await?;
    Ok(made_at)
}

async fn make_tables(client: &Client, generation: Generation) -> Result<(), StoreError> {
    let attempt = format!("make the tables of generation {generation}");
    for table in [POSTBACKS_TABLE, POSTBACKS_ADDED, CONVERSIONS_TABLE] {
        run(&attempt, client.query_raw(&table.of(generation)).execute()).await?;
    }
    Ok(())
}

/// Makes the tables of a live generation where they are missing: whoever recorded it may have gone
/// before it made them. True where they were.
///
/// # Errors
/// As the server answers.
pub async fn make_missing_tables(
    client: &Client,
    generation: Generation,
) -> Result<bool, StoreError> {
    if tables_there(client, generation).await? == tables_of(generation).len() as u64 {
        return Ok(false);
    }
    make_tables(client, generation).await?;
    // Dropped at this very moment, they would stay.
    if lineage(client).await?.live_one(generation).is_none() {
        drop_tables(client, generation).await?;
    }
    Ok(true)
}

fn tables_of(generation: Generation) -> [String; 2] {
    [generation.postbacks(), generation.conversions()]
}

async fn tables_there(client: &Client, generation: Generation) -> Result<u64, StoreError> {
    let attempt = format!("look for the tables of generation {generation}");
    let sql = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ?";
    let found = client.query(sql).bind(&tables_of(generation)[..]);
    run(&attempt, found.fetch_one::<u64>()).await
}

/// Drops the tables of a generation that readers do not see, where they are still there. True where
/// one was. A view that reads it all the same is pointed at the active one first.
///
/// # Errors
/// As the server answers.
pub async fn drop_tables(client: &Client, generation: Generation) -> Result<bool, StoreError> {
    if tables_there(client, generation).await? == 0 {
        return Ok(false);
    }
    views::leave(client, generation).await?;
    let attempt = format!("drop the tables of generation {generation}");
    for name in tables_of(generation) {
        // The server refuses to drop 50 GB at once unless it is told that this is meant.
        let drop = client
            .query_raw(&format!("DROP TABLE IF EXISTS {name} SYNC"))
            .with_setting("max_table_size_to_drop", "0");
        run(&attempt, drop.execute()).await?;
    }
    Ok(true)
}

/// What a generation's tables hold, without a look at their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Rows, copies that are not folded yet included.
    pub postbacks: u64,
    /// Rows, revisions that are not folded yet included.
    pub conversions: u64,
    /// On disk.
    pub bytes: u64,
}

#[derive(Row, Deserialize)]
struct Size {
    name: String,
    rows: Option<u64>,
    bytes: Option<u64>,
}

/// What a generation's tables hold; `None` where they are gone.
///
/// # Errors
/// As the server answers.
pub async fn stored(client: &Client, generation: Generation) -> Result<Option<Stored>, StoreError> {
    let names = tables_of(generation);
    let sql = "SELECT name, total_rows AS rows, total_bytes AS bytes FROM system.tables \
               WHERE database = currentDatabase() AND name IN ?";
    let found: Vec<Size> = run(
        "read the sizes of tables",
        client.query(sql).bind(&names[..]).fetch_all(),
    )
    .await?;
    let rows = |name: &str| found.iter().find(|size| size.name == name)?.rows;
    let (Some(postbacks), Some(conversions)) = (rows(&names[0]), rows(&names[1])) else {
        return Ok(None);
    };
    Ok(Some(Stored {
        postbacks,
        conversions,
        bytes: found.iter().filter_map(|size| size.bytes).sum(),
    }))
}

/// Activates the first generation unless one was ever activated, and lets the views read the
/// active one. Returns it, and the views that were changed.
pub(crate) async fn settle(client: &Client) -> Result<(Generation, Vec<&'static str>), StoreError> {
    let first = Generation::FIRST;
    let attempt = format!("activate generation {first}");
    let activated = Event::Activated.as_str();
    let sql = format!(
        "INSERT INTO {GENERATION_EVENTS} (number, event) SELECT {first}, '{activated}' \
         WHERE (SELECT count() FROM {GENERATION_EVENTS} WHERE event = '{activated}') = 0"
    );
    let insert = client.query_raw(&sql).with_setting("async_insert", "0");
    run(&attempt, insert.execute()).await?;
    settle_views(client, active(client).await?).await
}
