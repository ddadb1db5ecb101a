//! What is interrupted counts once, in short; `cargo xtask soak load` runs it at full length.
//!
//! Whole sets of servers are started, killed and started again here, so these tests are a binary of
//! their own and take turns.

#![allow(
    clippy::print_stdout,
    reason = "figures, for who asks with --nocapture"
)]

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use postback_tests::counts::{Length, Scene, back_at_work, run};

static TURN: Mutex<()> = Mutex::new(());

fn play(scene: Scene) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let account = run(scene, &Length::short());
    println!("{scene}: {account}");
    assert!(account.broken.is_empty(), "{scene}: {account}");
}

#[test]
fn a_consumer_that_dies_at_each_place_of_its_code_and_a_group_that_is_deleted() {
    play(Scene::CrashPoints);
}

#[test]
fn kills_of_everything_at_random() {
    play(Scene::Kills);
}

#[test]
fn consumers_that_come_and_go_and_stand_still() {
    play(Scene::Rebalances);
}

#[test]
fn a_clickhouse_that_dies_between_two_parts_of_an_insert() {
    play(Scene::Renames);
}

/// The contract's own limits.
#[test]
fn loading_goes_on_in_time() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let times = back_at_work(&Length::short());
    println!("{times:?}");
    let ten = Duration::from_secs(10);
    assert!(times.after_a_kill < ten, "{times:?}");
    assert!(times.after_a_kill_of_a_static_member < ten, "{times:?}");
    assert!(times.after_clickhouse < Duration::from_secs(5), "{times:?}");
}
