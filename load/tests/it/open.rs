//! The open loop.

use std::net::TcpListener;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use postback_load::{Failure, Ledger, OpenLoop, OpenReport, Outcome, Request};

use crate::server::{self, stored};

fn plan(address: std::net::SocketAddr, rate: u32, millis: u64) -> OpenLoop {
    let request = Request::get(address, "/?n={number}");
    OpenLoop::new(address, request, rate, Duration::from_millis(millis))
}

fn failures(ledger: &Ledger, failure: Failure) -> usize {
    let failed = |outcome| outcome == Outcome::Failed(failure);
    let attempts = ledger.attempts.iter();
    attempts.filter(|attempt| failed(attempt.outcome)).count()
}

#[test]
fn every_attempt_is_in_the_ledger_with_its_own_answer() {
    let address = server::start(|number| {
        Some(if number % 10 == 3 {
            "HTTP/1.1 503 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned()
        } else {
            stored(number)
        })
    });
    let ledger = plan(address, 1_000, 500).run().unwrap();
    assert_eq!(ledger.attempts.len(), 500);
    let interval = Duration::from_millis(1);
    for (number, attempt) in ledger.attempts.iter().enumerate() {
        let planned = ledger.attempts[0].planned + interval * u32::try_from(number).unwrap();
        assert_eq!(attempt.planned, planned);
        let sent = attempt.sent.unwrap();
        assert!(planned <= attempt.begun && attempt.begun <= sent && sent <= attempt.ended);
        if number % 10 == 3 {
            let refused = Outcome::Answered {
                status: 503,
                id: None,
            };
            assert_eq!(attempt.outcome, refused);
            assert_eq!(attempt.acknowledged(), None);
        } else {
            assert_eq!(attempt.acknowledged().unwrap().as_u128(), number as u128);
        }
    }
    let report = OpenReport::of(&ledger).unwrap();
    assert_eq!((report.answered, report.succeeded), (500, 450));
    // Sent when they were due, not when something else woke the sender.
    let mut late: Vec<Duration> = ledger
        .attempts
        .iter()
        .map(|a| a.begun - a.planned)
        .collect();
    late.sort_unstable();
    assert!(late[250] < Duration::from_millis(50), "{:?}", late[250]);
}

/// A sender that waited for its answers would see one slow request here.
#[test]
fn a_server_that_stands_still_is_slow_for_all_that_were_planned_meanwhile() {
    let busy = Mutex::new(());
    let address = server::start(move |number| {
        let _turn = busy.lock().unwrap();
        if number == 100 {
            sleep(Duration::from_millis(400));
        }
        Some(stored(number))
    });
    let ledger = plan(address, 500, 1_000).run().unwrap();
    let report = OpenReport::of(&ledger).unwrap();
    assert_eq!(report.succeeded, 500, "{report:?}");
    // Number 100 waits 400 ms, and each one behind it 2 ms less: 100 of them wait 200 ms and more.
    let slow = |attempt: &&postback_load::Attempt| attempt.latency() > Duration::from_millis(200);
    let slow = ledger.attempts.iter().filter(slow).count();
    assert!(slow >= 100, "{slow} slow: {report:?}");
    // None of them waited for a busy connection.
    assert!(report.connections >= 200, "{report:?}");
}

#[test]
fn connections_are_bounded_and_the_sender_ends_by_itself() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut plan = plan(silent.local_addr().unwrap(), 1_000, 50);
    plan.connections_max = 5;
    plan.patience = Duration::from_millis(300);
    let ledger = plan.run().unwrap();
    assert_eq!(failures(&ledger, Failure::TimedOut), 5);
    assert_eq!(failures(&ledger, Failure::NoConnection), 45);
    assert_eq!(ledger.connections, 5);
}

#[test]
fn a_connection_that_breaks_fails_its_request_alone() {
    let address = server::start(|number| (number != 20).then(|| stored(number)));
    let ledger = plan(address, 1_000, 100).run().unwrap();
    let failed: Vec<usize> = (0..100)
        .filter(|number| !ledger.attempts[*number].is_success())
        .collect();
    assert_eq!(failed, [20]);
    assert_eq!(
        ledger.attempts[20].outcome,
        Outcome::Failed(Failure::Closed)
    );
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let ledger = plan(address, 1_000, 20).run().unwrap();
    assert_eq!(failures(&ledger, Failure::Refused), 20);
}

#[test]
fn connections_opened_ahead_are_all_used() {
    let address = server::start(|number| Some(stored(number)));
    let mut plan = plan(address, 1_000, 300);
    plan.opened_ahead = 250;
    plan.reuse = postback_load::Reuse::Oldest;
    let ledger = plan.run().unwrap();
    assert_eq!(OpenReport::of(&ledger).unwrap().succeeded, 300);
    assert!(ledger.connections >= 250);
}
