//! The record of generations: what belongs to whom, what is refused, what is simply added.

use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::{Setup, wait};
use rustix::process::Signal;

use crate::templates::{COMPLETE, swapped};

fn get(pipeline: &Pipeline, source: usize, query: &str) {
    let url = format!(
        "http://{}{}?{query}",
        pipeline.address,
        pipeline.sources[source].path()
    );
    let status = ureq::get(&url).call().unwrap().status();
    assert_eq!(status.as_u16(), 200);
}

fn refused(pipeline: &Pipeline, arguments: &[&str], words: &str) {
    let finished = pipeline.postback(arguments);
    assert!(
        finished.code == 1 || finished.code == 2,
        "{}",
        finished.shown()
    );
    assert!(
        finished.stderr.contains(words),
        "{words}: {}",
        finished.shown()
    );
}

fn sale(number: u32) -> String {
    format!(
        "etransaction_id={number:032}&is_event=N&order_id=o{number}&transaction_date=2026-09-01T10:00:00Z&sale_amount=10.00&commissions=1.00&currency=USD&u1=click{number}&sku_number=sku{number}"
    )
}

#[test]
fn a_changed_rule_is_accepted_with_the_group_stopped_and_only_where_nothing_moves() {
    let Running {
        ingest,
        consumer,
        mut pipeline,
    } = Setup::new("accept").source("rakuten-us", COMPLETE).start();
    get(&pipeline, 0, &sale(1));
    pipeline.wait_until_loaded(1);

    pipeline.json(&["generation", "accept", "rakuten-us"]);
    let nothing = "SELECT count() FROM {db}.generation_rules";
    assert_eq!(
        pipeline.database.count(nothing),
        0,
        "there was nothing to accept"
    );

    pipeline.sources[0].configure_template(&swapped());
    pipeline.write_configuration();
    refused(
        &pipeline,
        &["generation", "accept", "rakuten-us"],
        "stop every postback-consumer",
    );
    refused(
        &pipeline,
        &["generation", "accept", "nobody"],
        "no source nobody",
    );
    assert_eq!(consumer.terminate(), 0);
    wait::until_true("the group is empty", || {
        pipeline
            .postback(&["generation", "accept", "rakuten-us"])
            .code
            == 0
    });
    let row = &pipeline
        .database
        .rows("SELECT change, source, offsets FROM {db}.generation_rules")[0];
    assert_eq!(
        (&row["change"], &row["source"]),
        (&"accepted".into(), &"rakuten-us".into())
    );
    let offsets: std::collections::BTreeMap<String, u64> =
        serde_json::from_str(row["offsets"].as_str().unwrap()).unwrap();
    assert_eq!(offsets.values().sum::<u64>(), 1, "{row}");

    // Another day would count twice.
    let zone = "SELECT count() FROM {db}.generation_rules";
    let before = pipeline.database.count(zone);
    let file = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let moved = file.replace(
        "network = \"rakuten\"\n",
        "network = \"rakuten\"\ntime_zone = \"Asia/Tokyo\"\n",
    );
    std::fs::write(pipeline.configuration(), moved).unwrap();
    refused(
        &pipeline,
        &["generation", "accept", "rakuten-us"],
        "time_zone would change",
    );
    assert_eq!(pipeline.database.count(zone), before);
    // So would a key that is read out of another parameter of the same requests.
    let swapped_keys = (swapped().replace("<etransaction_id>", "<KEPT>"))
        .replace("<order_id>", "<etransaction_id>")
        .replace("<KEPT>", "<order_id>");
    pipeline.sources[0].configure_template(&swapped_keys);
    pipeline.write_configuration();
    refused(
        &pipeline,
        &["generation", "accept", "rakuten-us"],
        "key_template would change",
    );

    // And what a consumer stored and did not live to commit would be loaded by both rules.
    std::fs::write(pipeline.configuration(), &file).unwrap();
    let crash = ("POSTBACK_CRASH_AT", "before_commit:1".to_owned());
    let crashing = pipeline.start_consumer_with(&[crash]);
    get(&pipeline, 0, &sale(2));
    wait::until_true("the consumer is killed", || {
        !crashing.process().is_running()
    });
    pipeline.sources[0].configure_template(COMPLETE);
    pipeline.write_configuration();
    wait::until_true(
        "the group is empty, and accepting refused all the same",
        || {
            let finished = pipeline.postback(&["generation", "accept", "rakuten-us"]);
            assert_ne!(finished.code, 0, "{}", finished.shown());
            finished
                .stderr
                .contains("stored records that it did not commit")
        },
    );
    assert_eq!(pipeline.database.count(zone), before);
    std::fs::write(pipeline.configuration(), file).unwrap();

    let consumer = pipeline.start_consumer();
    get(&pipeline, 0, &sale(3));
    pipeline.wait_until_loaded(3);
    let rows = pipeline
        .database
        .rows("SELECT order_id, click_id, sku FROM {db}.conversions ORDER BY order_id");
    let shown: Vec<_> = (rows.iter())
        .map(|row| {
            ["order_id", "click_id", "sku"].map(|name| row[name].as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [
        ["o1", "click1", "sku1"],
        ["o2", "sku2", "click2"],
        ["o3", "sku3", "click3"],
    ];
    assert_eq!(shown, expected);
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

#[test]
fn a_replay_can_be_cancelled_and_a_new_source_is_added_to_every_generation() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("cancel").source("rakuten-us", COMPLETE).start();
    get(&pipeline, 0, &sale(1));
    pipeline.wait_until_loaded(1);
    assert_eq!(pipeline.postback(&["replay", "status"]).code, 3);
    assert_eq!(pipeline.postback(&["replay", "cancel"]).code, 3);
    assert!(
        !pipeline
            .postback(&["generation", "ls"])
            .stdout
            .contains("does not fit")
    );
    let file = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let other = file.replace("\"rakuten-us\"", "\"another\"");
    std::fs::write(pipeline.configuration(), other).unwrap();
    let listed = pipeline.postback(&["generation", "ls"]);
    assert!(
        listed.code == 0
            && listed.stdout.contains("does not fit generation 1")
            && listed.stdout.contains("lacks source rakuten-us"),
        "{}",
        listed.shown()
    );
    std::fs::write(pipeline.configuration(), file).unwrap();
    assert_eq!(
        pipeline.postback(&["replay", "plan"]).code,
        0,
        "the same rules change nothing"
    );
    refused(
        &pipeline,
        &["generation", "activate", "7"],
        "there is no generation 7",
    );

    pipeline.json(&["replay", "start", "--wait"]);
    let identities = "SELECT count() FROM {db}.account_identities WHERE generation = 2";
    assert_eq!(pipeline.database.count(identities), 1);
    refused(
        &pipeline,
        &["replay", "start"],
        "generation 2 is there beside",
    );
    let listed = pipeline.json(&["generation", "ls"]);
    let phases: Vec<_> = listed["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["phase"])
        .collect();
    assert_eq!(phases, ["active", "standby"], "{listed}");
    assert_eq!(listed["meta"]["active"], 1);
    let same = pipeline.postback(&["generation", "diff", "1", "2"]);
    assert_eq!(same.code, 0, "{}", same.shown());

    // A second source, by SIGHUP.
    let key = postback_tests::secret::fresh();
    let file = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let more = format!(
        "{file}[[source]]\nname = \"rakuten-eu\"\nnetwork = \"rakuten\"\n[[source.key]]\nkey = \"{key}\"\n"
    );
    std::fs::write(pipeline.configuration(), more).unwrap();
    consumer.signal(Signal::HUP);
    wait::until_true("both generations have the new source", || {
        let added = "SELECT count() FROM {db}.generation_rules WHERE source = 'rakuten-eu' AND change = 'added'";
        pipeline.database.count(added) == 2
    });
    wait::until_true("the consumer has read it", || {
        consumer.output().contains("sources reloaded")
    });
    ingest.signal(Signal::HUP);
    let url = format!("http://{}/postback/{key}?{}", pipeline.address, sale(2));
    wait::until_true("ingest knows it", || ureq::get(&url).call().is_ok());
    for generation in [1, 2] {
        let accepted = format!(
            "SELECT count() FROM {{db}}.postbacks_g{generation} FINAL WHERE source = 'rakuten-eu' AND outcome = 'accepted'"
        );
        wait::until_true("it is accepted", || pipeline.database.count(&accepted) == 1);
    }

    pipeline.json(&["replay", "cancel"]);
    let tables = "SELECT count() FROM system.tables WHERE database = '{db}' AND name LIKE '%_g2'";
    assert_eq!(pipeline.database.count(tables), 0);
    refused(
        &pipeline,
        &["generation", "activate", "2"],
        "generation 2 was dropped",
    );
    wait::until_true("its group is gone", || {
        consumer.output().contains("leaving it")
            && pipeline.postback(&["replay", "start", "--wait"]).code == 0
    });
    let listed = pipeline.json(&["generation", "ls", "--all"]);
    let numbers: Vec<_> = listed["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["generation"].clone())
        .collect();
    assert_eq!(numbers, [1, 2, 3], "a number is not given again");
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// Generation 2, as a program makes it that has a later version of the normaliser.
fn make_one_of_a_later_version(pipeline: &Pipeline) {
    let insert = "INSERT INTO {db}.generations (number, normaliser_version, base, rules, made_by) SELECT 2, 99, 1, rules, 'a later version' FROM {db}.generations WHERE number = 1";
    pipeline.database.run(insert);
}

/// Records that readers were switched to generation 2.
fn show_readers_the_later_version(pipeline: &Pipeline) {
    for event in [
        "'activation_asked', ''",
        "'held', '{\"mark\":\"m\"}'",
        "'activated', ''",
    ] {
        let event = format!(
            "INSERT INTO {{db}}.generation_events (number, event, detail) VALUES (2, {event})"
        );
        pipeline.database.run(&event);
    }
}

#[test]
fn a_generation_of_another_normaliser_is_left_to_programs_of_that_version() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("other_version")
        .source("rakuten-us", COMPLETE)
        .start();
    make_one_of_a_later_version(&pipeline);
    wait::until_true("the consumer says so", || {
        consumer
            .output()
            .contains("it is left to programs of that version")
    });
    get(&pipeline, 0, &sale(1));
    pipeline.wait_until_loaded(1);
    let ready = pipeline.readiness(pipeline.consumer_admin).unwrap();
    assert_eq!(ready.0, 200, "{}", ready.1);

    show_readers_the_later_version(&pipeline);
    wait::until_true(
        "the notice tells that readers see what it cannot load",
        || {
            let (_, text) = pipeline.readiness(pipeline.consumer_admin).unwrap();
            text.contains("warn generations") && text.contains("normaliser version 99")
        },
    );
    assert!(
        !consumer.output().contains("-g2"),
        "it never joined that group"
    );
    // As in an upgrade: it loads what is beside, and is ready.
    assert_eq!(consumer.terminate(), 0);
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    let (_, text) = pipeline.readiness(pipeline.consumer_admin).unwrap();
    assert!(text.contains("warn generations"), "{text}");
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// As in an upgrade whose old consumer was stopped too early.
#[test]
fn who_waits_for_a_switch_hears_that_nobody_loads_what_readers_see() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("nobody_leads")
        .source("rakuten-us", COMPLETE)
        .start();
    make_one_of_a_later_version(&pipeline);
    show_readers_the_later_version(&pipeline);
    let told = "No postback-consumer loads generation 2, which readers see: neither can it be passed nor can \
                readers be switched. It takes one with normaliser version 99.";
    let status = pipeline.postback(&["replay", "status"]);
    assert!(status.stdout.contains(told), "{}", status.shown());

    let waiting = pipeline.start_with("postback", &["--quiet", "generation", "activate", "1"]);
    wait::until_true("it says so", || waiting.output().contains(told));
    assert!(waiting.process().is_running(), "{}", waiting.output());
    let withdrawn = pipeline.postback(&["generation", "activate", "1", "--withdraw"]);
    assert_eq!(withdrawn.code, 0, "{}", withdrawn.shown());
    let log = pipeline.log("postback");
    assert_eq!(waiting.exit_code(), 1);
    let output = std::fs::read_to_string(log).unwrap();
    assert!(output.contains("the switch was withdrawn"), "{output}");
    assert_eq!(output.matches(told).count(), 1, "{output}");
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// As in an upgrade, before the replay is begun.
#[test]
fn a_consumer_with_nothing_to_load_says_what_to_do_and_is_ready_once_it_has() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("all_other")
        .source("rakuten-us", COMPLETE)
        .start();
    assert_eq!(consumer.terminate(), 0);
    make_one_of_a_later_version(&pipeline);
    show_readers_the_later_version(&pipeline);
    for event in ["'filled', '{\"records\":0}'", "'dropped', ''"] {
        let number = if event.contains("filled") { 2 } else { 1 };
        let event = format!(
            "INSERT INTO {{db}}.generation_events (number, event, detail) VALUES ({number}, {event})"
        );
        pipeline.database.run(&event);
    }

    let consumer = pipeline.start_consumer();
    let says = [
        "ok   kafka",
        "fail partitions: nothing is loaded here: every generation is of another normaliser version",
        "warn generations: readers see",
    ];
    wait::until_true("it says what to do", || {
        let said = pipeline.readiness(pipeline.consumer_admin);
        said.is_some_and(|(status, text)| {
            status == 503 && says.iter().all(|line| text.contains(line))
        })
    });
    let replay = pipeline.postback(&["replay", "start"]);
    assert_eq!(replay.code, 0, "{}", replay.shown());
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// Readers see everything at every moment, and the next coordinator ends what one began.
#[test]
fn a_switch_whose_coordinator_dies_is_ended_by_the_next() {
    for place in ["held", "switched"] {
        let Running {
            ingest,
            consumer,
            pipeline,
        } = Setup::new(&format!("switch_{place}"))
            .source("rakuten-us", COMPLETE)
            .start();
        for number in 1..=3 {
            get(&pipeline, 0, &sale(number));
        }
        pipeline.wait_until_loaded(3);
        pipeline.json(&["replay", "start", "--wait"]);
        assert_eq!(consumer.terminate(), 0);

        let variables = [("POSTBACK_CRASH_AT", format!("{place}:1"))];
        let dying = pipeline.start_consumer_with(&variables);
        let asked = pipeline.postback(&["generation", "activate", "2", "--no-wait"]);
        assert_eq!(asked.code, 0, "{}", asked.shown());
        let status = dying.process().wait_for(wait::LIMIT);
        let status = status.expect("it comes to its place in time");
        assert_eq!(status.code(), None, "{place}: {status}: {}", dying.output());
        let recorded = ["held", "activated"].map(|name| events(&pipeline, name));
        assert_eq!(recorded, [1, 0], "{place}");
        let shown = || {
            pipeline
                .database
                .count("SELECT count() FROM {db}.conversions")
        };
        assert_eq!(shown(), 3, "{place}");

        get(&pipeline, 0, &sale(4));
        let consumer = pipeline.start_consumer();
        wait::until_true("the switch is recorded", || {
            assert!(shown() >= 3, "{place}");
            events(&pipeline, "activated") == 1
        });
        pipeline.wait_until_loaded(4);
        assert_eq!(views_at(&pipeline, 2), 2, "{place}");
        assert_eq!(pipeline.postback(&["verify"]).code, 0, "{place}");
        assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
    }
}

/// How often an event of generation 2 is recorded.
fn events(pipeline: &Pipeline, name: &str) -> u64 {
    let sql = "SELECT count() FROM {db}.generation_events WHERE number = 2 AND event = ";
    pipeline.database.count(&format!("{sql}'{name}'"))
}

fn views_at(pipeline: &Pipeline, generation: u32) -> u64 {
    pipeline.database.count(&format!(
        "SELECT count() FROM system.tables WHERE database = '{{db}}' \
         AND name IN ('conversions', 'postbacks') AND comment LIKE '%Reads generation {generation}.'"
    ))
}

/// Who was told that readers stay can rely on it, however late the switch is recorded.
#[test]
fn a_switch_that_was_withdrawn_in_its_midst_does_not_happen() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("withdrawn")
        .source("rakuten-us", COMPLETE)
        .start();
    get(&pipeline, 0, &sale(1));
    pipeline.wait_until_loaded(1);
    pipeline.json(&["replay", "start", "--wait"]);
    assert_eq!(consumer.terminate(), 0);

    let variables = [("POSTBACK_CRASH_AT", "switched:1".to_owned())];
    let dying = pipeline.start_consumer_with(&variables);
    let asked = pipeline.postback(&["generation", "activate", "2", "--no-wait"]);
    assert_eq!(asked.code, 0, "{}", asked.shown());
    let status = dying.process().wait_for(wait::LIMIT);
    assert_eq!(status.expect("it dies").code(), None, "{}", dying.output());
    assert_eq!(
        (views_at(&pipeline, 2), events(&pipeline, "activated")),
        (2, 0)
    );

    let withdrawn = pipeline.postback(&["generation", "activate", "2", "--withdraw"]);
    assert_eq!(withdrawn.code, 0, "{}", withdrawn.shown());
    let told = "Readers see generation 1.";
    assert!(withdrawn.stderr.contains(told), "{}", withdrawn.shown());
    // What a coordinator records that stood still meanwhile instead of dying.
    let late = "INSERT INTO {db}.generation_events (number, event) VALUES (2, 'activated')";
    pipeline.database.run(late);
    let listed = pipeline.json(&["generation", "ls"]);
    assert_eq!(listed["meta"]["active"], 1, "{listed}");

    let consumer = pipeline.start_consumer();
    wait::until_true("the views are pointed back", || views_at(&pipeline, 1) == 2);
    get(&pipeline, 0, &sale(2));
    pipeline.wait_until_loaded(2);
    let listed = pipeline.json(&["generation", "ls"]);
    assert_eq!(listed["meta"]["active"], 1, "{listed}");
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// The live generation goes on also where the question fails whose answer ends the hold.
#[test]
fn a_hold_is_given_up_in_time_when_its_questions_fail() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("hold_fails")
        .source("rakuten-us", COMPLETE)
        .start();
    get(&pipeline, 0, &sale(1));
    pipeline.wait_until_loaded(1);
    pipeline.json(&["replay", "start", "--wait"]);
    let rename = |from: &str, to: &str| {
        let tables = format!("RENAME TABLE {{db}}.{from} TO {{db}}.{to}");
        pipeline.database.run(&tables);
    };
    rename("postbacks_g1", "elsewhere");
    let asked = pipeline.postback(&["generation", "activate", "2", "--no-wait"]);
    assert_eq!(asked.code, 0, "{}", asked.shown());
    wait::until_true("the hold is given up", || events(&pipeline, "released") > 0);
    let told = "a step failed while the active generation is held";
    assert!(consumer.output().contains(told), "{}", consumer.output());
    assert_eq!(events(&pipeline, "activated"), 0);
    let longest = "SELECT dateDiff('second', minIf(recorded_at, event = 'held'), minIf(recorded_at, event = 'released')) FROM {db}.generation_events";
    let held_for = pipeline.database.count(longest);
    assert!((15..40).contains(&held_for), "{held_for} s");

    rename("elsewhere", "postbacks_g1");
    get(&pipeline, 0, &sale(2));
    wait::until_true("it is tried again", || events(&pipeline, "activated") == 1);
    pipeline.wait_until_loaded(2);
    assert_eq!(views_at(&pipeline, 2), 2);
    assert_eq!(pipeline.postback(&["verify"]).code, 0);
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// Coordination goes on while the server will not drop a table.
#[test]
fn a_dropped_generation_whose_tables_stay_holds_nothing_up() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("drop_fails")
        .source("rakuten-us", COMPLETE)
        .start();
    get(&pipeline, 0, &sale(1));
    pipeline.wait_until_loaded(1);
    pipeline.json(&["replay", "start", "--wait"]);
    pipeline.database.run(
        "CREATE DICTIONARY {db}.needs_it (kafka_offset UInt64, source String) PRIMARY KEY kafka_offset \
         SOURCE(CLICKHOUSE(DB '{db}' TABLE 'postbacks_g2')) LAYOUT(FLAT()) LIFETIME(0)",
    );
    let dropped = pipeline.postback(&["generation", "drop", "2", "--yes"]);
    assert_ne!(dropped.code, 0, "{}", dropped.shown());
    let told = "the generation is dropped, and its tables are not yet";
    wait::until_true("it says so", || consumer.output().contains(told));

    pipeline.json(&["replay", "start", "--activate", "--wait"]);
    assert_eq!(views_at(&pipeline, 3), 2);
    assert_eq!(consumer.output().matches(told).count(), 1);
    let tables = "SELECT count() FROM system.tables WHERE database = '{db}' AND name LIKE '%\\_g2'";
    assert_eq!(pipeline.database.count(tables), 2);
    pipeline.database.run("DROP DICTIONARY {db}.needs_it SYNC");
    wait::until_true("they go at last", || pipeline.database.count(tables) == 0);
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}
