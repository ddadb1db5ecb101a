//! A simulated network's ledger and the tables say the same, and what differs is found.

use std::path::{Path, PathBuf};

use postback_simulator::Ledger;
use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::{Setup, wait};
use serde_json::Value;

use crate::templates::COMPLETE;

const POSTBACKS: u64 = 1_200;

/// A run of the network against a pipeline, with these options beside the usual ones.
fn run(pipeline: &Pipeline, ledger: &Path, options: &str) -> Vec<String> {
    let usual = format!(
        "simulate run --source rakuten-us --url http://{} --api 127.0.0.1:0",
        pipeline.address
    );
    let words = usual.split(' ').chain(options.split(' '));
    let ledger = ["--ledger", ledger.to_str().unwrap()];
    words.chain(ledger).map(ToOwned::to_owned).collect()
}

fn words(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

/// Runs the network against a pipeline with a minute of patience, and returns its ledger's file.
fn simulated(pipeline: &Pipeline, folder: &Path) -> (PathBuf, Value) {
    let file = folder.join("ledger.jsonl");
    let options =
        format!("--rate 400 --postbacks {POSTBACKS} --seed 5 --patience-ms 60000 -o json");
    let finished = pipeline.postback(&words(&run(pipeline, &file, &options)));
    // 3 where this machine is too busy for the rate.
    assert!([0, 3].contains(&finished.code), "{}", finished.shown());
    let shown = serde_json::from_str(&finished.stdout).unwrap();
    (file, shown)
}

fn verify(pipeline: &Pipeline, file: &Path) -> (i32, Value) {
    let finished = pipeline.postback(&["simulate", "verify", file.to_str().unwrap(), "-o", "json"]);
    let shown = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    (finished.code, shown)
}

#[test]
fn the_tables_say_what_the_ledger_says_until_a_row_is_lost() {
    let running: Running = Setup::new("simulate")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let folder = tempfile::tempdir().unwrap();
    let (file, shown) = simulated(pipeline, folder.path());
    assert_eq!(shown["rows"][1]["what"], "acknowledged");
    assert_eq!(shown["rows"][1]["count"], POSTBACKS, "{shown}");

    // The ledger as another reader adds it up.
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&pipeline.sources[0].key));
    let ledger = Ledger::read_from(text.as_bytes()).unwrap();
    pipeline.wait_until_loaded(POSTBACKS);
    let (code, shown) = verify(pipeline, &file);
    assert_eq!(
        (code, &shown["meta"]["equal"]),
        (0, &true.into()),
        "{shown}"
    );
    let conversions = ledger.totals().conversions.len() as u64;
    assert_eq!(
        pipeline
            .database
            .count("SELECT count() FROM {db}.conversions"),
        conversions
    );
    assert!(conversions < POSTBACKS, "there were revisions and repeats");

    // One conversion less, and its sums with it. One that came once: in place of a row that came
    // twice, the other copy would count. It is chosen before it is deleted: ClickHouse asks a
    // mutation's subquery once for every part, and where each answer is another row, none goes.
    let database = &pipeline.database;
    let lost = database.rows(
        "SELECT toString(postback_id) AS id FROM {db}.conversions WHERE kind = 'transaction' AND currency = 'USD' \
         AND status = 'reported' AND sale_amount > 0 AND conversion_key IN \
         (SELECT conversion_key FROM {db}.postbacks GROUP BY conversion_key HAVING count() = 1) ORDER BY id LIMIT 1",
    );
    let lost = lost[0]["id"].as_str().unwrap();
    database.run(&format!(
        "ALTER TABLE {{db}}.conversions_g1 DELETE WHERE postback_id = '{lost}' SETTINGS mutations_sync = 1"
    ));
    assert_eq!(
        database.count("SELECT count() FROM {db}.conversions"),
        conversions - 1
    );
    let (code, shown) = verify(pipeline, &file);
    let different: Vec<&str> = shown["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["what"].as_str().unwrap())
        .collect();
    assert_eq!(
        (code, different.first()),
        (3, Some(&"conversions")),
        "{shown}"
    );
    assert!(different.contains(&"sale_amount"), "{shown}");
}

/// What the network kept back is in its ledger, and in no table.
#[test]
fn an_endpoint_that_fails_is_disabled_in_silence() {
    let pipeline = Setup::new("simulate_off")
        .source("rakuten-us", COMPLETE)
        .prepare();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.jsonl");
    // Nobody listens.
    let options = "--rate 1000 --connections 1 --postbacks 100 --disable-after 4 -o json";
    let finished = pipeline.postback(&words(&run(&pipeline, &file, options)));
    assert_eq!(finished.code, 3, "{}", finished.shown());
    let shown: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(shown["meta"]["endpoint_active"], false);
    let ledger = Ledger::read_from(std::fs::read(&file).unwrap().as_slice()).unwrap();
    let counts = ledger.counts();
    assert_eq!(
        (counts.failed, counts.withheld, counts.planned),
        (4, 96, 100)
    );
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("\"change\":\"disabled_by_failures\"")
    );
}

/// Ctrl-C ends a run in order: the answers that were due are in the ledger, and its end. The exit
/// code is that of any end: a run without --postbacks and --for has no other one.
#[test]
fn ctrl_c_ends_the_run_with_a_whole_ledger() {
    let running = Setup::new("simulate_stop")
        .lines(
            "source",
            "basic_auth = { user = \"net\", password = \"CANARY-pass\" }",
        )
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.jsonl");
    let run = run(pipeline, &file, "--rate 100 --patience-ms 60000");
    let network = pipeline.start_with("postback", &words(&run));
    wait::until_true("some postbacks are loaded", || {
        pipeline
            .database
            .count("SELECT count() FROM {db}.postbacks")
            > 20
    });
    network.signal(rustix::process::Signal::INT);
    let code = network.exit_code();
    assert!([0, 3].contains(&code), "exit {code}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("CANARY"));
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["line"], &last["interrupted"]),
        (&"end".into(), &true.into())
    );
    let counts = Ledger::read_from(text.as_bytes()).unwrap().counts();
    assert_eq!(last["counts"]["planned"], counts.planned);
    assert_eq!((counts.acknowledged, counts.unsent), (counts.planned, 0));
    let (code, shown) = verify(pipeline, &file);
    assert_eq!(code, 0, "{shown}");
}
