use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::run::{AWAY, Place};

#[test]
fn sources_and_settings_are_shown_without_secrets() {
    let place = Place::with(AWAY).set("POSTBACK__CLICKHOUSE__PASSWORD", "CANARY");
    let text = [
        place.run(&["config", "check"]),
        place.run(&["config", "show"]),
        place.run(&["config", "show", "-o", "csv"]),
        place.run(&["source", "ls"]),
        place.run(&["source", "ls", "-o", "json"]),
        place.run(&["source", "show", "rakuten-us"]),
        place.run(&["source", "show", "rakuten-us", "-o", "jsonl", "-q"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_secret_of_a_template_or_a_url_is_shown_nowhere() {
    let more = "&Token=CANARYtok&s%69g=CANARYsig\"";
    let masked = "&cid=7&is_event=<is_event>&tid=<etransaction_id>&ordered=<transaction_date>&type=<transaction_type>&x=<shoe_size>&Token=[hidden]&s%69g=[hidden]";
    let place = Place::with(&AWAY.replace("<shoe_size>\"", &format!("<shoe_size>{more}")));
    // `run` looks for the canaries.
    for form in ["table", "json", "csv"] {
        let shown = place.run(&["config", "show", "-o", form]);
        assert!(shown.contains(masked), "{shown}");
    }
    let keys =
        "&fwd=https%3A%2F%2Fy%2Fpostback%2FCANARY-of-another&own=x%2FCANARY-0123456789abcdef";
    let place = Place::with(&AWAY.replace("<shoe_size>\"", &format!("<shoe_size>{keys}\"")));
    for words in [
        ["config", "show"].as_slice(),
        &["source", "show", "rakuten-us"],
    ] {
        for form in ["table", "json"] {
            let shown = place.run(&[words, &["-o", form]].concat());
            assert!(shown.contains("&fwd=[hidden]&own=[hidden]"), "{shown}");
        }
    }
    let public = AWAY.replace(
        "https://pb.example.com\"",
        "https://u:CANARYpw@pb.example.com\"",
    );
    let api = format!(
        "{AWAY}[source.api]\nbase_url = \"http://u:CANARYpw@127.0.0.1:1\"\ntoken_path = \"/token?secret=CANARY\"\n"
    );
    for configuration in [public, api] {
        let place = Place::with(&configuration);
        for form in ["table", "json"] {
            let shown = place.run(&["config", "check", "-o", form]);
            assert!(shown.ends_with("--- exit 2\n"), "{shown}");
        }
    }
}

#[test]
fn an_option_that_librdkafka_does_not_know_is_shown_nowhere() {
    // `run` looks for the canary.
    let in_file = AWAY.replace(
        "[clickhouse]",
        "[kafka.options]\n\"sasl.pasword\" = \"CANARY\"\n[clickhouse]",
    );
    let in_file = Place::with(&in_file);
    let from_outside = Place::with(AWAY).set("POSTBACK__KAFKA__OPTIONS__SASL_PASWORD", "CANARY");
    for place in [in_file, from_outside] {
        for command in ["show", "check"] {
            for form in ["table", "json", "csv"] {
                let shown = place.run(&["config", command, "-o", form]);
                assert!(
                    shown.ends_with("--- exit 2\n") && shown.contains("sasl.pasword"),
                    "{shown}"
                );
            }
        }
    }
}

#[test]
fn a_configuration_from_a_pipe_is_read_once() {
    for command in ["check", "show"] {
        let place = Place::with("");
        let mut command = place.command(&["-c", "/dev/stdin", "config", command]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(AWAY.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words}");
    }
}

fn new_key(place: &Place, arguments: &[&str]) -> Value {
    let all = [&["source", "key", "new", "-o", "json"], arguments].concat();
    let output = place.command(&all).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let whole: Value = serde_json::from_slice(&output.stdout).unwrap();
    whole["rows"][0].clone()
}

#[test]
fn a_new_key_is_random_and_goes_with_its_hash() {
    let place = Place::with(AWAY);
    let (one, two) = (new_key(&place, &["--name", "k2"]), new_key(&place, &[]));
    let key = one["key"].as_str().unwrap();
    assert_ne!(key, two["key"].as_str().unwrap());
    // 256 bits in base64 without padding.
    assert_eq!(key.len(), 43);
    assert!(
        key.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
        "{key}"
    );
    let hash: String = Sha256::digest(key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(one["sha256"], hash);
    assert_eq!(one["url"], format!("https://pb.example.com/postback/{key}"));
    let block = format!("[[source.key]]\nname = \"k2\"\nsha256 = \"{hash}\"\n");
    assert_eq!(one["toml"], block);
    assert_eq!(two["name"], "k1");
}

#[test]
fn the_url_is_known_while_a_new_source_has_no_key_yet() {
    let new = "[[source]]\nname = \"new\"\nnetwork = \"impact\"\n";
    let place = Place::with(&format!("{AWAY}{new}"));
    assert!(place.run(&["config", "check"]).ends_with("--- exit 2\n"));
    let made = new_key(&place, &[]);
    let key = made["key"].as_str().unwrap();
    assert_eq!(
        made["url"],
        format!("https://pb.example.com/postback/{key}")
    );
    let shown = place.run(&["source", "key", "new"]);
    assert!(!shown.contains("YOUR-HOST"), "{shown}");
}

#[test]
fn a_key_can_be_made_before_there_is_a_configuration() {
    let place = Place::with("[kafka]\n");
    assert_eq!(new_key(&place, &[])["url"], Value::Null);
    let shown = place.run(&["source", "key", "new"]);
    assert!(shown.contains("https://YOUR-HOST/postback/"), "{shown}");
    let why = "ingest.public_url is not configured: put your host";
    assert!(shown.contains(why), "{shown}");
    let broken = Place::with("[kafka\n").run(&["source", "key", "new"]);
    let why = "ingest.public_url is not known (postback.toml: no valid TOML at line 1";
    assert!(broken.contains(why), "{broken}");
    let bad = Place::with("[ingest]\npublic_url = 3\n").run(&["source", "key", "new"]);
    let why = "ingest.public_url is refused (`postback config check` says why): put your host";
    assert!(bad.contains(why), "{bad}");
    let shown = place.run(&["source", "key", "new", "--name", "K 2"]);
    assert!(
        shown.contains("'K 2'") && shown.ends_with("--- exit 2\n"),
        "{shown}"
    );
}
