//! Rules that a generation got after it was made.

use clickhouse::{Client, Row};
use serde::Deserialize;

use crate::connection::{LONG_STATEMENT, run};
use crate::error::{Kind, StoreError};
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
    const ALL: [Self; 2] = [Self::Added, Self::Accepted];

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

const ATTEMPT: &str = "read a generation's rules";

/// What a generation got after it was made, in order.
///
/// # Errors
/// As the server answers; [`Kind::Contradiction`] for a change that this version does not know.
pub async fn later_rules(
    client: &Client,
    generation: Generation,
) -> Result<Vec<LaterRule>, StoreError> {
    let order = recorded::order(GENERATION_RULES, "recorded_at", "number");
    let sql =
        format!("SELECT ?fields FROM {GENERATION_RULES} WHERE number = ? ORDER BY {order}, source");
    let query = client.query(&sql).bind(generation.number());
    let rows: Vec<RuleRow> = run(ATTEMPT, query.fetch_all()).await?;
    rows.into_iter().map(understood).collect()
}

/// Without a rule that a later version recorded, rows would be made that are none of the generation's.
fn understood(row: RuleRow) -> Result<LaterRule, StoreError> {
    let known = (Change::ALL.into_iter()).find(|change| change.as_str() == row.change);
    let change = known.ok_or_else(|| {
        let message = format!(
            "{GENERATION_RULES} holds a rule of source {} that was \"{}\", which this version does not know",
            row.source, row.change
        );
        StoreError::own(Kind::Contradiction, ATTEMPT, message, "upgrade this program")
    })?;
    Ok(LaterRule {
        source: row.source,
        change,
        rule: row.rule,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_a_later_version_is_no_rule_less() {
        let row = |change: &str| RuleRow {
            source: "shop".to_owned(),
            change: change.to_owned(),
            rule: "{}".to_owned(),
        };
        for change in Change::ALL {
            assert_eq!(understood(row(change.as_str())).unwrap().change, change);
        }
        let error = understood(row("withdrawn")).unwrap_err();
        assert_eq!(error.kind, Kind::Contradiction);
        assert!(error.message.contains("source shop that was \"withdrawn\""));
        assert_eq!(error.remedy, "upgrade this program");
    }
}
