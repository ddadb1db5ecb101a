//! Conversions: keys under two days, postbacks without one, and revisions.
//!
//! The keys are looked at in shares, by their hash: memory is bounded whatever the tables hold.

use clickhouse::Row;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use uuid::Uuid;

use super::{Scope, Tables};
use crate::error::StoreError;
use crate::reports::{day, micros};
use crate::retention::Horizon;
use crate::tables::{CONVERSIONS, ORDERS, STATEMENTS};

/// Most rows of a share.
const SHARE_ROWS: u64 = 2_000_000;

/// What is wrong, or remarkable, with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// It stands under two days, and so counts twice.
    TwoDays,
    /// An accepted postback of it is there, and no conversion. Postbacks with several orders have no
    /// key here: see [`Tables::without_own`].
    NoConversion,
    /// The view does not show its highest revision, once.
    WrongRevision,
    /// The revision that counts was received before another postback of it: the network's own time
    /// of the later one is older. Right as it is, and worth knowing.
    OlderCounts,
}

/// A key with what is the matter.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct KeyFinding {
    /// The publisher's account.
    pub account: String,
    /// The key.
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversion_key: Uuid,
    /// Its day; the earlier one of two.
    #[serde(deserialize_with = "day")]
    pub key_day: Date,
    /// Its later day, where it has two; otherwise the same.
    #[serde(deserialize_with = "day")]
    pub other_day: Date,
    /// When its newest postback in question was received.
    #[serde(deserialize_with = "micros")]
    pub received_at: Timestamp,
    /// How many there are of this finding in the share.
    total: u64,
}

/// A share of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Its number, from 0.
    pub share: u64,
    /// How many shares there are.
    pub of: u64,
}

impl Keys {
    pub(super) fn condition(self, key: &str) -> String {
        format!("cityHash64({key}) % {} = {}", self.of, self.share)
    }
}

impl Tables {
    /// Into how many shares the keys are divided.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn shares(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count() FROM {postbacks} UNION ALL SELECT count() FROM {conversions}";
        let rows: Vec<u64> = self
            .all("count the rows", self.query(sql, &Scope::default()))
            .await?;
        let most = rows.into_iter().max().unwrap_or(0);
        Ok(most.div_ceil(SHARE_ROWS).max(1))
    }

    /// One finding of a share: how many keys have it, and at most `limit` of them.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn keys(
        &self,
        fault: Fault,
        scope: &Scope,
        keys: Keys,
        horizon: Option<Horizon>,
        limit: usize,
    ) -> Result<(u64, Vec<KeyFinding>), StoreError> {
        // One row at least: the count comes with it.
        let sql = fault.sql(keys, horizon, limit.max(1));
        let ask = || self.all::<KeyFinding>(fault.attempt(), self.query(&sql, scope));
        let mut findings = ask().await?;
        if fault == Fault::WrongRevision && !findings.is_empty() {
            // Table and view are read one after the other; what came in between is in both now.
            let again = ask().await?;
            findings.retain(|finding| again.iter().any(|other| other.is_same(finding)));
        }
        let total = findings.first().map_or(0, |finding| finding.total);
        findings.truncate(limit);
        Ok((total, findings))
    }
}

impl KeyFinding {
    /// One that was found otherwise than by [`Tables::keys`].
    #[must_use]
    pub const fn of(
        account: String,
        conversion_key: Uuid,
        key_day: Date,
        received_at: Timestamp,
    ) -> Self {
        Self {
            account,
            conversion_key,
            key_day,
            other_day: key_day,
            received_at,
            total: 1,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.account, self.conversion_key, self.key_day)
            == (&other.account, other.conversion_key, other.key_day)
    }
}

impl Fault {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [
        Self::TwoDays,
        Self::NoConversion,
        Self::WrongRevision,
        Self::OlderCounts,
    ];

    fn sql(self, keys: Keys, horizon: Option<Horizon>, limit: usize) -> String {
        let found = match self {
            Self::TwoDays => TWO_DAYS,
            Self::NoConversion => NO_CONVERSION,
            Self::WrongRevision => WRONG_REVISION,
            Self::OlderCounts => OLDER_COUNTS,
        };
        let postback_keys = keys.condition("assumeNotNull(conversion_key)");
        let found = found
            .replace("{keys}", &keys.condition("conversion_key"))
            .replace("{postback_keys}", &postback_keys)
            .replace("{kept}", &kept(horizon))
            .replace("{view}", &views());
        format!(
            "SELECT account, key AS conversion_key, first_day AS key_day, last_day AS other_day, \
             newest AS received_at, count() OVER () AS total \
             FROM ({found}) ORDER BY newest, key LIMIT {limit}"
        )
    }

    const fn attempt(self) -> &'static str {
        match self {
            Self::TwoDays => "look for keys under two days",
            Self::NoConversion => "look for accepted postbacks without a conversion",
            Self::WrongRevision => "compare the view with the stored revisions",
            Self::OlderCounts => "look for revisions out of order",
        }
    }
}

/// What readers see: each row of the table is in one of these views.
fn views() -> String {
    let columns = "source, account, conversion_key, key_day, received_at, revision";
    let each =
        [CONVERSIONS, ORDERS, STATEMENTS].map(|view| format!("SELECT {columns} FROM {view}"));
    format!("({})", each.join(" UNION ALL "))
}

/// Months that were dropped have no conversions any more; bucket rows stay.
fn kept(horizon: Option<Horizon>) -> String {
    let Some(horizon) = horizon else {
        return "true".to_owned();
    };
    let begins = horizon.begins_at().strftime("%Y-%m-%d");
    format!("(key_day >= '{begins}' OR toYYYYMM(key_day) = 197001)")
}

/// Replaced revisions are read too: those of one day are merged away, those of two never.
const TWO_DAYS: &str = "SELECT account, conversion_key AS key, min(key_day) AS first_day, max(key_day) AS last_day, \
     max(received_at) AS newest \
     FROM {conversions} WHERE {keys} GROUP BY account, key \
     HAVING first_day != last_day AND countIf({range}) > 0";

/// Conversions are stored first, so one that is missing now is missing.
const NO_CONVERSION: &str = "SELECT account, key, day AS first_day, day AS last_day, max(at) AS newest FROM ( \
     SELECT account, assumeNotNull(conversion_key) AS key, assumeNotNull(key_day) AS day, received_at AS at, 0 AS has \
     FROM {postbacks} FINAL WHERE outcome = 'accepted' AND isNotNull(conversion_key) AND {postback_keys} AND {kept} AND {range} \
     AND kafka_topic = {topic:String} AND kafka_offset < {end} \
     UNION ALL SELECT account, conversion_key AS key, key_day AS day, received_at AS at, 1 AS has FROM {conversions} WHERE {keys}) \
     GROUP BY account, key, day HAVING max(has) = 0";

const WRONG_REVISION: &str = "SELECT account, key, day AS first_day, day AS last_day, max(at) AS newest FROM ( \
     SELECT account, conversion_key AS key, key_day AS day, received_at AS at, {range} AS asked, revision AS stored, toUInt128(0) AS shown, 0 AS rows \
     FROM {conversions} WHERE {keys} \
     UNION ALL SELECT account, conversion_key AS key, key_day AS day, received_at AS at, {range} AS asked, toUInt128(0) AS stored, revision AS shown, 1 AS rows \
     FROM {view} WHERE {keys}) \
     GROUP BY account, key, day HAVING max(asked) AND (max(stored) != max(shown) OR sum(rows) != 1)";

const OLDER_COUNTS: &str = "SELECT account, key, day AS first_day, day AS last_day, maxIf(at, counts = 0) AS newest FROM ( \
     SELECT account, assumeNotNull(conversion_key) AS key, assumeNotNull(key_day) AS day, received_at AS at, 0 AS counts \
     FROM {postbacks} FINAL WHERE outcome = 'accepted' AND isNotNull(conversion_key) AND {postback_keys} AND {range} \
     AND kafka_topic = {topic:String} AND kafka_offset < {end} \
     UNION ALL SELECT account, conversion_key AS key, key_day AS day, received_at AS at, 1 AS counts FROM {conversions} FINAL WHERE {keys}) \
     GROUP BY account, key, day \
     HAVING countIf(counts = 1) > 0 AND countIf(counts = 0) > 0 AND maxIf(at, counts = 0) > maxIf(at, counts = 1)";
