//! From when to when: what `--from` and `--to` mean.
//!
//! A date means the beginning of that day in the zone of `--time-zone`: a day has 23 or 25 hours
//! where clocks change, and begins after midnight where midnight does not exist.

use clap::Args;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, Zoned};

use crate::ending::Failure;

/// What is accepted, for help and errors.
const FORMS: &str = "2026-09-01, 2026-09-01T14:30, 2026-09-01T14:30:00Z, today, yesterday, now, 7d (7 days ago) or 12h";

/// Days of a range that names no beginning, its last one included.
const DEFAULT_DAYS: i64 = 30;

/// Reaches back far enough for everything, and keeps calendar arithmetic in bounds.
const MOST_DAYS: i64 = 36_500;

/// The options of a range.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RangeOptions {
    /// Beginning, inclusive: a date, a time, today, yesterday, 7d or 12h [default: 30 days, up to --to]
    #[arg(long, value_name = "WHEN")]
    pub(crate) from: Option<String>,
    /// End, exclusive, in the same forms [default: the end of today]
    #[arg(long, value_name = "WHEN")]
    pub(crate) to: Option<String>,
}

/// `from` ≤ t < `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl RangeOptions {
    /// Reads both ends as seen at `now`, in the zone that `now` stands in.
    pub(crate) fn resolve(&self, now: &Zoned) -> Result<Range, Failure> {
        self.resolve_of(DEFAULT_DAYS, now)
    }

    /// The same with so many days where no beginning is given.
    pub(crate) fn resolve_of(&self, days: i64, now: &Zoned) -> Result<Range, Failure> {
        let to = match &self.to {
            Some(text) => when(text, now).ok_or_else(|| unreadable("--to", text))?,
            None => day(now, 1).ok_or_else(|| unreadable("--to", ""))?,
        };
        let from = match &self.from {
            Some(text) => when(text, now).ok_or_else(|| unreadable("--from", text))?,
            None => days_up_to(to, days, now.time_zone())
                .ok_or_else(|| Failure::Usage("--to is too early\n  give --from too".to_owned()))?,
        };
        if from < to {
            Ok(Range { from, to })
        } else {
            Err(empty(from, to, now.time_zone()))
        }
    }
}

impl Range {
    /// Both ends as options that mean the same at every time and in every zone.
    pub(crate) fn given(&self) -> RangeOptions {
        RangeOptions {
            from: Some(self.from.to_string()),
            to: Some(self.to.to_string()),
        }
    }
}

/// One moment that the option `name` gives, as seen at `now`.
pub(crate) fn moment(name: &str, text: &str, now: &Zoned) -> Result<Timestamp, Failure> {
    when(text, now).ok_or_else(|| unreadable(name, text))
}

/// Both ends as given, either of which may be left open, as seen at `now`.
pub(crate) fn open(
    from: Option<&str>,
    to: Option<&str>,
    now: &Zoned,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
    let read = |option, text: Option<&str>| {
        let read = |text| when(text, now).ok_or_else(|| unreadable(option, text));
        text.map(read).transpose()
    };
    let (from, to) = (read("--from", from)?, read("--to", to)?);
    match (from, to) {
        (Some(begin), Some(end)) if begin >= end => Err(empty(begin, end, now.time_zone())),
        ends => Ok(ends),
    }
}

fn empty(from: Timestamp, to: Timestamp, zone: &TimeZone) -> Failure {
    let (from, to) = (shown(from, zone), shown(to, zone));
    Failure::Usage(format!(
        "nothing lies between --from {from} (inclusive) and --to {to} (exclusive)\n  \
         give an end that is later than the beginning"
    ))
}

fn unreadable(option: &str, text: &str) -> Failure {
    Failure::Usage(format!(
        "{option} {text:?} is no date or time\n  write {FORMS}"
    ))
}

/// A moment to the second in a zone, with its offset.
pub(crate) fn shown(moment: Timestamp, zone: &TimeZone) -> String {
    with_offset(moment, zone, "%Y-%m-%dT%H:%M:%S")
}

/// The same to the microsecond.
pub(crate) fn shown_exactly(moment: Timestamp, zone: &TimeZone) -> String {
    with_offset(moment, zone, "%Y-%m-%dT%H:%M:%S%.6f")
}

fn with_offset(moment: Timestamp, zone: &TimeZone, form: &str) -> String {
    let zoned = moment.to_zoned(zone.clone());
    let offset = if zoned.offset() == Offset::UTC {
        "Z".to_owned()
    } else {
        zoned.strftime("%:z").to_string()
    };
    format!("{}{offset}", zoned.strftime(form))
}

fn when(text: &str, now: &Zoned) -> Option<Timestamp> {
    let text = text.trim();
    match text {
        "now" => return Some(now.timestamp()),
        "today" => return day(now, 0),
        "yesterday" => return day(now, -1),
        _ => {}
    }
    if let Some(days) = counted(text, 'd') {
        return day(now, -days);
    }
    if let Some(hours) = counted(text, 'h') {
        return now.timestamp().checked_sub(Span::new().hours(hours)).ok();
    }
    let zone = now.time_zone();
    // In this order: each form is also the beginning of the next.
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if !text.contains(['T', 't', ' ', ':']) {
        return beginning(text.parse::<Date>().ok()?, zone);
    }
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(zone.clone()).ok()?.timestamp())
}

/// `7d` → 7.
fn counted(text: &str, unit: char) -> Option<i64> {
    let digits = text.strip_suffix(unit)?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let count: i64 = plain.then(|| digits.parse().ok())??;
    let days = if unit == 'h' { count / 24 } else { count };
    (days <= MOST_DAYS).then_some(count)
}

/// The beginning of the day so many days from today.
fn day(now: &Zoned, days: i64) -> Option<Timestamp> {
    let date = now.date().checked_add(Span::new().days(days)).ok()?;
    beginning(date, now.time_zone())
}

/// The beginning of the first of so many days, of which the last ends at a moment or has it in it.
fn days_up_to(end: Timestamp, days: i64, zone: &TimeZone) -> Option<Timestamp> {
    let last = end.checked_sub(Span::new().nanoseconds(1)).ok()?;
    let first = last.to_zoned(zone.clone()).date();
    let first = first.checked_sub(Span::new().days(days - 1)).ok()?;
    beginning(first, zone)
}

fn beginning(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
    Some(start.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    fn resolve(
        from: Option<&str>,
        to: Option<&str>,
        now: &Zoned,
    ) -> Result<(String, String), String> {
        let options = RangeOptions {
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        let range = options
            .resolve(now)
            .map_err(|failure| failure.to_string())?;
        Ok((range.from.to_string(), range.to.to_string()))
    }

    fn from(text: &str, now: &Zoned) -> String {
        resolve(Some(text), Some("2099-01-01"), now).unwrap().0
    }

    #[test]
    fn dates_begin_in_the_zone() {
        let utc = now("2026-09-15T10:00:00[UTC]");
        let berlin = now("2026-09-15T10:00:00[Europe/Berlin]");
        assert_eq!(from("2026-09-01", &utc), "2026-09-01T00:00:00Z");
        assert_eq!(from("2026-09-01", &berlin), "2026-08-31T22:00:00Z");
        assert_eq!(from("2026-09-01T14:30", &berlin), "2026-09-01T12:30:00Z");
        assert_eq!(from("2026-09-01 14:30:15", &berlin), "2026-09-01T12:30:15Z");
        assert_eq!(
            from("2026-09-01T14:30:00Z", &berlin),
            "2026-09-01T14:30:00Z"
        );
        assert_eq!(from("2026-09-01T14:30+05:30", &utc), "2026-09-01T09:00:00Z");
        assert_eq!(from("today", &berlin), "2026-09-14T22:00:00Z");
        assert_eq!(from("yesterday", &berlin), "2026-09-13T22:00:00Z");
        assert_eq!(from("7d", &berlin), "2026-09-07T22:00:00Z");
        assert_eq!(from("0d", &utc), "2026-09-15T00:00:00Z");
        assert_eq!(from("12h", &utc), "2026-09-14T22:00:00Z");
        assert_eq!(from("now", &utc), "2026-09-15T10:00:00Z");
    }

    #[test]
    fn the_default_is_thirty_days_with_today() {
        let range = resolve(None, None, &now("2026-09-15T10:00:00[UTC]")).unwrap();
        assert_eq!(
            range,
            (
                "2026-08-17T00:00:00Z".to_owned(),
                "2026-09-16T00:00:00Z".to_owned()
            )
        );
    }

    #[test]
    fn the_default_beginning_follows_from_the_end() {
        let utc = now("2026-11-22T10:00:00[UTC]");
        let from = |to, now| resolve(None, Some(to), now).unwrap().0;
        assert_eq!(from("2026-10-01", &utc), "2026-09-01T00:00:00Z");
        assert_eq!(from("2026-10-01T00:00:01", &utc), "2026-09-02T00:00:00Z");
        assert_eq!(from("now", &utc), "2026-10-24T00:00:00Z");
        assert_eq!(from("today", &utc), "2026-10-23T00:00:00Z");
        let berlin = now("2026-11-22T10:00:00[Europe/Berlin]");
        assert_eq!(from("2026-04-01", &berlin), "2026-03-01T23:00:00Z");
        let week = RangeOptions {
            from: None,
            to: Some("2026-10-01".to_owned()),
        };
        let week = week.resolve_of(7, &utc).unwrap();
        assert_eq!(week.from.to_string(), "2026-09-24T00:00:00Z");
        assert_eq!(week.given().resolve(&berlin).unwrap(), week);
    }

    #[test]
    fn days_on_which_clocks_change_have_23_or_25_hours() {
        // Berlin: 2026-03-29 has 23 hours, 2026-10-25 has 25.
        let spring = resolve(
            Some("today"),
            None,
            &now("2026-03-29T12:00:00[Europe/Berlin]"),
        )
        .unwrap();
        assert_eq!(
            spring,
            (
                "2026-03-28T23:00:00Z".to_owned(),
                "2026-03-29T22:00:00Z".to_owned()
            )
        );
        let autumn = resolve(
            Some("today"),
            None,
            &now("2026-10-25T12:00:00[Europe/Berlin]"),
        )
        .unwrap();
        assert_eq!(
            autumn,
            (
                "2026-10-24T22:00:00Z".to_owned(),
                "2026-10-25T23:00:00Z".to_owned()
            )
        );
        // Cairo: midnight of 2026-04-24 does not exist; the day begins at 01:00, offset +03:00.
        let cairo = now("2026-05-01T12:00:00[Africa/Cairo]");
        assert_eq!(from("2026-04-24", &cairo), "2026-04-23T22:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_named_with_the_forms() {
        let now = now("2026-09-15T10:00:00[UTC]");
        for text in [
            "",
            "tomorow",
            "2026-13-01",
            "01.09.2026",
            "2026-09-31",
            "7",
            "d",
            "-7d",
            "99999999d",
            "7w",
            "14:30",
        ] {
            let error = resolve(Some(text), None, &now).unwrap_err();
            assert!(
                error.starts_with(&format!("--from {text:?} is no date or time")),
                "{error}"
            );
            assert!(error.contains(FORMS), "{error}");
        }
    }

    #[test]
    fn ends_may_be_left_open() {
        let now = now("2026-09-15T10:00:00[UTC]");
        let ends = |from, to| {
            let ends = open(from, to, &now).map_err(|failure| failure.to_string())?;
            Ok::<_, String>((ends.0.map(|m| m.to_string()), ends.1.map(|m| m.to_string())))
        };
        assert_eq!(ends(None, None), Ok((None, None)));
        let midnight = Some("2026-09-01T00:00:00Z".to_owned());
        assert_eq!(ends(Some("2026-09-01"), None), Ok((midnight.clone(), None)));
        assert_eq!(ends(None, Some("2026-09-01")), Ok((None, midnight)));
        assert!(ends(Some("today"), Some("yesterday")).is_err());
        assert!(
            ends(None, Some("soon"))
                .unwrap_err()
                .starts_with("--to \"soon\" is no date")
        );
    }

    #[test]
    fn an_empty_range_is_refused() {
        let now = now("2026-09-15T10:00:00[UTC]");
        for (from, to) in [("2026-09-02", "2026-09-02"), ("2026-09-02", "2026-09-01")] {
            let error = resolve(Some(from), Some(to), &now).unwrap_err();
            assert!(error.contains(from) && error.contains(to), "{error}");
        }
    }
}
