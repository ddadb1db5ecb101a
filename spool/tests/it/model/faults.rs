//! What happens to the disk and to the machine.

use super::record::frames;
use super::run::Run;
use crate::support::segments;

impl Run {
    pub(super) fn flip(&mut self) {
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

    pub(super) fn misbehave(&mut self) {
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

    pub(super) fn behave(&mut self) {
        self.disk.fail_syncs(0);
        self.disk.fail_writes(0);
        self.disk.fail_reads(0);
        self.disk.set_capacity(None);
        self.disk.set_read_only(false);
    }

    /// The power goes.
    pub(super) fn crash(&mut self) {
        self.disk.crash();
        self.bury();
    }
}
