//! What must hold of a connection, seen from outside: nothing here parses HTTP. Each record has to
//! be found in what was sent, behind the record before it.

use std::collections::BTreeSet;

use memchr::memmem::{Finder, find, find_iter};
use postback_common::record::{Payload, RawRecord, Via};
use uuid::Uuid;

use super::site::{BODY_BYTES, KEY, KEY_NAME, PEER, QUERY_BYTES, RECORDED, SOURCE};
use super::{Input, Kafka, Outcome};

/// What stands before the key.
const PREFIX: &[u8] = b"/postback/";

/// What stands behind every target, before the version's last digit.
const VERSION: &[u8] = b" HTTP/1.";

/// Checks all of them.
///
/// # Panics
/// When one is broken.
pub(super) fn check(input: &Input<'_>, written: &[u8], outcome: &Outcome) {
    let records: Vec<RawRecord<'_>> = outcome.records.iter().map(|bytes| read(bytes)).collect();
    check_ids(input, outcome, &records);
    let mut at = 0;
    for record in &records {
        check_fields(record);
        at = find_request(input.sent, at, record);
    }
    assert_eq!(count(written, KEY), 0, "the URL key is in an answer");
    check_secrecy(input.sent, outcome, &records);
}

/// A record as its readers read it; written again it is the same.
fn read(bytes: &[u8]) -> RawRecord<'_> {
    let record = RawRecord::decode(bytes);
    let record = record.unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()));
    let mut again = Vec::new();
    record.encode_into(&mut again);
    assert_eq!(
        again.escape_ascii().to_string(),
        bytes.escape_ascii().to_string()
    );
    record
}

/// Each 2xx names its record, but for those to `HEAD`; each record was answered with 2xx.
fn check_ids(input: &Input<'_>, outcome: &Outcome, records: &[RawRecord<'_>]) {
    let mut named = Vec::new();
    for answer in &outcome.answers {
        match (answer.status, answer.id) {
            (200..=299, Some(id)) => {
                assert!(!answer.bodiless, "a postback's answer has a body");
                named.push(id);
            }
            (200..=299, None) => assert!(answer.bodiless, "a 2xx without a record"),
            (status, id) => {
                assert_eq!(id, None, "an answer of {status} names a record");
                assert!((400..=599).contains(&status), "an answer of {status}");
            }
        }
    }
    let tried = outcome.answers.iter().filter(|answer| answer.bodiless);
    let heads = count(input.sent, "HEAD ");
    assert!(
        tried.count() <= heads,
        "more answers to HEAD than such requests"
    );
    let stored: Vec<Uuid> = records.iter().map(|record| record.id).collect();
    assert_eq!(named, stored, "answers and records");
    let different: BTreeSet<_> = named.iter().collect();
    assert_eq!(different.len(), named.len(), "an id came twice");
    let confirmed = input.kafka == Kafka::Confirms || named.is_empty();
    assert!(confirmed, "a 2xx that Kafka has not confirmed");
}

fn check_fields(record: &RawRecord<'_>) {
    assert_eq!(record.source.as_str(), SOURCE);
    assert_eq!(record.key.as_deref(), Some(KEY_NAME));
    assert_eq!(record.remote.as_deref(), Some(&*PEER.to_string()));
    assert_eq!(record.via, Via::Http);
    assert!(
        record.query.as_bytes().len() <= QUERY_BYTES,
        "a query too long"
    );
    let body = record.body.as_ref().map(Payload::as_bytes);
    let fits = body.is_none_or(|body| (1..=BODY_BYTES).contains(&body.len()));
    assert!(fits, "a body that is empty or too long");
    assert!(body.is_some() || record.content_type.is_none());
    let mut names = RECORDED.iter();
    for (name, _) in &record.headers {
        let known = names.any(|recorded| *recorded == name.as_str());
        assert!(known, "{name}: twice, out of order, or not to be recorded");
    }
}

/// Finds the record's request in `sent[at..]`; returns how far it goes at least.
fn find_request(sent: &[u8], at: usize, record: &RawRecord<'_>) -> usize {
    let query = record.query.as_bytes();
    let mut found = find_iter(&sent[at..], KEY).filter_map(|place| {
        let key = at + place;
        let before = sent[at..key].strip_suffix(PREFIX)?;
        let behind = &sent[key + KEY.len()..];
        let is_it = begins(before, record.method.as_bytes()) && is_query(behind, query);
        is_it.then_some(key + KEY.len() + query.len())
    });
    let Some(target) = found.next() else {
        let (sent, query) = (sent[at..].escape_ascii(), query.escape_ascii());
        panic!("no request with \"{query}\" in {sent}");
    };
    let body = record.body.as_ref().map_or(&[][..], Payload::as_bytes);
    let end = find_body(sent, target, body);
    end.unwrap_or_else(|| panic!("no body {} in {}", body.escape_ascii(), sent.escape_ascii()))
}

/// Whether `before` ends with a method and a space, and perhaps scheme and host.
fn begins(before: &[u8], method: &[u8]) -> bool {
    let start = [method, b" "].concat();
    find_iter(before, &start).any(|place| {
        let rest = &before[place + start.len()..];
        rest.is_empty() || is_origin(&rest.to_ascii_lowercase())
    })
}

fn is_origin(text: &[u8]) -> bool {
    let host = text.strip_prefix(b"http://");
    let host = host.or_else(|| text.strip_prefix(b"https://"));
    host.is_some_and(|host| !host.iter().any(|b| b"/?#".contains(b)))
}

/// Whether exactly `query` stands behind the key, up to the version.
fn is_query(behind: &[u8], query: &[u8]) -> bool {
    let rest = match behind.strip_prefix(b"?") {
        Some(rest) => rest.strip_prefix(query),
        None if query.is_empty() => Some(behind),
        None => None,
    };
    rest.is_some_and(|rest| rest.starts_with(VERSION))
}

/// The earliest end of `body` in `sent` behind `at`; of a chunked one, between whose bytes others
/// stand, too.
fn find_body(sent: &[u8], at: usize, body: &[u8]) -> Option<usize> {
    if body.is_empty() {
        return Some(at);
    }
    if !mentions_chunks(sent) {
        return find(&sent[at..], body).map(|place| at + place + body.len());
    }
    body.iter().try_fold(at, |at, byte| {
        memchr::memchr(*byte, &sent[at..]).map(|place| at + place + 1)
    })
}

fn mentions_chunks(sent: &[u8]) -> bool {
    find(&sent.to_ascii_lowercase(), b"chunked").is_some()
}

/// The URL key of a request must not be in its record; what else the sender wrote must.
fn check_secrecy(sent: &[u8], outcome: &Outcome, records: &[RawRecord<'_>]) {
    let mut in_records = 0;
    for (bytes, record) in outcome.records.iter().zip(records) {
        let body = record.body.as_ref().map_or(&[][..], Payload::as_bytes);
        // Chunks can put a key together that does not stand in the input.
        let in_chunks = if mentions_chunks(sent) {
            count(body, KEY)
        } else {
            0
        };
        in_records += count(bytes, KEY).saturating_sub(in_chunks);
    }
    let others = count(sent, KEY).saturating_sub(records.len());
    assert!(in_records <= others, "a URL key is in a record");
}

fn count(bytes: &[u8], text: &str) -> usize {
    Finder::new(text).find_iter(bytes).count()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::connection;

    const SENT: &str = "00GET /postback/canary-7d1f0b6a2c9e4835?a=#1 HTTP/1.1\r\n\r\n\
        POST /postback/canary-7d1f0b6a2c9e4835?a=2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";

    /// Whether the check fails once `change` has changed what came of [`SENT`].
    fn fails(change: impl FnOnce(&mut Outcome, &mut Vec<u8>)) -> bool {
        let mut outcome = connection::check(SENT.as_bytes());
        assert_eq!(outcome.records.len(), 2);
        let mut written = Vec::new();
        change(&mut outcome, &mut written);
        let input = Input::of(SENT.as_bytes());
        catch_unwind(AssertUnwindSafe(|| check(&input, &written, &outcome))).is_err()
    }

    fn replace(record: &mut Vec<u8>, from: &str, to: &str) {
        let text = String::from_utf8(record.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *record = text.replace(from, to).into_bytes();
    }

    #[test]
    fn each_broken_promise_is_seen() {
        assert!(!fails(|_, _| {}));
        assert!(fails(|outcome, _| outcome.records.truncate(1)), "lost");
        assert!(fails(|outcome, _| outcome.answers.truncate(1)), "unsaid");
        assert!(fails(|outcome, _| outcome.records.swap(0, 1)), "order");
        assert!(
            fails(|outcome, _| {
                outcome.records.swap(0, 1);
                outcome.answers.swap(0, 1);
            }),
            "order of both"
        );
        assert!(
            fails(|outcome, _| {
                outcome.records[1] = outcome.records[0].clone();
                outcome.answers[1] = outcome.answers[0].clone();
            }),
            "one request, two records"
        );
        assert!(fails(|outcome, _| outcome.answers[0].id = None), "no id");
        assert!(
            fails(|outcome, _| outcome.answers[0].status = 503),
            "a refusal"
        );
        assert!(
            fails(|outcome, _| outcome.answers[0].bodiless = true),
            "HEAD"
        );
        assert!(fails(|_, written| *written = KEY.into()), "key told");
    }

    #[test]
    fn each_field_that_is_wrong_is_seen() {
        let wrong = [
            ("a=#1", "a="),
            ("a=#1", "a=#2"),
            ("a=#1", "a=#1 "),
            ("\"GET\"", "\"POST\""),
            ("\"shop\"", "\"shop2\""),
            ("\"spring\"", "\"canary-7d1f0b6a2c9e4835\""),
            ("203.0.113.7", "203.0.113.8"),
            ("\"body\":null", "\"body\":{\"utf8\":\"abd\"}"),
            ("\"content_type\":null", "\"content_type\":\"a\""),
            ("\"headers\":{}", "\"headers\":{\"host\":\"a\"}"),
            (
                "\"headers\":{}",
                "\"headers\":{\"referer\":\"canary-7d1f0b6a2c9e4835\"}",
            ),
            ("\"http\"", "\"import\""),
            ("\"v\":1", "\"v\": 1"),
        ];
        for (from, to) in wrong {
            let fails = fails(|outcome, _| replace(&mut outcome.records[0], from, to));
            assert!(fails, "{from} for {to}");
        }
    }
}
