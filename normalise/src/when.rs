//! Dates as networks write them, to instants in UTC.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Offset, TimeZone};

use crate::decode::trim;
use crate::profile::DateForm;

/// First second that a postback can speak of: the beginning of 2000 in UTC, since 1970.
const FIRST_SECOND: i64 = 946_684_800;

/// First second beyond: the beginning of 2101 in UTC.
const BEYOND_SECOND: i64 = 4_133_980_800;

/// Last second of the year 9999 in UTC: `9999-12-31 23:59:59`, which says never.
const LAST_SECOND: i64 = 253_402_300_799;

/// The library's instants end a day before the year 9999 does. What lies beyond is a date all the
/// same, and out of reason.
const BEYOND: Timestamp = Timestamp::MAX;

/// Why a text is not the date of a postback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateFault {
    /// In none of the network's forms.
    Unreadable,
    /// Before 2000 or after 2100, UTC.
    OutOfReason,
}

/// Reads a date in the first form that fits; whole microseconds, what is finer is cut.
///
/// `zone` is where a time without an offset is local. A time that its clocks skip is taken as if
/// they had not been turned yet (in spring 02:30 is 03:30); one that they show twice is the first
/// (in autumn 02:30 is that of summer time), which is off by an hour for half of that hour's sales.
/// A network that sends an offset, UTC or Unix time has neither.
///
/// # Errors
/// [`DateFault`]; an empty text is unreadable.
pub fn parse(text: &str, forms: &[DateForm], zone: &TimeZone) -> Result<Timestamp, DateFault> {
    let text = trim(text);
    let read = |form: &DateForm| match form {
        DateForm::Javascript => javascript(text),
        DateForm::Iso8601 => iso_8601(text, zone),
        DateForm::DateTime => date_time(text, zone),
        DateForm::MonthDayYear => month_day_year(text, zone),
        DateForm::UnixSeconds => unix(text, LAST_SECOND, Timestamp::from_second),
        DateForm::UnixMilliseconds => {
            unix(text, LAST_SECOND * 1_000 + 999, Timestamp::from_millisecond)
        }
    };
    let instant = forms.iter().find_map(read).ok_or(DateFault::Unreadable)?;
    if !(FIRST_SECOND..BEYOND_SECOND).contains(&instant.as_second()) {
        return Err(DateFault::OutOfReason);
    }
    if instant.subsec_nanosecond() == 0 {
        return Ok(instant);
    }
    Timestamp::from_microsecond(instant.as_microsecond()).map_err(|_| DateFault::OutOfReason)
}

/// The UTC day of an instant.
pub(crate) fn utc_date(instant: Timestamp) -> Date {
    Offset::UTC.to_datetime(instant).date()
}

/// `Sat Mar 14 2020 18:28:18 GMT+0000 (UTC)`. The weekday and the zone's name repeat what the rest
/// says: they are not compared, as a program in another language prints them in its own.
fn javascript(text: &str) -> Option<Timestamp> {
    javascript_in_places(text.as_bytes()).or_else(|| javascript_in_words(text))
}

/// As JavaScript itself prints it, in UTC: each part in its place. Every postback has two of them,
/// and its words need not be looked for.
fn javascript_in_places(text: &[u8]) -> Option<Timestamp> {
    let (told, rest) = text.split_first_chunk::<33>()?;
    if !matches!(rest, [] | [b'(', ..] | [b' ', b'(', ..]) {
        return None;
    }
    let [
        weekday @ ..,
        b' ',
        m1,
        m2,
        m3,
        b' ',
        d1,
        d2,
        b' ',
        y1,
        y2,
        y3,
        y4,
        b' ',
        h1,
        h2,
        b':',
        i1,
        i2,
        b':',
        s1,
        s2,
        b' ',
        b'G',
        b'M',
        b'T',
        b'+',
        b'0',
        b'0',
        b'0',
        b'0',
    ] = told
    else {
        return None;
    };
    let year = i16::from(two_digits(y1, y2)?) * 100 + i16::from(two_digits(y3, y4)?);
    let date = Date::new(year, month(&[*m1, *m2, *m3])?, two_digits(d1, d2)?).ok()?;
    let time = Time::new(
        two_digits(h1, h2)?,
        two_digits(i1, i2)?,
        two_digits(s1, s2)?,
        0,
    )
    .ok()?;
    let is_word = weekday.iter().all(u8::is_ascii_alphabetic);
    let instant = || Offset::UTC.to_timestamp(DateTime::from_parts(date, time));
    is_word.then(|| instant().unwrap_or(BEYOND))
}

fn javascript_in_words(text: &str) -> Option<Timestamp> {
    let told = text.split_once('(').map_or(text, |(told, _)| told);
    let mut words = told.split_ascii_whitespace();
    let _weekday = words.next()?;
    let month = month(words.next()?.as_bytes())?;
    let day = i8::try_from(number(words.next()?)?).ok()?;
    let year = i16::try_from(number(words.next()?)?).ok()?;
    let time = time_of_day(words.next()?)?;
    let offset = gmt_offset(words.next()?, words.next())?;
    if words.next().is_some() {
        return None;
    }
    let local = DateTime::from_parts(Date::new(year, month, day).ok()?, time);
    Some(offset.to_timestamp(local).unwrap_or(BEYOND))
}

/// `18:28:18`. By hand: the library tries other forms first, and every postback passes here twice.
fn time_of_day(text: &str) -> Option<Time> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = text.as_bytes() else {
        return None;
    };
    Time::new(
        two_digits(h1, h2)?,
        two_digits(m1, m2)?,
        two_digits(s1, s2)?,
        0,
    )
    .ok()
}

fn two_digits(tens: &u8, ones: &u8) -> Option<i8> {
    let is_number = tens.is_ascii_digit() && ones.is_ascii_digit();
    is_number.then(|| i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok())?
}

/// Up to four digits.
fn number(digits: &str) -> Option<i32> {
    let is_number = matches!(digits.len(), 1..=4) && digits.bytes().all(|b| b.is_ascii_digit());
    let value = |sum: i32, digit: u8| sum * 10 + i32::from(digit - b'0');
    is_number.then(|| digits.bytes().fold(0, value))
}

fn month(name: &[u8]) -> Option<i8> {
    let name: &[u8; 3] = name.try_into().ok()?;
    Some(match &name.map(|letter| letter.to_ascii_lowercase()) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

/// `GMT+0000`, `GMT-0500`, `GMT`; and `GMT 0000`, where an unencoded `+` was decoded to a space.
fn gmt_offset(word: &str, next: Option<&str>) -> Option<Offset> {
    let told = word.strip_prefix("GMT")?;
    let (sign, digits) = match (told.chars().next(), next) {
        (None, None) => return Some(Offset::UTC),
        (None, Some(next)) => (1, next),
        (Some('+'), None) => (1, &told[1..]),
        (Some('-'), None) => (-1, &told[1..]),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at(2);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60).then(|| Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok())?
}

fn iso_8601(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    // A zone's name in brackets belongs to another standard (RFC 9557) and no network sends it.
    if text.contains('[') {
        return None;
    }
    let text = with_plus(text);
    if let Ok(instant) = PARSER.parse_timestamp(&*text) {
        return Some(instant);
    }
    match PARSER.parse_datetime(&*text) {
        Ok(local) => Some(instant_in(zone, local)),
        Err(_) => beyond_with_offset(&PARSER, &text),
    }
}

/// A local time's instant.
fn instant_in(zone: &TimeZone, local: DateTime) -> Timestamp {
    let instant = zone.to_ambiguous_timestamp(local).compatible();
    instant.unwrap_or(BEYOND)
}

/// A time with an offset that is no instant only because it lies beyond all of them.
#[cold]
fn beyond_with_offset(parser: &DateTimeParser, text: &str) -> Option<Timestamp> {
    let pieces = parser.parse_pieces(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time()?);
    let instant = pieces.to_numeric_offset()?.to_timestamp(local);
    instant.is_err().then_some(BEYOND)
}

/// `2014-04-30 02:18:36`, with nothing behind it but decimals of the second.
fn date_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    const SHAPE: &[u8] = b"0000-00-00 00:00:00";
    let (seconds, rest) = text.split_at_checked(SHAPE.len())?;
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte == *shape,
    };
    if !seconds.bytes().zip(SHAPE).all(fits) || !(rest.is_empty() || rest.starts_with('.')) {
        return None;
    }
    static PARSER: DateTimeParser = DateTimeParser::new();
    let rest_is_number = rest.bytes().skip(1).all(|b| b.is_ascii_digit());
    let local = rest_is_number.then(|| PARSER.parse_datetime(text).ok())??;
    Some(instant_in(zone, local))
}

/// `4/30/2014`, `04/30/14`, and a time of day behind it: `2:18`, `02:18:36`, `2:18 PM`. Years of two
/// digits are of this century.
fn month_day_year(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let (date, time) = text.split_once(' ').unwrap_or((text, "0:00"));
    let mut parts = date.split('/').map(number);
    let (month, day, year) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if year < 100 { year + 2_000 } else { year };
    if parts.next().is_some() {
        return None;
    }
    let date = Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    );
    let local = DateTime::from_parts(date.ok()?, clock_time(time.trim())?);
    Some(instant_in(zone, local))
}

/// `2:18`, `02:18:36`, `2:18 PM`.
fn clock_time(text: &str) -> Option<Time> {
    let (told, half) = match text.rsplit_once([' ', '\u{a0}']) {
        Some((told, half)) => (told.trim_end(), Some(half)),
        None => (text, None),
    };
    let mut parts = told.split(':').map(number);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let hour = match half.map(str::to_ascii_uppercase).as_deref() {
        None => hour,
        Some("AM") if (1..=12).contains(&hour) => hour % 12,
        Some("PM") if (1..=12).contains(&hour) => hour % 12 + 12,
        Some(_) => return None,
    };
    let small = |number: i32| i8::try_from(number).ok();
    let time = Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
    parts.next().is_none().then_some(time)
}

/// A whole number of seconds or milliseconds, digits alone, of which `last` is the last of the year
/// 9999.
fn unix(
    text: &str,
    last: i64,
    instant: impl Fn(i64) -> Result<Timestamp, jiff::Error>,
) -> Option<Timestamp> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    let number = is_number.then(|| text.parse().ok())??;
    match instant(number) {
        Ok(instant) => Some(instant),
        Err(_) => (number <= last).then_some(BEYOND),
    }
}

/// Gives `…18:28:18 00:00` its `+` back, which an unencoded query turned into a space.
fn with_plus(text: &str) -> Cow<'_, str> {
    match text.rsplit_once(' ') {
        Some((time, offset))
            if time.contains(':') && offset.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            Cow::Owned(format!("{time}+{offset}"))
        }
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: &[DateForm] = &[DateForm::Javascript, DateForm::Iso8601];

    fn utc(text: &str) -> Result<String, DateFault> {
        parse(text, FORMS, &TimeZone::UTC).map(|instant| instant.to_string())
    }

    #[test]
    fn both_forms_give_instants() {
        let cases = [
            (
                "Sat Mar 14 2020 18:28:18 GMT+0000 (UTC)",
                "2020-03-14T18:28:18Z",
            ),
            (
                "Sat Mar 14 2020 18:28:18 GMT 0000 (UTC)",
                "2020-03-14T18:28:18Z",
            ),
            (
                " Sat Mar 14 2020 18:28:18 GMT-0500 (Eastern Standard Time) ",
                "2020-03-14T23:28:18Z",
            ),
            ("Sat Mar 14 2020 18:28:18 GMT+0530", "2020-03-14T12:58:18Z"),
            ("Sat Mar 14 2020 18:28:18 GMT", "2020-03-14T18:28:18Z"),
            ("sam. mar 14 2020 18:28:18 GMT", "2020-03-14T18:28:18Z"),
            ("2020-03-14T18:28:18Z", "2020-03-14T18:28:18Z"),
            (
                "2020-03-14T18:28:18.1234569+01:00",
                "2020-03-14T17:28:18.123456Z",
            ),
            ("2020-03-14T18:28:18 01:00", "2020-03-14T17:28:18Z"),
            ("2020-03-14T18:28:18-0500", "2020-03-14T23:28:18Z"),
            ("2014-04-30 02:18:36", "2014-04-30T02:18:36Z"),
            ("2014-04-30 02:18", "2014-04-30T02:18:00Z"),
            ("2014-04-30", "2014-04-30T00:00:00Z"),
            ("2000-01-01", "2000-01-01T00:00:00Z"),
            ("2100-12-31T23:59:59.999999Z", "2100-12-31T23:59:59.999999Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(utc(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_of_a_postback_is_told_apart() {
        let unreadable = [
            "",
            "yesterday",
            "1584210498",
            "14/03/2020",
            "2020-13-01",
            "2020-02-30",
            "2020-03-14T25:00:00Z",
            "Sat Mar 32 2020 18:28:18 GMT+0000",
            "Sat Foo 14 2020 18:28:18 GMT+0000",
            "Sat Mar 14 2020 18:28:18",
            "Sat Mar 14 2020 18:28:18 GMT+0000 UTC",
            "Sat Mar 14 2020 18:28:18 GMT+00",
            "Sat Mar 14 2020 18:28:18 GMT+0060",
            "Sat Mar 14 2020 18:28:18 GMTé0000",
            "2020-03-14T18:28:18[Europe/Paris]",
            "2020-03-14T18:28:18 UTC",
            "2020-03-14T18:28:18+26:00",
            "2020-03-14T18:28:18 26:00",
            "2020-03-14T18:28:18Z Z",
            "9999-12-32T23:59:59Z",
            "9999-12-31Z",
            "9999-12-31T23:59:59+26:00",
        ];
        for text in unreadable {
            assert_eq!(utc(text), Err(DateFault::Unreadable), "{text}");
        }
        for text in [
            "1999-12-31T23:59:59Z",
            "2101-01-01",
            "0001-01-01",
            "2000-01-01T00:00:00+01:00",
            // Never, as databases and programs write it.
            "9999-12-31",
            "9999-12-31 23:59:59",
            "9999-12-31T23:59:59.999999",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59 00:00",
            "9999-12-31T23:59:59-0500",
            "9999-12-30T12:00:00Z",
            "Fri Dec 31 9999 23:59:59 GMT+0000 (UTC)",
            "Fri Dec 31 9999 23:59:59 GMT-0500",
        ] {
            assert_eq!(utc(text), Err(DateFault::OutOfReason), "{text}");
        }
    }

    #[test]
    fn a_time_without_offset_is_the_zones() {
        // POSIX rule of Berlin since 1996: clocks forward on the last Sunday of March at 02:00, back
        // on the last Sunday of October at 03:00.
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let cases = [
            ("2026-01-15 12:00:00", "2026-01-15T11:00:00Z"),
            ("2026-07-15 12:00:00", "2026-07-15T10:00:00Z"),
            ("2026-07-15", "2026-07-14T22:00:00Z"),
            ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
            ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
            ("2026-07-15T12:00:00Z", "2026-07-15T12:00:00Z"),
            (
                "Wed Jul 15 2026 12:00:00 GMT+0000 (UTC)",
                "2026-07-15T12:00:00Z",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                parse(text, FORMS, &berlin).unwrap().to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_and_plain_local_times_are_read_where_the_network_sends_them() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let (seconds, millis) = (DateForm::UnixSeconds, DateForm::UnixMilliseconds);
        let cases = [
            (seconds, "1398824316", Some("2014-04-30T02:18:36Z")),
            (seconds, " 1398824316 ", Some("2014-04-30T02:18:36Z")),
            (seconds, "1398824316.5", None),
            (seconds, "-1398824316", None),
            (seconds, "1398824316000", None),
            (millis, "1398824316789", Some("2014-04-30T02:18:36.789Z")),
            (
                DateForm::DateTime,
                "2014-04-30 02:18:36",
                Some("2014-04-30T00:18:36Z"),
            ),
            (
                DateForm::DateTime,
                "2014-04-30 02:18:36.120",
                Some("2014-04-30T00:18:36.12Z"),
            ),
            (DateForm::DateTime, "2014-04-30T02:18:36", None),
            (DateForm::DateTime, "2014-04-30 02:18:36Z", None),
            (DateForm::DateTime, "2014-04-30 02:18:36+02:00", None),
            (DateForm::DateTime, "2014-04-30 02:18:36.", None),
            (DateForm::DateTime, "2014-04-30", None),
            (DateForm::DateTime, "2014-04-30 02:18:3é", None),
            (DateForm::DateTime, "2014-02-30 02:18:36", None),
        ];
        for (form, text, expected) in cases {
            let read = parse(text, &[form], &berlin).ok();
            let read = read.map(|instant| instant.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?} as {form:?}");
        }
        for (text, expected) in [
            ("946684799", Err(DateFault::OutOfReason)),
            ("99999999999", Err(DateFault::OutOfReason)),
            ("253402300799", Err(DateFault::OutOfReason)),
            ("253402300800", Err(DateFault::Unreadable)),
            ("99999999999999999999", Err(DateFault::Unreadable)),
        ] {
            assert_eq!(parse(text, &[seconds], &berlin), expected, "{text}");
        }
        for (form, never) in [
            (DateForm::DateTime, "9999-12-31 23:59:59"),
            (DateForm::MonthDayYear, "12/31/9999"),
            (DateForm::UnixMilliseconds, "253402300799999"),
        ] {
            let read = parse(never, &[form], &berlin);
            assert_eq!(read, Err(DateFault::OutOfReason), "{never}");
        }
        let both = [DateForm::UnixSeconds, DateForm::UnixMilliseconds];
        let read = parse("1398824316789", &both, &berlin).unwrap();
        assert_eq!(read.as_millisecond(), 1_398_824_316_789);
    }

    #[test]
    fn only_the_networks_own_forms_are_read() {
        assert_eq!(
            parse("2014-04-30", &[DateForm::Javascript], &TimeZone::UTC),
            Err(DateFault::Unreadable)
        );
    }

    #[test]
    fn a_clock_of_twelve_hours_has_a_midnight_and_a_noon() {
        let cases = [
            ("4/30/2014", Some("2014-04-30T00:00:00Z")),
            ("4/30/14 2:18", Some("2014-04-30T02:18:00Z")),
            ("4/30/2014 12:18 AM", Some("2014-04-30T00:18:00Z")),
            ("4/30/2014 1:18:36 am", Some("2014-04-30T01:18:36Z")),
            ("4/30/2014 11:18 AM", Some("2014-04-30T11:18:00Z")),
            ("4/30/2014 12:18 PM", Some("2014-04-30T12:18:00Z")),
            ("4/30/2014 11:18\u{a0}PM", Some("2014-04-30T23:18:00Z")),
            ("4/30/2014 0:18 AM", None),
            ("4/30/2014 13:18 AM", None),
            ("4/30/2014 0:18 PM", None),
            ("4/30/2014 13:18 PM", None),
            ("4/30/2014 2:18 XM", None),
            ("4/30/2014 2:18:36:1", None),
            ("4/30/2014/1", None),
            ("30/4/2014", None),
            ("4/30/100", None),
        ];
        for (text, expected) in cases {
            let read = parse(text, &[DateForm::MonthDayYear], &TimeZone::UTC).ok();
            let read = read.map(|instant| instant.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
