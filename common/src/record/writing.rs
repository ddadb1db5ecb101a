//! The record's JSON, written by hand: every request pays for it, and serde's generality costs three
//! times as much. A test holds it against `serde_json`, byte for byte.

use std::io::Write as _;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use uuid::Uuid;

use super::wire::VERSION;
use super::{Payload, RawRecord, Text};

/// So many bytes are looked at in one go: the compiler compares as many at once as the processor can.
const STRIDE: usize = 32;

/// Appends the record's JSON.
pub(super) fn encode(record: &RawRecord<'_>, out: &mut Vec<u8>) {
    write_display(out, format_args!("{{\"v\":{VERSION}"));
    name(out, b"id");
    out.push(b'"');
    let mut buffer = Uuid::encode_buffer();
    out.extend_from_slice(record.id.hyphenated().encode_lower(&mut buffer).as_bytes());
    out.push(b'"');
    name(out, b"source");
    string(out, &record.source);
    name(out, b"key");
    optional(out, record.key.as_ref(), |out, key| string(out, key));
    name(out, b"received_at");
    instant(out, record.received_at);
    name(out, b"method");
    string(out, &record.method);
    name(out, b"query");
    payload(out, &record.query);
    name(out, b"content_type");
    optional(out, record.content_type.as_ref(), |out, text| {
        string(out, text);
    });
    name(out, b"body");
    optional(out, record.body.as_ref(), payload);
    name(out, b"remote");
    optional(out, record.remote.as_ref(), |out, text| string(out, text));
    name(out, b"headers");
    headers(out, &record.headers);
    name(out, b"via");
    string(out, record.via.as_str());
    out.push(b'}');
}

/// Of a field behind another one.
fn name(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
}

fn optional<T>(out: &mut Vec<u8>, value: Option<&T>, write: impl FnOnce(&mut Vec<u8>, &T)) {
    match value {
        Some(value) => write(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

fn payload(out: &mut Vec<u8>, payload: &Payload<'_>) {
    match payload {
        Payload::Utf8(text) => {
            out.extend_from_slice(b"{\"utf8\":");
            string(out, text);
        }
        Payload::Bytes(bytes) => {
            let encoded = Base64Display::new(bytes, &STANDARD);
            write_display(out, format_args!("{{\"base64\":\"{encoded}\""));
        }
    }
    out.push(b'}');
}

fn headers(out: &mut Vec<u8>, headers: &[(Text<'_>, Text<'_>)]) {
    out.push(b'{');
    for (number, (name, value)) in headers.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

/// RFC 3339, UTC, always six decimals.
fn instant(out: &mut Vec<u8>, instant: Timestamp) {
    let Some(time) = Digits::of(instant) else {
        return write_display(out, format_args!("\"{instant:.6}\""));
    };
    out.extend_from_slice(&time.quoted());
}

/// Writing into memory cannot fail.
fn write_display(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}

/// An instant from 1970 to 9999, in parts.
struct Digits {
    year: u32,
    month: u32,
    day: u32,
    second_of_day: u32,
    micros: u32,
}

impl Digits {
    /// `None` outside these years.
    fn of(instant: Timestamp) -> Option<Self> {
        const DAY: u64 = 24 * 60 * 60;
        let micros = u64::try_from(instant.as_microsecond()).ok()?;
        let seconds = micros / 1_000_000;
        // The Gregorian calendar repeats itself every 400 years, or 146,097 days. Counted from a
        // first of March, leap days stand at the end of their year, and months have lengths that
        // (5 * day + 2) / 153 finds.
        let days = seconds / DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let small = |number: u64| u32::try_from(number).ok();
        Some(Self {
            year: small(year).filter(|year| *year <= 9_999)?,
            month: small(month)?,
            day: small(day_of_year - (153 * from_march + 2) / 5 + 1)?,
            second_of_day: small(seconds % DAY)?,
            micros: small(micros % 1_000_000)?,
        })
    }

    fn quoted(&self) -> [u8; 29] {
        let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
        let second = self.second_of_day;
        digits(&mut text[1..5], self.year);
        digits(&mut text[6..8], self.month);
        digits(&mut text[9..11], self.day);
        digits(&mut text[12..14], second / 3_600);
        digits(&mut text[15..17], second / 60 % 60);
        digits(&mut text[18..20], second % 60);
        digits(&mut text[21..27], self.micros);
        text
    }
}

/// Writes a number with leading zeros.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        // A remainder of 10 fits.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let clean = clean_length(rest);
        out.extend_from_slice(&rest[..clean]);
        let Some(byte) = rest.get(clean) else { break };
        escape(out, *byte);
        rest = &rest[clean + 1..];
    }
    out.push(b'"');
}

/// How many bytes stand in front of the first that JSON wants escaped.
pub(super) fn clean_length(bytes: &[u8]) -> usize {
    let mut clean = 0;
    for stride in bytes.chunks(STRIDE) {
        // To its end without a branch, for the compiler's sake.
        let found = stride
            .iter()
            .fold(0, |found, byte| found | u8::from(is_escaped(*byte)));
        if found != 0 {
            let at = stride.iter().position(|byte| is_escaped(*byte));
            return clean + at.unwrap_or(stride.len());
        }
        clean += stride.len();
    }
    clean
}

/// RFC 8259, section 7.
const fn is_escaped(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => return write_display(out, format_args!("\\u{byte:04x}")),
    };
    out.extend_from_slice(&[b'\\', short]);
}
