//! Signals, in a process of their own: they would reach every other test too.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use postback_service::lifecycle::{Reloads, shutdown_on_signal};
use rustix::process::{Signal, getpid, kill_process};
use tokio::time::timeout;

/// The condition holds within milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn sighup_asks_for_a_reload_and_sigterm_for_the_end() {
    let shutdown = shutdown_on_signal().unwrap();
    let mut reloads = Reloads::listen().unwrap();
    for _ in 0..2 {
        kill_process(getpid(), Signal::HUP).unwrap();
        timeout(LIMIT, reloads.next()).await.unwrap();
    }
    assert!(!shutdown.is_cancelled());
    kill_process(getpid(), Signal::TERM).unwrap();
    timeout(LIMIT, shutdown.cancelled()).await.unwrap();
}
