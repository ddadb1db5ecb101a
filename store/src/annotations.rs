//! What people did: marks on the time line, such as a deploy.

use clickhouse::{Client, Row};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::connection::run;
use crate::error::StoreError;
use crate::reports::micros;
use crate::single;
use crate::tables::ANNOTATIONS;

/// One mark.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Annotation {
    /// Its id.
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    /// When it happened, UTC.
    #[serde(deserialize_with = "micros")]
    pub at: Timestamp,
    /// What happened.
    pub text: String,
    /// The source that it is about; empty for all.
    pub source: String,
    /// Who marked it.
    pub made_by: String,
}

/// The marks of a time, `from` inclusive and `to` exclusive, oldest first.
///
/// # Errors
/// As the server answers.
pub async fn between(
    client: &Client,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Annotation>, StoreError> {
    let sql = format!(
        "SELECT id, at, text, toString(source) AS source, made_by FROM {ANNOTATIONS} \
         WHERE at >= fromUnixTimestamp64Micro({{from:Int64}}) AND at < fromUnixTimestamp64Micro({{to:Int64}}) \
         ORDER BY at, id"
    );
    let query = client
        .query_raw(&sql)
        .param("from", from.as_microsecond())
        .param("to", to.as_microsecond());
    run("read the annotations", query.fetch_all()).await
}

/// Adds a mark.
///
/// # Errors
/// As the server answers; it may have been added.
pub async fn add(client: &Client, annotation: &Annotation) -> Result<(), StoreError> {
    #[derive(Serialize)]
    struct Added<'a> {
        id: Uuid,
        at: String,
        text: &'a str,
        source: &'a str,
        made_by: &'a str,
    }
    let added = Added {
        id: annotation.id,
        at: single::written(annotation.at),
        text: &annotation.text,
        source: &annotation.source,
        made_by: &annotation.made_by,
    };
    let into = format!("{ANNOTATIONS} (id, at, text, source, made_by)");
    single::add(client, "add an annotation", &into, &added).await
}
