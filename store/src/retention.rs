//! Retention: whole months that are older than `clickhouse.keep_days` are dropped.
//!
//! - `conversions_gN` by month of `key_day`, `postbacks_gN` by month of `received_at`. A conversion's
//!   revisions all stand under one `key_day`, so they go together: a TTL on `received_at` would take
//!   the newest revision first, and bring the replaced one back.
//! - A month goes when its last day is more than `keep_days` old, so up to 31 days later than that.
//! - January 1970 stays: it holds the bucket rows of accounts without an immutable date, and
//!   postbacks whose time nobody knows.
//! - Age is measured by the earlier of two clocks, the caller's and the server's: one that runs ahead
//!   must not drop what is young.
//!
//! Dropping can be repeated and interrupted anywhere. What a replay, or a late postback, brings into
//! an old month goes again with the next run.

use std::fmt;

use clickhouse::{Client, Row};
use jiff::civil::Date;
use jiff::{Span, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::connection::{run, run_within};
use crate::error::StoreError;
use crate::tables::Generation;

/// Unlinking the parts of a large month takes a while.
const DROP_WITHIN: std::time::Duration = std::time::Duration::from_secs(120);

/// A month of the calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Month(
    /// Year × 100 + month: 202609, as `toYYYYMM` has it.
    u32,
);

impl Month {
    /// Where bucket rows stand.
    pub const BUCKETS: Self = Self(197_001);

    /// From the name of a partition; `None` where it is no month.
    #[must_use]
    pub fn from_partition(partition: &str) -> Option<Self> {
        let number: u32 = partition.parse().ok()?;
        let (year, month) = (number / 100, number % 100);
        ((1970..=2149).contains(&year) && (1..=12).contains(&month)).then_some(Self(number))
    }

    /// The month that a day lies in; days before 1970, which no table has, are in its first.
    #[must_use]
    pub fn of(day: Date) -> Self {
        match (u32::try_from(day.year()), u32::try_from(day.month())) {
            (Ok(year @ 1970..), Ok(month)) => Self(year * 100 + month),
            _ => Self::BUCKETS,
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 100, self.0 % 100)
    }
}

/// How long rows are kept, and what day it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    oldest: Month,
}

impl Horizon {
    /// Seen on `today`, UTC, with `clickhouse.keep_days`.
    #[must_use]
    pub fn new(today: Date, keep_days: u32) -> Self {
        // Before year -9999 lies nothing.
        let oldest = today
            .checked_sub(Span::new().days(i64::from(keep_days)))
            .unwrap_or(Date::MIN);
        Self {
            oldest: Month::of(oldest),
        }
    }

    /// The oldest month that stays: the one that the day `keep_days` ago lies in.
    #[must_use]
    pub const fn oldest(self) -> Month {
        self.oldest
    }

    /// The beginning of the oldest month that stays.
    #[must_use]
    pub fn begins_at(self) -> Timestamp {
        let year = i16::try_from(self.oldest.0 / 100).unwrap_or(1970);
        let month = i8::try_from(self.oldest.0 % 100).unwrap_or(1);
        let zoned = Date::new(year, month, 1).and_then(|day| day.to_zoned(TimeZone::UTC));
        zoned.map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
    }

    /// Whether the rows of a month go.
    #[must_use]
    pub fn drops(self, month: Month) -> bool {
        month != Month::BUCKETS && month < self.oldest
    }
}

/// A month of a table that is too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// `conversions_g1`
    pub table: String,
    /// The month.
    pub month: Month,
    /// Its rows, copies included.
    pub rows: u64,
    /// Its bytes on disk.
    pub bytes: u64,
}

/// What a table holds of one partition.
#[derive(Debug, Clone, Row, Deserialize)]
struct Partition {
    table: String,
    partition: String,
    rows: u64,
    bytes: u64,
}

/// What [`once`] would drop today, by table and month. Changes nothing.
///
/// # Errors
/// As the server answers.
pub async fn plan(
    client: &Client,
    generations: &[Generation],
    now: Timestamp,
    keep_days: u32,
) -> Result<Vec<Drop>, StoreError> {
    let attempt = "read the months of the tables";
    let clock = client.query_raw("SELECT toUnixTimestamp(now())");
    let theirs = run(attempt, clock.fetch_one::<u32>()).await?;
    let horizon = Horizon::new(today(now, theirs), keep_days);
    let tables: Vec<String> = (generations.iter())
        .flat_map(|generation| [generation.conversions(), generation.postbacks()])
        .collect();
    let sql = "SELECT table, partition, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts \
         WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)} \
         GROUP BY table, partition ORDER BY table, partition";
    let request = client.query_raw(sql).param("tables", tables);
    let found = run(attempt, request.fetch_all::<Partition>()).await?;
    Ok(planned(found, horizon))
}

/// Drops what is too old, and returns it. Can be repeated, also by several processes at once.
///
/// # Errors
/// As the server answers; months before the one that failed are dropped.
pub async fn once(
    client: &Client,
    generations: &[Generation],
    now: Timestamp,
    keep_days: u32,
) -> Result<Vec<Drop>, StoreError> {
    let drops = plan(client, generations, now, keep_days).await?;
    for Drop { table, month, .. } in &drops {
        let attempt = format!("drop {month} of {table}");
        let sql = format!("ALTER TABLE {table} DROP PARTITION ID '{}'", month.0);
        let request = client
            .query_raw(&sql)
            // The server's bound is against mistakes by hand.
            .with_setting("max_partition_size_to_drop", "0");
        run_within(DROP_WITHIN, &attempt, request.execute()).await?;
    }
    Ok(drops)
}

/// The earlier of two clocks, in seconds since 1970 the second.
fn today(ours: Timestamp, theirs: u32) -> Date {
    let theirs = Timestamp::from_second(i64::from(theirs)).unwrap_or(ours);
    ours.min(theirs).to_zoned(TimeZone::UTC).date()
}

fn planned(found: Vec<Partition>, horizon: Horizon) -> Vec<Drop> {
    let drops = found.into_iter().filter_map(|partition| {
        let month = Month::from_partition(&partition.partition)?;
        horizon.drops(month).then_some(Drop {
            table: partition.table,
            month,
            rows: partition.rows,
            bytes: partition.bytes,
        })
    });
    drops.collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// The oldest month that stays, as text.
    fn oldest(today: Date, keep_days: u32) -> String {
        Horizon::new(today, keep_days).oldest().to_string()
    }

    #[test]
    fn a_month_goes_when_its_last_day_is_older_than_that() {
        // 62 days before 2026-09-01 is 2026-07-01 (31 days of August and of July): June is over.
        assert_eq!(oldest(date(2026, 9, 1), 62), "2026-07");
        // A day earlier it is 2026-06-30, which is kept, and June with it.
        assert_eq!(oldest(date(2026, 8, 31), 62), "2026-06");
        // With one more day kept June goes a day later.
        assert_eq!(oldest(date(2026, 9, 1), 63), "2026-06");
        assert_eq!(oldest(date(2026, 9, 2), 63), "2026-07");
        // 62 days before 1 May are 28 February in a common year, and 29 February in a leap year.
        assert_eq!(oldest(date(2026, 5, 1), 62), "2026-02");
        assert_eq!(oldest(date(2028, 5, 1), 62), "2028-02");
        assert_eq!(oldest(date(2026, 5, 2), 62), "2026-03");
        // Over the end of a year: 62 days before 2027-02-01 are 2026-12-01.
        assert_eq!(oldest(date(2027, 1, 31), 62), "2026-11");
        assert_eq!(oldest(date(2027, 2, 1), 62), "2026-12");
        assert_eq!(oldest(date(2026, 9, 15), 36_500), "1970-01");
    }

    #[test]
    fn buckets_and_young_months_stay() {
        let horizon = Horizon::new(date(2026, 9, 1), 62);
        let found = [
            "197001", "197002", "202601", "202606", "202607", "209912", "tuple()",
        ];
        let partitions = found.map(|partition| Partition {
            table: "conversions_g1".to_owned(),
            partition: partition.to_owned(),
            rows: 3,
            bytes: 300,
        });
        let months = planned(partitions.to_vec(), horizon);
        let months: Vec<String> = months.iter().map(|drop| drop.month.to_string()).collect();
        assert_eq!(months, ["1970-02", "2026-01", "2026-06"]);
        assert_eq!(horizon.begins_at().to_string(), "2026-07-01T00:00:00Z");
    }

    #[test]
    fn a_clock_that_runs_ahead_does_not_decide() {
        let ours: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
        // `date -u -d 2031-01-01 +%s` and `date -u -d 2026-08-31T23:59:59Z +%s`.
        assert_eq!(today(ours, 1_924_992_000), date(2026, 9, 1));
        assert_eq!(today(ours, 1_788_220_799), date(2026, 8, 31));
    }

    #[test]
    fn partitions_that_are_no_months_are_left_alone() {
        assert_eq!(Month::from_partition("202609"), Some(Month(202_609)));
        for other in [
            "", "all", "202613", "202600", "2026-09", "196912", "20260901",
        ] {
            assert_eq!(Month::from_partition(other), None, "{other}");
        }
    }
}
