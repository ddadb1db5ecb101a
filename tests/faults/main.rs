//! Faults under load, in short; `cargo xtask soak ingest` runs them at full length.
//!
//! Times matter here, so these tests are a binary of their own, which nothing runs beside, and take
//! turns.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test fails the test by panicking"
)]

use std::sync::{Mutex, PoisonError};

use postback_tests::faults::{Fault, Length, run};

static TURN: Mutex<()> = Mutex::new(());

fn play(fault: Fault) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let account = run(fault, &Length::short());
    assert!(account.broken.is_empty(), "{fault}: {account}");
}

#[test]
fn a_frozen_kafka() {
    play(Fault::KafkaFrozen);
}

#[test]
fn a_killed_kafka() {
    play(Fault::KafkaAway);
}

#[test]
fn a_topic_deleted_and_made_again() {
    play(Fault::TopicMadeAgain);
}

#[test]
fn a_disk_that_hangs() {
    play(Fault::DiskHangs);
}

#[test]
fn a_disk_that_hangs_and_a_frozen_kafka() {
    play(Fault::DiskHangsAndKafkaFrozen);
}

#[test]
fn a_disk_that_fails_and_a_frozen_kafka() {
    play(Fault::DiskFailsAndKafkaFrozen);
}

#[test]
fn an_ingest_killed() {
    play(Fault::IngestKilled);
}

#[test]
fn an_ingest_killed_while_kafka_is_frozen() {
    play(Fault::IngestKilledAndKafkaFrozen);
}

#[test]
fn an_ingest_killed_while_there_is_nowhere_to_store() {
    play(Fault::IngestKilledAndNowhereToStore);
}
