//! A user whose profile stops ClickHouse in the midst of an answer: commands show wholes, or errors.

use postback_simulator::plan;
use postback_stack::Cancellation;
use postback_tests::Setup;
use postback_tests::pipeline::Running;

use crate::main_path::scenario;
use crate::outage::own_clickhouse;
use crate::templates::COMPLETE;

#[test]
fn an_answer_that_a_profile_would_cut_short_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (mut clickhouse, servers) = own_clickhouse(directory.path(), &[]);
    let Running {
        ingest,
        consumer,
        pipeline,
    } = Setup::on("profile", servers)
        .source("rakuten-us", COMPLETE)
        .start();
    let ledger = pipeline.send(plan(&scenario(5, 60).events, &pipeline.registration(0)));
    pipeline.wait_until_loaded(ledger.counts().acknowledged);
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
    let question = &["query", "SELECT order_id FROM conversions", "-o", "csv"][..];
    let report = &[
        "report",
        "summary",
        "--from",
        "2026-01-01",
        "--to",
        "2027-01-01",
    ][..];
    for arguments in [question, report] {
        let whole = pipeline.postback(arguments);
        assert_eq!(whole.code, 0, "{}", whole.shown());
    }

    let mut with = |settings: &[(&str, &str)]| {
        let settings: Vec<_> = (settings.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        clickhouse.set_settings(&settings).unwrap();
        clickhouse.restart(&Cancellation::new()).unwrap();
    };
    let blocks = ("max_block_size", "5");
    with(&[
        blocks,
        ("max_result_rows", "10"),
        ("result_overflow_mode", "break"),
    ]);
    let cut = pipeline.postback(question);
    assert!(
        cut.code == 1 && cut.shown().contains("code 396"),
        "{}",
        cut.shown()
    );

    with(&[
        blocks,
        ("max_rows_to_read", "10"),
        ("read_overflow_mode", "break"),
    ]);
    for arguments in [question, report] {
        let cut = pipeline.postback(arguments);
        assert!(
            cut.code == 1 && cut.shown().contains("code 158"),
            "{}",
            cut.shown()
        );
        // Nothing is tried again by a command.
        assert!(!cut.shown().contains("tried"), "{}", cut.shown());
    }

    with(&[("limit", "3")]);
    let whole = pipeline.postback(question);
    let many = pipeline.postback(&[
        "query",
        "SELECT count() AS many FROM conversions",
        "-o",
        "csv",
    ]);
    let many: usize = many.stdout.lines().nth(1).unwrap().trim().parse().unwrap();
    assert!(many > 10);
    assert_eq!(whole.stdout.lines().count(), many + 1, "{}", whole.shown());

    // A user for readers (docs/sql.md).
    with(&[("readonly", "2")]);
    let answered = pipeline.postback(&["query", "SELECT 1 AS one", "-o", "csv"]);
    assert_eq!(answered.stdout, "one\r\n1\r\n", "{}", answered.shown());
    let set = pipeline.postback(&["query", "SELECT 1 SETTINGS max_threads = 1"]);
    let shown = set.shown();
    assert!(
        set.code != 0 && shown.contains("leave SETTINGS out"),
        "{shown}"
    );
}
