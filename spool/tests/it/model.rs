//! Random runs on the forgetting disk against a model that knows only what was promised.
//!
//! `POSTBACK_SPOOL_RUNS=1000000` for a long run from seeds that no run had before,
//! `POSTBACK_SPOOL_SEED=…` for one. Seeds that ever failed stand in [`FAILED_ONCE`].

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postback_spool::disk::{Dice, ForgetfulDisk};
use postback_spool::{
    Committer, Drain, Entry, Found, Options, Position, Records, Report, Spool, survey,
};

use crate::support::{Outcome, root, segments};

/// Runs of the short form.
const RUNS: u64 = 2_000;

/// Seeds that found a defect, each run first for ever.
const FAILED_ONCE: [u64; 1] = [4];

/// Bytes above the bound that are no records: headers of segments made since, and what failed
/// writes left.
const SLACK: u64 = 1_024;

#[test]
fn random_runs_keep_every_promise() {
    if let Some(seed) = from_environment("POSTBACK_SPOOL_SEED") {
        return run(seed);
    }
    let long = from_environment("POSTBACK_SPOOL_RUNS");
    let first = long.map_or(0, |_| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Dice::new(u64::try_from(now.as_nanos()).unwrap()).bits()
    });
    let runs = (0..long.unwrap_or(RUNS)).map(|n| first.wrapping_add(n));
    let mut seen = Seen::default();
    for seed in FAILED_ONCE.into_iter().chain(runs) {
        let ran = catch_unwind(AssertUnwindSafe(|| Run::new(seed).play()));
        match ran {
            Ok(run) => seen.add(&run),
            Err(panic) => {
                eprintln!("failed with POSTBACK_SPOOL_SEED={seed}");
                resume_unwind(panic);
            }
        }
    }
    eprintln!("{seen:?}");
    seen.check();
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a whole number"))
}

fn run(seed: u64) {
    Run::new(seed).play();
}

/// What all runs together came by: a model that never meets a fault proves nothing.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: u64,
    refused_or_failed: u64,
    crashes_in_mid_step: u64,
    restarts: u64,
    read_twice: u64,
    flips_into_records: u64,
    set_aside: u64,
    damage: u64,
    torn_tails: u64,
    failed_reads: u64,
}

impl Seen {
    fn add(&mut self, run: &Run) {
        self.acknowledged += run.acknowledged;
        self.refused_or_failed += run.unkept;
        self.crashes_in_mid_step += run.crashes;
        self.restarts += run.restarts;
        self.read_twice += run.read_twice;
        self.flips_into_records += run.flips;
        self.set_aside += run.rejected.len() as u64;
        let count = |reason| run.reports.iter().filter(|r| r.reason() == reason).count() as u64;
        self.damage += count("spool_damage");
        self.torn_tails += count("spool_torn_tail");
        self.failed_reads += count("spool_read_failed");
    }

    fn check(&self) {
        let all = [
            self.acknowledged,
            self.refused_or_failed,
            self.crashes_in_mid_step,
            self.restarts,
            self.read_twice,
            self.flips_into_records,
            self.set_aside,
            self.damage,
            self.torn_tails,
            self.failed_reads,
        ];
        assert!(all.iter().all(|seen| *seen > 100), "{self:?}");
    }
}

/// A process that has the spool open.
struct Process {
    spool: Spool,
    committer: Committer,
    drain: Drain,
    /// Read and not released, in the order of reading.
    window: Vec<(Position, u64)>,
    /// The last number of each segment: within one, they grow.
    last_read: BTreeMap<u64, u64>,
    read: BTreeSet<u64>,
}

struct Run {
    dice: Dice,
    disk: ForgetfulDisk,
    options: Options,
    process: Option<Process>,
    /// Everything ever submitted, by its number.
    submitted: BTreeMap<u64, Vec<u8>>,
    waiting: Vec<(u64, Outcome)>,
    /// Acknowledged and not released: must come out of the next process again.
    owed: BTreeSet<u64>,
    /// Hit by a flipped bit: may be lost, but not in silence.
    hit: BTreeSet<u64>,
    /// Set aside with success.
    rejected: BTreeSet<u64>,
    read: BTreeSet<u64>,
    reports: Vec<Report>,
    acknowledged: u64,
    unkept: u64,
    crashes: u64,
    restarts: u64,
    read_twice: u64,
    flips: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
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

    fn play(mut self) -> Self {
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

    fn act(&mut self) {
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

    fn open(&mut self) {
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

    fn submit(&mut self) {
        let Some(process) = &self.process else { return };
        for _ in 0..=self.dice.below(6) {
            let number = self.submitted.len() as u64;
            let record = record(number, &mut self.dice);
            let outcome = Outcome::default();
            let submitted = process.spool.submit(&record, number, outcome.listener());
            match submitted {
                Ok(()) => {
                    self.submitted.insert(number, record);
                    self.waiting.push((number, outcome));
                }
                Err(_) => self.unkept += 1,
            }
        }
    }

    fn step(&mut self) {
        if let Some(process) = &mut self.process {
            process.committer.step();
        }
    }

    /// Hears who was acknowledged.
    fn listen(&mut self) {
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

    fn drain(&mut self) {
        for _ in 0..=self.dice.below(12) {
            if self.read_one().is_none() {
                return;
            }
        }
    }

    fn read_one(&mut self) -> Option<Entry> {
        let process = self.process.as_mut()?;
        let entry = process.drain.next()?;
        let number = number(&entry.record).expect("a record that was submitted");
        let sent = self.submitted.get(&number);
        assert_eq!(Some(&entry.record), sent, "what was submitted, whole");
        assert_eq!(entry.at_micros, number, "with its time");
        let before = process.last_read.insert(entry.position.segment(), number);
        assert!(
            before.is_none_or(|before| before < number),
            "{before:?} before {number}"
        );
        assert!(
            process.read.insert(number),
            "{number} twice without a crash"
        );
        process.window.push((entry.position, number));
        if !self.read.insert(number) {
            self.read_twice += 1;
        }
        Some(entry)
    }

    fn release(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        let count = self.dice.below(process.window.len() as u64 + 1);
        let count = usize::try_from(count).unwrap();
        let Some((last, _)) = process.window[..count].last().copied() else {
            return;
        };
        // Released is released, even if the machine dies on the way.
        for (_, number) in process.window.drain(..count) {
            self.owed.remove(&number);
        }
        process.drain.release(last);
    }

    fn set_aside(&mut self) {
        let Some(entry) = self.read_one() else { return };
        let Some(process) = &mut self.process else {
            return;
        };
        if process.drain.set_aside(&entry, "refused").is_ok() {
            self.rejected.extend(number(&entry.record));
        }
    }

    fn flip(&mut self) {
        let files = segments(&self.disk);
        let chosen = usize::try_from(self.dice.below(files.len() as u64)).unwrap();
        let Some(path) = files.get(chosen) else {
            return;
        };
        let (bytes, synced) = self.disk.bytes(path).unwrap();
        if synced == 0 {
            return;
        }
        let bit = usize::try_from(self.dice.below(synced as u64 * 8)).unwrap();
        for (number, frame) in frames(&bytes) {
            if frame.contains(&(bit / 8)) {
                self.hit.insert(number);
                self.flips += 1;
            }
        }
        self.disk.flip_bit(path, bit).unwrap();
    }

    fn adopt(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.drain.adopt());
        }
    }

    fn misbehave(&mut self) {
        let times = u32::try_from(1 + self.dice.below(4)).unwrap();
        match self.dice.below(7) {
            0 => self.disk.fail_syncs(times),
            1 => self.disk.fail_writes(times),
            2 => self.disk.fail_reads(times),
            3 => {
                let room = self.dice.below(2_000);
                self.disk.set_capacity(Some(self.disk.used() + room));
            }
            4 => self.disk.set_read_only(true),
            _ => self.behave(),
        }
    }

    fn behave(&mut self) {
        self.disk.fail_syncs(0);
        self.disk.fail_writes(0);
        self.disk.fail_reads(0);
        self.disk.set_capacity(None);
        self.disk.set_read_only(false);
    }

    /// The power goes.
    fn crash(&mut self) {
        self.disk.crash();
        self.bury();
    }

    /// The process goes: killed, or closed in order.
    fn leave(&mut self) {
        if self.dice.one_in(2) {
            self.disk.kill();
        } else if let Some(process) = &mut self.process {
            process.spool.close(Duration::ZERO);
            process.committer.step();
            self.listen();
        }
        self.bury();
    }

    fn bury(&mut self) {
        self.listen();
        self.process = None;
        self.waiting.clear();
        self.restarts += 1;
    }

    fn check_space(&self) {
        if self.disk.has_crashed() {
            return;
        }
        let files = segments(&self.disk).into_iter();
        let used: u64 = files
            .map(|path| self.disk.bytes(&path).unwrap().0.len() as u64)
            .sum();
        let limit = self.options.max_bytes;
        assert!(used <= limit + SLACK, "{used} of {limit}");
    }

    /// The faults stop. One more crash, and everything owed comes out of the next process; then
    /// nothing is left.
    fn end(mut self) -> Self {
        self.behave();
        self.listen();
        self.crash();
        while self.process.is_none() {
            self.open();
        }
        self.adopt();
        let mut found = BTreeSet::new();
        while let Some(entry) = self.read_one() {
            found.extend(number(&entry.record));
        }
        let lost: Vec<u64> = self.owed.difference(&found).copied().collect();
        assert!(
            lost.iter().all(|number| self.hit.contains(number)),
            "acknowledged and lost: {lost:?}, of these flipped: {:?}",
            self.hit
        );
        self.listen();
        let told = |report: &Report| matches!(report, Report::Damage { .. });
        assert!(
            lost.is_empty() || self.reports.iter().any(told),
            "lost in silence: {lost:?}"
        );
        self.check_rejected();
        self.check_nothing_left();
        self
    }

    fn check_rejected(&self) {
        let mut kept = BTreeSet::new();
        for segment in survey(&self.disk, root()).unwrap().rejected {
            for found in Records::open(&self.disk, &segment.path).unwrap() {
                if let Found::Rejected { rejected, .. } = found.unwrap() {
                    let number = number(&rejected.record).expect("as submitted");
                    assert_eq!(Some(&rejected.record), self.submitted.get(&number));
                    kept.insert(number);
                }
            }
        }
        let missing: Vec<_> = self.rejected.difference(&kept).collect();
        assert!(missing.is_empty(), "set aside and lost: {missing:?}");
    }

    fn check_nothing_left(&mut self) {
        let Some(mut process) = self.process.take() else {
            panic!("no process");
        };
        if let Some((last, _)) = process.window.last() {
            process.drain.release(*last);
        }
        assert_eq!(process.drain.next(), None);
        process.spool.close(Duration::ZERO);
        process.committer.step();
        assert_eq!(process.drain.next(), None);
        let status = process.spool.status();
        assert_eq!((status.records, status.bytes, status.segments), (0, 0, 0));
        let files = self.disk.files().into_iter();
        let left: Vec<_> = files
            .filter(|path| !path.starts_with(root().join("set-aside")))
            .collect();
        assert!(
            left.is_empty(),
            "{left:?}, {:?}",
            process.drain.take_reports()
        );
    }
}

/// A text that occurs nowhere else, the number, and filler that tempts the reader.
const SIGN: &[u8; 8] = b"\0RECORD\0";

fn record(number: u64, dice: &mut Dice) -> Vec<u8> {
    let mut record = [&SIGN[..], &number.to_le_bytes()].concat();
    for _ in 0..dice.below(8) * dice.below(16) {
        match dice.below(3) {
            0 => record.extend_from_slice(&dice.bits().to_le_bytes()),
            1 => record.extend_from_slice(b"\xF5PB\x0D\x01\0\0\0"),
            _ => record.extend_from_slice(&[0; 8]),
        }
    }
    record
}

fn number(record: &[u8]) -> Option<u64> {
    let rest = record.strip_prefix(&SIGN[..])?;
    Some(u64::from_le_bytes(*rest.first_chunk()?))
}

/// Where records lie in a segment, found by their sign: each frame from 32 bytes before its record
/// to 32 bytes before the next, or to the end.
fn frames(bytes: &[u8]) -> Vec<(u64, std::ops::Range<usize>)> {
    let signs: Vec<usize> = bytes
        .windows(SIGN.len())
        .enumerate()
        .filter(|(_, window)| window == SIGN)
        .map(|(at, _)| at)
        .collect();
    let ends = signs.iter().skip(1).map(|next| next - 32);
    let ends = ends.chain([bytes.len()]);
    signs
        .iter()
        .zip(ends)
        .filter_map(|(sign, end)| Some((number(&bytes[*sign..])?, sign - 32..end)))
        .collect()
}
