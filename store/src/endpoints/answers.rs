//! What a network got for answers, before it switched an endpoint off.

use clickhouse::{Client, Row};
use jiff::Timestamp;
use serde::Deserialize;

use crate::connection::run;
use crate::error::StoreError;
use crate::tables::{POSTBACKS, REFUSALS};

/// Answers to requests of one source in a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// With 2xx: what is in the tables.
    pub taken: u64,
    /// With anything else, by reason, the most frequent first; estimated where many came at once.
    pub refused: Vec<Refused>,
}

/// Refusals of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Refused {
    /// Why.
    pub reason: String,
    /// The status of the answer.
    pub status: u16,
    /// How many.
    pub requests: u64,
}

impl Answers {
    /// Those that are the endpoint's own trouble: 5xx, which late ones are as well.
    #[must_use]
    pub fn failed(&self) -> u64 {
        let failed = self.refused.iter().filter(|refused| refused.status >= 500);
        failed.map(|refused| refused.requests).sum()
    }
}

/// What requests of a source were answered with, `from` inclusive and `to` exclusive, UTC. A request
/// that never arrived is in none. `names` are all that the source has and had.
///
/// # Errors
/// As the server answers.
pub async fn answers(
    client: &Client,
    names: &[&str],
    from: Timestamp,
    to: Timestamp,
) -> Result<Answers, StoreError> {
    let within = |column: &str| {
        format!(
            "source IN {{sources:Array(String)}} AND {column} >= fromUnixTimestamp64Micro({{from:Int64}}) \
             AND {column} < fromUnixTimestamp64Micro({{to:Int64}})"
        )
    };
    let ask = |sql: &str| {
        client
            .query_raw(sql)
            .param("sources", names)
            .param("from", from.as_microsecond())
            .param("to", to.as_microsecond())
    };
    let taken = format!(
        "SELECT count() FROM {POSTBACKS} WHERE via = 'http' AND {}",
        within("received_at")
    );
    let refused = format!(
        "SELECT toString(reason) AS reason, status, sum(1 + suppressed) AS requests FROM {REFUSALS} \
         WHERE {} GROUP BY reason, status ORDER BY requests DESC, reason",
        within("refused_at")
    );
    let attempt = "count what the network was answered";
    Ok(Answers {
        taken: run(attempt, ask(&taken).fetch_one()).await?,
        refused: run(attempt, ask(&refused).fetch_all()).await?,
    })
}
