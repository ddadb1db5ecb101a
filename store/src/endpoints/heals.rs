//! What was fetched from networks without being asked.

use std::fmt;

use clickhouse::{Client, Row};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{NOT_TO_COME, bounded};
use crate::connection::run;
use crate::error::{Kind, StoreError};
use crate::reports::{micros, optional_micros};
use crate::tables::{ENDPOINT_HISTORY, REFUSALS_LOG};

/// Why a time is healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The endpoint was off.
    SwitchedOff,
    /// Requests of the source were not taken for a while.
    Refusals,
    /// Once a day, whatever happened.
    Daily,
}

/// A time that is healed. The same one always has the same ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Heal {
    /// Why.
    pub cause: Cause,
    /// Inclusive, UTC.
    pub from: Timestamp,
    /// Exclusive, UTC.
    pub to: Timestamp,
}

impl Cause {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SwitchedOff => "switched_off",
            Self::Refusals => "refusals",
            Self::Daily => "daily",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::SwitchedOff, Self::Refusals, Self::Daily];
        all.into_iter().find(|cause| cause.as_str() == text)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Healed {
    /// What is healed.
    pub heal: Heal,
    /// When it was first begun, UTC.
    pub begun_at: Timestamp,
    /// When all that could be fetched was in Kafka, UTC; `None`: it has not ended.
    pub ended_at: Option<Timestamp>,
}

/// What was healed of a source, or begun to be, of the time since `since`: in the order of begins.
/// What carries a time to come, by the server's clock, is left out. `names` are all that the source has
/// and had.
///
/// # Errors
/// As the server answers; [`Kind::Contradiction`] where a newer version noted what this one does not know.
pub async fn heals(
    client: &Client,
    names: &[&str],
    since: Timestamp,
) -> Result<Vec<Healed>, StoreError> {
    #[derive(Row, Deserialize)]
    struct Found {
        cause: String,
        #[serde(deserialize_with = "micros")]
        begins: Timestamp,
        #[serde(deserialize_with = "micros")]
        ends: Timestamp,
        #[serde(deserialize_with = "micros")]
        begun_at: Timestamp,
        #[serde(deserialize_with = "optional_micros")]
        ended_at: Option<Timestamp>,
    }
    let attempt = "read what was healed";
    let sql = format!(
        "SELECT toString(reason) AS cause, assumeNotNull(healed_from) AS begins, assumeNotNull(healed_to) AS ends, \
           min(at) AS begun_at, maxOrNullIf(at, what = 'heal_ended') AS ended_at \
         FROM {ENDPOINT_HISTORY} WHERE what IN ('heal_begun', 'heal_ended') AND source IN {{sources:Array(String)}} AND {NOT_TO_COME} \
           AND healed_to >= fromUnixTimestamp64Micro({{since:Int64}}) \
         GROUP BY cause, begins, ends ORDER BY begun_at, begins"
    );
    let query = bounded(client, &sql)
        .param("sources", names)
        .param("since", since.as_microsecond());
    let found: Vec<Found> = run(attempt, query.fetch_all()).await?;
    let healed = |row: Found| {
        Some(Healed {
            heal: Heal {
                cause: Cause::parse(&row.cause)?,
                from: row.begins,
                to: row.ends,
            },
            begun_at: row.begun_at,
            ended_at: row.ended_at,
        })
    };
    // Without it, what it stands for would be fetched again, or taken for lost.
    (found.into_iter().map(healed).collect::<Option<_>>()).ok_or_else(|| {
        let message = format!("{ENDPOINT_HISTORY} holds a cause that this version does not know");
        StoreError::own(
            Kind::Contradiction,
            attempt,
            message,
            "upgrade this program",
        )
    })
}

/// The minutes since `since` in which requests of a source were answered with 5xx: nothing of them
/// was kept. Each by its begin, UTC, in order; none to come, by the server's clock. `names` as for
/// [`heals`].
///
/// # Errors
/// As the server answers.
pub async fn refused_minutes(
    client: &Client,
    names: &[&str],
    since: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    #[derive(Row, Deserialize)]
    struct Found {
        #[serde(deserialize_with = "micros")]
        minute: Timestamp,
    }
    // Not the view: minutes differ by nothing that it folds, and it folds the refusals of everybody.
    let sql = format!(
        "SELECT DISTINCT toDateTime64(toStartOfMinute(refused_at), 6, 'UTC') AS minute FROM {REFUSALS_LOG} \
         WHERE source IN {{sources:Array(String)}} AND status >= 500 \
           AND refused_at >= fromUnixTimestamp64Micro({{since:Int64}}) \
           AND refused_at <= now64(6, 'UTC') ORDER BY minute"
    );
    let query = bounded(client, &sql)
        .param("sources", names)
        .param("since", since.as_microsecond());
    let found: Vec<Found> = run("read when requests were refused", query.fetch_all()).await?;
    Ok(found.into_iter().map(|row| row.minute).collect())
}
