//! What every report is asked: from when to when, by which date, in which zone, for each of what,
//! of which rows alone.

mod column;
mod dimension;
mod filter;
mod scope;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Unit};

pub use column::{Column, Table};
pub use dimension::{Dimension, Step};
pub use filter::{Condition, Filter, ValueError};
pub(super) use scope::Along;

/// Which of a conversion's dates places it in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateBy {
    /// When the customer bought.
    Occurred,
    /// When the network processed it.
    Processed,
    /// When its newest revision was received.
    Received,
}

impl DateBy {
    /// As it stands on command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Occurred => "occurred",
            Self::Processed => "processed",
            Self::Received => "received",
        }
    }

    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Occurred => "occurred_at",
            Self::Processed => "processed_at",
            Self::Received => "received_at",
        }
    }
}

/// What a report is about, and how its rows are grouped.
#[derive(Debug, Clone)]
pub struct Question {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    /// The date that these two are about.
    pub date_by: DateBy,
    /// Where a day begins and ends.
    pub zone: TimeZone,
    /// One row for each combination of their values; none is one row for everything.
    pub by: Vec<Dimension>,
    /// Only these.
    pub only: Filter,
    /// Labels of times are moved on by so many days: a period before another one is labelled as
    /// the one that it is compared with.
    labelled_later: i64,
}

/// Why a period has no other one to be compared with, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ComparisonError {
    /// The period before begins outside of the calendar.
    #[error("there is no period of the same length before it")]
    OutOfCalendar,
    /// Days or hours do not stand beside each other in periods that are no whole days long.
    #[error("by {0}, only a range of whole days can be compared with the one before")]
    NoWholeDays(Step),
    /// Weeks do not stand beside each other in periods that are no whole weeks long.
    #[error("by week, only a range of whole weeks can be compared with the one before")]
    NoWholeWeeks,
    /// Months differ in length.
    #[error("months differ in length: compare by day or week, or without a time")]
    Months,
}

impl Question {
    /// A question about all conversions of a range, by nothing.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp, date_by: DateBy, zone: TimeZone) -> Self {
        Self {
            from,
            to,
            date_by,
            zone,
            by: Vec::new(),
            only: Filter::default(),
            labelled_later: 0,
        }
    }

    /// Whether rows are of times.
    #[must_use]
    pub fn is_by_time(&self) -> bool {
        self.by.iter().any(|by| by.step().is_some())
    }

    /// Names of the columns that say what a row is of: an advertiser has two, its network and its id.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.by.iter().flat_map(Dimension::names).collect()
    }

    /// The same about the period of the same length that ends where this one begins. The length is
    /// that of the calendar: the day before a day of 23 hours has 24. What stood in it by time is
    /// labelled as what it is compared with in this period.
    ///
    /// # Errors
    /// [`ComparisonError`] where rows by time have no counterpart.
    pub fn before(&self) -> Result<Self, ComparisonError> {
        let before = self.period_before().ok_or(ComparisonError::OutOfCalendar)?;
        for step in self.by.iter().filter_map(Dimension::step) {
            let days = before.days.ok_or(ComparisonError::NoWholeDays(step))?;
            match step {
                Step::Week if days % 7 != 0 => return Err(ComparisonError::NoWholeWeeks),
                Step::Month => return Err(ComparisonError::Months),
                Step::Hour | Step::Day | Step::Week => {}
            }
        }
        Ok(Self {
            from: before.from,
            to: self.from,
            labelled_later: before.days.unwrap_or(0),
            ..self.clone()
        })
    }

    /// The period before, as a whole: by everything that is no time. `None` where it would begin
    /// outside of the calendar.
    #[must_use]
    pub fn past(&self) -> Option<Self> {
        let before = self.period_before()?;
        let by = self.by.iter().filter(|by| by.step().is_none());
        Some(Self {
            from: before.from,
            to: self.from,
            by: by.cloned().collect(),
            labelled_later: 0,
            ..self.clone()
        })
    }

    fn period_before(&self) -> Option<Before> {
        let (from, to) = (self.clock(self.from)?, self.clock(self.to)?);
        let length = from.until((Unit::Day, to)).ok()?;
        let began = from.checked_sub(length).ok()?;
        let whole = length.fieldwise() == i64::from(length.get_days()).days().fieldwise();
        Some(Before {
            from: instant(began, &self.zone)?,
            days: whole.then(|| i64::from(length.get_days())),
        })
    }

    /// What clocks show, save that every day begins at midnight: where clocks change then, it begins
    /// at one o'clock, or at the first of two midnights.
    fn clock(&self, moment: Timestamp) -> Option<DateTime> {
        let local = moment.to_zoned(self.zone.clone());
        if local == local.start_of_day().ok()? {
            return Some(local.date().into());
        }
        Some(local.datetime())
    }

    /// What a person reads for the texts that the server sent for a row.
    pub(in crate::reports) fn labels(&self, sent: &[String]) -> Vec<String> {
        let widths = self.by.iter().map(|by| (by, by.names().len()));
        let mut left = sent;
        let mut labels = Vec::with_capacity(sent.len());
        for (by, width) in widths {
            let (these, rest) = left.split_at(width.min(left.len()));
            let label = |text: &String| by.label(text, &self.zone, self.labelled_later);
            labels.extend(these.iter().map(label));
            left = rest;
        }
        labels
    }
}

struct Before {
    from: Timestamp,
    /// `None` where the period is no whole days long.
    days: Option<i64>,
}

fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    Some(local.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(from: &str, to: &str, zone: &str) -> Question {
        let zone = TimeZone::get(zone).unwrap();
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Question::new(from, to, DateBy::Occurred, zone)
    }

    fn before(question: &Question) -> (String, String) {
        let before = question.before().unwrap();
        (before.from.to_string(), before.to.to_string())
    }

    #[test]
    fn the_period_before_has_the_same_length_in_the_calendar() {
        // Berlin: 2026-10-25 has 25 hours; the day before has 24.
        let autumn = of(
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
            "Europe/Berlin",
        );
        let expected = ("2026-10-23T22:00:00Z".into(), "2026-10-24T22:00:00Z".into());
        assert_eq!(before(&autumn), expected);
        // The week that ends with it, and the one before.
        let week = of(
            "2026-10-18T22:00:00Z",
            "2026-10-25T23:00:00Z",
            "Europe/Berlin",
        );
        let expected = ("2026-10-11T22:00:00Z".into(), "2026-10-18T22:00:00Z".into());
        assert_eq!(before(&week), expected);
        // Cairo: 2026-04-24 begins at one o'clock, and is a day all the same.
        let shorter = of(
            "2026-04-23T22:00:00Z",
            "2026-04-24T21:00:00Z",
            "Africa/Cairo",
        );
        let expected = ("2026-04-22T22:00:00Z".into(), "2026-04-23T22:00:00Z".into());
        assert_eq!(before(&shorter), expected);
        // September in UTC: 30 days, and the 30 before.
        let month = of("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z", "UTC");
        let expected = ("2026-08-02T00:00:00Z".into(), "2026-09-01T00:00:00Z".into());
        assert_eq!(before(&month), expected);
        // A day and a half.
        let half = of("2026-09-02T00:00:00Z", "2026-09-03T12:00:00Z", "UTC");
        let expected = ("2026-08-31T12:00:00Z".into(), "2026-09-02T00:00:00Z".into());
        assert_eq!(before(&half), expected);
    }

    #[test]
    fn rows_by_time_are_compared_where_each_has_a_counterpart() {
        let mut days = of("2026-09-08T00:00:00Z", "2026-09-18T00:00:00Z", "UTC");
        let by = |question: &mut Question, step| question.by = vec![Dimension::Time(step)];
        by(&mut days, Step::Day);
        let labels = days.before().unwrap().labels(&["2026-08-29".to_owned()]);
        assert_eq!(labels, ["2026-09-08"]);
        by(&mut days, Step::Week);
        assert_eq!(days.before().unwrap_err(), ComparisonError::NoWholeWeeks);
        by(&mut days, Step::Month);
        assert_eq!(days.before().unwrap_err(), ComparisonError::Months);
        let mut half = of("2026-09-02T00:00:00Z", "2026-09-03T12:00:00Z", "UTC");
        by(&mut half, Step::Hour);
        let error = ComparisonError::NoWholeDays(Step::Hour);
        assert_eq!(half.before().unwrap_err(), error);
    }

    #[test]
    fn an_hour_is_labelled_with_its_offset_and_moved_by_the_calendar() {
        let mut day = of(
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
            "Europe/Berlin",
        );
        day.by = vec![Dimension::Time(Step::Hour)];
        // Both hours that begin at two o'clock.
        let hours = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"].map(|text| {
            let moment: Timestamp = text.parse().unwrap();
            moment.as_second().to_string()
        });
        let labels = day.labels(&hours[..1]);
        assert_eq!(labels, ["2026-10-25T02:00+02:00"]);
        assert_eq!(day.labels(&hours[1..]), ["2026-10-25T02:00+01:00"]);
        let noon: Timestamp = "2026-10-24T10:00:00Z".parse().unwrap();
        let before = day.before().unwrap();
        let labels = before.labels(&[noon.as_second().to_string()]);
        assert_eq!(labels, ["2026-10-25T12:00+01:00"]);
    }

    #[test]
    fn an_hour_that_the_other_day_has_not_stands_under_its_own_time() {
        let label = |from: &str, to: &str, zone: &str, hour: &str| {
            let mut day = of(from, to, zone);
            day.by = vec![Dimension::Time(Step::Hour)];
            let hour: Timestamp = hour.parse().unwrap();
            let before = day.before().unwrap();
            before.labels(&[hour.as_second().to_string()]).concat()
        };
        // The day after that of 25 hours, which had two o'clock twice.
        let after = |hour| {
            label(
                "2026-10-25T23:00:00Z",
                "2026-10-26T23:00:00Z",
                "Europe/Berlin",
                hour,
            )
        };
        assert_eq!(after("2026-10-25T00:00:00Z"), "2026-10-26T02:00+01:00");
        assert_eq!(after("2026-10-25T01:00:00Z"), "2026-10-25T02:00+01:00");
        assert_eq!(after("2026-10-25T02:00:00Z"), "2026-10-26T03:00+01:00");
        // The day of 23 hours, which has no two o'clock.
        let on = |hour| {
            label(
                "2026-03-08T05:00:00Z",
                "2026-03-09T04:00:00Z",
                "America/New_York",
                hour,
            )
        };
        assert_eq!(on("2026-03-07T07:00:00Z"), "2026-03-07T02:00-05:00");
        assert_eq!(on("2026-03-07T08:00:00Z"), "2026-03-08T03:00-04:00");
    }

    #[test]
    fn the_past_is_the_period_before_without_times() {
        let mut question = of("2026-09-08T00:00:00Z", "2026-09-18T00:00:00Z", "UTC");
        question.by = vec![Dimension::Time(Step::Day), Dimension::Advertiser];
        let past = question.past().unwrap();
        assert_eq!(past.from.to_string(), "2026-08-29T00:00:00Z");
        assert_eq!(
            (past.to, past.names()),
            (
                question.from,
                vec!["network".to_owned(), "advertiser".to_owned()]
            )
        );
    }
}
