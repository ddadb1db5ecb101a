//! Pushes postbacks to the registered endpoint on a schedule, whatever becomes of them.
//!
//! Postback N is due N intervals after the begin, and it is sent then: on an idle connection, else on
//! a new one, however many answers are still awaited. Each has one attempt. Nothing is sent while
//! the endpoint is disabled; the schedule goes on, and the ledger says what was kept back.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::book::{Book, Closed};
use crate::connection::Connection;
use crate::delivery::{Delivery, Registration};
use crate::event::Event;
use crate::ledger::line::{End, Kept, Line};
use crate::ledger::{Attempt, Counts, Entry, Failure, Outcome, Withheld};
use crate::network::Network;
use crate::schedule::{Schedule, micros};

/// Attempts begun before answers are looked at again.
const BURST: u32 = 64;

/// How often progress is told.
const TOLD: Duration = Duration::from_secs(1);

/// How the network pushes.
#[derive(Clone, Copy, Debug)]
pub struct Push {
    /// Postbacks a second, at least one.
    pub rate: u32,
    /// How long it waits for an answer, connecting included.
    pub patience: Duration,
    /// Most connections at once: one more would be later than its time.
    pub connections_max: usize,
}

/// How far the pushing is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// What became of the postbacks so far.
    pub counts: Counts,
    /// The latest attempt since the last word, after its time.
    pub behind: Duration,
}

/// What an attempt's task gives back.
struct Done {
    number: u64,
    entry: Box<Entry>,
    connection: Connection,
    /// Which endpoint it was for.
    route: u64,
}

/// Where the endpoint is.
struct Route {
    registration: Arc<Registration>,
    host: Arc<str>,
    /// `None` where its name has no address.
    address: Option<SocketAddr>,
    /// Counts up, so that a connection to an earlier endpoint is not used again.
    number: u64,
}

impl Push {
    /// Pushes `events` until there are no more, or until `stop`; then waits for the answers that are
    /// due. Writes a line for each to `book`, and tells `progress` once a second.
    ///
    /// # Errors
    /// When the ledger cannot be written any more: what it would not hold is not sent.
    pub async fn run(
        self,
        network: &Network,
        mut events: mpsc::Receiver<Vec<Event>>,
        book: &Book,
        stop: impl Future<Output = ()>,
        mut progress: impl FnMut(&Progress),
    ) -> Result<End, Closed> {
        let (done, mut finished) = mpsc::unbounded_channel();
        let mut pushing = Pushing::new(self, network, book, done);
        let mut told = interval(TOLD);
        told.set_missed_tick_behavior(MissedTickBehavior::Skip);
        told.tick().await;
        tokio::pin!(stop);
        loop {
            let more_due = pushing.begin_due().await?;
            if pushing.is_over() {
                break;
            }
            if more_due {
                tokio::task::yield_now().await;
            }
            tokio::select! {
                biased;
                () = &mut stop, if !pushing.is_stopped => pushing.is_stopped = true,
                Some(ended) = finished.recv() => {
                    pushing.end(ended)?;
                    while let Ok(ended) = finished.try_recv() {
                        pushing.end(ended)?;
                    }
                }
                chunk = events.recv(), if pushing.wants_events() => pushing.take(chunk),
                () = sleep_until(pushing.due()), if pushing.can_begin() => {}
                _ = told.tick() => progress(&pushing.progress()),
            }
        }
        pushing.note_changes()?;
        progress(&pushing.progress());
        Ok(pushing.conclusion())
    }
}

struct Pushing<'a> {
    push: Push,
    schedule: Schedule,
    begin: Instant,
    network: &'a Network,
    ready: std::vec::IntoIter<Event>,
    /// No more events will come.
    is_exhausted: bool,
    is_stopped: bool,
    book: &'a Book,
    done: mpsc::UnboundedSender<Done>,
    route: Option<Route>,
    routes: u64,
    idle: Vec<Connection>,
    under_way: usize,
    number: u64,
    counts: Counts,
    kept: Kept,
    behind: Duration,
}

impl<'a> Pushing<'a> {
    fn new(
        push: Push,
        network: &'a Network,
        book: &'a Book,
        done: mpsc::UnboundedSender<Done>,
    ) -> Self {
        Pushing {
            schedule: Schedule::new(push.rate),
            push,
            begin: Instant::now(),
            network,
            ready: Vec::new().into_iter(),
            is_exhausted: false,
            is_stopped: false,
            book,
            done,
            route: None,
            routes: 0,
            idle: Vec::new(),
            under_way: 0,
            number: 0,
            counts: Counts::default(),
            kept: Kept::default(),
            behind: Duration::ZERO,
        }
    }

    fn is_over(&self) -> bool {
        let no_more = self.is_stopped || (self.is_exhausted && self.ready.len() == 0);
        no_more && self.under_way == 0
    }

    fn wants_events(&self) -> bool {
        self.ready.len() == 0 && !self.is_exhausted && !self.is_stopped
    }

    fn can_begin(&self) -> bool {
        self.ready.len() > 0 && !self.is_stopped && self.under_way < self.push.connections_max
    }

    fn due(&self) -> Instant {
        self.begin + self.schedule.due(self.number)
    }

    /// The schedule begins when there is something to send.
    fn take(&mut self, chunk: Option<Vec<Event>>) {
        if self.number == 0 {
            self.begin = Instant::now();
        }
        match chunk {
            Some(chunk) => self.ready = chunk.into_iter(),
            None => self.is_exhausted = true,
        }
    }

    /// Begins what is due. Says whether there may be more of it.
    async fn begin_due(&mut self) -> Result<bool, Closed> {
        for _ in 0..BURST {
            let now = Instant::now();
            let due = self.due();
            if due > now || !self.can_begin() {
                return Ok(false);
            }
            let Some(event) = self.ready.next() else {
                return Ok(false);
            };
            self.begin(event, now - due).await?;
        }
        Ok(true)
    }

    async fn begin(&mut self, event: Event, late: Duration) -> Result<(), Closed> {
        let number = self.number;
        self.number += 1;
        let target = self.network.target();
        if let Ok(registration) = &target {
            self.follow(registration).await;
        }
        let delivery = match &self.route {
            Some(route) => Delivery::of(&event, &route.registration),
            None => Delivery::of(&event, &self.network.unregistered()),
        };
        self.network.remember(event);
        match (target, &self.route) {
            (Ok(_), Some(route)) => {
                self.kept.note(late);
                self.behind = self.behind.max(late);
                let Some(address) = route.address else {
                    return self.fail(number, delivery, late);
                };
                let (host, number_of_route) = (Arc::clone(&route.host), route.number);
                let connection = self.idle.pop();
                let connection =
                    connection.unwrap_or_else(|| Connection::new(address, self.push.patience));
                self.under_way += 1;
                let done = self.done.clone();
                tokio::spawn(attempt(Begun {
                    number,
                    delivery,
                    late,
                    host,
                    route: number_of_route,
                    connection,
                    done,
                }));
                Ok(())
            }
            (target, _) => self.note(
                number,
                Box::new(Entry {
                    withheld: Some(target.err().unwrap_or(Withheld::Deleted)),
                    ..Entry::unsent(delivery.planned)
                }),
            ),
        }
    }

    /// Goes where the endpoint is now.
    async fn follow(&mut self, registration: &Arc<Registration>) {
        let same = |route: &Route| Arc::ptr_eq(&route.registration, registration);
        if self.route.as_ref().is_some_and(same) {
            return;
        }
        let Some(authority) = registration.template.authority() else {
            return;
        };
        let place = (authority.host.as_str(), authority.port);
        let address = tokio::net::lookup_host(place).await;
        self.routes += 1;
        self.idle.clear();
        self.route = Some(Route {
            registration: Arc::clone(registration),
            host: authority.host_field().into(),
            address: address.ok().and_then(|mut found| found.next()),
            number: self.routes,
        });
    }

    /// An attempt that ends where it begins: the endpoint's name has no address.
    fn fail(&mut self, number: u64, delivery: Delivery, late: Duration) -> Result<(), Closed> {
        let now = Timestamp::now();
        let attempt = Attempt {
            sent_at: now,
            latency_us: 0,
            late_us: micros(late),
            outcome: Outcome::Failed {
                failure: Failure::Connect,
                detail: "the endpoint's name has no address".to_owned(),
            },
        };
        self.network.judge(false, now);
        let entry = Entry::sent(delivery.planned, attempt);
        self.note(number, Box::new(entry))
    }

    fn end(&mut self, done: Done) -> Result<(), Closed> {
        self.under_way -= 1;
        let succeeded = done.entry.is_acknowledged();
        self.network.judge(succeeded, Timestamp::now());
        if self
            .route
            .as_ref()
            .is_some_and(|route| route.number == done.route)
        {
            self.idle.push(done.connection);
        }
        self.note(done.number, done.entry)
    }

    fn note(&mut self, number: u64, entry: Box<Entry>) -> Result<(), Closed> {
        self.counts.add(&entry);
        self.book.write(Line::Postback { number, entry })?;
        self.note_changes()
    }

    fn note_changes(&self) -> Result<(), Closed> {
        let changes = self.network.take_changes().into_iter();
        changes
            .map(Line::Endpoint)
            .try_for_each(|line| self.book.write(line))
    }

    fn progress(&mut self) -> Progress {
        Progress {
            counts: self.counts,
            behind: std::mem::take(&mut self.behind),
        }
    }

    fn conclusion(&self) -> End {
        End {
            ended_at: Timestamp::now(),
            interrupted: self.is_stopped,
            counts: self.counts,
            schedule: self.kept,
        }
    }
}

/// An attempt on its way to a task of its own.
struct Begun {
    number: u64,
    delivery: Delivery,
    late: Duration,
    host: Arc<str>,
    route: u64,
    connection: Connection,
    done: mpsc::UnboundedSender<Done>,
}

async fn attempt(begun: Begun) {
    let Begun {
        number,
        delivery,
        late,
        host,
        route,
        mut connection,
        done,
    } = begun;
    let mut attempt = connection.attempt(&host, &delivery).await;
    attempt.late_us = micros(late);
    let entry = Box::new(Entry::sent(delivery.planned, attempt));
    let done_with = Done {
        number,
        entry,
        connection,
        route,
    };
    // Nobody listens after a ledger that could not be written.
    drop(done.send(done_with));
}

#[cfg(test)]
mod tests;
