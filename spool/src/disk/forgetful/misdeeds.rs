//! What a test does to the disk.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::ForgetfulDisk;
use super::names::last;
use super::world::{Node, ROOT};

/// What a test does to the disk.
impl ForgetfulDisk {
    /// The machine dies in the middle of the `steps`th change from now (1 = the next one); from
    /// then on everything fails, until [`ForgetfulDisk::crash`] starts it again.
    pub fn crash_in(&self, steps: u64) {
        let mut world = self.world();
        world.crash_at = Some(world.steps + steps);
    }

    /// The power goes and comes back: what was not synced is forgotten, in part or whole.
    pub fn crash(&self) {
        self.world().forget();
        self.0.gate.notify_all();
    }

    /// The process dies, the machine lives: locks end, nothing is forgotten.
    pub fn kill(&self) {
        let mut world = self.world();
        world.locks.clear();
        world.boot += 1;
        world.crashed = false;
        world.crash_at = None;
    }

    /// Whether [`ForgetfulDisk::crash_in`] has struck.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.world().crashed
    }

    /// The next `times` syncs of files fail with EIO and lose what they were to make durable.
    pub fn fail_syncs(&self, times: u32) {
        self.world().failing_syncs = times;
    }

    /// The next `times` appends fail with EIO, part of their bytes written.
    pub fn fail_writes(&self, times: u32) {
        self.world().failing_writes = times;
    }

    /// The next `times` reads fail with EIO.
    pub fn fail_reads(&self, times: u32) {
        self.world().failing_reads = times;
    }

    /// At most `bytes` fit on the disk; `None` for no bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// From now on, whether files and directories can be made: a disk without a block or an inode
    /// left lets none.
    pub fn set_nameable(&self, nameable: bool) {
        self.world().nameless = !nameable;
    }

    /// Every change fails with EROFS.
    pub fn set_read_only(&self, read_only: bool) {
        self.world().read_only = read_only;
    }

    /// From now on, whether a directory may be listed.
    pub fn set_listable(&self, path: &Path, listable: bool) {
        let mut world = self.world();
        if listable {
            world.unlistable.remove(path);
        } else {
            world.unlistable.insert(path.to_owned());
        }
    }

    /// Syncs of files hang from now on.
    pub fn close_gate(&self) {
        self.world().gate_closed = true;
    }

    /// Hanging syncs go on.
    pub fn open_gate(&self) {
        self.world().gate_closed = false;
        self.0.gate.notify_all();
    }

    /// Waits until a sync hangs at the gate.
    pub fn wait_for_hanging_sync(&self) {
        let world = self.world();
        drop(
            self.0
                .gate
                .wait_while(world, |world| world.waiting_at_gate == 0),
        );
    }

    /// Flips one bit of a file where it lies.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` behind its end.
    pub fn flip_bit(&self, path: &Path, bit: usize) -> io::Result<()> {
        self.change_bytes(path, |bytes| {
            let byte = bytes.get_mut(bit / 8);
            byte.map(|byte| *byte ^= 1 << (bit % 8))
                .ok_or_else(|| ErrorKind::InvalidInput.into())
        })
    }

    /// Changes a file's bytes where they lie, as if it had always been so.
    ///
    /// # Errors
    /// `NotFound`; whatever `change` says.
    pub fn change_bytes<T>(
        &self,
        path: &Path,
        change: impl FnOnce(&mut Vec<u8>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut world = self.world();
        let (node, _) = world.find(path)?;
        let Some(Node::File { bytes, synced, .. }) = world.nodes.get_mut(&node) else {
            return Err(ErrorKind::IsADirectory.into());
        };
        let changed = change(bytes);
        *synced = (*synced).min(bytes.len());
        changed
    }

    /// A file's bytes now, and how many of them are synced.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn bytes(&self, path: &Path) -> io::Result<(Vec<u8>, usize)> {
        let world = self.world();
        let (node, _) = world.find(path)?;
        match world.nodes.get(&node) {
            Some(Node::File { bytes, synced, .. }) => Ok((bytes.clone(), *synced)),
            _ => Err(ErrorKind::IsADirectory.into()),
        }
    }

    /// Paths of all files.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let world = self.world();
        let mut found = Vec::new();
        let mut dirs = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, dir)) = dirs.pop() {
            let Some(Node::Dir { live, .. }) = world.nodes.get(&dir) else {
                continue;
            };
            for (name, id) in live {
                match world.nodes.get(id) {
                    Some(Node::Dir { .. }) => dirs.push((path.join(name), *id)),
                    _ => found.push(path.join(name)),
                }
            }
        }
        found.sort();
        found
    }

    /// Deletes a directory and all that is in it, as a person with too many rights does.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delete_tree(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let (node, parent) = world.find(path)?;
        world.delete_below(node);
        world.unlink(parent, &last(path)?)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// How many changes there have been.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.world().steps
    }
}
