//! When networks did not send: from polls to times.

use std::collections::BTreeMap;

use clickhouse::{Client, Row};
use jiff::Timestamp;
use serde::Deserialize;

use super::{NOT_TO_COME, State, bounded, state};
use crate::connection::run;
use crate::error::StoreError;
use crate::reports::{micros, optional_micros};
use crate::tables::ENDPOINT_HISTORY;

/// A time in which the network did not send to a source's endpoint.
///
/// Begin and end lie between two polls. Where the network's own time of the change lies there, too,
/// it counts; otherwise the time is as wide as it can have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// The source, by the name that it has now.
    pub source: String,
    /// [`State::Disabled`] or [`State::Missing`], as it was first seen.
    pub state: State,
    /// The begin, inclusive, UTC.
    pub from: Timestamp,
    /// The poll that said so first, UTC.
    pub seen_at: Timestamp,
    /// The end, exclusive, UTC; `None`: it goes on.
    pub to: Option<Timestamp>,
    /// The poll that said that it is over, UTC.
    pub over_at: Option<Timestamp>,
}

/// The outages that have a part in a time, `from` inclusive and `to` exclusive: by source, oldest
/// first, each whole. Those of sources whose API nobody asked are unknown. Polls to come, by the
/// server's clock, are left out.
///
/// `older` has the names that sources had before, each with the one of now: what began under one name
/// ends under another.
///
/// # Errors
/// As the server answers.
pub async fn outages(
    client: &Client,
    older: &BTreeMap<&str, &str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Outage>, StoreError> {
    read(client, older, None, from, to).await
}

/// The same of one source alone: its name, then those that it had before.
///
/// # Errors
/// As the server answers.
pub async fn outages_of(
    client: &Client,
    names: &[&str],
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Outage>, StoreError> {
    let Some((name, before)) = names.split_first() else {
        return Ok(Vec::new());
    };
    let older = before.iter().map(|older| (*older, *name)).collect();
    read(client, &older, Some(names), from, to).await
}

async fn read(
    client: &Client,
    older: &BTreeMap<&str, &str>,
    names: Option<&[&str]>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Outage>, StoreError> {
    let sql = changes_since(!older.is_empty(), names.is_some());
    let mut query = bounded(client, &sql).param("from", from.as_microsecond());
    if !older.is_empty() {
        let (older, now): (Vec<&str>, Vec<&str>) = older.iter().unzip();
        query = query.param("older", older).param("now", now);
    }
    if let Some(names) = names {
        query = query.param("sources", names);
    }
    let changes: Vec<Change> = run("read when the endpoints were off", query.fetch_all()).await?;
    let overlaps =
        |outage: &Outage| outage.from < to && outage.to.is_none_or(|outage_to| outage_to > from);
    Ok(of_changes(changes).into_iter().filter(overlaps).collect())
}

/// The changes since `from`, and those before it that make an outage whole.
///
/// Polls are kept for more than a year, and all of them in order would take more memory the longer
/// there are any. What was off at `from` or after it went off after the last poll before `from` that said
/// on: only what came since that one is put in order.
fn changes_since(has_older: bool, is_of_one: bool) -> String {
    let of_one = if is_of_one {
        "AND source IN {sources:Array(String)}"
    } else {
        ""
    };
    let name = if has_older {
        "transform(toString(source), {older:Array(String)}, {now:Array(String)}, toString(source))"
    } else {
        "source"
    };
    let polls = format!(
        "FROM {ENDPOINT_HISTORY} WHERE what = 'poll' AND state != 'unknown' AND {NOT_TO_COME} {of_one}"
    );
    let off = "state IN ('disabled', 'missing')";
    format!(
        "SELECT source, at, state, updated_at, was_at FROM (\
           SELECT toString(name) AS source, at, toString(state) AS state, updated_at, {off} AS is_off, \
             lagInFrame(toNullable(is_off)) OVER polls AS was_off, \
             lagInFrame(toNullable(at)) OVER polls AS was_at \
           FROM (SELECT {name} AS name, at, id, state, updated_at {polls}) AS polled \
           INNER JOIN (SELECT {name} AS name, maxIf(at, NOT {off} AND at < fromUnixTimestamp64Micro({{from:Int64}})) AS on_at \
             {polls} GROUP BY name) AS before USING (name) WHERE at >= on_at \
           WINDOW polls AS (PARTITION BY name ORDER BY at, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) \
         WHERE is_off != ifNull(was_off, 0) ORDER BY source, at"
    )
}

/// The first poll with another answer than the one before, or the very first where it says off.
#[derive(Debug, Clone, Row, Deserialize)]
struct Change {
    source: String,
    #[serde(deserialize_with = "micros")]
    at: Timestamp,
    #[serde(deserialize_with = "state")]
    state: State,
    #[serde(deserialize_with = "optional_micros")]
    updated_at: Option<Timestamp>,
    /// The poll before it that said anything.
    #[serde(deserialize_with = "optional_micros")]
    was_at: Option<Timestamp>,
}

impl Change {
    /// The network's own time, where it can be that of this change.
    fn told(&self) -> Option<Timestamp> {
        let is_after = |told: &Timestamp| self.was_at.is_none_or(|was_at| *told > was_at);
        self.updated_at
            .filter(|told| *told <= self.at && is_after(told))
    }
}

/// Changes by source, oldest first.
fn of_changes(changes: Vec<Change>) -> Vec<Outage> {
    let mut outages: Vec<Outage> = Vec::new();
    for change in changes {
        if change.state.is_off() {
            outages.push(Outage {
                from: change.told().or(change.was_at).unwrap_or(change.at),
                seen_at: change.at,
                state: change.state,
                source: change.source,
                to: None,
                over_at: None,
            });
        } else if let Some(open) = outages
            .last_mut()
            .filter(|open| open.source == change.source)
        {
            open.to = Some(change.told().unwrap_or(change.at));
            open.over_at = Some(change.at);
        }
    }
    outages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn change(source: &str, at: i64, state: State, told: Option<i64>, was: Option<i64>) -> Change {
        Change {
            source: source.to_owned(),
            at: minute(at),
            state,
            updated_at: told.map(minute),
            was_at: was.map(minute),
        }
    }

    fn spans(changes: Vec<Change>) -> Vec<(String, Timestamp, Timestamp, Option<Timestamp>)> {
        let outages = of_changes(changes).into_iter();
        outages
            .map(|outage| (outage.source, outage.from, outage.seen_at, outage.to))
            .collect()
    }

    #[test]
    fn an_outage_is_as_wide_as_it_can_have_been_or_as_the_network_says() {
        use State::{Active, Disabled, Missing};
        let found = spans(vec![
            // The network says minute 7 and 41: between the polls.
            change("a", 10, Disabled, Some(7), Some(5)),
            change("a", 45, Active, Some(41), Some(40)),
            // It says nothing, or something that was before: an old change, or another clock.
            change("a", 70, Missing, None, Some(65)),
            change("a", 80, Active, Some(41), Some(75)),
            // Off from the first poll on, and still off: since when, only the network can say.
            change("b", 10, Disabled, Some(-500), None),
            change("c", 10, Missing, None, None),
        ]);
        let named = |name: &str| name.to_owned();
        assert_eq!(
            found,
            [
                (named("a"), minute(7), minute(10), Some(minute(41))),
                (named("a"), minute(65), minute(70), Some(minute(80))),
                (named("b"), minute(-500), minute(10), None),
                (named("c"), minute(10), minute(10), None),
            ]
        );
    }

    #[test]
    fn the_end_of_one_source_is_not_that_of_another() {
        let found = spans(vec![
            change("a", 10, State::Disabled, None, Some(5)),
            change("b", 20, State::Active, None, Some(15)),
        ]);
        assert_eq!(found[0].3, None);
    }
}
