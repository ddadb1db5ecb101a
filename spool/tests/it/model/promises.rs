//! What has to hold.

use std::collections::BTreeSet;
use std::time::Duration;

use postback_spool::{Found, Records, Report, survey};

use super::record::number;
use super::run::Run;
use crate::support::{root, segments};

/// Bytes above the bound that are no records: headers of segments made since, and what failed
/// writes left.
const SLACK: u64 = 1_024;

impl Run {
    pub(super) fn check_space(&self) {
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
    pub(super) fn end(mut self) -> Self {
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

    pub(super) fn check_rejected(&self) {
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

    pub(super) fn check_nothing_left(&mut self) {
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
