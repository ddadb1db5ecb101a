use base64::engine::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

/// The example of the contract, written by hand.
const EXAMPLE: &str = r#"{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","source":"rakuten-us","key":"k1","received_at":"2026-09-01T00:00:00.000000Z","method":"GET","query":{"utf8":"is_event=N&u1=abc"},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{"user-agent":"agent \"one\""},"via":"http"}"#;

fn example() -> RawRecord<'static> {
    RawRecord {
        id: "01a05a43-fc00-7f54-8d8e-0023af5570ee".parse().unwrap(),
        source: "rakuten-us".into(),
        key: Some("k1".into()),
        received_at: "2026-09-01T00:00:00Z".parse().unwrap(),
        method: "GET".into(),
        query: Payload::of(b"is_event=N&u1=abc"),
        content_type: None,
        body: None,
        remote: Some("203.0.113.7".into()),
        headers: vec![("user-agent".into(), "agent \"one\"".into())],
        via: Via::Http,
    }
}

fn encode(record: &RawRecord<'_>) -> Vec<u8> {
    let mut buffer = Vec::new();
    record.encode_into(&mut buffer);
    buffer
}

#[test]
fn the_contracts_example_is_written_to_the_letter_and_read_back() {
    assert_eq!(String::from_utf8(encode(&example())).unwrap(), EXAMPLE);
    assert_eq!(RawRecord::decode(EXAMPLE.as_bytes()).unwrap(), example());
}

#[test]
fn microseconds_are_kept_and_nothing_finer_written() {
    let record = RawRecord {
        received_at: Timestamp::from_microsecond(1_700_000_000_000_001).unwrap(),
        ..example()
    };
    let json = String::from_utf8(encode(&record)).unwrap();
    assert!(
        json.contains(r#""received_at":"2023-11-14T22:13:20.000001Z""#),
        "{json}"
    );
}

#[test]
fn another_version_is_named_even_when_its_fields_differ() {
    let later = EXAMPLE.replace("\"v\":1", "\"v\":2");
    assert_eq!(
        RawRecord::decode(later.as_bytes()),
        Err(RecordError::UnknownVersion(2))
    );
    assert_eq!(
        RawRecord::decode(br#"{"v":3,"target":"x"}"#),
        Err(RecordError::UnknownVersion(3))
    );
}

#[test]
fn bytes_that_are_no_record_are_told_without_quoting_them() {
    for bytes in [
        &b""[..],
        b"canary",
        b"{\"v\":1}",
        b"[1]",
        b"\xff\xfe",
        EXAMPLE.replace("GET\"", "GET").as_bytes(),
    ] {
        let error = RawRecord::decode(bytes).unwrap_err();
        assert!(matches!(error, RecordError::NotARecord(_)), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let bad_base64 = EXAMPLE.replace(r#"{"utf8":"is_event=N&u1=abc"}"#, r#"{"base64":"!"}"#);
    assert!(matches!(
        RawRecord::decode(bad_base64.as_bytes()),
        Err(RecordError::NotARecord(_))
    ));
}

#[test]
fn plain_texts_are_borrowed_from_the_message() {
    let record = RawRecord::decode(EXAMPLE.as_bytes()).unwrap();
    let Payload::Utf8(query) = record.query else {
        panic!("the query is UTF-8")
    };
    assert!(matches!(query.into_cow(), std::borrow::Cow::Borrowed(_)));
    assert!(matches!(
        record.key.unwrap().into_cow(),
        std::borrow::Cow::Borrowed(_)
    ));
}

/// What `serde_json` makes of a record.
fn by_serde(record: &RawRecord<'_>) -> Vec<u8> {
    struct Headers<'a>(&'a [(Text<'a>, Text<'a>)]);
    impl serde::Serialize for Headers<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
        }
    }
    #[derive(serde::Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Form<'a> {
        Utf8(&'a str),
        Base64(String),
    }
    fn form<'a>(payload: &'a Payload<'_>) -> Form<'a> {
        match payload {
            Payload::Utf8(text) => Form::Utf8(text),
            Payload::Bytes(bytes) => Form::Base64(STANDARD.encode(bytes)),
        }
    }
    #[derive(serde::Serialize)]
    struct Record<'a> {
        v: u64,
        id: Uuid,
        source: &'a str,
        key: Option<&'a str>,
        received_at: String,
        method: &'a str,
        query: Form<'a>,
        content_type: Option<&'a str>,
        body: Option<Form<'a>>,
        remote: Option<&'a str>,
        headers: Headers<'a>,
        via: Via,
    }
    serde_json::to_vec(&Record {
        v: 1,
        id: record.id,
        source: &record.source,
        key: record.key.as_deref(),
        received_at: format!("{:.6}", record.received_at),
        method: &record.method,
        query: form(&record.query),
        content_type: record.content_type.as_deref(),
        body: record.body.as_ref().map(form),
        remote: record.remote.as_deref(),
        headers: Headers(&record.headers),
        via: record.via,
    })
    .unwrap()
}

/// Every kind of character that JSON treats in its own way, at any place.
fn any_text() -> impl Strategy<Value = String> {
    let special = "[\"\\\\/\u{0}-\u{1f}\u{7f}\u{80}\u{2028}\u{10ffff}é]";
    let pieces = prop_oneof!["[ -~]{0,70}", special, ".{0,4}"];
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

fn any_record() -> impl Strategy<Value = RawRecord<'static>> {
    let bytes = || {
        let raw = prop::collection::vec(any::<u8>(), 0..100);
        prop_oneof![any_text().prop_map(String::into_bytes), raw]
    };
    let payload = |bytes: Vec<u8>| match String::from_utf8(bytes) {
        Ok(text) => Payload::Utf8(text.into()),
        Err(error) => Payload::Bytes(error.into_bytes().into()),
    };
    let micros = prop_oneof![
        // From year -9999 to year 9999, and the years that occur.
        Timestamp::MIN.as_microsecond()..=Timestamp::MAX.as_microsecond(),
        0..4_102_444_800_000_000_i64,
    ];
    let via = prop_oneof![Just(Via::Http), Just(Via::Import), Just(Via::Backfill)];
    let text = || any_text().prop_map(Text::from);
    let optional = || prop::option::of(text());
    let head = (any::<u128>(), text(), optional(), micros, text(), via);
    let payloads = (bytes(), optional(), prop::option::of(bytes()), optional());
    let headers = prop::collection::vec((text(), text()), 0..4);
    (head, payloads, headers).prop_map(move |(head, payloads, headers)| {
        let (id, source, key, micros, method, via) = head;
        let (query, content_type, body, remote) = payloads;
        RawRecord {
            id: Uuid::from_u128(id),
            source,
            key,
            received_at: Timestamp::from_microsecond(micros).unwrap(),
            method,
            query: payload(query),
            content_type,
            body: body.map(payload),
            remote,
            headers,
            via,
        }
    })
}

#[test]
fn every_day_is_written_as_the_calendar_has_it() {
    let mut day: Timestamp = "1969-12-28T23:59:59.999999Z".parse().unwrap();
    // Past a leap year that is none (2100), one that is (2400), and the end of the century.
    let last: Timestamp = "2401-03-02T00:00:00Z".parse().unwrap();
    while day < last {
        let record = RawRecord {
            received_at: day,
            ..example()
        };
        let expected = format!("\"received_at\":\"{day:.6}\"");
        let json = String::from_utf8(encode(&record)).unwrap();
        assert!(json.contains(&expected), "{json} has not {expected}");
        day += jiff::SignedDuration::from_hours(24);
    }
}

#[test]
fn every_character_of_one_byte_is_escaped_as_serde_does() {
    for length in [1, 31, 32, 33, 64, 70] {
        for at in 0..length {
            for byte in 0..0x80 {
                let mut text = vec![b'a'; length];
                text[at] = byte;
                let record = RawRecord {
                    query: Payload::of(&text),
                    ..example()
                };
                assert_eq!(encode(&record), by_serde(&record), "{byte:#x} at {at}");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_record_is_written_as_serde_writes_it(record in any_record()) {
        let (ours, theirs) = (encode(&record), by_serde(&record));
        prop_assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap());
    }

    #[test]
    fn any_bytes_survive(query in prop::collection::vec(any::<u8>(), 0..200), body in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)), agent in ".*") {
        let record = RawRecord {
            query: Payload::of(&query),
            body: body.as_deref().map(Payload::of),
            headers: vec![("user-agent".into(), agent.as_str().into())],
            ..example()
        };
        let bytes = encode(&record);
        let read = RawRecord::decode(&bytes).unwrap();
        prop_assert_eq!(read.query.as_bytes(), &query[..]);
        prop_assert_eq!(read.body.as_ref().map(Payload::as_bytes), body.as_deref());
        prop_assert_eq!(read, record);
    }

    #[test]
    fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(RawRecord::decode(&bytes).is_err());
    }
}

#[test]
fn what_is_written_here_is_read_by_hand() {
    let with = |from: &str, to: &str| EXAMPLE.replace(r#"agent \"one\""#, "a").replace(from, to);
    for text in [
        with("", ""),
        with(r#""user-agent":"a""#, ""),
        with(r#""k1""#, "null"),
        with(r#""content_type":null"#, r#""content_type":"text/plain""#),
        with(r#""body":null"#, r#""body":{"utf8":"é"}"#),
        with("\"http\"", "\"backfill\""),
    ] {
        assert!(reading::read(&text).is_some(), "{text}");
    }
    // Left to the general reader, or none.
    for text in [
        with("GET", "\\u0047ET"),
        with("GET", "G\tT"),
        with("\"v\":1", "\"v\":2"),
        with("000000Z", "000Z"),
        with("T00:00:00", "T00:00:60"),
        with("2026-09-01", "2026-09-31"),
        with("\"http\"}", "\"http\"} "),
        with("utf8", "base64"),
        with("\"http\"", "\"other\""),
    ] {
        assert_eq!(reading::read(&text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_read_by_hand_is_what_the_general_reader_says(
        record in any_record(),
        place in any::<prop::sample::Index>(),
        other in prop::sample::select(&b"\"\\{}:,0129aZ-. \x00\x1f\x7f"[..]),
    ) {
        let mut json = encode(&record);
        for is_changed in [false, true] {
            if is_changed {
                let at = place.index(json.len());
                json[at] = other;
            }
            let Ok(text) = str::from_utf8(&json) else { break };
            prop_assert_eq!(RawRecord::read(text), RawRecord::decode(&json));
        }
    }
}
