//! Which sources and networks the tables know.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Reader;
use crate::error::StoreError;

impl Reader {
    /// Names of the sources that the generation has rows of, in order: also those that the
    /// configuration knows no more.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn sources(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT toString(source) AS name FROM \
             (SELECT DISTINCT source FROM {conversions} UNION ALL SELECT DISTINCT source FROM {postbacks}) \
             WHERE name != '' ORDER BY name";
        self.all("list the sources", self.query(sql)).await
    }

    /// The same of networks.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn networks(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT toString(network) AS name FROM \
             (SELECT DISTINCT network FROM {conversions} UNION ALL SELECT DISTINCT network FROM {postbacks}) \
             WHERE name != '' ORDER BY name";
        self.all("list the networks", self.query(sql)).await
    }

    /// Names of the sources that have a line of a statement about the range.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn statements_of(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeSet<String>, StoreError> {
        let sql = "SELECT DISTINCT toString(source) AS name FROM {conversions} WHERE kind = 'statement' \
             AND occurred_at >= fromUnixTimestamp64Micro({from:Int64}) AND occurred_at < fromUnixTimestamp64Micro({to:Int64})";
        let query = self.query(sql);
        let query = query.param("from", from.as_microsecond());
        let query = query.param("to", to.as_microsecond());
        let names: Vec<String> = self.all("look which statements there are", query).await?;
        Ok(names.into_iter().collect())
    }
}
