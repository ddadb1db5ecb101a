//! A configuration with a typo: every binary refuses it with the same words and exit code 2.

use postback_stack::Launch;
use postback_tests::program::binary;
use postback_tests::{Setup, secret, wait};

use crate::templates::COMPLETE;

#[test]
fn a_typo_is_refused_by_every_binary_with_key_and_remedy() {
    let pipeline = Setup::new("typo")
        .source("rakuten-us", COMPLETE)
        .lines("ingest", "anser_within_ms = 300")
        .prepare();
    let expected = "ingest.anser_within_ms: there is no such setting [unknown_key]\n    remedy: did you mean `answer_within_ms`?";
    for (binary, arguments) in [
        ("postback-ingest", &["--check-config"][..]),
        ("postback-ingest", &[]),
        ("postback-consumer", &["--check-config"]),
        ("postback-consumer", &[]),
        ("postback", &["config", "check"]),
        ("postback", &["report", "summary"]),
    ] {
        let finished = pipeline.run(binary, arguments);
        assert_eq!(
            finished.code,
            2,
            "{binary} {arguments:?}: {}",
            finished.shown()
        );
        assert!(
            finished.stderr.contains(expected),
            "{binary} {arguments:?}: {}",
            finished.shown()
        );
        assert_eq!(finished.stdout, "", "{binary} {arguments:?}");
    }
}

#[test]
fn a_good_configuration_is_shown_without_its_secrets() {
    let pipeline = Setup::new("shown").source("rakuten-us", COMPLETE).prepare();
    for (binary, arguments) in [
        ("postback-ingest", &["--check-config"][..]),
        ("postback-consumer", &["--check-config"]),
        ("postback", &["config", "show"]),
    ] {
        let finished = pipeline.run(binary, arguments);
        assert_eq!(finished.code, 0, "{}", finished.shown());
        assert!(
            finished.stdout.contains("answer_within_ms = 60000"),
            "{}",
            finished.shown()
        );
        assert!(finished.stdout.contains("[hidden]"), "{}", finished.shown());
        assert!(
            !finished.stdout.contains(&pipeline.sources[0].key),
            "{binary} shows the key"
        );
    }
}

#[test]
fn a_template_that_cannot_be_read_or_serve_its_identity_is_refused() {
    let cases = [
        ("u1=<u1>", "", "is_event"),
        (
            "is_event=<is_event>&u1=<u1>",
            "identity = \"transaction_id\"",
            "etransaction_id",
        ),
    ];
    for (template, lines, named) in cases {
        let pipeline = Setup::new("bad_template")
            .source("rakuten-us", template)
            .lines("source", lines)
            .prepare();
        for (binary, arguments) in [
            ("postback-consumer", &["--check-config"][..]),
            ("postback", &["config", "check"]),
        ] {
            let finished = pipeline.run(binary, arguments);
            assert_eq!(finished.code, 2, "{}", finished.shown());
            assert!(
                finished.stderr.contains(named) && finished.stderr.contains("remedy"),
                "{}",
                finished.shown()
            );
        }
    }
}

#[test]
fn sources_are_read_again_on_sighup_and_a_bad_file_changes_nothing() {
    let mut running = Setup::new("reload").source("rakuten-us", COMPLETE).start();
    let pipeline = &mut running.pipeline;
    let status = |pipeline: &postback_tests::Pipeline, path: &str| {
        let bytes = postback_tests::raw::request("HEAD", path.as_bytes(), "", b"");
        postback_tests::raw::exchange(pipeline.address, &bytes)
            .unwrap()
            .status
    };
    let old = pipeline.sources[0].path();
    assert_eq!(status(pipeline, &old), 200);

    let good = std::fs::read_to_string(pipeline.configuration()).unwrap();
    std::fs::write(
        pipeline.configuration(),
        good.replace("network = ", "netwrok = "),
    )
    .unwrap();
    running.ingest.signal(rustix::process::Signal::HUP);
    postback_tests::wait::until_true("the refusal is logged", || {
        running.ingest.output().contains("netwrok")
    });
    assert_eq!(status(pipeline, &old), 200, "the old sources stay");

    pipeline.sources[0].key = postback_tests::secret::fresh();
    pipeline.write_configuration();
    running.ingest.signal(rustix::process::Signal::HUP);
    let new = pipeline.sources[0].path();
    postback_tests::wait::until_true("the new key works", || status(pipeline, &new) == 200);
    assert_eq!(status(pipeline, &old), 404, "the old key is gone");
}

#[test]
fn ingests_doors_are_shown_by_every_binary_and_their_password_by_none() {
    let password = secret::fresh();
    let access = format!(
        "allow_from = [\"192.0.2.0/24\", \"::1\"]\nbasic_auth = {{ user = \"network\", password = \"{password}\" }}"
    );
    let pipeline = Setup::new("doors")
        .source("rakuten-us", COMPLETE)
        .lines("source", &access)
        .lines("ingest", "trusted_proxies = \"10.0.0.0/8\"")
        .prepare();
    for (binary, arguments) in [
        ("postback-ingest", &["--check-config"][..]),
        ("postback-consumer", &["--check-config"]),
        ("postback", &["config", "show"]),
    ] {
        let shown = pipeline.run(binary, arguments).shown();
        for line in [
            "exit code: 0",
            "trusted_proxies = [\"10.0.0.0/8\"]",
            "allow_from = [\"192.0.2.0/24\", \"::1\"]",
            "user = \"network\"\npassword = \"[hidden]\"",
        ] {
            assert!(shown.contains(line), "{binary}: {line}: {shown}");
        }
        assert!(!shown.contains(&password), "{binary} shows the password");
    }
    let shown = pipeline.postback(&["source", "show", "rakuten-us"]).shown();
    assert!(shown.contains("192.0.2.0/24, ::1"), "{shown}");
    assert!(shown.contains("user network, password [hidden]"), "{shown}");
    assert!(!shown.contains(&password), "the password is shown");
}

#[test]
fn a_certificate_that_is_not_there_stops_ingest_alone() {
    let tls = "tls = { cert_file = \"/nowhere/cert.pem\", key_file = \"/nowhere/key.pem\" }";
    let pipeline = Setup::new("no_certificate")
        .source("rakuten-us", COMPLETE)
        .lines("ingest", tls)
        .prepare();
    for (binary, arguments, code) in [
        ("postback-ingest", &["--check-config"][..], 2),
        ("postback-ingest", &[], 2),
        ("postback-consumer", &["--check-config"], 0),
        ("postback", &["config", "check"], 0),
    ] {
        let finished = pipeline.run(binary, arguments);
        assert_eq!(finished.code, code, "{binary}: {}", finished.shown());
        let words = "ingest.tls.cert_file = \"/nowhere/cert.pem\": No such file or directory";
        assert_eq!(
            finished.stderr.contains(words),
            code == 2,
            "{}",
            finished.shown()
        );
    }
}

#[test]
fn options_that_librdkafka_refuses_are_said_before_the_start() {
    let options = "[kafka.options]\n\"socket.timeout.ms\" = 1\n\"sasl.pasword\" = \"canary\"";
    let pipeline = Setup::new("options")
        .source("rakuten-us", COMPLETE)
        .lines("kafka", options)
        .prepare();
    for (binary, arguments) in [
        ("postback-ingest", &["--check-config"][..]),
        ("postback-ingest", &[]),
        ("postback-consumer", &["--check-config"]),
        ("postback-consumer", &[]),
        ("postback", &["config", "check"]),
    ] {
        let finished = pipeline.run(binary, arguments);
        let shown = finished.shown();
        assert_eq!(finished.code, 2, "{binary} {arguments:?}: {shown}");
        for line in [
            "2 settings are refused\n",
            "  kafka.options.\"sasl.pasword\": No such configuration property",
            "  kafka.options.\"socket.timeout.ms\" = \"1\": ",
        ] {
            let is_said = finished.stderr.contains(line);
            assert!(is_said, "{binary} {arguments:?}: {line}: {shown}");
        }
        assert!(!shown.contains("canary"), "{binary} {arguments:?}: {shown}");
    }
}

#[test]
fn what_postback_and_what_librdkafka_refuse_is_said_at_once() {
    let options = "[kafka.options]\nacks = \"1\"\nnonsense = 3";
    let pipeline = Setup::new("all_options")
        .source("rakuten-us", COMPLETE)
        .lines("kafka", options)
        .lines("ingest", "max_in_flight = 0")
        .prepare();
    for (binary, arguments) in [
        ("postback-ingest", &["--check-config"][..]),
        ("postback-consumer", &["--check-config"]),
        ("postback", &["config", "check"]),
    ] {
        let finished = pipeline.run(binary, arguments);
        let shown = finished.shown();
        assert_eq!(finished.code, 2, "{binary}: {shown}");
        for line in [
            "3 settings are refused\n",
            "  kafka.options.\"acks\": cannot be set [bad_value]",
            "  ingest.max_in_flight = 0: must be a whole number from 1 to 1000000",
            "  kafka.options.\"nonsense\": No such configuration property",
        ] {
            assert!(finished.stderr.contains(line), "{binary}: {line}: {shown}");
        }
    }
}

#[test]
fn a_spool_without_room_for_one_record_is_refused_by_every_binary() {
    let pipeline = Setup::new("small_spool")
        .source("rakuten-us", COMPLETE)
        .lines(
            "ingest",
            "spool_dir = \"spool\"\nspool_max_bytes = 1048576\nmax_body_bytes = 262144",
        )
        .prepare();
    for (binary, arguments) in [
        ("postback-ingest", &["--check-config"][..]),
        ("postback-ingest", &[]),
        ("postback-consumer", &["--check-config"]),
        ("postback", &["config", "check"]),
        ("postback", &["doctor"]),
    ] {
        let finished = pipeline.run(binary, arguments);
        let shown = finished.shown();
        assert_eq!(finished.code, 2, "{binary} {arguments:?}: {shown}");
        for words in [
            "ingest.spool_max_bytes = 1048576: has no room for one record",
            // 6 * (16,384 + 262,144) + 131,072 + 1,024
            "remedy: give at least 1803264,",
        ] {
            let is_said = finished.stderr.contains(words);
            assert!(is_said, "{binary} {arguments:?}: {words}: {shown}");
        }
    }
}

#[test]
fn a_log_filter_that_cannot_be_followed_is_told_and_the_default_holds() {
    const MISSPELT: &str = "export RUST_LOG=infoo; exec \"$0\" \"$@\"";
    let pipeline = Setup::new("log_filter")
        .source("rakuten-us", COMPLETE)
        .prepare();
    let start = |more: &'static str| {
        pipeline.start_ingest_by(|name, arguments| {
            Launch::new("sh")
                .args(["-c", MISSPELT])
                .args([binary(name)])
                .args(arguments)
                .args(Some(more).filter(|more| !more.is_empty()))
        })
    };
    let words = "RUST_LOG is not followed, \\\"info\\\" holds: ";
    let ingest = start("");
    wait::until_true("it listens", || ingest.output().contains("listening"));
    let said = ingest.output();
    assert!(said.contains(words) && said.contains("\"WARN\""), "{said}");
    assert_eq!(ingest.terminate(), 0);

    let log = pipeline.log("postback-ingest");
    assert_eq!(start("--check-config").exit_code(), 0);
    let said = std::fs::read_to_string(log).unwrap();
    let words = "warning: RUST_LOG is not followed, \"info\" holds: \"infoo\" is no level";
    assert!(said.contains(words), "{said}");
}

#[test]
fn fewer_connections_than_configured_are_told_with_what_to_do() {
    const FEW_FILES: &str = "ulimit -n 1000; exec \"$0\" \"$@\"";
    let pipeline = Setup::new("open_files")
        .source("rakuten-us", COMPLETE)
        .prepare();
    let ingest = pipeline.start_ingest_by(|name, arguments| {
        Launch::new("sh")
            .args(["-c", FEW_FILES])
            .args([binary(name)])
            .args(arguments)
    });
    wait::until_true("it listens", || ingest.output().contains("listening"));
    let said = ingest.output();
    let line = said.lines().find(|line| line.contains("fewer connections"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    for part in [
        "\"WARN\"",
        "\"max_connections\":10000",
        // 128 are for itself, 128 for who is turned away.
        "\"connections\":744",
        "\"open_files\":1000",
        "let the process open 10256 files (LimitNOFILE=",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(ingest.terminate(), 0);

    // Where they fit, nothing is said.
    let enough = Setup::new("open_files_enough")
        .source("rakuten-us", COMPLETE)
        .lines("ingest", "max_connections = 100")
        .prepare();
    let ingest = enough.start_ingest();
    wait::until_true("it listens", || ingest.output().contains("listening"));
    let said = ingest.output();
    assert!(!said.contains("fewer connections"), "{said}");
    assert_eq!(ingest.terminate(), 0);
}
