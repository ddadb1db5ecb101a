//! What somebody left half done is finished by the consumers that run, without a restart.

use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::{Setup, wait};

use crate::main_path::scenario;
use crate::templates::COMPLETE;

const VIEWS: [&str; 4] = ["conversions", "orders", "postbacks", "statements"];

/// How many of the views say that they read this generation.
fn views_of(pipeline: &Pipeline, generation: u32) -> u64 {
    pipeline.database.count(&format!(
        "SELECT count() FROM system.tables WHERE database = '{{db}}' AND engine = 'View' \
         AND endsWith(comment, ' Reads generation {generation}.')"
    ))
}

/// As a migration does that asked before readers were switched, and went on long afterwards.
fn point_back(pipeline: &Pipeline, from: u32, to: u32) {
    let name = pipeline.database.name();
    for view in VIEWS {
        let made = pipeline
            .database
            .run(&format!("SHOW CREATE VIEW {{db}}.{view} FORMAT TSVRaw"));
        let back = made
            .replacen("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
            .replace(
                &format!("{name}.postbacks_g{from}"),
                &format!("{name}.postbacks_g{to}"),
            )
            .replace(
                &format!("{name}.conversions_g{from}"),
                &format!("{name}.conversions_g{to}"),
            )
            .replace(
                &format!("Reads generation {from}."),
                &format!("Reads generation {to}."),
            );
        pipeline.database.run(&back);
    }
    assert_eq!(views_of(pipeline, to), 4);
}

#[test]
fn a_replay_without_tables_is_loaded_and_views_of_another_generation_are_pointed_back() {
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::new("unfinished")
        .source("rakuten-us", COMPLETE)
        .start();
    let registration = pipeline.registration(0);
    let ledger = pipeline.send(postback_simulator::plan(
        &scenario(91, 60).events,
        &registration,
    ));
    let all = ledger.counts().acknowledged;
    pipeline.wait_until_loaded(all);

    // `replay start` is killed before it makes the tables.
    pipeline.database.run(
        "INSERT INTO {db}.generations (number, normaliser_version, base, activate, rules, made_by) \
         SELECT 2, normaliser_version, 1, true, rules, made_by FROM {db}.generations WHERE number = 1",
    );
    wait::until_true("readers are switched to it", || views_of(&pipeline, 2) == 4);
    let loaded = "SELECT count() FROM {db}.postbacks_g2 FINAL";
    assert_eq!(pipeline.database.count(loaded), all);
    let activated =
        "SELECT count() FROM {db}.generation_events WHERE number = 2 AND event = 'activated'";
    wait::until_true("that is recorded", || {
        pipeline.database.count(activated) == 1
    });

    // While it coordinates. The first look may be that after its own switch.
    for _ in 0..2 {
        point_back(&pipeline, 2, 1);
        wait::until_true("the views are pointed at it again", || {
            views_of(&pipeline, 2) == 4
        });
    }
    wait::until_true("the consumer says so", || {
        consumer.output().contains("views read another generation")
    });

    // While nobody does.
    assert_eq!(consumer.terminate(), 0);
    point_back(&pipeline, 2, 1);
    let told = pipeline.postback(&["doctor"]).shown();
    for view in VIEWS {
        assert!(
            told.contains(&format!("{view} reads generation 1")),
            "{told}"
        );
    }
    let dropped = pipeline.postback(&["generation", "drop", "1", "--yes"]);
    assert_eq!(dropped.code, 0, "{}", dropped.shown());
    assert_eq!(views_of(&pipeline, 2), 4);
    let seen = pipeline
        .database
        .count("SELECT count() FROM {db}.postbacks");
    assert_eq!(seen, all);
    let told = pipeline.postback(&["doctor"]).shown();
    assert!(!told.contains("reads generation"), "{told}");
    assert_eq!(ingest.terminate(), 0);
}
