//! Replays: a new generation is made of everything, beside what readers see, and ends equal to a
//! load from scratch.

use std::sync::atomic::{AtomicBool, Ordering};

use postback_simulator::{Ledger, garbage, plan};
use postback_tests::pipeline::{self, Pipeline, Running};
use postback_tests::{Setup, wait};
use serde_json::Value;

use crate::main_path::scenario;
use crate::templates::{COMPLETE, swapped};

/// What the network has registered, whatever the configuration says.
fn send(pipeline: &Pipeline, seed: u64, postbacks: u32) -> Ledger {
    let registration = pipeline.registered_as(0, COMPLETE);
    let scenario = scenario(seed, postbacks);
    let mut deliveries = plan(&scenario.events, &registration);
    deliveries.extend(garbage(&scenario.events[0], &registration));
    pipeline.send(deliveries)
}

/// A database of its own, loaded from all these messages by the template that is right.
fn from_scratch(name: &str, messages: &[(i32, Vec<u8>)], ids: u64) -> Pipeline {
    let pipeline = Setup::new(name).source("rakuten-us", COMPLETE).prepare();
    pipeline.migrate();
    for partition in 0..3 {
        let of_it = messages.iter().filter(|(found, _)| *found == partition);
        let values: Vec<&[u8]> = of_it.map(|(_, bytes)| &**bytes).collect();
        pipeline.topic.publish(partition, &values);
    }
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_loaded(ids);
    assert_eq!(consumer.terminate(), 0);
    pipeline
}

/// Rows of one that the other has not, `kafka_*` and `version` left out.
fn assert_equal(replayed: &Pipeline, generation: u32, scratch: &Pipeline) {
    for (table, except) in [
        (
            "postbacks",
            "kafka_topic, kafka_partition, kafka_offset, version",
        ),
        ("conversions", "revision"),
    ] {
        let rows = |pipeline: &Pipeline, generation: u32| {
            format!(
                "SELECT toString(tuple(* EXCEPT ({except}))) FROM {}.{table}_g{generation} FINAL",
                pipeline.database.name()
            )
        };
        let (one, other) = (rows(replayed, generation), rows(scratch, 1));
        for (left, right) in [(&one, &other), (&other, &one)] {
            let sql = format!("SELECT count() FROM ({left} EXCEPT {right})");
            assert_eq!(replayed.database.count(&sql), 0, "{table}: {sql}");
        }
        let counts = [(&one, replayed), (&other, scratch)].map(|(rows, pipeline)| {
            pipeline
                .database
                .count(&format!("SELECT count() FROM ({rows})"))
        });
        assert!(
            counts[0] > 0 && counts[0] == counts[1],
            "{table}: {counts:?}"
        );
    }
    // Revisions do not depend on when something was loaded either.
    let revisions = |pipeline: &Pipeline, generation: u32| {
        let table = format!("{}.conversions_g{generation}", pipeline.database.name());
        let sql = format!(
            "SELECT toString(groupBitXor(cityHash64(postback_id, revision))) FROM {table} FINAL"
        );
        pipeline.database.run(&sql)
    };
    assert_eq!(revisions(replayed, generation), revisions(scratch, 1));
}

/// Sources that differ in the file: from what readers see, and from what is beside it.
fn changed_sources(pipeline: &Pipeline) -> [Option<f64>; 2] {
    ["consumer", "standby"].map(|role| {
        let (_, page) = pipeline::get(pipeline.consumer_admin, "/metrics")?;
        let name = format!("postback_{role}_changed_sources ");
        let line = page.lines().find_map(|line| line.strip_prefix(&*name));
        line.and_then(|rest| rest.trim().parse().ok())
    })
}

#[test]
fn a_replay_is_equal_to_a_load_from_scratch_also_where_kafka_has_the_past_no_more() {
    let Running {
        ingest,
        consumer,
        mut pipeline,
    } = Setup::new("replay")
        .source("rakuten-us", &swapped())
        .start();
    let before = send(&pipeline, 71, 1_200);
    pipeline.wait_until_loaded(before.counts().acknowledged);
    let mut messages = pipeline.topic.messages();

    // Retention takes two thirds of it.
    let kept: Vec<_> = (pipeline.topic.extents().iter())
        .map(|(partition, _, high)| (*partition, high * 2 / 3))
        .collect();
    pipeline.topic.forget_before(&kept);
    // Some of that came through a topic that had another name.
    let (partition, before_offset) = kept[1];
    pipeline.database.run(&format!(
        "ALTER TABLE {{db}}.postbacks_g1 UPDATE kafka_topic = 'earlier' WHERE kafka_partition = {partition} \
         AND kafka_offset < {before_offset} SETTINGS mutations_sync = 2"
    ));
    let late = send(&pipeline, 72, 300);
    let all = before.counts().acknowledged + late.counts().acknowledged;
    pipeline.wait_until_loaded(all);
    let later: Vec<_> = pipeline.topic.messages();
    messages.extend(
        later
            .into_iter()
            .filter(|message| !messages.contains(message))
            .collect::<Vec<_>>(),
    );
    assert_eq!(messages.len() as u64, all, "the network repeats none here");

    // The file is put right. Nothing changes by that, and the consumer says so.
    pipeline.sources[0].configure_template(COMPLETE);
    pipeline.write_configuration();
    consumer.signal(rustix::process::Signal::HUP);
    wait::until_true("the consumer names the changed source", || {
        consumer
            .output()
            .contains("which goes on being loaded by its own")
    });
    wait::until_true("its metrics count it", || {
        changed_sources(&pipeline) == [Some(1.0), Some(0.0)]
    });
    let planned = pipeline.postback(&["-o", "json", "replay", "plan"]);
    assert_eq!(planned.code, 3, "{}", planned.shown());
    let planned: Value = serde_json::from_str(&planned.stdout).unwrap();
    assert_eq!(planned["meta"]["sample"], all, "{planned}");
    let changes = planned["rows"].as_array().unwrap();
    // Two parameters have changed places.
    for column in ["click_id", "sku"] {
        assert!(
            changes.iter().any(|change| change["what"] == column),
            "{column}: {planned}"
        );
    }
    assert_eq!(
        pipeline.database.count(
            "SELECT count() FROM system.tables WHERE database = '{db}' AND name LIKE '%_g2'"
        ),
        0
    );

    let started = pipeline.json(&["replay", "start", "--wait"]);
    assert_eq!(started["rows"][0]["generation"], 2, "{started}");
    assert_eq!(started["rows"][0]["phase"], "standby", "{started}");
    let scratch = from_scratch("replay_scratch", &messages, all);
    assert_equal(&pipeline, 2, &scratch);
    let of_topic = |generation: u32| {
        let sql = format!(
            "SELECT count() FROM {{db}}.postbacks_g{generation} FINAL WHERE kafka_topic = 'earlier'"
        );
        pipeline.database.count(&sql)
    };
    assert!(of_topic(1) > 0 && of_topic(2) == of_topic(1));
    assert_eq!(changed_sources(&pipeline), [Some(1.0), Some(0.0)]);

    // Readers still see the old rules.
    let clicks =
        "SELECT count() FROM {db}.conversions WHERE match(sku, '^(NW-|B00-|K/|978|HH |SD-)')";
    let skus =
        "SELECT count() FROM {db}.conversions WHERE match(click_id, '^(NW-|B00-|K/|978|HH |SD-)')";
    let sample = pipeline
        .database
        .rows("SELECT click_id, sku FROM {db}.conversions WHERE sku != '' LIMIT 1");
    assert_eq!(pipeline.database.count(clicks), 0, "{sample:?}");
    let status = pipeline.json(&["replay", "status"]);
    assert_eq!(status["rows"][0]["phase"], "standby");
    assert!(
        status["rows"][0]["taken_over"].as_u64().unwrap() > 0,
        "{status}"
    );
    let columns: Vec<_> = status["meta"]["differences"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|change| change["columns"].as_array().unwrap().clone())
        .collect();
    assert!(
        columns.contains(&"click_id".into()) && columns.contains(&"sku".into()),
        "{status}"
    );
    assert!(!columns.contains(&"sale_amount".into()), "{status}");

    let dropped = pipeline.postback(&["generation", "drop", "1", "--yes"]);
    assert_eq!(dropped.code, 1, "{}", dropped.shown());
    assert!(
        dropped.stderr.contains("readers see generation 1"),
        "{}",
        dropped.shown()
    );

    pipeline.json(&["generation", "activate", "2"]);
    assert_eq!(pipeline.database.count(skus), 0);
    wait::until_true("what readers see is what the file says", || {
        changed_sources(&pipeline) == [Some(0.0), Some(1.0)]
    });
    let report = pipeline.report(&["summary", "--from", "2026-01-01"]);
    assert_eq!(report["meta"]["generation"], 2, "{report}");

    // Both are loaded on, and going back loses nothing.
    let more = send(&pipeline, 73, 300);
    let all = all + more.counts().acknowledged;
    pipeline.wait_until_loaded(all);
    pipeline.json(&["generation", "activate", "1"]);
    assert_eq!(
        pipeline
            .database
            .count("SELECT count() FROM {db}.postbacks"),
        all
    );
    pipeline.json(&["generation", "activate", "2"]);
    let dropped = pipeline.json(&["generation", "drop", "1", "--yes"]);
    assert_eq!(dropped["rows"][0]["generation"], 1, "{dropped}");
    assert_eq!(
        pipeline.database.count(
            "SELECT count() FROM system.tables WHERE database = '{db}' AND name LIKE '%_g1'"
        ),
        0
    );
    wait::until_true("the consumer leaves the dropped generation", || {
        consumer
            .output()
            .contains("the generation was dropped: leaving it")
    });
    wait::until_true("nothing differs any more", || {
        changed_sources(&pipeline) == [Some(0.0), Some(0.0)]
    });
    // A restart does not bring it back.
    assert_eq!(consumer.terminate(), 0);
    let consumer = pipeline.start_consumer();
    let last = send(&pipeline, 74, 60);
    pipeline.wait_until_loaded(all + last.counts().acknowledged);
    assert_eq!(
        pipeline.database.count(
            "SELECT count() FROM system.tables WHERE database = '{db}' AND name LIKE '%_g1'"
        ),
        0
    );
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// Everything that a reader can see at one moment: conversions, and whose rules made them.
fn look(pipeline: &Pipeline) -> (u64, bool, bool) {
    let row = &pipeline.database.rows(
        "SELECT count() AS all, countIf(match(click_id, '^(NW-|B00-|K/|978|HH |SD-)')) AS old, countIf(match(sku, '^(NW-|B00-|K/|978|HH |SD-)')) AS new FROM {db}.conversions",
    )[0];
    let number = |name: &str| row[name].as_str().unwrap().parse::<u64>().unwrap();
    (number("all"), number("old") > 0, number("new") > 0)
}

#[test]
fn readers_never_see_less_or_a_mixture_while_everything_is_killed_and_switched() {
    let Running {
        ingest,
        consumer,
        mut pipeline,
    } = Setup::new("replay_killed")
        .source("rakuten-us", &swapped())
        .lines("consumer", "batch_max_rows = 1000")
        .start();
    let before = send(&pipeline, 75, 1_500);
    pipeline.wait_until_loaded(before.counts().acknowledged);
    pipeline.sources[0].configure_template(COMPLETE);
    pipeline.write_configuration();
    let is_over = AtomicBool::new(false);
    struct AtEnd<'a>(&'a AtomicBool);
    impl Drop for AtEnd<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (ledger, consumer) = std::thread::scope(|scope| {
        let pipeline = &pipeline;
        let is_over = &is_over;
        let sending = scope.spawn(move || {
            let mut ledger = Ledger::default();
            let mut seed = 1_000;
            while !is_over.load(Ordering::Relaxed) {
                ledger.append(send(pipeline, seed, 60));
                seed += 1;
            }
            ledger
        });
        let reading = scope.spawn(move || {
            let _at_end = AtEnd(is_over);
            let (mut most, mut reads) = (0, 0);
            while !is_over.load(Ordering::Relaxed) {
                let (all, old, new) = look(pipeline);
                assert!(all >= most, "{all} after {most}");
                assert!(!(old && new), "a mixture");
                (most, reads) = (all, reads + 1);
            }
            reads
        });
        let at_end = AtEnd(is_over);
        let started = pipeline.postback(&["replay", "start", "--activate"]);
        assert_eq!(started.code, 0, "{}", started.shown());
        let mut consumer = consumer;
        for _ in 0..4 {
            std::thread::sleep(std::time::Duration::from_millis(700));
            consumer.process().kill();
            consumer = pipeline.start_consumer();
        }
        wait::until_true("readers are switched", || {
            let active = "SELECT count() FROM {db}.generation_events WHERE number = 2 AND event = 'activated'";
            pipeline.database.count(active) > 0
        });
        drop(at_end);
        assert!(reading.join().unwrap() > 10);
        (sending.join().unwrap(), consumer)
    });
    let all = before.counts().acknowledged + ledger.counts().acknowledged;
    pipeline.wait_until_loaded(all);
    let (_, old, new) = look(&pipeline);
    assert!(new && !old);
    assert_eq!(ingest.terminate(), 0);
    assert_eq!(consumer.terminate(), 0);
    let scratch = from_scratch("replay_killed_scratch", &pipeline.topic.messages(), all);
    assert_equal(&pipeline, 2, &scratch);
}
