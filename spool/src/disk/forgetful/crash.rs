//! What is left after the power went.

use super::dice::Dice;
use super::world::{Node, ROOT, World};

const SECTOR: usize = 512;

impl World {
    pub(super) fn forget(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            if self.dice.one_in(2) {
                self.apply(change);
            }
        }
        let mut linked = Vec::new();
        for node in self.nodes.values_mut() {
            if let Node::Dir { live, durable } = node {
                live.clone_from(durable);
                linked.extend(durable.values().copied());
            }
        }
        let mut dice = self.dice.clone();
        self.nodes
            .retain(|id, _| *id == ROOT || linked.contains(id));
        for node in self.nodes.values_mut() {
            let Node::File {
                bytes,
                synced,
                lost_from,
                links,
            } = node
            else {
                continue;
            };
            *links = 1;
            let unsynced = bytes.len().saturating_sub(*synced) as u64;
            let kept = *synced + usize::try_from(dice.below(unsynced + 1)).unwrap_or(0);
            bytes.truncate(kept);
            tear(bytes, *synced, &mut dice);
            *synced = bytes.len();
            *lost_from = None;
        }
        self.dice = dice;
        self.locks.clear();
        self.boot += 1;
        self.crashed = false;
        self.crash_at = None;
        self.gate_closed = false;
    }
}

/// Leaves some sectors of what was not synced as zeroes.
fn tear(bytes: &mut [u8], synced: usize, dice: &mut Dice) {
    if !dice.one_in(3) {
        return;
    }
    let mut at = synced;
    while at < bytes.len() {
        let end = (at / SECTOR * SECTOR + SECTOR).min(bytes.len());
        if dice.one_in(3) {
            bytes[at..end].fill(0);
        }
        at = end;
    }
}
