//! As fast as the server answers.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::connections::{Connections, Heard, Slot};
use crate::open_loop::cpu;
use crate::quantiles::Latencies;
use crate::report::{ClosedReport, Tally};
use crate::request::Request;
use crate::response::Answer;

/// How often the time is looked at while nothing comes.
const LOOK: Duration = Duration::from_millis(100);

/// After the end, time for the answers that are still due.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that each send their next request once the one before is answered. Ends by itself:
/// after `time`, and at most 5 s for the last answers.
#[derive(Debug, Clone)]
pub struct ClosedLoop {
    /// Where to.
    pub address: SocketAddr,
    /// What.
    pub request: Request,
    /// How many at once.
    pub connections: usize,
    /// For how long.
    pub time: Duration,
}

struct Sending {
    plan: ClosedLoop,
    start: Instant,
    connections: Connections,
    /// When the request on it was sent, by slot.
    under_way: Vec<Option<Duration>>,
    sent: usize,
    open: usize,
    tally: Tally,
    latencies: Latencies,
}

impl ClosedLoop {
    /// Sends from this thread until the time is over.
    ///
    /// # Errors
    /// When the system gives no epoll or no connection.
    pub fn run(self) -> anyhow::Result<ClosedReport> {
        let mut sending = Sending {
            connections: Connections::new(self.address)?,
            start: Instant::now(),
            under_way: Vec::new(),
            sent: 0,
            open: 0,
            tally: Tally::default(),
            latencies: Latencies::new()?,
            plan: self,
        };
        let before = cpu();
        sending.send_all()?;
        let took = sending.start.elapsed();
        Ok(sending.report(took, cpu().saturating_sub(before)))
    }
}

impl Sending {
    fn send_all(&mut self) -> io::Result<()> {
        for _ in 0..self.plan.connections {
            self.open()?;
        }
        let end = self.plan.time + PATIENCE;
        while self.open > 0 && self.start.elapsed() < end {
            let events = self.connections.wait(LOOK)?;
            for event in 0..events {
                self.hear(event)?;
            }
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<()> {
        let slot = self.connections.open()?;
        self.open += 1;
        if slot >= self.under_way.len() {
            self.under_way.resize(slot + 1, None);
        }
        self.send(slot);
        Ok(())
    }

    fn send(&mut self, slot: Slot) {
        self.under_way[slot] = Some(self.start.elapsed());
        let request = self.plan.request.numbered(self.sent);
        self.sent += 1;
        if let Err(failure) = self.connections.send(slot, request) {
            self.under_way[slot] = None;
            self.tally.failed(failure);
            self.open -= 1;
        }
    }

    fn hear(&mut self, event: usize) -> io::Result<()> {
        while let Some((slot, heard)) = self.connections.hear(event) {
            let (ended, over) = match heard {
                Heard::Written => continue,
                Heard::Answer(Answer { status, last, .. }) => {
                    self.answered(slot, status);
                    (last, self.start.elapsed() >= self.plan.time)
                }
                Heard::Ended(failure) => {
                    self.under_way[slot] = None;
                    self.tally.failed(failure);
                    (true, self.start.elapsed() >= self.plan.time)
                }
            };
            if over && !ended {
                self.connections.close(slot);
            }
            self.open -= usize::from(over || ended);
            match (over, ended) {
                (true, _) => {}
                (false, true) => self.open()?,
                (false, false) => self.send(slot),
            }
            break;
        }
        Ok(())
    }

    fn answered(&mut self, slot: Slot, status: u16) {
        self.tally.answered(status);
        if let Some(sent) = self.under_way[slot].take() {
            let latency = self.start.elapsed().saturating_sub(sent);
            self.latencies.add(latency);
        }
    }

    fn report(&self, took: Duration, cpu: Duration) -> ClosedReport {
        ClosedReport::new(
            self.plan.connections,
            took,
            &self.tally,
            self.latencies.quantiles(),
            cpu,
        )
    }
}
