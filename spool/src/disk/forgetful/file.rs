//! Files that are open.

use std::io::{self, ErrorKind};
use std::sync::{MutexGuard, PoisonError};

use super::ForgetfulDisk;
use super::world::{Node, World, died, eio};
use crate::disk::{AppendFile, ReadFile};

/// An open file; useless after a restart.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) disk: ForgetfulDisk,
    pub(super) id: u64,
    pub(super) boot: u64,
}

impl OpenFile {
    fn world(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.disk.world();
        world.alive()?;
        if world.boot == self.boot {
            Ok(world)
        } else {
            Err(died())
        }
    }
}

impl AppendFile for OpenFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.world()?.append(self.id, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.world()?;
        if world.gate_closed {
            world.waiting_at_gate += 1;
            self.disk.0.gate.notify_all();
            let gate = &self.disk.0.gate;
            let waited = gate.wait_while(world, |world| world.gate_closed);
            world = waited.unwrap_or_else(PoisonError::into_inner);
            world.waiting_at_gate -= 1;
            if world.boot != self.boot {
                return Err(died());
            }
        }
        world.sync(self.id)
    }
}

impl ReadFile for OpenFile {
    fn length(&self) -> io::Result<u64> {
        match self.world()?.nodes.get(&self.id) {
            Some(Node::File { bytes, .. }) => Ok(bytes.len() as u64),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.world()?;
        if world.failing_reads > 0 {
            world.failing_reads -= 1;
            return Err(eio());
        }
        let Some(Node::File { bytes, .. }) = world.nodes.get(&self.id) else {
            return Err(ErrorKind::NotFound.into());
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(from..).unwrap_or(&[]);
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

impl World {
    fn append(&mut self, id: u64, new: &[u8]) -> io::Result<()> {
        let dies = self.step()?;
        let fails = self.failing_writes > 0;
        self.failing_writes = self.failing_writes.saturating_sub(1);
        let room = self
            .capacity
            .map(|capacity| capacity.saturating_sub(self.used()));
        let mut fits = room.map_or(new.len(), |room| {
            new.len().min(usize::try_from(room).unwrap_or(usize::MAX))
        });
        let full = fits < new.len();
        if dies || fails {
            let part = self.dice.below(fits as u64 + 1);
            fits = usize::try_from(part).unwrap_or(0);
        }
        if let Some(Node::File { bytes, .. }) = self.nodes.get_mut(&id) {
            bytes.extend_from_slice(&new[..fits]);
        }
        match (dies, fails, full) {
            (true, ..) => Err(died()),
            (_, true, _) => Err(eio()),
            (.., true) => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn sync(&mut self, id: u64) -> io::Result<()> {
        let dies = self.step()?;
        let fails = self.failing_syncs > 0;
        self.failing_syncs = self.failing_syncs.saturating_sub(1);
        let done = !dies || self.dice.one_in(2);
        let Some(Node::File {
            bytes,
            synced,
            lost_from,
            links,
        }) = self.nodes.get_mut(&id)
        else {
            return Err(ErrorKind::NotFound.into());
        };
        if fails {
            lost_from.get_or_insert(*synced);
            return Err(eio());
        }
        if done {
            *synced = bytes.len().min(lost_from.unwrap_or(usize::MAX));
        }
        if dies {
            return Err(died());
        }
        if *links == 0 {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(())
    }
}
