//! `[kafka.options]`, and what else comes from the environment.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::*;

#[test]
fn a_variable_that_is_no_text_is_refused_by_its_name_alone() {
    let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let read = |variables: &[(&str, &[u8])]| {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), os(value)));
        let environment = Environment::of_process(variables);
        read_in(Path::new("postback.toml"), LEAST, environment, |_| {
            Vec::new()
        })
    };
    for name in [
        "POSTBACK__CLICKHOUSE__PASSWORD",
        "POSTBACK__CLICKHOUSE__USER",
        "POSTBACK__CLICKHOUSE__DATABASE",
        "POSTBACK__CLICKHOUSE__PASSWORD_FILE",
        "POSTBACK__KAFKA__OPTIONS__SASL_PASSWORD",
        "POSTBACK__NOTHING__OF__OURS",
    ] {
        let text = read(&[(name, b"canary-5f2d\xe4")]).unwrap_err().to_string();
        let expected =
            format!("1 setting is refused\n  {name}: the value is not UTF-8 [bad_value]");
        assert!(text.contains(&expected) && !text.contains(CANARY), "{text}");
    }
    // What is none of ours may hold what it likes.
    let settings = read(&[("LS_COLORS", b"\xe4"), ("POSTBACK__KAFKA__TOPIC", b"t")]).unwrap();
    assert_eq!(settings.kafka.topic, "t");
}

#[test]
fn a_variable_that_could_mean_either_of_two_sources_is_refused() {
    let source = |name: &str, key: char| {
        let key = key.to_string().repeat(22);
        format!(
            "[[source]]\nname = \"{name}\"\nnetwork = \"rakuten\"\npublisher_id = \"1\"\n[[source.key]]\nkey = \"{key}\"\n"
        )
    };
    let two = format!("{LEAST}{}{}", source("a-b", '1'), source("a_b", '2'));
    assert_eq!(read_with(&two, &[]).unwrap().sources.len(), 3);
    let api = |source: &str| {
        let names = ["BASE_URL", "CLIENT_ID", "CLIENT_SECRET"];
        names.map(|name| format!("POSTBACK__SOURCE__{source}__API__{name}"))
    };
    let set = |names: &[String; 3]| {
        let variables = names.each_ref().map(|name| (name.as_str(), "https://h"));
        read_with(&two, &variables)
    };
    let text = set(&api("A_B")).unwrap_err().to_string();
    let expected = "1 setting is refused\n  source[a_b].api: POSTBACK__SOURCE__A_B__API__… could mean source a-b \
                    as well as source a_b [contradiction]\n    remedy: set [source.api] of both in the file";
    assert!(text.contains(expected), "{text}");
    // Of a third one, it is known whom it means.
    let with_publisher = two.replacen("network", "publisher_id = \"1\"\nnetwork", 1);
    let names = api("RAKUTEN_US");
    let variables = names.each_ref().map(|name| (name.as_str(), "https://h"));
    assert!(
        read_with(&with_publisher, &variables).unwrap().sources[0]
            .api
            .is_some()
    );
}

#[test]
fn a_longest_record_below_what_ingest_takes_is_refused() {
    // 6 * (16,384 + 65,536) + 131,072.
    let longest = 622_592;
    let limit = |text: &str| with_options(&format!("\"message.max.bytes\" = {text}"));
    for good in ["622592", "\"622592\"", "1000000"] {
        assert!(read_with(&limit(good), &[]).is_ok(), "{good}");
    }
    let text = refusal(&limit("622591"), &[]);
    let expected = format!(
        "1 setting is refused\n  kafka.options.\"message.max.bytes\" = \"622591\": a record may have {longest} bytes \
         with ingest.max_query_bytes = 16384 and ingest.max_body_bytes = 65536: "
    );
    assert!(
        text.contains(&expected)
            && text.contains("[contradiction]\n    remedy: remove it, or give at least 622592"),
        "{text}"
    );
    let longer = [("POSTBACK__INGEST__MAX_BODY_BYTES", "65537")];
    assert!(refusal(&limit("622592"), &longer).contains("622598 bytes"));
    // librdkafka reads 262,144, 16 and 900,000 there.
    for unclear in ["\"01000000\"", "\"0x10\"", "\"900000 bytes\"", "\"\""] {
        let text = refusal(&limit(unclear), &[]);
        assert!(
            text.contains(": must be a whole number in plain digits"),
            "{text}"
        );
    }
}

/// The least, with these options.
fn with_options(options: &str) -> String {
    LEAST.replace(
        "[[source]]",
        &format!("[kafka.options]\n{options}\n[[source]]"),
    )
}

#[test]
fn true_and_false_may_come_from_the_environment() {
    let api = |name| format!("POSTBACK__SOURCE__RAKUTEN_US__API__{name}");
    let environment = |heal| {
        [
            (api("BASE_URL"), "https://api.example.com"),
            (api("CLIENT_ID"), "id"),
            (api("CLIENT_SECRET"), "secret"),
            (api("PUBLISHER_ID"), "1"),
            (api("HEAL"), heal),
        ]
    };
    let read = |heal| {
        let environment = environment(heal);
        let environment = environment.each_ref().map(|(k, v)| (k.as_str(), *v));
        read_with(LEAST, &environment)
    };
    for (written, expected) in [("true", true), ("false", false)] {
        let settings = read(written).unwrap();
        assert_eq!(settings.sources[0].api.as_ref().unwrap().heal, expected);
    }
    let text = read("yes").unwrap_err().to_string();
    assert!(
        text.contains(
            "RAKUTEN_US__API__HEAL = \"yes\": must be true or false [wrong_type]\n    remedy: write true or false, in small letters"
        ),
        "{text}"
    );
}

#[test]
fn a_secret_option_given_both_ways_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, CANARY).unwrap();
    let path = file.to_str().unwrap();
    let plain = "\"sasl.password\" = \"x\"\n".to_owned();
    let in_file = format!("\"sasl.password_file\" = {path:?}\n");
    let from_outside = ("POSTBACK__KAFKA__OPTIONS__SASL_PASSWORD", "y");
    let file_from_outside = ("POSTBACK__KAFKA__OPTIONS__SASL_PASSWORD_FILE", path);
    for (options, environment) in [
        (plain.clone() + &in_file, vec![]),
        (in_file.clone(), vec![from_outside]),
        (plain.clone(), vec![file_from_outside]),
        (String::new(), vec![from_outside, file_from_outside]),
    ] {
        let text = refusal(&with_options(&options), &environment);
        assert!(
            text.contains("1 setting is refused")
                && text.contains("is given as well [contradiction]")
                && !text.contains(CANARY),
            "{text}"
        );
    }
    // The environment wins over the file where the key is the same.
    let settings = read_with(&with_options(&plain), &[from_outside]).unwrap();
    assert_eq!(settings.kafka.options["sasl.password"].expose(), "y");
}

#[test]
fn a_second_name_of_an_option_stands_for_the_first() {
    let options = with_options(
        "\"queue.buffering.max.ms\" = 7\n\"max.in.flight.requests.per.connection\" = 3",
    );
    let options = read_with(&options, &[]).unwrap().kafka.options;
    assert_eq!(options["linger.ms"].expose(), "7");
    assert_eq!(options["max.in.flight"].expose(), "3");
    let twice = with_options("\"queue.buffering.max.ms\" = 7\n\"linger.ms\" = 3");
    let text = refusal(&twice, &[]);
    assert!(
        text.contains(
            "kafka.options.\"queue.buffering.max.ms\": kafka.options.\"linger.ms\" is given as well"
        ),
        "{text}"
    );
}

#[test]
fn options_with_which_a_promise_breaks_are_refused_and_others_are_not() {
    for option in [
        "acks",
        "auto.commit.enable",
        "enable.auto.offset.store",
        "enable.gapless.guarantee",
        "enable.idempotence",
        "enable.partition.eof",
        "group.protocol",
        "internal.termination.signal",
        "message.send.max.retries",
        "message.timeout.ms",
        "offset.store.method",
        "partition.assignment.strategy",
        "plugin.library.paths",
        "retries",
        "test.mock.num.brokers",
        "topic.blacklist",
        "transactional.id",
    ] {
        let text = refusal(&with_options(&format!("\"{option}\" = \"1\"")), &[]);
        let expected = format!("kafka.options.\"{option}\": cannot be set");
        assert!(
            text.contains(&expected) && text.contains("remedy: remove it"),
            "{text}"
        );
    }
    let needed = "\"security.protocol\" = \"sasl_ssl\"\n\"ssl.ca.location\" = \"ca.pem\"\n\
                  \"sasl.mechanism\" = \"PLAIN\"\n\"socket.keepalive.enable\" = true\n\
                  \"client.dns.lookup\" = \"use_all_dns_ips\"\n\"client.rack\" = \"r1\"\n\
                  \"broker.address.ttl\" = 1000\n\"client.id\" = \"x\"\n\"debug\" = \"broker\"\n\
                  \"message.max.bytes\" = 900000\n\"isolation.level\" = \"read_committed\"\n";
    let settings = read_with(&with_options(needed), &[]).unwrap();
    assert_eq!(settings.kafka.options.len(), 11);
}

#[test]
fn an_option_that_names_a_file_itself_can_come_from_the_environment() {
    let environment = [(
        "POSTBACK__KAFKA__OPTIONS__SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_FILE",
        "key.pem",
    )];
    let options = read_with(LEAST, &environment).unwrap().kafka.options;
    let file = &options["sasl.oauthbearer.assertion.private.key.file"];
    assert_eq!(file.expose(), "key.pem");
}

#[test]
fn the_mark_of_a_hidden_option_is_refused() {
    let text = refusal(&with_options("\"sasl.password\" = \"[hidden]\""), &[]);
    assert!(
        text.contains("\"sasl.password\": [hidden] is what is printed"),
        "{text}"
    );
}
