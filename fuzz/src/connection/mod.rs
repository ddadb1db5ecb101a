//! Any bytes as a connection to ingest.
//!
//! Ingest is the real one from the connection to the record; in place of Kafka stands a producer
//! that answers at once. What must hold whatever comes:
//!
//! - it ends once the sender has nothing more to say, and does not go round in circles before;
//! - what the sender gets are HTTP answers, whole and nothing else, and none behind the last;
//! - each 2xx that names a record names one that Kafka has, in the order of the requests, and Kafka
//!   has no other;
//! - each record can be read, and says what stands in the input behind a key that is one of ours;
//! - hyper behind the target stream makes the same requests of the bytes as hyper alone, but for the
//!   targets that it alone would cut or refuse;
//! - no URL key is in a record or an answer, unless the sender put it into a query, header or body;
//! - and none is in the trace of a refusal, wherever the sender put it.

mod agreement;
mod answers;
mod input;
mod promises;
mod sender;
mod site;

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::timeout;

pub use answers::Answer;
pub use input::{Input, Kafka};
pub use site::KEY;

use sender::Sender;
use site::Site;

/// Longest time that a connection may take whose sender never makes it wait. It takes well below a
/// millisecond; a machine that is busy may stand still for a while.
const LIMIT: Duration = Duration::from_secs(30);

/// What came of a connection.
#[derive(Debug)]
pub struct Outcome {
    /// What the sender got, interim answers left out.
    pub answers: Vec<Answer>,
    /// What Kafka got.
    pub records: Vec<Vec<u8>>,
}

/// Plays `bytes` as an [`Input`] and checks all promises.
///
/// # Panics
/// When one is broken.
pub fn check(bytes: &[u8]) -> Outcome {
    let input = Input::of(bytes);
    Site::with(|site| {
        site.kafka.behave(input.kafka);
        let (sender, seen) = Sender::of(&input);
        let stop = sender.stop.clone();
        let playing = async {
            site.answer(sender, stop).await;
            agreement::check(&input).await;
        };
        let ended = site
            .runtime
            .block_on(async { timeout(LIMIT, playing).await });
        assert!(ended.is_ok(), "the connection does not end");
        site.check_idle();
        site.check_traces();
        let written = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = Outcome {
            answers: answers::read(&written),
            records: site.kafka.take(),
        };
        promises::check(&input, &written, &outcome);
        outcome
    })
}
