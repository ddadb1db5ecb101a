//! What the runs came by.

use super::run::Run;

/// What all runs together came by: a model that never meets a fault proves nothing.
#[derive(Debug, Default)]
pub(super) struct Seen {
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
    pub(super) fn add(&mut self, run: &Run) {
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

    pub(super) fn check(&self) {
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
