//! Locks that are held.

use super::ForgetfulDisk;
use crate::disk::LockGuard;

/// Ends with its process or with the machine.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) disk: ForgetfulDisk,
    pub(super) id: u64,
    pub(super) boot: u64,
}

impl LockGuard for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let mut world = self.disk.world();
        if world.locks.get(&self.id) == Some(&self.boot) {
            world.locks.remove(&self.id);
        }
    }
}
