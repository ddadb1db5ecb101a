//! What the worst requests cost: time and memory grow with the request, and no faster.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::alloc::System;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use postback_common::name::{AccountName, SourceName};
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::{
    Identity, KeyDayRule, SourceDescription, SourceRules, normalise, profile,
};
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time: the allocator counts for all threads.
static ALONE: Mutex<()> = Mutex::new(());

/// The sizes that are compared, in bytes.
const SMALL: usize = 8 * 1024;
const LARGE: usize = 64 * 1024;

/// How much longer eight times as much may take.
const SLOWER: u32 = 10;

/// How often a shape is measured before it counts as slow.
const ATTEMPTS: usize = 5;

/// Bytes allocated in all for one byte of a large request; what up to 200 parameters take whatever
/// they hold, some 50 KiB, is in it.
const ALLOCATED: usize = 4;

/// A shape of request.
struct Shape {
    name: &'static str,
    network: &'static str,
    content_type: &'static str,
    /// The request of that many bytes; its query, or its body where there is a content type.
    make: fn(usize) -> Vec<u8>,
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

const SHAPES: &[Shape] = &[
    query("one long value", |n| filled(b"u1=", b"x", b"", n)),
    query("one long name", |n| filled(b"", b"x", b"=1", n)),
    query("all escaped", |n| filled(b"product_name=", b"%41", b"", n)),
    query("escaped and not ASCII", |n| {
        filled(b"product_name=", b"%C3%A9", b"", n)
    }),
    query("escapes that are broken", |n| filled(b"x=", b"%", b"", n)),
    query("all spaces", |n| filled(b"x=", b"+", b"", n)),
    query("no UTF-8", |n| filled(b"x=", b"\xff", b"", n)),
    query("escaped and no UTF-8", |n| filled(b"x=", b"%ff", b"", n)),
    query("many parameters", |n| filled(b"", b"abc=1&", b"", n)),
    query("many different long ones", |n| numbered(n, 200)),
    query("nothing but ampersands", |n| filled(b"", b"&", b"", n)),
    query("a long amount", |n| filled(b"sale_amount=", b"1", b"", n)),
    query("a long amount of zeros", |n| {
        filled(b"sale_amount=0.", b"0", b"", n)
    }),
    query("a long amount with commas", |n| {
        filled(b"sale_amount=", b"1,", b"", n)
    }),
    query("a long date", |n| {
        filled(b"transaction_date=", b"Sat ", b"", n)
    }),
    query("a long ISO date", |n| {
        filled(b"transaction_date=2020-03-14T18:28:18.", b"1", b"Z", n)
    }),
    query("a long macro", |n| filled(b"u1=<", b"a", b">", n)),
    query("an escaped macro", |n| {
        filled(b"u1=%253C", b"%41", b"%253E", n)
    }),
    body("a form", "awin", FORM, |n| {
        filled(b"clickRef=", b"%41", b"", n)
    }),
    body("JSON in a field", "awin", FORM, |n| {
        filled(b"AwinTransactionPush={\"clickRef\":\"", b"x", b"\"}", n)
    }),
    body("escaped JSON in a field", "awin", FORM, |n| {
        filled(
            b"AwinTransactionPush=%7B%22clickRef%22%3A%22",
            b"%41",
            b"%22%7D",
            n,
        )
    }),
    body("JSON, a long text", "generic", JSON, |n| {
        filled(b"{\"click_id\":\"", b"x", b"\"}", n)
    }),
    body("JSON, escaped", "generic", JSON, |n| {
        filled(b"{\"click_id\":\"", b"\\u0041", b"\"}", n)
    }),
    body("JSON, deep", "generic", JSON, |n| {
        filled(b"{\"a\":", b"[", b"", n)
    }),
    body("JSON, many members", "generic", JSON, |n| {
        filled(b"{\"z\":1", b",\"a\":1", b"}", n)
    }),
    body("JSON, many numbers", "generic", JSON, |n| {
        filled(b"{\"a\":[1", b",1", b"]}", n)
    }),
    body("JSON, many numbers and a secret", "generic", JSON, |n| {
        filled(b"{\"a\":[{\"token\":1}", b",1", b"]}", n)
    }),
    body("JSON, many secrets", "generic", JSON, |n| {
        filled(b"{\"a\":[1", b",{\"token\":1}", b"]}", n)
    }),
    body("JSON in JSON, and a secret", "generic", JSON, |n| {
        filled(
            b"{\"a\":\"{\\\"token\\\":1,\\\"b\\\":\\\"",
            b"x",
            b"\\\"}\"}",
            n,
        )
    }),
    body("JSON, no UTF-8", "generic", JSON, |n| {
        filled(b"{\"a\":\"", b"\xff", b"\"}", n)
    }),
    body("a body without end", "generic", JSON, |n| {
        filled(b"{\"a\":\"", b"x", b"", n)
    }),
];

const fn query(name: &'static str, make: fn(usize) -> Vec<u8>) -> Shape {
    body(name, "rakuten", "", make)
}

const fn body(
    name: &'static str,
    network: &'static str,
    content_type: &'static str,
    make: fn(usize) -> Vec<u8>,
) -> Shape {
    Shape {
        name,
        network,
        content_type,
        make,
    }
}

/// `before`, `repeated` as often as it fits, `after`.
fn filled(before: &[u8], repeated: &[u8], after: &[u8], bytes: usize) -> Vec<u8> {
    let times = (bytes - before.len() - after.len()) / repeated.len();
    [before, &repeated.repeat(times), after].concat()
}

fn numbered(bytes: usize, count: usize) -> Vec<u8> {
    let length = bytes / count - "000=&".len();
    let parameters = (0..count).map(|n| format!("{n:03}={}&", "x".repeat(length)));
    parameters.collect::<String>().into_bytes()
}

fn rules(network: &str) -> SourceRules {
    SourceRules::new(SourceDescription {
        source: SourceName::new("s").unwrap(),
        account: AccountName::new("a").unwrap(),
        profile: Arc::clone(profile::builtin(network).unwrap()),
        currency: None,
        zone: None,
        publisher_id: None,
        templates: Vec::new(),
        identity: Some(Identity::None),
        key_day_rule: Some(KeyDayRule::Bucket),
    })
    .unwrap()
}

fn record<'a>(shape: &Shape, bytes: &'a [u8]) -> RawRecord<'a> {
    let has_body = !shape.content_type.is_empty();
    RawRecord {
        id: Uuid::from_u128(7),
        source: "s".into(),
        key: None,
        received_at: Timestamp::UNIX_EPOCH,
        method: if has_body { "POST" } else { "GET" }.into(),
        query: Payload::of(if has_body { b"" } else { bytes }),
        content_type: has_body.then(|| shape.content_type.into()),
        body: has_body.then(|| Payload::of(bytes)),
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    }
}

/// The processor's time that one run takes: a busy machine takes the thread's turn away, and a long
/// run's more often.
fn run(record: &RawRecord<'_>, rules: &SourceRules) -> Duration {
    let begin = clock_gettime(ClockId::ThreadCPUTime);
    drop(normalise(record, rules));
    let took = clock_gettime(ClockId::ThreadCPUTime) - begin;
    took.try_into().unwrap()
}

/// The shortest of some runs of both sizes, in turns: others have the caches, too.
fn shortest(records: [&RawRecord<'_>; 2], rules: &SourceRules) -> [Duration; 2] {
    let mut least = [Duration::MAX; 2];
    for _ in 0..20 {
        for (least, record) in least.iter_mut().zip(records) {
            *least = run(record, rules).min(*least);
        }
    }
    least
}

#[test]
fn eight_times_as_much_takes_no_more_than_ten_times_as_long() {
    let _alone = ALONE.lock().unwrap();
    for shape in SHAPES {
        let rules = rules(shape.network);
        let requests = [SMALL, LARGE].map(|bytes| (shape.make)(bytes));
        let records = requests.each_ref().map(|request| record(shape, request));
        let mut measured = Vec::new();
        // A busy machine passes at last, a square never does: it takes 64 times as long.
        let passes = (0..ATTEMPTS).any(|_| {
            let [small, large] = shortest(records.each_ref(), &rules);
            measured.push((small, large));
            // What is too quick to be measured is not slow.
            large <= small.max(Duration::from_micros(5)) * SLOWER
        });
        assert!(passes, "{}: {measured:?}", shape.name);
    }
}

#[test]
fn memory_is_bounded_by_the_request() {
    let _alone = ALONE.lock().unwrap();
    for shape in SHAPES {
        let rules = rules(shape.network);
        let request = (shape.make)(LARGE);
        let record = record(shape, &request);
        drop(normalise(&record, &rules));
        let region = Region::new(ALLOCATOR);
        let outcome = normalise(&record, &rules);
        let allocated = region.change().bytes_allocated;
        drop(outcome);
        let most = ALLOCATED * request.len();
        let name = shape.name;
        assert!(
            allocated <= most,
            "{name}: {allocated} bytes for {}",
            request.len()
        );
    }
}
