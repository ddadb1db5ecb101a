//! A question's part of every query.
//!
//! In a report's SQL, `{scope}` stands for the conditions of the rows that are asked about, `{within}`
//! for the range alone, `{date}` for the column that places rows in time. `{keys}` are the values that rows are grouped by, each
//! with its name, `{by}` these names, `{dimension}` the array of texts that says what a group is of:
//! made of the names, so once for each group and not for each row. Where the range before is read
//! along ([`Along`]), `{is_now}` says of a row whether it is of the question's own range.

use clickhouse::query::Query;
use jiff::Timestamp;

use super::column::Value;
use super::{Question, Table};
use crate::reports::Reader;

/// Own orders and lines of statements stand in the same table and are no network's conversions.
const OF_NETWORKS: &str = "kind NOT IN ('order', 'statement')";

/// Whether a row is of the question's own range.
const IS_NOW: &str = "toUInt8(assumeNotNull({date}) >= fromUnixTimestamp64Micro({now:Int64}))";

/// What is read along with a question's range: most of a query's price is what it reads whatever its
/// range is, above all accounts without a date, so that two ranges at once cost far less than twice.
#[derive(Debug, Clone, Copy)]
pub(in crate::reports) enum Along<'a> {
    /// Nothing.
    Nothing,
    /// The range before, by the same times.
    Before(&'a Question),
    /// The range before as a whole: its rows are by everything that is no time.
    Past(&'a Question),
}

impl Along<'_> {
    const fn from(self, question: &Question) -> Timestamp {
        match self {
            Self::Nothing => question.from,
            Self::Before(before) | Self::Past(before) => before.from,
        }
    }
}

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
            // A hint chooses granules, and is not looked up for each row again.
            Table::Conversions => format!(
                "{within} AND {OF_NETWORKS} AND {only} AND indexHint((account, key_day) IN \
                 (SELECT DISTINCT account, key_day FROM {{conversions}} WHERE {within} AND {OF_NETWORKS} AND {only}))"
            ),
            Table::Postbacks => format!("{within} AND {only}"),
        }
    }

    /// Puts in what rows are grouped by.
    pub(in crate::reports) fn grouped(&self, sql: &str) -> String {
        self.grouped_along(sql, Along::Nothing)
    }

    fn grouped_along(&self, sql: &str, along: Along<'_>) -> String {
        let by = self.by.iter().enumerate();
        let values = by.flat_map(|(index, by)| {
            let mut values = by.values(self.date_by, &format!("by{index}_key"));
            if matches!(along, Along::Past(_)) && by.step().is_some() {
                values.iter_mut().for_each(Value::in_own_range);
            }
            values
        });
        let values: Vec<Value> = values.collect();
        let (keys, by, dimension) = if values.is_empty() {
            // Of nothing, but no constant: the server takes constants out of GROUP BY.
            let nothing = "arraySlice([toString(by0)], 2)";
            ("ignore(source) AS by0".into(), "by0".into(), nothing.into())
        } else {
            let named = |of: &dyn Fn(usize, &Value) -> String| {
                let all = values.iter().enumerate();
                let all: Vec<String> = all.map(|(index, value)| of(index, value)).collect();
                all.join(", ")
            };
            let texts = named(&|index, value| value.text.replace("{}", &format!("by{index}")));
            (
                named(&|index, value| format!("{} AS by{index}", value.sql)),
                named(&|index, _| format!("by{index}")),
                format!("[{texts}]"),
            )
        };
        sql.replace("{keys}", &keys)
            .replace("{by}", &by)
            .replace("{dimension}", &dimension)
    }
}

impl Reader {
    /// Begins a query of `sql` about what `question` asks of `table`.
    pub(in crate::reports) fn asked(&self, sql: &str, table: Table, question: &Question) -> Query {
        self.asked_along(sql, table, question, Along::Nothing)
    }

    /// The same, with the range before.
    pub(in crate::reports) fn asked_along(
        &self,
        sql: &str,
        table: Table,
        question: &Question,
        along: Along<'_>,
    ) -> Query {
        let sql = question
            .grouped_along(sql, along)
            .replace("{scope}", &question.scope(table))
            .replace("{within}", &question.within())
            .replace("{is_now}", IS_NOW)
            .replace("{date}", question.date_by.column());
        let zone = question.zone.iana_name().unwrap_or("UTC");
        let query = self
            .query(&sql)
            // What is left after the choice of accounts and days is read whole: looking into the
            // indexes, and reading again what they may have hidden from FINAL, costs more.
            .with_setting("use_skip_indexes_if_final", "0")
            .param("from", along.from(question).as_microsecond())
            .param("now", question.from.as_microsecond())
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
