//! Sources whose configuration changes while they run, and one of a network of somebody's own.

use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::program::Program;
use postback_tests::{Setup, secret, wait};
use rustix::process::Signal;
use serde_json::Value;

use crate::templates::{COMPLETE, swapped};

fn sale(number: u32) -> String {
    format!(
        "etransaction_id={number:032}&is_event=N&order_id=o{number}&transaction_date=2026-09-01T10:00:00Z&sale_amount=10.00&commissions=1.00&currency=USD&u1=click{number}&sku_number=sku{number}"
    )
}

fn get(pipeline: &Pipeline, query: &str) {
    let path = pipeline.sources[0].path();
    let url = format!("http://{}{path}?{query}", pipeline.address);
    assert_eq!(ureq::get(&url).call().unwrap().status().as_u16(), 200);
}

/// Changes the text of the configuration file.
fn rewrite(pipeline: &Pipeline, change: impl FnOnce(String) -> String) {
    let file = pipeline.configuration();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, change(text)).unwrap();
}

fn orders_and_clicks(pipeline: &Pipeline) -> Vec<(String, String)> {
    let rows = pipeline
        .database
        .rows("SELECT order_id, click_id FROM {db}.conversions ORDER BY order_id");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(&row["order_id"]), text(&row["click_id"])))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
    expected.iter().map(owned).collect()
}

fn template(pipeline: &Pipeline, query: &str) -> String {
    let key = &pipeline.sources[0].key;
    format!("[[source.template]]\nurl = \"https://pb.example/postback/{key}?{query}\"\n")
}

#[test]
fn a_template_with_a_new_marker_is_used_at_once() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("new_marker")
        .source("rakuten-us", COMPLETE)
        .start();
    get(&pipeline, &sale(1));
    pipeline.wait_until_loaded(1);
    let more = template(&pipeline, &format!("{}&pbt=2", swapped()));
    rewrite(&pipeline, |text| text + &more);
    consumer.signal(Signal::HUP);
    wait::until_true("the consumer has read it", || {
        consumer.output().contains("sources reloaded")
    });
    get(&pipeline, &format!("{}&pbt=2", sale(2)));
    get(&pipeline, &sale(3));
    pipeline.wait_until_loaded(3);
    let expected = [("o1", "click1"), ("o2", "sku2"), ("o3", "click3")];
    assert_eq!(orders_and_clicks(&pipeline), pairs(&expected));
    let flagged = "SELECT count() FROM {db}.conversions WHERE has(flags, 'unknown_marker')";
    assert_eq!(pipeline.database.count(flagged), 0);
    let listed = pipeline.json(&["generation", "ls", "--all"]);
    assert_eq!(listed["rows"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

#[test]
fn a_new_template_with_a_time_reads_nothing_but_what_names_it() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("new_marker_with_time")
        .source("rakuten-us", &format!("{COMPLETE}&pbt=1"))
        .start();
    get(&pipeline, &sale(1));
    pipeline.wait_until_loaded(1);
    let more = template(&pipeline, &format!("{}&pbt=2", swapped()));
    let more = more.replace("url =", "valid_from = 2020-01-01\nurl =");
    rewrite(&pipeline, |text| text + &more);
    consumer.signal(Signal::HUP);
    wait::until_true("the consumer names the source", || {
        consumer
            .output()
            .contains("goes on being loaded by its own")
    });
    get(&pipeline, &sale(2));
    get(&pipeline, &format!("{}&pbt=2", sale(3)));
    pipeline.wait_until_loaded(3);
    let expected = [("o1", "click1"), ("o2", "click2"), ("o3", "sku3")];
    assert_eq!(orders_and_clicks(&pipeline), pairs(&expected));
    assert_eq!(consumer.terminate(), 0);
    wait::until_true("it is accepted once the group is empty", || {
        let accepted = pipeline.postback(&["generation", "accept", "rakuten-us"]);
        accepted.code == 0
    });
    let consumer = pipeline.start_consumer();
    get(&pipeline, &sale(4));
    pipeline.wait_until_loaded(4);
    let (_, last) = orders_and_clicks(&pipeline).pop().unwrap();
    assert_eq!(last, "sku4");
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

#[test]
fn a_first_template_changes_nothing_and_what_to_do_is_told() {
    let pipeline = Setup::new("first_template")
        .source("rakuten-us", COMPLETE)
        .prepare();
    let whole = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let none = whole
        .split("[[source.template]]")
        .next()
        .unwrap()
        .to_owned();
    rewrite(&pipeline, |_| none);
    pipeline.migrate();
    let ingest = pipeline.start_ingest();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    get(&pipeline, &sale(1));
    pipeline.wait_until_loaded(1);

    let first = template(&pipeline, &format!("{}&pbt=2", swapped()));
    rewrite(&pipeline, |text| text + &first);
    consumer.signal(Signal::HUP);
    wait::until_true("the consumer names the source", || {
        consumer
            .output()
            .contains("goes on being loaded by its own")
    });
    let told = consumer.output();
    for remedy in ["postback generation accept", "postback replay start"] {
        assert!(told.contains(remedy), "{remedy}: {told}");
    }
    let doctor = pipeline.postback(&["doctor"]);
    for remedy in [
        "postback generation accept rakuten-us",
        "postback replay start",
    ] {
        assert!(doctor.shown().contains(remedy), "{}", doctor.shown());
    }
    get(&pipeline, &format!("{}&pbt=2", sale(2)));
    pipeline.wait_until_loaded(2);
    assert_eq!(consumer.terminate(), 0);
    wait::until_true("it is accepted once the group is empty", || {
        let accepted = pipeline.postback(&["generation", "accept", "rakuten-us"]);
        accepted.code == 0
    });
    let consumer = pipeline.start_consumer();
    get(&pipeline, &format!("{}&pbt=2", sale(3)));
    pipeline.wait_until_loaded(3);
    let expected = [("o1", "click1"), ("o2", "click2"), ("o3", "sku3")];
    assert_eq!(orders_and_clicks(&pipeline), pairs(&expected));
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

#[test]
fn a_renamed_source_with_its_alias_counts_what_came_under_the_old_name_once() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("alias").source("rakuten-us", COMPLETE).start();
    get(&pipeline, &sale(1));
    pipeline.wait_until_loaded(1);
    // Under the old name, and not loaded before the source is renamed.
    assert_eq!(consumer.terminate(), 0);
    get(&pipeline, &sale(2));
    assert_eq!(ingest.terminate(), 0);
    rewrite(&pipeline, |text| {
        text.replace(
            "name = \"rakuten-us\"\n",
            "name = \"rakuten-usa\"\naccount = \"rakuten-us\"\naliases = [\"rakuten-us\"]\n",
        )
    });
    let ingest = pipeline.start_ingest();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    // The network repeats both.
    for number in [1, 2, 3] {
        get(&pipeline, &sale(number));
    }
    pipeline.wait_until_loaded(5);
    let expected = pairs(&[("o1", "click1"), ("o2", "click2"), ("o3", "click3")]);
    let accounts = "SELECT uniqExact(account) FROM {db}.conversions";
    let rejected = "SELECT count() FROM {db}.postbacks WHERE outcome != 'accepted'";
    let check = || {
        assert_eq!(orders_and_clicks(&pipeline), expected);
        assert_eq!(pipeline.database.count(accounts), 1);
        assert_eq!(pipeline.database.count(rejected), 0);
    };
    check();
    // By the file's rules alone the old name is known by the alias.
    pipeline.json(&["replay", "start", "--wait"]);
    pipeline.json(&["generation", "activate", "2"]);
    pipeline.wait_until_loaded(5);
    check();
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// Without an offset: its day hangs on the source's zone.
fn local_sale(number: u32) -> String {
    sale(number).replace("T10:00:00Z", "T01:00:00")
}

#[test]
fn a_new_source_is_not_added_while_its_account_is_loaded_by_another_zone() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("new_source_apart")
        .source("rakuten-eu", COMPLETE)
        .lines("source", "time_zone = \"Europe/Berlin\"")
        .start();
    get(&pipeline, &local_sale(1));
    pipeline.wait_until_loaded(1);

    // The file changes the account's zone and adds a source of it in one go.
    let key = secret::fresh();
    let more = format!(
        "[[source]]\nname = \"rakuten-de\"\naccount = \"rakuten-eu\"\nnetwork = \"rakuten\"\n\
         time_zone = \"UTC\"\n[[source.key]]\nkey = \"{key}\"\n"
    );
    rewrite(&pipeline, |text| {
        text.replace("Europe/Berlin", "UTC") + &more
    });
    consumer.signal(Signal::HUP);
    wait::until_true("the consumer has read it", || {
        consumer.output().contains("sources reloaded")
    });
    let told = |consumer: &Program| consumer.output().matches("source is not added").count();
    wait::until_true("it names the changed source", || {
        consumer
            .output()
            .contains("goes on being loaded by its own")
    });
    assert_eq!(told(&consumer), 1, "{}", consumer.output());
    let output = consumer.output();
    for part in ["rakuten-de", "time_zone", "postback replay start"] {
        let line = output.lines().find(|line| line.contains("not added"));
        assert!(line.unwrap().contains(part), "{part}: {output}");
    }
    let waiting = pipeline.json(&["generation", "ls"]);
    let expected = ["rakuten-eu (time_zone)", "rakuten-de (time_zone)"];
    assert_eq!(
        waiting["meta"]["changed_sources"],
        Value::from(&expected[..])
    );

    // The same sale by the new source counts nothing yet.
    ingest.signal(Signal::HUP);
    let url = format!(
        "http://{}/postback/{key}?{}",
        pipeline.address,
        local_sale(1)
    );
    wait::until_true("ingest knows it", || ureq::get(&url).call().is_ok());
    pipeline.wait_until_loaded(2);
    let days = || {
        let sql =
            "SELECT toString(key_day) AS day, source FROM {db}.conversions ORDER BY day, source";
        let rows = pipeline.database.rows(sql);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rows = rows
            .iter()
            .map(|row| (text(&row["day"]), text(&row["source"])));
        rows.collect::<Vec<_>>()
    };
    // 01:00 in Berlin is 23:00 UTC of the day before.
    assert_eq!(days(), pairs(&[("2026-08-31", "rakuten-eu")]));
    let unknown = "SELECT count() FROM {db}.postbacks WHERE source = 'rakuten-de' AND has(reasons, 'unknown_source')";
    assert_eq!(pipeline.database.count(unknown), 1);

    // It is told at a start, too, once.
    assert_eq!(consumer.terminate(), 0);
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    get(&pipeline, &local_sale(2));
    pipeline.wait_until_loaded(3);
    assert_eq!(told(&consumer), 2, "{}", consumer.output());

    // A replay has both by the file's zone, and the sale once.
    pipeline.json(&["replay", "start", "--wait"]);
    pipeline.json(&["generation", "activate", "2"]);
    pipeline.wait_until_loaded(3);
    assert_eq!(
        days(),
        pairs(&[("2026-09-01", "rakuten-de"), ("2026-09-01", "rakuten-eu")])
    );
    assert_eq!(pipeline.database.count(unknown), 0);
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

const PROFILE: &str = r#"
network = "invented"
title = "Invented"
method = "POST"
macro = "{name}"
secret_params = ["token"]
parameters = [
    { name = "id", column = "transaction_id" },
    { name = "order", column = "order_id" },
    { name = "click", column = "click_id" },
    { name = "publisher", column = "publisher_id" },
    { name = "amount", column = "sale_amount" },
    { name = "cur", column = "currency" },
    { name = "at", column = "occurred_at" },
    { name = "token" },
]
[payload]
body = ["json"]
[status]
default = "reported"
[identity]
transaction_id = ["transaction_id"]
[dates]
forms = ["iso_8601"]
"#;

/// What the network posts, its header and its body.
fn post(pipeline: &Pipeline, authorization: &str, body: &str) -> u16 {
    let url = format!("http://{}{}", pipeline.address, pipeline.sources[0].path());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let request = agent
        .post(&url)
        .header("authorization", authorization)
        .content_type("application/json");
    request.send(body).unwrap().status().as_u16()
}

#[test]
fn a_network_of_ones_own_is_sent_loaded_and_traced() {
    let pipeline = Setup::new("own_network").source("mine", "").prepare();
    let file = pipeline.configuration().with_file_name("invented.toml");
    std::fs::write(&file, PROFILE).unwrap();
    let own = format!(
        "network = \"invented\"\nprofile_file = \"{}\"\npublisher_id = \"P-7\"\n\
         basic_auth = {{ user = \"net\", password = \"CANARY-pass\" }}\n",
        file.display()
    );
    rewrite(&pipeline, |text| {
        text.replace("network = \"rakuten\"\n", &own)
    });
    pipeline.migrate();
    let ingest = pipeline.start_ingest();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);

    // A test, as the network would post it: a POST with user and password.
    let address = format!("http://{}", pipeline.address);
    let send = ["send", "--source", "mine", "--url", &address];
    let sent = pipeline.postback(&[&send[..], &["--wait", "120", "-o", "json"]].concat());
    assert!(!sent.shown().contains("CANARY"), "{}", sent.shown());
    let shown: Value = serde_json::from_str(&sent.stdout).unwrap();
    let steps = shown["rows"].as_array().unwrap().iter();
    let steps: Vec<_> = steps
        .filter(|step| step["step"] != "in time")
        .map(|step| (step["step"].as_str().unwrap(), &step["good"]))
        .collect();
    let good = &Value::Bool(true);
    let all = ["connected", "answered", "in Kafka", "loaded", "conversion"];
    assert_eq!(steps, all.map(|step| (step, good)), "{shown}");
    let row = &pipeline
        .database
        .rows("SELECT network, publisher_id, flags FROM {db}.conversions")[0];
    assert_eq!(
        (&row["network"], &row["publisher_id"]),
        (&"invented".into(), &"P-7".into())
    );
    assert_eq!(row["flags"], serde_json::json!(["zero_amount"]), "{row}");

    // Base64 of net:CANARY-pass, by another program.
    let authorization = "Basic bmV0OkNBTkFSWS1wYXNz";
    let body = r#"{"id":"T-1","order":"o-1","click":"c-1","publisher":"P-7","amount":12.50,"cur":"EUR","at":"2026-09-01T10:00:00Z","token":"CANARY-1","more":{"deep":[{"token":"CANARY-2","seen":1}]}}"#;
    assert_eq!(post(&pipeline, "Basic bmV0Ondyb25n", body), 401);
    assert_eq!(post(&pipeline, authorization, body), 200);
    // Without what makes it one conversion.
    let rejected = r#"{"amount":1,"token":"CANARY-3"}"#;
    assert_eq!(post(&pipeline, authorization, rejected), 200);
    pipeline.wait_until_loaded(3);

    let traced = pipeline.postback(&["trace", "o-1"]);
    let text = traced.shown();
    assert!(!text.contains("CANARY"), "{text}");
    for part in [
        "12.50 EUR",
        r#""order":"o-1""#,
        r#""token":"[hidden]","more":{"deep":[{"token":"[hidden]","seen":1}]}"#,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let id = &pipeline
        .database
        .rows("SELECT toString(id) AS id FROM {db}.postbacks WHERE outcome = 'rejected'")[0]["id"];
    let traced = pipeline.json(&["trace", id.as_str().unwrap(), "--as", "id"]);
    let row = &traced["rows"][0];
    assert_eq!(row["body"], r#"{"amount":1,"token":"[hidden]"}"#, "{row}");
    assert_eq!(row["content_type"], "application/json");
    assert_eq!(row["reasons"], serde_json::json!(["missing_identity"]));
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}
