//! A disk in memory for tests, as forgetful and as hostile as a real one may be.
//!
//! What survives [`ForgetfulDisk::crash`]: bytes that were synced; of later bytes any prefix, with
//! any 512-byte sector of it left as zeroes; names that were synced; of later changes of names any
//! subset, each whole or not at all. A failed sync loses its bytes for good, and the next one
//! reports success all the same, as Linux does.

mod crash;
mod dice;
mod file;
mod lock;
mod misdeeds;
mod names;
mod operations;
mod world;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub use dice::Dice;
use world::World;

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct ForgetfulDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    world: Mutex<World>,
    gate: Condvar,
}

impl ForgetfulDisk {
    /// An empty disk whose misdeeds follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.world().dice = Dice::new(seed);
        disk
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
