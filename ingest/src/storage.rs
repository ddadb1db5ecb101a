//! Two places where a record can be safe, Kafka and the spool: whichever confirms first counts.
//!
//! | Kafka | first | and then |
//! |---|---|---|
//! | confirms in time (breaker closed) | Kafka | the spool too, when Kafka has not confirmed within the wait, or said no |
//! | is away, slow or full (breaker open) | the spool | Kafka too, when the spool has not confirmed within the wait, or said no; at once, while the disk has been at one write for longer than the wait |
//! | the topic is missing | the spool | nothing |
//!
//! At the deadline, or when both said no, the record is nowhere that one could promise. The same
//! record goes both ways, so when it arrives twice it is one.
//!
//! Without a spool, Kafka is waited for until the deadline.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use postback_common::reason::Refusal;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use crate::breaker::{Breaker, Cause, Route};
use crate::confirmation::{Confirmation, Waiting};
use crate::kafka::{NotTaken, Producer};
use crate::spool::{Spooled, Spooler};
use crate::topic_watch::TopicMissing;

/// Where a record was made durable first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Kafka confirmed it.
    Kafka,
    /// It is on the spool's disk.
    Spool,
}

/// Hands records over.
pub struct Storage {
    producer: Arc<dyn Producer>,
    missing: TopicMissing,
    breaker: Arc<Breaker>,
    spool: Option<Arc<Spooler>>,
}

/// A record that can be written more than once, each time the same.
pub trait Record {
    /// Lends the record's bytes.
    fn lend<T>(&self, reads: impl FnOnce(&[u8]) -> T) -> T;

    /// When it was received, in µs since 1970.
    fn at_micros(&self) -> u64;
}

impl Storage {
    /// Hands over to `producer` and, where there is one, to `spool`.
    #[must_use]
    pub fn new(
        producer: Arc<dyn Producer>,
        missing: TopicMissing,
        breaker: Arc<Breaker>,
        spool: Option<Arc<Spooler>>,
    ) -> Self {
        Self {
            producer,
            missing,
            breaker,
            spool,
        }
    }

    /// Makes a record durable that is whole `now`, at most until `deadline`.
    ///
    /// # Errors
    /// [`Refusal::NowhereToStore`] as soon as no place is left that could take it.
    /// [`Refusal::NotConfirmed`] at the deadline; the record is still on its way.
    pub async fn store(
        &self,
        record: &impl Record,
        now: Instant,
        deadline: Instant,
    ) -> Result<Way, Refusal> {
        let route = self.route(now);
        let mut race = Race {
            storage: self,
            record,
            kafka: Place::Untried,
            spool: Place::Untried,
        };
        if route == Route::Kafka {
            race.try_kafka(now);
            let wait = now + self.wait();
            if let Place::Tried(confirmation) = &mut race.kafka {
                match timeout_at(wait.min(deadline), confirmation).await {
                    Ok(Ok(())) => return Ok(Way::Kafka),
                    Ok(Err(_)) => race.kafka = Place::Failed,
                    Err(_) => {
                        let late = Instant::now().into_std();
                        self.breaker.failed(Cause::Late, now.into_std(), late);
                    }
                }
            }
        }
        race.try_spool();
        if route == Route::Probe || self.spool_has_stalled() {
            race.try_kafka(now);
        }
        // Rare and long: not in the future that every connection has room for.
        Box::pin(race.run(deadline)).await
    }

    fn route(&self, now: Instant) -> Route {
        match (&self.spool, self.missing.is_known()) {
            (_, true) => Route::Spool,
            (None, false) => Route::Kafka,
            (Some(_), false) => self.breaker.route(now.into_std()),
        }
    }

    /// Whether a record that is spooled now can be expected to take longer than the wait: then no
    /// time is to be lost for the other place.
    fn spool_has_stalled(&self) -> bool {
        let spool = self.spool.as_ref();
        spool.is_some_and(|spool| spool.has_stalled(self.breaker.wait()))
    }

    /// How long Kafka is waited for before the spool is asked: for ever if there is none.
    fn wait(&self) -> Duration {
        const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);
        let wait = self.spool.as_ref().map(|_| self.breaker.wait());
        wait.unwrap_or(FOR_EVER)
    }
}

/// A record on its ways.
struct Race<'a, R> {
    storage: &'a Storage,
    record: &'a R,
    kafka: Place<Confirmation>,
    spool: Place<Spooled>,
}

/// One of the two places.
enum Place<C> {
    /// The record was not offered.
    Untried,
    /// It was, and nothing is known yet.
    Tried(C),
    /// It is not there, or not as far as one could promise.
    Failed,
}

impl<C: Future + Unpin> Place<C> {
    /// Its word; never, if there is none to come.
    async fn word(&mut self) -> C::Output {
        match self {
            Self::Tried(confirmation) => confirmation.await,
            Self::Untried | Self::Failed => pending().await,
        }
    }

    fn is_tried(&self) -> bool {
        matches!(self, Self::Tried(_))
    }
}

impl<R: Record> Race<'_, R> {
    fn try_kafka(&mut self, now: Instant) {
        if !matches!(self.kafka, Place::Untried) {
            return;
        }
        let storage = self.storage;
        if storage.missing.is_known() {
            self.kafka = Place::Failed;
            return;
        }
        let now = now.into_std();
        let (waiting, confirmation) = Waiting::pair(Arc::clone(&storage.breaker), now);
        let offered = self
            .record
            .lend(|record| storage.producer.offer(record, waiting));
        self.kafka = match offered {
            Ok(()) => Place::Tried(confirmation),
            Err(error) => {
                debug!(%error, "not taken");
                if error != NotTaken::TooLarge {
                    storage.breaker.failed(Cause::NotTaken, now, now);
                }
                Place::Failed
            }
        };
    }

    fn try_spool(&mut self) {
        if !matches!(self.spool, Place::Untried) {
            return;
        }
        let Some(spool) = &self.storage.spool else {
            self.spool = Place::Failed;
            return;
        };
        let at = self.record.at_micros();
        let submitted = self.record.lend(|record| spool.submit(record, at));
        self.spool = match submitted {
            Ok(spooled) => Place::Tried(spooled),
            Err(error) => {
                debug!(reason = error.reason(), %error, "not spooled");
                Place::Failed
            }
        };
    }

    /// Waits for the first confirmation; tries Kafka too when the spool takes its time.
    async fn run(mut self, deadline: Instant) -> Result<Way, Refusal> {
        let second = Instant::now() + self.storage.breaker.wait();
        loop {
            if !self.spool.is_tried() {
                self.try_kafka(Instant::now());
            }
            if !self.spool.is_tried() && !self.kafka.is_tried() {
                return Err(Refusal::NowhereToStore);
            }
            let untried = matches!(self.kafka, Place::Untried);
            tokio::select! {
                biased;
                heard = self.kafka.word() => match heard {
                    Ok(()) => return Ok(self.kafka_won()),
                    Err(_) => self.kafka = Place::Failed,
                },
                heard = self.spool.word() => match heard {
                    Ok(()) => return Ok(Way::Spool),
                    Err(_) => self.spool = Place::Failed,
                },
                () = sleep_until(second), if untried => self.try_kafka(Instant::now()),
                () = sleep_until(deadline) => return Err(Refusal::NotConfirmed),
            }
        }
    }

    /// What still waits for the disk need not be written.
    fn kafka_won(&self) -> Way {
        if let Place::Tried(spooled) = &self.spool {
            spooled.withdraw();
        }
        Way::Kafka
    }
}
