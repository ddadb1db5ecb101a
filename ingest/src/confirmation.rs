//! From handing a record over to hearing what became of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::debug;

use crate::breaker::{Breaker, Cause};

/// Resolves once: the record is durable, or [`Unconfirmed`]. Dropping it forgets nothing but the
/// answer: the record stays on its way.
#[derive(Debug)]
pub struct Confirmation(oneshot::Receiver<Result<(), Unconfirmed>>);

/// The record was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// It did not work out. After a time-out that means *unknown*: the record may be there.
    #[error("not confirmed ({0})")]
    Failed(String),
    /// Kafka will never take this record, whatever its state; the text is librdkafka's name of the
    /// reason.
    #[error("refused for itself ({0})")]
    Refused(String),
}

impl Confirmation {
    /// A confirmation, and whom to tell.
    #[must_use]
    pub fn pair() -> (oneshot::Sender<Result<(), Unconfirmed>>, Self) {
        let (told, hears) = oneshot::channel();
        (told, Self(hears))
    }

    /// Waits on this thread, which must not be one of the runtime's workers.
    ///
    /// # Errors
    /// [`Unconfirmed`]
    pub fn wait(self) -> Result<(), Unconfirmed> {
        self.0.blocking_recv().unwrap_or_else(|_| Err(forgotten()))
    }
}

impl Future for Confirmation {
    type Output = Result<(), Unconfirmed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let heard = Pin::new(&mut self.0).poll(context);
        heard.map(|heard| heard.unwrap_or_else(|_| Err(forgotten())))
    }
}

fn forgotten() -> Unconfirmed {
    Unconfirmed::Failed("nobody is left to tell".to_owned())
}

/// What travels with a record through Kafka's client: whom to tell, the breaker first of all.
#[derive(Debug)]
pub struct Waiting {
    since: Instant,
    told: oneshot::Sender<Result<(), Unconfirmed>>,
    breaker: Arc<Breaker>,
}

impl Waiting {
    /// For a record that is handed over now.
    #[must_use]
    pub fn pair(breaker: Arc<Breaker>, now: Instant) -> (Self, Confirmation) {
        let (told, confirmation) = Confirmation::pair();
        let waiting = Self {
            since: now,
            told,
            breaker,
        };
        (waiting, confirmation)
    }

    /// Time since the record was handed over.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// When the record was handed over.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Tells the breaker and whoever still waits.
    pub fn tell(self, result: Result<(), Unconfirmed>) {
        let waited = self.waited();
        self.tell_after(waited, result);
    }

    /// As [`Waiting::tell`], `waited` after the record was handed over.
    pub fn tell_after(self, waited: Duration, result: Result<(), Unconfirmed>) {
        match &result {
            // A refusal says nothing about Kafka's state but that it answers.
            Ok(()) | Err(Unconfirmed::Refused(_)) => self.breaker.confirmed(self.since, waited),
            Err(Unconfirmed::Failed(_)) => {
                let now = self.since + waited;
                self.breaker.failed(Cause::Failed, self.since, now);
            }
        }
        if let Err(result) = self.told.send(result) {
            debug!(?waited, ?result, "Kafka's word came after the answer");
        }
    }
}
