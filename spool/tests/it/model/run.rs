//! A run: a disk, a process on it now and then, and what was promised so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use postback_spool::disk::{Dice, ForgetfulDisk};
use postback_spool::{Committer, Drain, Options, Position, Report, Spool};

use crate::support::{Outcome, root};

/// A process that has the spool open.
pub(super) struct Process {
    pub(super) spool: Spool,
    pub(super) committer: Committer,
    pub(super) drain: Drain,
    /// Read and not released, in the order of reading.
    pub(super) window: Vec<(Position, u64)>,
    /// The last number of each segment: within one, they grow.
    pub(super) last_read: BTreeMap<u64, u64>,
    pub(super) read: BTreeSet<u64>,
}

pub(super) struct Run {
    pub(super) dice: Dice,
    pub(super) disk: ForgetfulDisk,
    pub(super) options: Options,
    pub(super) process: Option<Process>,
    /// Everything ever submitted, by its number.
    pub(super) submitted: BTreeMap<u64, Vec<u8>>,
    pub(super) waiting: Vec<(u64, Outcome)>,
    /// Acknowledged and not released: must come out of the next process again.
    pub(super) owed: BTreeSet<u64>,
    /// Hit by a flipped bit: may be lost, but not in silence.
    pub(super) hit: BTreeSet<u64>,
    /// Set aside with success.
    pub(super) rejected: BTreeSet<u64>,
    pub(super) read: BTreeSet<u64>,
    pub(super) reports: Vec<Report>,
    pub(super) acknowledged: u64,
    pub(super) unkept: u64,
    pub(super) crashes: u64,
    pub(super) restarts: u64,
    pub(super) read_twice: u64,
    pub(super) flips: u64,
}

impl Run {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let options = Options {
            max_bytes: 8_192 + dice.below(16_384),
            segment_max_bytes: 1_200 + dice.below(4_096),
            record_max_bytes: 1_100,
            queue_max_bytes: 8_192,
            queue_max_records: 20,
            recount_every: Duration::ZERO,
            retry_every: Duration::ZERO,
            retire_bytes: dice.below(2) * 1_000_000,
            retire_after: Duration::from_secs(dice.below(2) * 1_000),
        };
        Self {
            disk: ForgetfulDisk::new(dice.bits()),
            dice,
            options,
            process: None,
            submitted: BTreeMap::new(),
            waiting: Vec::new(),
            owed: BTreeSet::new(),
            hit: BTreeSet::new(),
            rejected: BTreeSet::new(),
            read: BTreeSet::new(),
            reports: Vec::new(),
            acknowledged: 0,
            unkept: 0,
            crashes: 0,
            restarts: 0,
            read_twice: 0,
            flips: 0,
        }
    }

    pub(super) fn play(mut self) -> Self {
        for _ in 0..20 + self.dice.below(60) {
            if self.process.is_none() {
                self.open();
            } else {
                self.act();
            }
            self.listen();
            if self.disk.has_crashed() {
                self.crashes += 1;
                self.crash();
            }
            self.check_space();
        }
        self.end()
    }

    pub(super) fn act(&mut self) {
        match self.dice.below(24) {
            0..=6 => self.submit(),
            7..=11 => self.step(),
            12..=14 => self.drain(),
            15..=16 => self.release(),
            17 => self.set_aside(),
            18 => self.flip(),
            19 => self.adopt(),
            20 => self.misbehave(),
            21 => {
                let steps = 1 + self.dice.below(12);
                self.disk.crash_in(steps);
            }
            22 => self.crash(),
            _ => self.leave(),
        }
    }

    pub(super) fn open(&mut self) {
        let shared = Arc::new(self.disk.clone());
        let opened = Spool::with_committer(shared, root(), self.options.clone());
        let Ok((spool, committer)) = opened else {
            // Only what the test did to the disk may keep a spool from opening.
            self.behave();
            return;
        };
        let drain = spool.drain();
        self.process = Some(Process {
            spool,
            committer,
            drain,
            window: Vec::new(),
            last_read: BTreeMap::new(),
            read: BTreeSet::new(),
        });
        if !self.dice.one_in(4) {
            self.adopt();
        }
    }

    /// Hears who was acknowledged.
    pub(super) fn listen(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for (number, outcome) in waiting {
            match outcome.get() {
                None => self.waiting.push((number, outcome)),
                Some(Ok(())) => {
                    self.acknowledged += 1;
                    self.owed.insert(number);
                }
                Some(Err(_)) => self.unkept += 1,
            }
        }
        if let Some(process) = &self.process {
            self.reports.extend(process.drain.take_reports());
        }
    }

    /// The process goes: killed, or closed in order.
    pub(super) fn leave(&mut self) {
        if self.dice.one_in(2) {
            self.disk.kill();
        } else if let Some(process) = &mut self.process {
            process.spool.close(Duration::ZERO);
            process.committer.step();
            self.listen();
        }
        self.bury();
    }

    pub(super) fn bury(&mut self) {
        self.listen();
        self.process = None;
        self.waiting.clear();
        self.restarts += 1;
    }
}
