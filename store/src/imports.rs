//! Which files were imported, and how far each is.
//!
//! A note is written whenever Kafka has confirmed all rows before it, so an import that was killed
//! goes on behind the last note. What comes twice has the same id, and counts once.

use clickhouse::{Client, Row};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::connection::run;
use crate::error::StoreError;
use crate::reports::micros;
use crate::single;
use crate::tables::{IMPORTS, IMPORTS_LOG};

/// One import, as it was last noted.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Import {
    /// One file brought in once.
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    /// Number of the note.
    pub step: u64,
    /// `orders` or `statements`.
    pub about: String,
    /// Under which its lines are recorded.
    pub source: String,
    /// Its name, without its folder.
    pub file: String,
    /// BLAKE3 of the whole file, in hex.
    pub digest: String,
    /// UTC.
    #[serde(deserialize_with = "micros")]
    pub started_at: Timestamp,
    /// Rows that are done with, from the beginning of the file.
    pub rows: u64,
    /// Of them in Kafka.
    pub sent: u64,
    /// Of them refused.
    pub refused: u64,
    /// All of the file is done with.
    pub is_finished: bool,
    /// When this was noted, UTC.
    #[serde(deserialize_with = "micros")]
    pub recorded_at: Timestamp,
}

const COLUMNS: &str = "id, step, toString(about) AS about, toString(source) AS source, file, digest, started_at, \
     rows, sent, refused, is_finished, recorded_at";

/// The newest import of a file into a source, finished or not.
///
/// # Errors
/// As the server answers.
pub async fn newest(
    client: &Client,
    source: &str,
    digest: &str,
) -> Result<Option<Import>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {IMPORTS} WHERE source = {{source:String}} AND digest = {{digest:String}} \
         ORDER BY started_at DESC, id LIMIT 1"
    );
    let query = client
        .query_raw(&sql)
        .param("source", source)
        .param("digest", digest);
    run("look for an import of the file", query.fetch_optional()).await
}

/// All imports of a kind, the newest first.
///
/// # Errors
/// As the server answers.
pub async fn all(client: &Client, about: &str) -> Result<Vec<Import>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {IMPORTS} WHERE about = {{about:String}} ORDER BY started_at DESC, id"
    );
    let query = client.query_raw(&sql).param("about", about);
    run("list the imports", query.fetch_all()).await
}

/// Notes how far an import is. The highest `step` of an id counts.
///
/// # Errors
/// As the server answers; it may have been noted.
pub async fn note(client: &Client, import: &Import) -> Result<(), StoreError> {
    #[derive(Serialize)]
    struct Noted<'a> {
        id: Uuid,
        step: u64,
        about: &'a str,
        source: &'a str,
        file: &'a str,
        digest: &'a str,
        started_at: String,
        rows: u64,
        sent: u64,
        refused: u64,
        is_finished: bool,
    }
    let noted = Noted {
        id: import.id,
        step: import.step,
        about: &import.about,
        source: &import.source,
        file: &import.file,
        digest: &import.digest,
        started_at: single::written(import.started_at),
        rows: import.rows,
        sent: import.sent,
        refused: import.refused,
        is_finished: import.is_finished,
    };
    let columns =
        "id, step, about, source, file, digest, started_at, rows, sent, refused, is_finished";
    let into = format!("{IMPORTS_LOG} ({columns})");
    single::add(client, "note how far the import is", &into, &noted).await
}
