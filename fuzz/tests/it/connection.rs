//! Connections.

use postback_fuzz::connection::{self, Input, Kafka, Outcome};

use crate::{corpus, made};

/// Inputs of the short form.
const RUNS: u64 = 10_000;

/// What the sender of each input by hand gets. Inputs that were found need none.
const EXPECTED: [(&str, &[u16]); 55] = [
    ("absolute-form", &[200, 200, 404]),
    ("basic-auth", &[200]),
    ("body-cut-short", &[408]),
    ("body-like-a-request", &[200, 200]),
    ("body-longest", &[200, 200]),
    ("body-not-utf-8", &[200]),
    ("body-too-long", &[413, 200]),
    ("carriage-return-in-the-target", &[400]),
    ("chunked", &[200, 200]),
    // Not kept open: two readers may differ on where the next request begins.
    ("chunked-and-length", &[200]),
    ("chunked-broken", &[408]),
    ("chunked-key-in-pieces", &[200]),
    ("chunked-not-last", &[400]),
    ("chunked-size-too-large", &[408]),
    ("chunked-too-long", &[413, 200]),
    ("control-bytes", &[200]),
    ("cut-short", &[200]),
    ("empty-query", &[200]),
    ("expect", &[200, 404]),
    ("folded-header", &[400]),
    ("form", &[200]),
    ("get", &[200]),
    ("get-byte-by-byte", &[200]),
    ("hash-first", &[200]),
    ("head", &[200, 404]),
    ("headers-twice", &[200]),
    ("http-1.0", &[200, 200]),
    ("http-2-preface", &[400]),
    ("kafka-refuses", &[503]),
    ("kafka-says-no", &[503, 503]),
    ("key-escaped", &[404, 404]),
    ("key-in-the-query", &[200]),
    ("latin-1", &[200]),
    ("length-with-sign", &[400]),
    ("line-feeds-alone", &[200, 200]),
    ("many-headers", &[431]),
    ("no-query", &[200]),
    ("nothing", &[]),
    ("other-versions", &[400]),
    ("percent", &[200]),
    ("pipelined", &[200, 200, 200, 404, 200, 405, 200]),
    ("query-longest", &[200]),
    ("query-too-long", &[414, 200]),
    ("queue-full", &[503, 503]),
    ("raw-bytes", &[200]),
    ("reads-slowly", &[200, 200]),
    ("space-before-the-colon", &[400]),
    ("spaces-before-the-version", &[200]),
    ("stop-half-way", &[200, 200]),
    ("target-too-long", &[414]),
    ("tls-hello", &[400]),
    ("two-lengths", &[400]),
    ("unknown-key", &[404, 404, 404, 404]),
    ("upgrade", &[200, 404]),
    ("version-in-the-query", &[200]),
];

#[test]
fn every_kept_input_keeps_every_promise() {
    let kept = corpus::inputs("ingest");
    for kept in &kept {
        let outcome = connection::check(&kept.bytes);
        let expected = EXPECTED.iter().find(|(name, _)| *name == kept.name);
        if let Some((name, expected)) = expected {
            assert_eq!(statuses(&outcome), *expected, "{name}");
        }
    }
    for (name, _) in EXPECTED {
        assert!(kept.iter().any(|kept| kept.name == name), "{name} is gone");
    }
}

fn statuses(outcome: &Outcome) -> Vec<u16> {
    let answers = outcome.answers.iter();
    answers.map(|answer| answer.status).collect()
}

#[test]
fn any_input_keeps_every_promise() {
    let mut seen = Seen::default();
    made::check_many("ingest", RUNS, |input| {
        seen.add(input, &connection::check(input));
    });
    eprintln!("{seen:?}");
    if made::is_short() {
        seen.check();
    }
}

/// What all inputs together came by: inputs that are all refused prove nothing.
#[derive(Debug, Default)]
struct Seen {
    stored: u64,
    with_a_body: u64,
    chunked: u64,
    hidden: u64,
    several_in_one_connection: u64,
    tried: u64,
    unanswered: u64,
    not_confirmed: u64,
    not_found: u64,
    unparsable: u64,
    incomplete: u64,
    too_large: u64,
    too_long: u64,
}

impl Seen {
    fn add(&mut self, bytes: &[u8], outcome: &Outcome) {
        let input = Input::of(bytes);
        let count = |status| statuses(outcome).iter().filter(|s| **s == status).count() as u64;
        let stored = outcome.records.len() as u64;
        let lower = input.sent.to_ascii_lowercase();
        let has = |text: &str| memchr::memmem::find(&lower, text.as_bytes()).is_some();
        let records = outcome.records.iter();
        let bodies = records.filter(|record| memchr::memmem::find(record, b"\"body\":{").is_some());
        let bodies = bodies.count() as u64;
        self.stored += stored;
        self.with_a_body += bodies;
        self.chunked += u64::from(bodies > 0 && has("chunked"));
        self.hidden += u64::from(stored > 0 && input.sent.iter().any(|b| b"#<>".contains(b)));
        self.several_in_one_connection += u64::from(stored > 1);
        self.tried += outcome.answers.iter().filter(|a| a.bodiless).count() as u64;
        self.unanswered += u64::from(outcome.answers.is_empty());
        self.not_confirmed += u64::from(input.kafka != Kafka::Confirms) * count(503);
        self.not_found += count(404);
        self.unparsable += count(400);
        self.incomplete += count(408);
        self.too_large += count(413) + count(431);
        self.too_long += count(414);
    }

    fn check(&self) {
        let all = [
            self.stored,
            self.with_a_body,
            self.chunked,
            self.hidden,
            self.several_in_one_connection,
            self.tried,
            self.unanswered,
            self.not_confirmed,
            self.not_found,
            self.unparsable,
            self.incomplete,
            self.too_large,
            self.too_long,
        ];
        assert!(all.iter().all(|seen| *seen > 50), "{self:?}");
    }
}
