//! What is asked, as arguments of the command line and as a choice among the book's conversions.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, Unit, Zoned};

use super::Received;

/// A report's question; [`Question::of`] makes one that is changed by the `with_…`.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) date_by: &'static str,
    pub(crate) by: Vec<&'static str>,
    /// `COLUMN=VALUE` or `COLUMN!=VALUE`.
    pub(crate) only: Vec<&'static str>,
}

impl Question {
    /// From the beginning of one day to that of another, in a zone.
    pub(crate) fn of(from: &str, to: &str, zone: &str) -> Self {
        let zone = TimeZone::get(zone).unwrap();
        let begin = |day: &str| {
            let day: Date = day.parse().unwrap();
            day.to_zoned(zone.clone()).unwrap().timestamp()
        };
        Self {
            from: begin(from),
            to: begin(to),
            zone,
            date_by: "occurred",
            by: Vec::new(),
            only: Vec::new(),
        }
    }

    pub(crate) fn by(mut self, by: &[&'static str]) -> Self {
        self.by = by.to_vec();
        self
    }

    pub(crate) fn date_by(mut self, date: &'static str) -> Self {
        self.date_by = date;
        self
    }

    pub(crate) fn only(mut self, only: &[&'static str]) -> Self {
        self.only = only.to_vec();
        self
    }

    /// On the command line.
    pub(crate) fn arguments(&self, dated: bool) -> Vec<String> {
        let by = if self.by.is_empty() {
            "nothing".to_owned()
        } else {
            self.by.join(",")
        };
        let zone = self.zone.iana_name().unwrap();
        let (from, to) = (self.from.to_string(), self.to.to_string());
        let mut arguments = [
            "--from",
            &from,
            "--to",
            &to,
            "--time-zone",
            zone,
            "--by",
            &by,
        ]
        .map(str::to_owned)
        .to_vec();
        if dated {
            arguments.extend(["--date-by".to_owned(), self.date_by.to_owned()]);
        }
        for condition in &self.only {
            arguments.extend(["--where".to_owned(), (*condition).to_owned()]);
        }
        arguments
    }

    fn date(&self, one: &Received) -> Option<Timestamp> {
        match self.date_by {
            "occurred" => one.says.occurred,
            "processed" => one.says.processed,
            _ => Some(one.at),
        }
    }

    pub(crate) fn contains(&self, moment: Timestamp) -> bool {
        self.from <= moment && moment < self.to
    }

    /// Whether the conditions hold: values of one column beside each other, columns together.
    pub(crate) fn fits(&self, text: impl Fn(&str) -> String) -> bool {
        let parts = |condition: &&'static str| {
            let (column, value) = condition.split_once('=').unwrap();
            let wanted = column.strip_suffix('!').unwrap_or(column);
            (wanted, column.ends_with('!'), value)
        };
        let all: Vec<_> = self.only.iter().map(parts).collect();
        all.iter().all(|(column, negated, _)| {
            let mut same = all
                .iter()
                .filter(|one| one.0 == *column && one.1 == *negated);
            same.any(|one| one.2 == text(column)) != *negated
        })
    }

    /// Those it is about.
    pub(crate) fn chosen<'a>(&self, all: &'a [Received]) -> Vec<&'a Received> {
        let is_meant = |one: &&Received| {
            let within = self.date(one).is_some_and(|date| self.contains(date));
            within && self.fits(|column| one.says.text(column))
        };
        all.iter().filter(is_meant).collect()
    }

    /// Those without the date.
    pub(crate) fn undated(&self, all: &[Received]) -> u64 {
        let is_meant =
            |one: &&Received| self.date(one).is_none() && self.fits(|column| one.says.text(column));
        all.iter().filter(is_meant).count() as u64
    }

    /// Names of a row's columns.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let names = self.by.iter().flat_map(|by| match *by {
            "advertiser" => vec!["network", "advertiser"],
            "offer" => vec!["offer_id"],
            other => vec![other],
        });
        names.collect()
    }

    /// What a row says that it is of.
    pub(crate) fn labels(&self, one: &Received) -> Vec<String> {
        self.labels_of(self.date(one), |column| one.says.text(column))
    }

    pub(crate) fn labels_of(
        &self,
        date: Option<Timestamp>,
        text: impl Fn(&str) -> String,
    ) -> Vec<String> {
        let labels = self.by.iter().flat_map(|by| match *by {
            "hour" | "day" | "week" | "month" => vec![self.time(date.unwrap(), by)],
            "advertiser" => vec![text("network"), text("advertiser")],
            other => vec![text(other)],
        });
        labels.collect()
    }

    fn time(&self, moment: Timestamp, step: &str) -> String {
        let local = moment.to_zoned(self.zone.clone());
        match step {
            "hour" => hour(&local),
            "day" => local.date().to_string(),
            "week" => {
                let days = i64::from(local.weekday().to_monday_zero_offset());
                (local.date() - Span::new().days(days)).to_string()
            }
            _ => local.strftime("%Y-%m").to_string(),
        }
    }

    /// The same of the period before: as long by the calendar.
    pub(crate) fn before(&self) -> Self {
        let local = |moment: Timestamp| moment.to_zoned(self.zone.clone()).datetime();
        let (from, to) = (local(self.from), local(self.to));
        let days = from.until((Unit::Day, to)).unwrap();
        let began: DateTime = from - days;
        Self {
            from: began.to_zoned(self.zone.clone()).unwrap().timestamp(),
            to: self.from,
            ..self.clone()
        }
    }

    /// Under which row of this period one of the period before stands: so many days later by the
    /// calendar. An hour that this period has not stands under its own time, and so does the second of
    /// two hours that the clocks show alike.
    pub(crate) fn counterpart(&self, label: &str) -> String {
        let Some(step) = self
            .by
            .first()
            .filter(|by| matches!(**by, "hour" | "day" | "week"))
        else {
            return label.to_owned();
        };
        let before = self.before();
        let date = |moment: Timestamp| moment.to_zoned(self.zone.clone()).date();
        let days = date(before.from)
            .until((Unit::Day, date(self.from)))
            .unwrap();
        if *step != "hour" {
            return (label.parse::<Date>().unwrap() + days).to_string();
        }
        let hours = before.hours();
        let (clock, _) = *hours.iter().find(|(_, known)| known == label).unwrap();
        let is_first = hours.iter().find(|(other, _)| *other == clock).unwrap().1 == label;
        let same = self
            .hours()
            .into_iter()
            .find(|(other, _)| *other == clock + days);
        match same.filter(|_| is_first) {
            Some((_, label)) => label,
            None => label.to_owned(),
        }
    }

    /// All hours of the range, by what the clocks show, with their labels.
    fn hours(&self) -> Vec<(DateTime, String)> {
        let seconds = (self.from.as_second()..self.to.as_second()).step_by(3_600);
        let local = |second| {
            Timestamp::from_second(second)
                .unwrap()
                .to_zoned(self.zone.clone())
        };
        seconds
            .map(local)
            .map(|local| (local.datetime(), hour(&local)))
            .collect()
    }

    /// The same without times: what a row is compared with that is of a day.
    pub(crate) fn timeless(&self) -> Self {
        let mut whole = self.clone();
        whole
            .by
            .retain(|by| !matches!(*by, "hour" | "day" | "week" | "month"));
        whole
    }
}

/// The hour in which a moment is, where it begins, with its offset.
fn hour(local: &Zoned) -> String {
    let minutes = Span::new().minutes(i64::from(local.minute()));
    let into = minutes.seconds(i64::from(local.second()));
    let began = local.checked_sub(into).unwrap();
    if began.offset() == Offset::UTC {
        began.strftime("%Y-%m-%dT%H:%MZ").to_string()
    } else {
        began.strftime("%Y-%m-%dT%H:%M%:z").to_string()
    }
}
