//! How far a run is, and from where another process would go on with it.

use jiff::Timestamp;
use postback_store::backfills::Backfill;

/// Up to where what was counted was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Through {
    /// All before is done with, in seconds.
    pub(super) second: i64,
    /// Nothing behind it was read: otherwise that is read, and counted, once more.
    pub(super) is_all: bool,
}

/// What is counted reaches up to the present; what is noted of a run that has not ended does not, since
/// there it is read again, and must not count twice.
pub(super) struct Standing {
    run: Backfill,
    resumable: Backfill,
}

impl Standing {
    pub(super) fn of(run: Backfill) -> Self {
        let resumable = run.clone();
        Self { run, resumable }
    }

    /// What was found so far.
    pub(super) const fn run(&self) -> &Backfill {
        &self.run
    }

    /// `run` counts what was read as well.
    pub(super) fn counts(&mut self, run: Backfill, through: Option<Through>) {
        self.run = run;
        let Some(through) = through else {
            return;
        };
        if let Ok(at) = Timestamp::from_second(through.second) {
            self.run.done_through = self.run.done_through.max(at);
        }
        if through.is_all {
            self.resumable = self.run.clone();
        }
    }

    /// What is noted next.
    pub(super) fn note(&mut self, is_finished: bool) -> &Backfill {
        self.run.step += 1;
        self.run.is_finished = is_finished;
        if is_finished {
            self.run.done_through = self.run.done_through.max(self.run.range_to);
            return &self.run;
        }
        self.resumable.step = self.run.step;
        &self.resumable
    }

    pub(super) fn into_run(self) -> Backfill {
        self.run
    }
}
