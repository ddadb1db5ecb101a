//! The disk as the spool uses it.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::ForgetfulDisk;
use super::file::OpenFile;
use super::lock::Held;
use super::names::{Change, last};
use super::world::Node;
use crate::disk::{AppendFile, DirEntry, Disk, LockGuard, ReadFile};

impl Disk for ForgetfulDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.whole_step()?;
        world.add(path, Node::empty_dir())?;
        world.alive()
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.whole_step()?;
        let (node, parent) = world.find(path)?;
        if !world.live(node)?.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        world.unlink(parent, &last(path)?)?;
        world.alive()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let (node, _) = world.find(path)?;
        world.sync_dir(node)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut world = self.world();
        world.alive()?;
        if world.unlistable.contains(path) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let (node, _) = world.find(path)?;
        let live = world.live(node)?.clone();
        let entry = |(name, id): (String, u64)| match world.nodes.get(&id) {
            Some(Node::File { bytes, .. }) => DirEntry {
                name,
                is_dir: false,
                bytes: bytes.len() as u64,
            },
            _ => DirEntry {
                name,
                is_dir: true,
                bytes: 0,
            },
        };
        // File systems tell their entries in no order; the youngest first is the least convenient.
        Ok(live.into_iter().rev().map(entry).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let mut world = self.world();
        world.whole_step()?;
        let id = world.add(path, Node::empty_file())?;
        world.alive()?;
        let (disk, boot) = (self.clone(), world.boot);
        Ok(Box::new(OpenFile { disk, id, boot }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let world = self.world();
        world.alive()?;
        let (id, _) = world.find(path)?;
        let (disk, boot) = (self.clone(), world.boot);
        Ok(Box::new(OpenFile { disk, id, boot }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.whole_step()?;
        let (id, old) = world.find(from)?;
        let new = world.find_parent(to)?;
        let (from, to) = (last(from)?, last(to)?);
        world.live(old)?.remove(&from);
        world.live(new)?.insert(to.clone(), id);
        world.pending.push(Change::Rename(old, from, new, to));
        world.alive()
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.whole_step()?;
        let (_, parent) = world.find(path)?;
        world.unlink(parent, &last(path)?)?;
        world.alive()
    }

    fn lock(&self, path: &Path, make: bool) -> io::Result<Box<dyn LockGuard>> {
        let mut world = self.world();
        world.alive()?;
        if make {
            world.whole_step()?;
            world.add(path, Node::empty_file())?;
            world.alive()?;
        }
        let (id, _) = world.find(path)?;
        if world.locks.contains_key(&id) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let boot = world.boot;
        world.locks.insert(id, boot);
        let disk = self.clone();
        Ok(Box::new(Held { disk, id, boot }))
    }

    fn random(&self) -> io::Result<u64> {
        Ok(self.world().dice.bits())
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        let world = self.world();
        world.alive()?;
        let capacity = world.capacity.unwrap_or(u64::MAX);
        Ok(capacity.saturating_sub(world.used()))
    }
}
