//! `[kafka.options]`, and what else comes from the environment.

use super::*;

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
