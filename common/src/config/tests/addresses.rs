//! Where servers are said to be.

use super::*;

const BROKERS: &str = "brokers = \"127.0.0.1:9092\"";

#[test]
fn a_broker_is_a_host_with_a_port() {
    let read = |brokers: &str| {
        read_with(
            &LEAST.replace(BROKERS, &format!("brokers = {brokers}")),
            &[],
        )
    };
    for (given, expected) in [
        ("[\"a:1,b:2\", \" c:3\"]", &["a:1", "b:2", "c:3"][..]),
        (
            "\"kafka, [::1]:9092, ::1\"",
            &["kafka", "[::1]:9092", "::1"],
        ),
        (
            "\"SASL_SSL://b-1.example.com:9096\"",
            &["SASL_SSL://b-1.example.com:9096"],
        ),
    ] {
        assert_eq!(read(given).unwrap().kafka.brokers, expected, "{given}");
    }
    for given in ["[\"\"]", "\"\"", "[]", "\",\""] {
        let text = read(given).unwrap_err().to_string();
        assert!(
            text.contains("1 setting is refused\n  kafka.brokers: must be given"),
            "{text}"
        );
    }
    for (broker, expected) in [
        ("a:1;b:2", "has a host that no client"),
        // A 16-bit number would be 34,463.
        ("127.0.0.1:99999", "has a port that is no number"),
        ("kafka:", "has a port that is no number"),
        ("kafka:0", "has a port that is no number"),
        (":9092", "names no host"),
    ] {
        let text = read(&format!("[\"good:1\", {broker:?}]"))
            .unwrap_err()
            .to_string();
        let expected = format!("1 setting is refused\n  kafka.brokers = {broker:?}: {expected}");
        assert!(text.contains(&expected), "{text}");
    }
    // What looks like a URL may hold a password.
    for (broker, expected) in [
        (
            format!("http://kafka:9092/{CANARY}"),
            "is a URL, which no broker has",
        ),
        (
            format!("me:{CANARY}@kafka:9092"),
            "has a host that no client",
        ),
        (
            format!("a;{CANARY},b@kafka:9092"),
            "has a host that no client",
        ),
        (format!("SSL://{CANARY};"), "has a host that no client"),
        ("SSL://".to_owned(), "names no host"),
    ] {
        let text = read(&format!("{broker:?}")).unwrap_err().to_string();
        let expected = format!("\n  kafka.brokers: {expected}");
        assert!(text.contains(&expected) && !text.contains(CANARY), "{text}");
    }
}

#[test]
fn a_server_that_no_client_can_connect_to_is_refused() {
    for (variable, value) in [
        ("POSTBACK__CLICKHOUSE__URL", "http://h:99999"),
        ("POSTBACK__CLICKHOUSE__URL", "https://a:1,b:2"),
        ("POSTBACK__WATCH__WEBHOOK_URL", "http://h:99999/x"),
        ("POSTBACK__WATCH__WEBHOOK_URL", "https://a b/x"),
    ] {
        let text = refusal(LEAST, &[(variable, value)]);
        let key = match variable {
            "POSTBACK__CLICKHOUSE__URL" => "clickhouse.url",
            _ => "watch.webhook_url",
        };
        let expected = format!("1 setting is refused\n  {key}: ");
        assert!(
            text.contains(&expected) && text.contains("[bad_value]"),
            "{text}"
        );
    }
    let text = refusal(
        &with_api("publisher_id = \"1\"\nbase_url = \"https://h:99999\""),
        &[],
    );
    assert!(
        text.contains("1 setting is refused\n  source[rakuten-us].api.base_url: has a port"),
        "{text}"
    );
}

#[test]
fn what_no_header_can_carry_is_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    for (password, is_good) in [
        (format!("{CANARY} \t\u{e4}\n"), true),
        (format!("{CANARY}\r\n"), true),
        (format!("{CANARY}\n\n"), false),
        (format!("{CANARY}\nand more\n"), false),
        (format!("{CANARY}\u{7f}"), false),
    ] {
        std::fs::write(&file, &password).unwrap();
        let in_file = [(
            "POSTBACK__CLICKHOUSE__PASSWORD_FILE",
            file.to_str().unwrap(),
        )];
        let read = read_with(LEAST, &in_file).map_err(|error| error.to_string());
        assert_eq!(read.is_ok(), is_good, "{password:?} {read:?}");
        if let Err(text) = read {
            let expected =
                "1 setting is refused\n  clickhouse.password: has a line feed or another";
            assert!(text.contains(expected) && !text.contains(CANARY), "{text}");
        }
    }
    let text = refusal(LEAST, &[("POSTBACK__CLICKHOUSE__USER", "a\nb")]);
    assert!(
        text.contains("CLICKHOUSE__USER = \"a\\nb\": has a line feed"),
        "{text}"
    );
}

#[test]
fn a_header_named_twice_is_recorded_once() {
    let lines = "[ingest]\nrecord_headers = [\"User-Agent\", \"referer\", \"user-agent\"]";
    let settings = read_with(&with(lines), &[]).unwrap();
    assert_eq!(settings.ingest.record_headers, ["user-agent", "referer"]);
}

#[test]
fn the_url_of_clickhouse_is_scheme_host_and_port() {
    let url = |url: &str| with(&format!("[clickhouse]\nurl = '{url}'"));
    for wrong in [
        "h:8123",
        "ftp://h",
        "http://",
        "http://h/x",
        "http://h?x",
        "http://h#x",
        "http://a b",
        "http://u@h",
    ] {
        let refused = refusal(&url(wrong), &[]);
        assert!(refused.contains("clickhouse.url"), "{wrong}: {refused}");
    }
    for right in ["http://h", "https://h:8443/", "http://[::1]:8123"] {
        assert!(read_with(&url(right), &[]).is_ok(), "{right}");
    }
}
