//! One generation's tables, and how they are asked.

use std::time::Duration;

use clickhouse::query::Query;
use clickhouse::{Client, RowOwned, RowRead};
use postback_common::config::ClickHouseSettings;

use crate::connection::{self, Role, run_within};
use crate::error::StoreError;
use crate::generations;
use crate::tables::{FINAL_WITHIN_PARTITIONS, Generation};

/// Longest time that a report may take. The server is told to stop then, too.
const REPORT_WITHIN: Duration = Duration::from_secs(120);

/// Asks the tables of one generation.
#[derive(Clone)]
pub struct Reader {
    client: Client,
    generation: Generation,
}

impl Reader {
    /// Reads which generation is active now.
    ///
    /// # Errors
    /// [`StoreError`] where the server cannot be asked or nothing is migrated.
    pub async fn of_active(settings: &ClickHouseSettings) -> Result<Self, StoreError> {
        let client = connection::client(settings, Role::Query)?;
        let generation = generations::active(&client).await?;
        Ok(Self { client, generation })
    }

    /// The generation that is asked.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Begins a query of `sql`. In it `{conversions}` and `{postbacks}` stand for the generation's
    /// tables, other `{name:Type}` for parameters to be given.
    pub(super) fn query(&self, sql: &str) -> Query {
        let sql = sql
            .replace("{conversions}", &self.generation.conversions())
            .replace("{postbacks}", &self.generation.postbacks());
        self.client
            .query_raw(&format!("{sql} SETTINGS {FINAL_WITHIN_PARTITIONS}"))
            .with_setting("max_execution_time", REPORT_WITHIN.as_secs().to_string())
    }

    pub(super) async fn all<T: RowOwned + RowRead>(
        &self,
        attempt: &str,
        query: Query,
    ) -> Result<Vec<T>, StoreError> {
        run_within(REPORT_WITHIN, attempt, query.fetch_all()).await
    }

    pub(super) async fn one<T: RowOwned + RowRead>(
        &self,
        attempt: &str,
        query: Query,
    ) -> Result<T, StoreError> {
        run_within(REPORT_WITHIN, attempt, query.fetch_one()).await
    }
}
