//! A fixed rate, whatever the server does.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::connections::{Connections, Heard, Slot};
use crate::ledger::{Attempt, Failure, Ledger, Outcome};
use crate::request::Request;
use crate::response::Answer;
use crate::stalls::Stalls;

/// The sender wakes at least so often, so that it knows of its own stalls.
const TICK: Duration = Duration::from_millis(1);

/// The first request is planned this long after everything is ready.
const PAUSE: Duration = Duration::from_millis(20);

/// How long connections may take to open ahead of the first request.
const OPENED_WITHIN: Duration = Duration::from_secs(60);

/// Connections that are being opened ahead at once: fewer than a listening socket's queue takes.
const OPENING: usize = 32;

/// Which of the idle connections takes the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// The one that was used last, so that few are needed.
    Newest,
    /// The one that has idled longest, so that all are used.
    Oldest,
}

/// A sender with a plan: request N is sent N intervals after the start. Ends by itself: after
/// `attempts`, or when told to stop, and `patience` for the last one.
#[derive(Debug, Clone)]
pub struct OpenLoop {
    /// Where to.
    pub address: SocketAddr,
    /// What.
    pub request: Request,
    /// Time between two requests.
    pub interval: Duration,
    /// How many in all.
    pub attempts: usize,
    /// After this an attempt has failed, and its connection is closed.
    pub patience: Duration,
    /// Connections opened before the first request.
    pub opened_ahead: usize,
    /// Most connections at once.
    pub connections_max: usize,
    /// Which idle connection is used.
    pub reuse: Reuse,
    /// Set by another thread to send no more: the answers that are due are still waited for.
    pub stop: Arc<AtomicBool>,
}

impl OpenLoop {
    /// `rate` requests a second (at least one) for a time, on as many connections as it needs up to
    /// 4,096, with 5 s of patience.
    #[must_use]
    pub fn new(address: SocketAddr, request: Request, rate: u32, time: Duration) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        let attempts = time.as_nanos() / interval.as_nanos();
        Self {
            address,
            request,
            interval,
            attempts: usize::try_from(attempts).unwrap_or(usize::MAX),
            patience: Duration::from_secs(5),
            opened_ahead: 0,
            connections_max: 4_096,
            reuse: Reuse::Newest,
            stop: Arc::default(),
        }
    }

    /// Sends all of it, from this thread.
    ///
    /// # Errors
    /// When the system gives no epoll or timer, or when the connections to be opened ahead are not
    /// to be had. What goes wrong later stands in the ledger.
    pub fn run(self) -> io::Result<Ledger> {
        let mut sending = Sending::prepare(self)?;
        sending.send_all()?;
        Ok(sending.ledger())
    }
}

/// An attempt that has no outcome yet.
#[derive(Debug, Clone, Copy)]
struct Under {
    number: usize,
    begun: Duration,
    sent: Option<Duration>,
}

struct Sending {
    plan: OpenLoop,
    start: Instant,
    cpu: Duration,
    connections: Connections,
    most: usize,
    idle: VecDeque<Slot>,
    /// By slot.
    under_way: Vec<Option<Under>>,
    /// In the order in which they were begun; those with an outcome are passed over.
    oldest: VecDeque<(usize, Slot)>,
    stalls: Stalls,
    begun: usize,
    ended: usize,
    attempts: Vec<Option<Attempt>>,
}

impl Sending {
    fn prepare(plan: OpenLoop) -> io::Result<Self> {
        let mut connections = Connections::new(plan.address)?;
        let idle = open_ahead(&mut connections, plan.opened_ahead)?;
        let tick = tick(plan.interval);
        connections.wake_every(tick)?;
        Ok(Self {
            start: Instant::now(),
            cpu: cpu(),
            most: idle.len(),
            under_way: vec![None; idle.len()],
            idle,
            oldest: VecDeque::new(),
            stalls: Stalls::new(tick),
            begun: 0,
            ended: 0,
            attempts: Vec::new(),
            connections,
            plan,
        })
    }

    fn ledger(self) -> Ledger {
        Ledger {
            start: self.start,
            attempts: self.attempts.into_iter().flatten().collect(),
            connections: self.most,
            cpu: cpu().saturating_sub(self.cpu),
        }
    }

    fn send_all(&mut self) -> io::Result<()> {
        while self.ended < self.begun || self.goes_on() {
            let mut now = self.now();
            while self.goes_on() && self.planned(self.begun) <= now {
                self.begin(now);
                now = self.now();
            }
            self.give_up(now);
            let events = self.connections.wait(self.plan.patience)?;
            self.stalls.wait(now, self.now());
            for event in 0..events {
                self.hear(event);
            }
        }
        Ok(())
    }

    /// Whether there is another attempt to be begun.
    fn goes_on(&self) -> bool {
        self.begun < self.plan.attempts && !self.plan.stop.load(Ordering::Relaxed)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn planned(&self, number: usize) -> Duration {
        // In 64 bits nanoseconds are enough for centuries.
        PAUSE + Duration::from_nanos(nanos(self.plan.interval).saturating_mul(number as u64))
    }

    fn begin(&mut self, begun: Duration) {
        let number = self.begun;
        self.begun += 1;
        self.attempts.push(None);
        let mut under = Under {
            number,
            begun,
            sent: None,
        };
        let slot = match self.slot() {
            Ok(slot) => slot,
            Err(failure) => return self.end(under, Outcome::Failed(failure), Duration::ZERO),
        };
        match self
            .connections
            .send(slot, self.plan.request.numbered(number))
        {
            Ok(written) => {
                under.sent = written.then(|| self.now());
                self.under_way[slot] = Some(under);
                self.oldest.push_back((number, slot));
            }
            Err(failure) => self.end(under, Outcome::Failed(failure), Duration::ZERO),
        }
    }

    /// A connection without a request: an idle one, else a new one.
    fn slot(&mut self) -> Result<Slot, Failure> {
        let idle = match self.plan.reuse {
            Reuse::Newest => self.idle.pop_back(),
            Reuse::Oldest => self.idle.pop_front(),
        };
        if let Some(slot) = idle {
            return Ok(slot);
        }
        if self.connections.count() >= self.plan.connections_max {
            return Err(Failure::NoConnection);
        }
        let slot = self
            .connections
            .open()
            .map_err(|error| Failure::of(&error))?;
        if slot >= self.under_way.len() {
            self.under_way.resize(slot + 1, None);
        }
        self.most = self.most.max(self.connections.count());
        Ok(slot)
    }

    fn hear(&mut self, event: usize) {
        while let Some((slot, heard)) = self.connections.hear(event) {
            match heard {
                Heard::Written => {
                    let now = self.now();
                    if let Some(under) = &mut self.under_way[slot] {
                        under.sent = Some(now);
                    }
                    continue;
                }
                Heard::Answer(Answer { status, id, last }) => {
                    self.outcome(slot, Outcome::Answered { status, id });
                    if !last {
                        self.idle.push_back(slot);
                    }
                }
                Heard::Ended(failure) => {
                    if self.under_way[slot].is_some() {
                        self.outcome(slot, Outcome::Failed(failure));
                    } else {
                        self.idle.retain(|idle| *idle != slot);
                    }
                }
            }
            break;
        }
    }

    fn outcome(&mut self, slot: Slot, outcome: Outcome) {
        if let Some(under) = self.under_way[slot].take() {
            let stall = self.stalls.until_seen(self.now());
            self.end(under, outcome, stall);
        }
    }

    /// Notes an outcome; `stall` is what the sender stood still before it saw it.
    fn end(&mut self, under: Under, outcome: Outcome, stall: Duration) {
        let Under {
            number,
            begun,
            sent,
        } = under;
        let (planned, ended) = (self.planned(number), self.now());
        // What it stood still before it sent cannot be counted twice.
        let waited = ended.saturating_sub(sent.unwrap_or(begun));
        self.attempts[number] = Some(Attempt {
            planned,
            begun,
            sent,
            ended,
            own_stall: begun.saturating_sub(planned) + stall.min(waited),
            outcome,
        });
        self.ended += 1;
    }

    /// Ends attempts that have taken too long.
    fn give_up(&mut self, now: Duration) {
        while let Some(&(number, slot)) = self.oldest.front() {
            if let Some(under) = self.under_way[slot].filter(|under| under.number == number) {
                if now.saturating_sub(under.begun) < self.plan.patience {
                    return;
                }
                self.outcome(slot, Outcome::Failed(Failure::TimedOut));
                self.connections.close(slot);
            }
            self.oldest.pop_front();
        }
    }
}

/// Opens connections and waits until all are there.
fn open_ahead(connections: &mut Connections, count: usize) -> io::Result<VecDeque<Slot>> {
    let until = Instant::now() + OPENED_WITHIN;
    let mut idle = VecDeque::new();
    while idle.len() < count {
        for _ in 0..OPENING.min(count - idle.len()) {
            idle.push_back(connections.open()?);
        }
        while connections.opening() > 0 {
            let events = connections.wait(TICK)?;
            for event in 0..events {
                if let Some((_, Heard::Ended(failure))) = connections.hear(event) {
                    return Err(io::Error::other(format!(
                        "a connection ended while it was opened: {failure:?}"
                    )));
                }
            }
            if Instant::now() > until {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
    Ok(idle)
}

/// How often the sender wakes: a whole number of times in each interval.
fn tick(interval: Duration) -> Duration {
    let parts = interval.as_nanos().div_ceil(TICK.as_nanos());
    interval / u32::try_from(parts.max(1)).unwrap_or(u32::MAX)
}

/// Nanoseconds.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time of this thread.
pub(crate) fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime)
        .try_into()
        .unwrap_or_default()
}
