//! Single rows, as JSON: notes and marks, of which there are few.

use clickhouse::Client;
use jiff::Timestamp;
use serde::Serialize;

use crate::connection::run;
use crate::error::{Kind, StoreError};

/// Adds a row to `into`, a table with its columns: `marks (id, at)`. Stored when this returns.
pub(crate) async fn add(
    client: &Client,
    attempt: &str,
    into: &str,
    row: &impl Serialize,
) -> Result<(), StoreError> {
    let json = serde_json::to_string(row)
        .map_err(|error| StoreError::own(Kind::Setup, attempt, error.to_string(), "report it"))?;
    let sql = format!("INSERT INTO {into} FORMAT JSONEachRow");
    let client = client.clone().with_setting("async_insert", "0");
    run(attempt, async {
        let mut insert = client.insert_formatted_with(sql);
        insert.send(json.into()).await?;
        insert.end().await
    })
    .await
}

/// As ClickHouse reads a `DateTime64(6, 'UTC')`.
pub(crate) fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
