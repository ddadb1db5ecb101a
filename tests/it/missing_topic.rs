//! Without its topic ingest stays up, is not ready, says `postback migrate`, and recovers.

use postback_simulator::plan;
use postback_tests::raw::{exchange, request};
use postback_tests::{Setup, wait};

use crate::main_path::scenario;
use crate::templates::COMPLETE;

#[test]
fn ingest_names_postback_migrate_and_goes_on_when_the_topic_is_there() {
    let pipeline = Setup::new("missing_topic")
        .source("rakuten-us", COMPLETE)
        .prepare();
    let ingest = pipeline.start_ingest();
    wait::until_true("the missing topic is named", || {
        pipeline
            .readiness(pipeline.ingest_admin)
            .is_some_and(|(status, text)| {
                status == 503
                    && text.contains(pipeline.topic.name())
                    && text.contains("postback migrate")
            })
    });
    let target = format!("{}?u1=early", pipeline.sources[0].path());
    let postback = || {
        exchange(
            pipeline.address,
            &request("GET", target.as_bytes(), "", b""),
        )
        .unwrap()
    };
    let refused = postback();
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.header("retry-after").is_some(), "{}", refused.text);
    assert!(ingest.process().is_running());

    let doctor = pipeline.postback(&["doctor"]);
    assert_eq!(doctor.code, 3, "{}", doctor.shown());
    assert!(
        doctor.stdout.contains("postback migrate"),
        "{}",
        doctor.shown()
    );

    pipeline.migrate();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    wait::until_true("postbacks are taken again", || postback().status == 200);
    assert_eq!(ingest.terminate(), 0);
}

#[test]
fn migrate_says_what_is_not_safe_about_a_topic_that_somebody_else_made() {
    let pipeline = Setup::new("unsafe_topic")
        .source("rakuten-us", COMPLETE)
        .prepare();
    pipeline.topic.make_plain(1);
    let migrate = pipeline.postback(&["migrate"]);
    assert_eq!(migrate.code, 0, "{}", migrate.shown());
    for named in ["flush.messages", "LogAppendTime", "retention"] {
        assert!(
            migrate.stderr.contains(named) || migrate.stdout.contains(named),
            "{named}: {}",
            migrate.shown()
        );
    }
    let again = pipeline.postback(&["migrate"]);
    assert_eq!(
        again.code,
        0,
        "a second time changes nothing: {}",
        again.shown()
    );
}

#[test]
fn a_topic_that_is_deleted_and_made_again_is_loaded_from_its_beginning() {
    let running = Setup::new("topic_again")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let before = pipeline.send(plan(&scenario(51, 600).events, &pipeline.registration(0)));
    pipeline.wait_until_loaded(before.counts().acknowledged);

    pipeline.topic.remove();
    wait::until_true("ingest misses the topic", || {
        pipeline
            .readiness(pipeline.ingest_admin)
            .is_some_and(|(status, text)| status == 503 && text.contains("postback migrate"))
    });
    wait::until_true("the topic is made again", || {
        pipeline.postback(&["migrate"]).code == 0
    });
    pipeline.wait_until_ready(pipeline.ingest_admin, &running.ingest);
    // More than before, so that the new log outgrows the offsets of the old one.
    let after = pipeline.send(plan(&scenario(52, 1_500).events, &pipeline.registration(0)));
    assert_eq!(after.counts().acknowledged, 1_500, "{:?}", after.counts());
    pipeline.wait_until_loaded_at_least(&after);
    pipeline.wait_until_ready(pipeline.consumer_admin, &running.consumer);
}
