//! Rules that a generation got after it was made.

use clickhouse::{Client, Row};
use serde::Deserialize;

use crate::connection::{LONG_STATEMENT, run};
use crate::error::StoreError;
use crate::recorded;
use crate::tables::{GENERATION_RULES, Generation};

/// How a generation got these rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The source was new. The first such record of a source counts.
    Added,
    /// An operator took changed rules into the running generation. The last one counts.
    Accepted,
}

impl Change {
    /// As it stands in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Accepted => "accepted",
        }
    }
}

/// One source's rules that came later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterRule {
    /// The source.
    pub source: String,
    /// How it came.
    pub change: Change,
    /// The rules as JSON.
    pub rule: String,
}

#[derive(Row, Deserialize)]
struct RuleRow {
    source: String,
    change: String,
    rule: String,
}

/// What a generation got after it was made, in order.
///
/// # Errors
/// As the server answers.
pub async fn later_rules(
    client: &Client,
    generation: Generation,
) -> Result<Vec<LaterRule>, StoreError> {
    let order = recorded::order(GENERATION_RULES, "recorded_at", "number");
    let sql =
        format!("SELECT ?fields FROM {GENERATION_RULES} WHERE number = ? ORDER BY {order}, source");
    let query = client.query(&sql).bind(generation.number());
    let rows: Vec<RuleRow> = run("read a generation's rules", query.fetch_all()).await?;
    let understood = rows.into_iter().filter_map(|row| {
        let change = [Change::Added, Change::Accepted]
            .into_iter()
            .find(|change| change.as_str() == row.change)?;
        Some(LaterRule {
            source: row.source,
            change,
            rule: row.rule,
        })
    });
    Ok(understood.collect())
}

/// Records rules of a source. `offsets`: of the generation's group, for [`Change::Accepted`].
///
/// # Errors
/// As the server answers.
pub async fn record_rule(
    client: &Client,
    generation: Generation,
    later: &LaterRule,
    offsets: &str,
    recorded_by: &str,
) -> Result<(), StoreError> {
    let attempt = format!("record the rules of source {}", later.source);
    let time = recorded::time(GENERATION_RULES, "recorded_at");
    let sql = format!(
        "INSERT INTO {GENERATION_RULES} (number, source, change, rule, offsets, recorded_by, recorded_at) \
         SELECT ?, ?, ?, ?, ?, ?, {time}"
    );
    let insert = client
        .query(&sql)
        .bind(generation.number())
        .bind(&later.source)
        .bind(later.change.as_str())
        .bind(&later.rule)
        .bind(offsets)
        .bind(recorded_by);
    let (setting, bytes) = LONG_STATEMENT;
    let insert = insert
        .with_setting("async_insert", "0")
        .with_setting(setting, bytes);
    run(&attempt, insert.execute()).await
}
