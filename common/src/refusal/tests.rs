use super::*;

/// Written by hand.
const EXAMPLE: &str = r#"{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","refused_at":"2026-09-01T00:00:00.000000Z","reason":"not_found","status":404,"source":null,"key":null,"method":"GET","path":"/postback/[43 characters, sha256 1a2b3c4d]","query":"u1=abc&sku=\"1\"","query_bytes":15,"remote":"203.0.113.7","user_agent":null,"cut":["path"],"suppressed":7}"#;

fn example() -> RefusalRecord<'static> {
    RefusalRecord {
        id: "01a05a43-fc00-7f54-8d8e-0023af5570ee".parse().unwrap(),
        refused_at: "2026-09-01T00:00:00Z".parse().unwrap(),
        reason: "not_found".into(),
        status: 404,
        source: None,
        key: None,
        method: Some("GET".into()),
        path: Some("/postback/[43 characters, sha256 1a2b3c4d]".into()),
        query: Some("u1=abc&sku=\"1\"".into()),
        query_bytes: 15,
        remote: "203.0.113.7".into(),
        user_agent: None,
        cut: vec!["path".into()],
        suppressed: 7,
    }
}

#[test]
fn the_contracts_example_is_written_to_the_letter_and_read_back() {
    assert_eq!(String::from_utf8(example().encode()).unwrap(), EXAMPLE);
    assert_eq!(RefusalRecord::decode(EXAMPLE.as_bytes()), Ok(example()));
}

#[test]
fn every_optional_field_survives() {
    let full = RefusalRecord {
        refused_at: Timestamp::from_microsecond(1_700_000_000_000_001).unwrap(),
        source: Some("shop".into()),
        key: Some("k1".into()),
        user_agent: Some("agent \u{fffd}\u{1}".into()),
        ..example()
    };
    assert_eq!(RefusalRecord::decode(&full.encode()), Ok(full));
    let bare = RefusalRecord {
        method: None,
        path: None,
        query: None,
        cut: vec![],
        ..example()
    };
    assert_eq!(RefusalRecord::decode(&bare.encode()), Ok(bare));
}

#[test]
fn other_versions_and_other_bytes_are_told_without_quoting_them() {
    let later = EXAMPLE.replace("\"v\":1", "\"v\":2");
    let read = RefusalRecord::decode(later.as_bytes());
    assert_eq!(read, Err(RecordError::UnknownVersion(2)));
    let read = RefusalRecord::decode(br#"{"v":3}"#);
    assert_eq!(read, Err(RecordError::UnknownVersion(3)));
    for bytes in [&b""[..], b"canary", b"{\"v\":1}", b"\xff", b"[\"canary\"]"] {
        let error = RefusalRecord::decode(bytes).unwrap_err();
        assert!(matches!(error, RecordError::NotARecord(_)), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
