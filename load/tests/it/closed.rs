//! The closed loop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postback_load::{ClosedLoop, Request};

use crate::server::{self, stored};

#[test]
fn every_answer_is_counted() {
    let seen = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&seen);
    let address = server::start(move |number| {
        counted.fetch_add(1, Ordering::Relaxed);
        (number != 30).then(|| {
            if number == 10 {
                "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
            } else {
                stored(number)
            }
        })
    });
    let closed = ClosedLoop {
        address,
        request: Request::get(address, "/?n={number}"),
        connections: 8,
        time: Duration::from_millis(500),
    };
    let report = closed.run().unwrap();
    // One was not answered, and its connection was replaced.
    assert_eq!(report.failures, BTreeMap::from([("closed".to_owned(), 1)]));
    assert_eq!(report.answered + 1, seen.load(Ordering::Relaxed));
    assert_eq!(report.succeeded, report.answered);
    assert_eq!(report.statuses[&204], 1);
    assert!(report.answered > 100, "{report:?}");
}
