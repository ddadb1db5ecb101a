//! What the networks' APIs said of the endpoints, and what was done about it: the table
//! `endpoint_history`. No URL is in it, since a URL holds the key.
//!
//! An endpoint is *off* while the network says that it is disabled, or that it has none. An answer
//! that did not come, or could not be read, changes nothing of what was known.

mod answers;
mod heals;
mod outages;

use std::fmt;

use clickhouse::query::Query;
use clickhouse::{Client, Row};
use jiff::Timestamp;
use postback_common::config::SourceSettings;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::connection::{STATEMENT_WITHIN, run};
use crate::error::StoreError;
use crate::reports::{micros, optional_micros};
use crate::single::{self, written};
use crate::tables::ENDPOINT_HISTORY;

pub use answers::{Answers, Refused, answers};
pub use heals::{Cause, Heal, Healed, heals, refused_minutes};
pub use outages::{Outage, outages, outages_of};

/// 2200-01-01, within what a `DateTime64(6)` holds.
const LATEST_SECOND: i64 = 7_258_118_400;

/// What carries a time to come, by the server's clock, was noted by a wrong clock: until that time
/// comes it would hide all that is noted after it.
const NOT_TO_COME: &str = "at <= now64(6, 'UTC')";

/// What a person switched.
const BY_HAND: &str = "what IN ('off_by_hand', 'on_by_hand')";

/// What a poll said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The network sends.
    Active,
    /// It is registered, and the network does not send.
    Disabled,
    /// None is registered.
    Missing,
    /// The API did not say.
    Unknown,
}

/// One poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// What came of it.
    pub state: State,
    /// Of [`State::Unknown`], the tag of the API's trouble; otherwise empty.
    pub reason: String,
    /// When the network says that the endpoint was last changed, by its clock, UTC.
    pub updated_at: Option<Timestamp>,
    /// Whether the registered URL is that of the source's newest template; `None` where there is
    /// nothing to compare.
    pub is_template: Option<bool>,
}

/// What is noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The API was asked.
    Poll(Poll),
    /// Postback switches the endpoint on again.
    Reenabled,
    /// A person switched it off, or deleted it: nothing switches it on but a person.
    OffByHand,
    /// A person switched it on, or set it up.
    OnByHand,
    /// Postback left it off, because a test postback was not answered in time, or because what is
    /// registered is not the source's own; with the tag of the reason.
    ProbeFailed(String),
    /// A backfill begins that nobody asked for.
    HealBegun(Heal),
    /// All that it could fetch is in Kafka.
    HealEnded(Heal),
}

/// The newest that is known of a source's endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Latest {
    /// The source.
    pub source: String,
    /// When the API was last asked, UTC.
    #[serde(deserialize_with = "micros")]
    pub at: Timestamp,
    /// What came of it.
    #[serde(deserialize_with = "state")]
    pub state: State,
    /// Of [`State::Unknown`], the tag of the API's trouble.
    pub reason: String,
    /// By the network's clock, UTC.
    #[serde(deserialize_with = "optional_micros")]
    pub updated_at: Option<Timestamp>,
    /// As in [`Poll`].
    pub is_template: Option<bool>,
    /// When the API was first asked, UTC.
    #[serde(deserialize_with = "micros")]
    pub first_at: Timestamp,
    /// When it last said anything of the endpoint, UTC.
    #[serde(deserialize_with = "optional_micros")]
    pub known_at: Option<Timestamp>,
}

impl Latest {
    /// Since when nothing is known of the endpoint; `None` while the API answers.
    #[must_use]
    pub fn unknown_since(&self) -> Option<Timestamp> {
        (self.state == State::Unknown).then(|| self.known_at.unwrap_or(self.first_at))
    }
}

impl State {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }

    /// The network says that it does not send.
    #[must_use]
    pub const fn is_off(self) -> bool {
        matches!(self, Self::Disabled | Self::Missing)
    }

    fn parse(text: &str) -> Self {
        let all = [Self::Active, Self::Disabled, Self::Missing];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn state<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
    Ok(State::parse(&String::deserialize(deserializer)?))
}

/// Notes what was seen or done of a source's endpoint `at` a time by our clock; where that is ahead of
/// the server's, it is the server's time. What a person switched is noted at the server's time,
/// whatever `at` says, and after all that was switched before: the last one counts, and clocks differ.
///
/// # Errors
/// As the server answers; it may have been noted.
pub async fn note(
    client: &Client,
    source: &str,
    at: Timestamp,
    note: &Note,
) -> Result<(), StoreError> {
    let time = match note {
        Note::OffByHand | Note::OnByHand => format!(
            "greatest(now64(6, 'UTC'), (SELECT max(at) + toIntervalMicrosecond(1) FROM {ENDPOINT_HISTORY} WHERE {BY_HAND}))"
        ),
        _ => "least(at, now64(6, 'UTC'))".to_owned(),
    };
    let others = "id, source, what, state, reason, updated_at, is_template, healed_from, healed_to";
    let into =
        format!("{ENDPOINT_HISTORY} ({others}, at) SELECT {others}, {time} FROM input('{NOTED}')");
    let row = Noted::of(source, at, note);
    single::add(client, "note what is known of the endpoint", &into, &row).await
}

/// The types of [`Noted`], as the server reads them.
const NOTED: &str = "id UUID, source String, at DateTime64(6, \\'UTC\\'), what String, state String, reason String, \
     updated_at Nullable(DateTime64(6, \\'UTC\\')), is_template Nullable(Bool), \
     healed_from Nullable(DateTime64(6, \\'UTC\\')), healed_to Nullable(DateTime64(6, \\'UTC\\'))";

#[derive(Serialize)]
struct Noted<'a> {
    id: Uuid,
    source: &'a str,
    at: String,
    what: &'static str,
    state: &'static str,
    reason: &'a str,
    updated_at: Option<String>,
    is_template: Option<bool>,
    healed_from: Option<String>,
    healed_to: Option<String>,
}

impl<'a> Noted<'a> {
    fn of(source: &'a str, at: Timestamp, note: &'a Note) -> Self {
        let mut row = Self {
            id: Uuid::now_v7(),
            source,
            at: written(at),
            what: note.as_str(),
            state: "",
            reason: "",
            updated_at: None,
            is_template: None,
            healed_from: None,
            healed_to: None,
        };
        match note {
            Note::HealBegun(heal) | Note::HealEnded(heal) => {
                row.reason = heal.cause.as_str();
                row.healed_from = Some(written(heal.from));
                row.healed_to = Some(written(heal.to));
            }
            Note::ProbeFailed(reason) => row.reason = reason,
            Note::Poll(poll) => {
                row.state = poll.state.as_str();
                row.reason = &poll.reason;
                row.updated_at = poll.updated_at.filter(is_sane).map(written);
                row.is_template = poll.is_template;
            }
            Note::Reenabled | Note::OffByHand | Note::OnByHand => {}
        }
        row
    }
}

impl Note {
    /// As the column `what` has it.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Poll(_) => "poll",
            Self::Reenabled => "reenabled",
            Self::OffByHand => "off_by_hand",
            Self::OnByHand => "on_by_hand",
            Self::ProbeFailed(_) => "probe_failed",
            Self::HealBegun(_) => "heal_begun",
            Self::HealEnded(_) => "heal_ended",
        }
    }
}

/// A network may say anything; a time that no column can hold would keep the poll out of the table.
fn is_sane(at: &Timestamp) -> bool {
    (0..LATEST_SECOND).contains(&at.as_second())
}

/// The server's clock, UTC.
///
/// # Errors
/// As the server answers.
pub async fn now(client: &Client) -> Result<Timestamp, StoreError> {
    #[derive(Row, Deserialize)]
    struct Clock {
        #[serde(deserialize_with = "micros")]
        now: Timestamp,
    }
    let query = client.query_raw("SELECT now64(6, 'UTC') AS now");
    let clock: Clock = run("ask for the server's time", query.fetch_one()).await?;
    Ok(clock.now)
}

/// The last answer about a source, also by a name that it had before: the next poll is under the new
/// one.
#[must_use]
pub fn newest<'l>(latest: &'l [Latest], source: &SourceSettings) -> Option<&'l Latest> {
    let of_it = latest
        .iter()
        .filter(|latest| source.names().any(|name| name == latest.source));
    of_it.max_by_key(|latest| latest.at)
}

/// The newest that is known of each source's endpoint, by source. Sources that were never asked for
/// are in none.
///
/// # Errors
/// As the server answers.
pub async fn latest(client: &Client) -> Result<Vec<Latest>, StoreError> {
    // Nothing but the newest of each is put in order: there are many polls.
    let polls = format!("FROM {ENDPOINT_HISTORY} WHERE what = 'poll' AND {NOT_TO_COME}");
    let sql = format!(
        "SELECT toString(of) AS source, at, toString(state) AS state, toString(reason) AS reason, updated_at, \
           is_template, first_at, known_at \
         FROM (SELECT source AS of, id, at, state, reason, updated_at, is_template {polls}) AS polled \
         INNER JOIN (SELECT source AS of, max(at) AS newest_at, min(at) AS first_at, \
             maxOrNullIf(at, state != 'unknown') AS known_at {polls} GROUP BY of) AS seen USING (of) \
         WHERE at = newest_at ORDER BY of, id DESC LIMIT 1 BY of"
    );
    let query = bounded(client, &sql);
    run("read the state of the endpoints", query.fetch_all()).await
}

/// How often Postback switched a source's endpoint on again since `since`, and when last, UTC. `names`
/// are all that the source has and had.
///
/// # Errors
/// As the server answers.
pub async fn reenabled_since(
    client: &Client,
    names: &[&str],
    since: Timestamp,
) -> Result<(u64, Option<Timestamp>), StoreError> {
    #[derive(Row, Deserialize)]
    struct Counted {
        times: u64,
        #[serde(deserialize_with = "optional_micros")]
        last: Option<Timestamp>,
    }
    let sql = format!(
        "SELECT uniqExact(id) AS times, maxOrNull(at) AS last FROM {ENDPOINT_HISTORY} \
         WHERE what = 'reenabled' AND source IN {{sources:Array(String)}} \
           AND at >= fromUnixTimestamp64Micro({{since:Int64}})"
    );
    let query = client
        .query_raw(&sql)
        .param("sources", names)
        .param("since", since.as_microsecond());
    let counted: Counted = run(
        "count how often the endpoint was switched on",
        query.fetch_one(),
    )
    .await?;
    Ok((counted.times, counted.last))
}

/// A question whose answer nobody waits for any longer ends at the server as well.
fn bounded(client: &Client, sql: &str) -> Query {
    client
        .query_raw(sql)
        .with_setting("max_execution_time", STATEMENT_WITHIN.as_secs().to_string())
}

/// Whether the last person who switched a source's endpoint switched it off. `names` are all that the
/// source has and had: by whichever it was called then.
///
/// # Errors
/// As the server answers.
pub async fn is_off_by_hand(client: &Client, names: &[&str]) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT toString(argMax(what, (at, id))) = 'off_by_hand' FROM {ENDPOINT_HISTORY} \
         WHERE {BY_HAND} AND source IN {{sources:Array(String)}}"
    );
    let query = client.query_raw(&sql).param("sources", names);
    run("ask who switched the endpoint off", query.fetch_one()).await
}
