//! Who sends, how much against what is usual, and since when nobody does.
//!
//! All is as seen at one moment, `until`: now, or what is loaded through while more waits.
//!
//! - *postbacks*: those that were pushed, each id once, accepted or rejected. What was fetched or
//!   imported comes while nobody sends, and all of a run at once.
//! - *the last hour*: the 60 minutes before `until`.
//! - *usual*: the mean of the same 60 minutes by the clock of the zone on the same weekday in each of
//!   the up to eight weeks before in which the source was already sending; *range*: where the next
//!   such hour is expected in 997 of 1,000 cases, by these weeks and how far hours of this source
//!   usually are from their mean.
//! - *missing*: postbacks that were usual in the time since the last one came. 13 of them missing by
//!   chance is one in 440,000.
//! - *learning*: the source has sent for less than three weeks, by what came in the ten weeks before.
//!   What stands before them is no history: a single postback of a wrong clock would make it long.
//!
//! Rows of a name that a source had before are rows of the source.

mod names;
mod usual;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use clickhouse::Row;
use jiff::{Span, Timestamp, Zoned};
use serde::Deserialize;

pub use names::Names;
pub use usual::{State, Usual};

use super::Reader;
use super::decode::micros;
use super::question::Filter;
use crate::error::StoreError;
use crate::tables::REFUSALS;

/// Weeks that an hour is compared with.
pub const WEEKS: i64 = 8;

/// What sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Sender {
    /// The source.
    pub source: String,
    /// When its newest postback was received.
    pub last: Timestamp,
    /// Postbacks of the last hour.
    pub hour: u64,
    /// Postbacks of the last 24 hours.
    pub day: u64,
    /// Against what is usual.
    pub usual: Usual,
}

/// What a source's key or template brought in the last seven days.
#[derive(Debug, Clone, PartialEq, Row, Deserialize)]
pub struct Part {
    /// The source.
    pub source: String,
    /// Name of the key, or the template's marker; empty where the URL has none.
    pub part: String,
    /// When its newest postback was received.
    #[serde(deserialize_with = "micros")]
    pub last: Timestamp,
    /// Postbacks of the last 24 hours.
    pub day: u64,
    /// Postbacks of the last seven days.
    pub week: u64,
}

/// Which parts of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// URL keys.
    Key,
    /// Templates, by their marker.
    Template,
}

/// Refused requests of a source; the empty one is without a known key.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Refused {
    /// The source.
    pub source: String,
    /// In the last 24 hours; estimated where many came at once.
    pub day: u64,
    /// In the last seven days.
    pub week: u64,
    /// The most frequent reason.
    pub reason: String,
    /// When the newest was refused.
    #[serde(deserialize_with = "micros")]
    pub last: Timestamp,
}

#[derive(Row, Deserialize)]
struct Seen {
    source: String,
    /// Since [`there_before`]; [`Timestamp::UNIX_EPOCH`] where all stands before that.
    #[serde(deserialize_with = "micros")]
    first: Timestamp,
    #[serde(deserialize_with = "micros")]
    last: Timestamp,
}

#[derive(Row, Deserialize)]
struct Hour {
    source: String,
    /// Hours before `until`; 0 is the last one.
    ago: u32,
    postbacks: u64,
}

impl Seen {
    /// One for each source, by name.
    fn of_today(seen: Vec<Self>, names: &Names) -> Vec<Self> {
        merged(
            seen,
            names,
            |seen| &mut seen.source,
            |seen| seen.source.clone(),
            |one, other| {
                let firsts = [one.first, other.first].into_iter();
                let known = firsts.filter(|first| *first != Timestamp::UNIX_EPOCH);
                one.first = known.min().unwrap_or(Timestamp::UNIX_EPOCH);
                one.last = one.last.max(other.last);
            },
        )
    }
}

impl Part {
    /// One for each part of a source, by name.
    fn of_today(parts: Vec<Self>, names: &Names) -> Vec<Self> {
        merged(
            parts,
            names,
            |part| &mut part.source,
            |part| (part.source.clone(), part.part.clone()),
            |one, other| {
                one.last = one.last.max(other.last);
                one.day += other.day;
                one.week += other.week;
            },
        )
    }
}

impl Refused {
    /// One for each source, by name; with the reason of the name that had more.
    fn of_today(refused: Vec<Self>, names: &Names) -> Vec<Self> {
        merged(
            refused,
            names,
            |refused| &mut refused.source,
            |refused| refused.source.clone(),
            |one, other| {
                if other.week > one.week {
                    one.reason = other.reason;
                }
                one.day += other.day;
                one.week += other.week;
                one.last = one.last.max(other.last);
            },
        )
    }
}

/// Rows of one key, under the names that sources have today, become one, in the order of the keys.
fn merged<T, K: Ord>(
    rows: Vec<T>,
    names: &Names,
    source: impl Fn(&mut T) -> &mut String,
    key: impl Fn(&T) -> K,
    merge: impl Fn(&mut T, T),
) -> Vec<T> {
    let mut by_key: BTreeMap<K, T> = BTreeMap::new();
    for mut row in rows {
        let name = source(&mut row);
        *name = names.today(std::mem::take(name));
        match by_key.entry(key(&row)) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(mut known) => merge(known.get_mut(), row),
        }
    }
    by_key.into_values().collect()
}

/// As `watch` counts it.
const IS_SENT: &str = "via = 'http' AND source != ''";

impl Reader {
    /// All sources that ever sent, by a filter of postbacks, as seen at `until`, in its zone.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn activity(
        &self,
        only: &Filter,
        names: &Names,
        until: &Zoned,
    ) -> Result<Vec<Sender>, StoreError> {
        let only = names.widened(only);
        let (seen, hours) = tokio::try_join!(self.seen(&only, until), self.hours(&only, until))?;
        let mut by_source: BTreeMap<String, BTreeMap<u32, u64>> = BTreeMap::new();
        for hour in hours {
            let source = by_source.entry(names.today(hour.source)).or_default();
            *source.entry(hour.ago).or_default() += hour.postbacks;
        }
        let senders = Seen::of_today(seen, names).into_iter().map(|seen| {
            let hours = by_source.remove(&seen.source).unwrap_or_default();
            Sender {
                hour: hours.get(&0).copied().unwrap_or(0),
                day: hours.range(..24).map(|(_, count)| count).sum(),
                usual: Usual::of(&hours, seen.first, seen.last, until),
                source: seen.source,
                last: seen.last,
            }
        });
        Ok(senders.collect())
    }

    async fn seen(&self, only: &Filter, until: &Zoned) -> Result<Vec<Seen>, StoreError> {
        // A postback that stands there twice is no other one: no FINAL.
        let sql = format!(
            "SELECT toString(source) AS source, \
               minIf(received_at, received_at >= fromUnixTimestamp64Micro({{there:Int64}})) AS first, \
               max(received_at) AS last \
             FROM {{postbacks}} WHERE {IS_SENT} AND {} \
               AND received_at < fromUnixTimestamp64Micro({{until:Int64}}) \
             GROUP BY source ORDER BY source",
            only.sql()
        );
        let query = self
            .query(&sql)
            .param("there", there_before(until).as_microsecond())
            .param("until", until.timestamp().as_microsecond());
        self.all("see who sends", only.bind(query)).await
    }

    async fn hours(&self, only: &Filter, until: &Zoned) -> Result<Vec<Hour>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, \
               toUInt32(intDiv({{until:Int64}} - 1 - toUnixTimestamp64Micro(received_at), 3600000000)) AS ago, \
               count() AS postbacks \
             FROM {{postbacks}} FINAL WHERE {IS_SENT} AND {} \
               AND received_at >= fromUnixTimestamp64Micro({{from:Int64}}) \
               AND received_at < fromUnixTimestamp64Micro({{until:Int64}}) \
             GROUP BY source, ago",
            only.sql()
        );
        let query = self
            .query(&sql)
            .param("from", weeks_before(until).as_microsecond())
            .param("until", until.timestamp().as_microsecond());
        self.all("count what came by hour", only.bind(query)).await
    }

    /// What the keys or templates of the sources brought in the last seven days before `until`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn activity_of(
        &self,
        by: By,
        only: &Filter,
        names: &Names,
        until: &Zoned,
    ) -> Result<Vec<Part>, StoreError> {
        let only = names.widened(only);
        let part = match by {
            By::Key => "JSONExtractString(raw, 'key')",
            By::Template => "extract(raw, '[\"?&]pbt=([^&\"#]*)')",
        };
        let sql = format!(
            "SELECT toString(source) AS source, {part} AS part, max(received_at) AS last, \
               countIf(received_at >= fromUnixTimestamp64Micro({{day:Int64}})) AS day, count() AS week \
             FROM {{postbacks}} FINAL WHERE {IS_SENT} AND {} \
               AND received_at >= fromUnixTimestamp64Micro({{week:Int64}}) \
               AND received_at < fromUnixTimestamp64Micro({{until:Int64}}) \
             GROUP BY source, part ORDER BY source, part",
            only.sql()
        );
        let query = self.since(&sql, until);
        let parts = self.all("see which keys and templates send", only.bind(query));
        Ok(Part::of_today(parts.await?, names))
    }

    /// Refused requests before `until`, by source.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn refused(&self, names: &Names, until: &Zoned) -> Result<Vec<Refused>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, \
               sumIf(1 + suppressed, refused_at >= fromUnixTimestamp64Micro({{day:Int64}})) AS day, \
               sum(1 + suppressed) AS week, toString(topKWeighted(1)(reason, 1 + suppressed)[1]) AS reason, \
               max(refused_at) AS last \
             FROM {REFUSALS} WHERE refused_at >= fromUnixTimestamp64Micro({{week:Int64}}) \
               AND refused_at < fromUnixTimestamp64Micro({{until:Int64}}) \
             GROUP BY source ORDER BY source"
        );
        let refused = self.all("count what was refused", self.since(&sql, until));
        Ok(Refused::of_today(refused.await?, names))
    }

    fn since(&self, sql: &str, until: &Zoned) -> clickhouse::query::Query {
        let micros = |span| ago(until, span).as_microsecond();
        self.query(sql)
            .param("day", micros(Span::new().hours(24)))
            .param("week", micros(Span::new().hours(7 * 24)))
            .param("until", until.timestamp().as_microsecond())
    }
}

/// Since when hours are read: clocks may have been changed once or twice.
fn weeks_before(until: &Zoned) -> Timestamp {
    ago(until, Span::new().days(7 * (WEEKS + 1)).hours(3))
}

/// Whoever sent since then was there in all weeks that are read: a source that sends seldom has nothing
/// in the first hours of them. What a wrong clock stamped long before says nothing.
fn there_before(until: &Zoned) -> Timestamp {
    ago(until, Span::new().days(7 * (WEEKS + 2)))
}

/// So long before; the beginning of time where that is before it.
fn ago(until: &Zoned, span: Span) -> Timestamp {
    let before = until.checked_sub(span);
    before.map_or(Timestamp::UNIX_EPOCH, |moment| moment.timestamp())
}
