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

proptest! {
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
