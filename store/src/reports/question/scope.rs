//! A question's part of every query.
//!
//! In a report's SQL, `{scope}` stands for the conditions of the rows that are asked about,
//! `{dimension}` for the array of texts that says what a row is of, `{date}` for the column that
//! places it in time.

use clickhouse::query::Query;

use super::{Question, Table};
use crate::reports::Reader;

/// Own orders and lines of statements stand in the same table and are no network's conversions.
const OF_NETWORKS: &str = "kind NOT IN ('order', 'statement')";

impl Question {
    fn within(&self) -> String {
        let date = self.date_by.column();
        format!(
            "{date} >= fromUnixTimestamp64Micro({{from:Int64}}) AND {date} < fromUnixTimestamp64Micro({{to:Int64}})"
        )
    }

    fn scope(&self, table: Table) -> String {
        let (within, only) = (self.within(), self.only.sql());
        match table {
            // FINAL must see every revision of a conversion, and the key is by account and key_day: so
            // read those that have a row in the range, whatever became of it since, instead of all.
            Table::Conversions => format!(
                "{within} AND {OF_NETWORKS} AND {only} AND (account, key_day) IN \
                 (SELECT DISTINCT account, key_day FROM {{conversions}} WHERE {within})"
            ),
            Table::Postbacks => format!("{within} AND {only}"),
        }
    }

    pub(in crate::reports) fn dimension(&self) -> String {
        let by = self.by.iter().enumerate();
        let texts =
            by.flat_map(|(index, by)| by.expressions(self.date_by, &format!("by{index}_key")));
        let texts: Vec<String> = texts.collect();
        if texts.is_empty() {
            // Empty for every row, but no constant: the server takes constants out of GROUP BY.
            return "arraySlice([toString(source)], 2)".to_owned();
        }
        format!("[{}]", texts.join(", "))
    }
}

impl Reader {
    /// Begins a query of `sql` about what `question` asks of `table`.
    pub(in crate::reports) fn asked(&self, sql: &str, table: Table, question: &Question) -> Query {
        let sql = sql
            .replace("{scope}", &question.scope(table))
            .replace("{dimension}", &question.dimension())
            .replace("{date}", question.date_by.column());
        let zone = question.zone.iana_name().unwrap_or("UTC");
        let query = self
            .query(&sql)
            // What is left after the choice of accounts and days is read whole: looking into the
            // indexes, and reading again what they may have hidden from FINAL, costs more.
            .with_setting("use_skip_indexes_if_final", "0")
            .param("from", question.from.as_microsecond())
            .param("to", question.to.as_microsecond())
            .param("zone", zone);
        let keys = question.by.iter().enumerate();
        let query = keys.fold(query, |query, (index, by)| match by.key() {
            Some(key) => query.param(&format!("by{index}_key"), key),
            None => query,
        });
        question.only.bind(query)
    }

    /// Conversions without the question's date, whenever they came: outside of every range.
    ///
    /// # Errors
    /// As the server answers.
    pub(in crate::reports) async fn undated(
        &self,
        question: &Question,
    ) -> Result<u64, crate::StoreError> {
        if question.date_by == super::DateBy::Received {
            return Ok(0);
        }
        // First the keys without FINAL, where the index of the date serves, then FINAL by key.
        let sql = format!(
            "SELECT count() FROM {{conversions}} FINAL WHERE {{date}} IS NULL AND {OF_NETWORKS} AND {only} \
             AND (account, key_day, conversion_key) IN \
             (SELECT account, key_day, conversion_key FROM {{conversions}} WHERE {{date}} IS NULL)",
            only = question.only.sql()
        )
        .replace("{date}", question.date_by.column());
        let query = question.only.bind(self.query(&sql));
        self.one("count conversions without a date", query).await
    }
}
