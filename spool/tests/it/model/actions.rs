//! What a process does.

use postback_spool::Entry;

use super::record::{number, record};
use super::run::Run;
use crate::support::Outcome;

impl Run {
    pub(super) fn submit(&mut self) {
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

    pub(super) fn step(&mut self) {
        if let Some(process) = &mut self.process {
            process.committer.step();
        }
    }

    pub(super) fn drain(&mut self) {
        for _ in 0..=self.dice.below(12) {
            if self.read_one().is_none() {
                return;
            }
        }
    }

    pub(super) fn read_one(&mut self) -> Option<Entry> {
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

    pub(super) fn release(&mut self) {
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

    pub(super) fn set_aside(&mut self) {
        let Some(entry) = self.read_one() else { return };
        let Some(process) = &mut self.process else {
            return;
        };
        if process.drain.set_aside(&entry, "refused").is_ok() {
            self.rejected.extend(number(&entry.record));
        }
    }

    pub(super) fn adopt(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.drain.adopt());
        }
    }
}
