//! Secrets reach no log, metric, record, table or error. At the end of a run `cargo xtask test`
//! also searches everything that all tests' processes have printed.

use postback_tests::raw::{exchange, request};
use postback_tests::{Setup, pipeline, secret, wait};

use crate::templates::COMPLETE;

#[test]
fn marked_secrets_are_found_nowhere() {
    let password = secret::fresh();
    let running = Setup::new("secrets").source("rakuten-us", COMPLETE).start();
    let ours = &running.pipeline;
    let path = ours.sources[0].path();
    let wrong = secret::fresh();
    let whole =
        "etransaction_id=0123456789abcdef0123456789abcdef&is_event=N&transaction_date=2026-03-14";
    for bytes in [
        request("GET", format!("{path}?{whole}").as_bytes(), "", b""),
        request(
            "GET",
            format!("{path}?{}", "x".repeat(20_000)).as_bytes(),
            "",
            b"",
        ),
        request("PUT", path.as_bytes(), "", b""),
        request("GET", format!("/postback/{wrong}?u1=a").as_bytes(), "", b""),
        request("GET", format!("{path}/deeper?u1=a").as_bytes(), "", b""),
        format!("GET {path}?u1=<raw> HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(),
        format!("GET {path}").into_bytes(),
    ] {
        let answer = exchange(ours.address, &bytes);
        assert!(
            answer.is_none_or(|answer| !answer.text.contains(secret::MARK)),
            "an answer repeats a key"
        );
    }
    // The first of them, and the one with raw < and >.
    ours.wait_until_loaded(2);
    let refusals = "SELECT count() FROM {db}.refusals";
    wait::until_true("the five others left a trace", || {
        ours.database.count(refusals) == 5
    });

    let text = std::fs::read_to_string(ours.configuration()).unwrap();
    let wrong_password = text
        .lines()
        .map(|line| {
            if line.starts_with("password = ") {
                format!("password = \"{password}\"\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect::<String>();
    std::fs::write(ours.configuration(), wrong_password).unwrap();
    for arguments in [
        &["doctor"][..],
        &["report", "summary"],
        &["migrate"],
        &["config", "show"],
        &["source", "show", "rakuten-us"],
    ] {
        let finished = ours.postback(arguments);
        assert!(
            !finished.shown().contains(secret::MARK),
            "{arguments:?} prints a secret"
        );
    }

    let mut seen = vec![running.ingest.output(), running.consumer.output()];
    for admin in [ours.ingest_admin, ours.consumer_admin] {
        seen.extend(
            ["/metrics", "/readyz", "/healthz"].map(|page| pipeline::get(admin, page).unwrap().1),
        );
    }
    for topic in [&ours.topic, &ours.refused_topic] {
        let messages = topic.messages();
        assert!(!messages.is_empty(), "{} was looked at", topic.name());
        let texts = messages.iter();
        seen.extend(texts.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()));
    }
    for table in [
        "postbacks_g1",
        "conversions_g1",
        "refusals_log",
        "generations",
        "schema_migrations",
    ] {
        seen.push(
            ours.database
                .run(&format!("SELECT * FROM {{db}}.{table} FORMAT JSONEachRow")),
        );
    }
    assert!(
        seen.iter().all(|text| !text.is_empty()),
        "every place was looked at"
    );
    for text in seen {
        assert!(
            !text.contains(secret::MARK),
            "a secret was printed or stored"
        );
    }
}
