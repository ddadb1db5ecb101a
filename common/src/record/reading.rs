//! The record's JSON as [`writing`](super::writing) writes it, read by hand: every record is read
//! once, and nearly all of them are written by this program. Whatever stands otherwise is left to the
//! general reader, which says the same of what is read here.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use uuid::Uuid;

use super::wire::VERSION;
use super::writing::clean_length;
use super::{Payload, RawRecord, Text, Via};

const _: () = assert!(VERSION == 1, "the version stands below");

/// `None` says nothing about the text.
pub(super) fn read(text: &str) -> Option<RawRecord<'_>> {
    let mut rest = Rest(text);
    let record = RawRecord {
        id: rest.field("{\"v\":1,\"id\":", id)?,
        source: rest.field(",\"source\":", string)?,
        key: rest.field(",\"key\":", |rest| optional(rest, string))?,
        received_at: rest.field(",\"received_at\":", instant)?,
        method: rest.field(",\"method\":", string)?,
        query: rest.field(",\"query\":", payload)?,
        content_type: rest.field(",\"content_type\":", |rest| optional(rest, string))?,
        body: rest.field(",\"body\":", |rest| optional(rest, payload))?,
        remote: rest.field(",\"remote\":", |rest| optional(rest, string))?,
        headers: rest.field(",\"headers\":", headers)?,
        via: rest.field(",\"via\":", via)?,
    };
    (rest.0 == "}").then_some(record)
}

/// What is not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    #[inline]
    fn pass(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    #[inline]
    fn field<T>(&mut self, name: &str, value: impl Fn(&mut Self) -> Option<T>) -> Option<T> {
        self.pass(name)?;
        value(self)
    }
}

/// A string without escapes.
fn plain<'a>(rest: &mut Rest<'a>) -> Option<&'a str> {
    rest.pass("\"")?;
    let (text, behind) = rest.0.split_at_checked(clean_length(rest.0.as_bytes()))?;
    rest.0 = behind.strip_prefix('"')?;
    Some(text)
}

fn string<'a>(rest: &mut Rest<'a>) -> Option<Text<'a>> {
    plain(rest).map(Text::from)
}

fn optional<'a, T>(
    rest: &mut Rest<'a>,
    value: impl Fn(&mut Rest<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match rest.pass("null") {
        Some(()) => Some(None),
        None => value(rest).map(Some),
    }
}

fn payload<'a>(rest: &mut Rest<'a>) -> Option<Payload<'a>> {
    let text = rest.field("{\"utf8\":", string)?;
    rest.pass("}")?;
    Some(Payload::Utf8(text))
}

fn headers<'a>(rest: &mut Rest<'a>) -> Option<Vec<(Text<'a>, Text<'a>)>> {
    rest.pass("{")?;
    let mut headers = Vec::new();
    if rest.pass("}").is_some() {
        return Some(headers);
    }
    loop {
        headers.push((string(rest)?, rest.field(":", string)?));
        if rest.pass("}").is_some() {
            return Some(headers);
        }
        rest.pass(",")?;
    }
}

fn via(rest: &mut Rest<'_>) -> Option<Via> {
    let text = plain(rest)?;
    let all = [Via::Http, Via::Import, Via::Backfill];
    all.into_iter().find(|via| via.as_str() == text)
}

fn id(rest: &mut Rest<'_>) -> Option<Uuid> {
    Uuid::try_parse(plain(rest)?).ok()
}

/// RFC 3339, UTC, six decimals.
fn instant(rest: &mut Rest<'_>) -> Option<Timestamp> {
    let text: &[u8; 27] = plain(rest)?.as_bytes().try_into().ok()?;
    let shape = b"0000-00-00T00:00:00.000000Z";
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte == shape,
    };
    if !text.iter().zip(shape).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text[from..to].iter().map(|digit| i32::from(digit - b'0'));
        digits.fold(0, |number, digit| number * 10 + digit)
    };
    let small = |from, to| i8::try_from(number(from, to)).ok();
    let date = Date::new(
        i16::try_from(number(0, 4)).ok()?,
        small(5, 7)?,
        small(8, 10)?,
    )
    .ok()?;
    let nanos = number(20, 26) * 1_000;
    let time = Time::new(small(11, 13)?, small(14, 16)?, small(17, 19)?, nanos).ok()?;
    Offset::UTC
        .to_timestamp(DateTime::from_parts(date, time))
        .ok()
}
