//! A disk in memory for tests, as forgetful and as hostile as a real one may be.
//!
//! What survives [`ForgetfulDisk::crash`]: bytes that were synced; of later bytes any prefix, with
//! any 512-byte sector of it left as zeroes; names that were synced; of later changes of names any
//! subset, each whole or not at all. A failed sync loses its bytes for good, and the next one
//! reports success all the same, as Linux does.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{AppendFile, DirEntry, Disk, LockGuard, ReadFile};

const SECTOR: usize = 512;
const ROOT: u64 = 0;

/// A small seeded generator (SplitMix64), so that a run can be repeated.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same seed gives the same throws.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits().checked_rem(bound).unwrap_or(0)
    }

    /// True once in `n` throws.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct ForgetfulDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    world: Mutex<World>,
    gate: Condvar,
}

#[derive(Debug)]
struct World {
    next: u64,
    nodes: BTreeMap<u64, Node>,
    /// Changes of names that are not durable yet, in order.
    pending: Vec<Change>,
    locks: BTreeMap<u64, u64>,
    boot: u64,
    steps: u64,
    crash_at: Option<u64>,
    crashed: bool,
    dice: Dice,
    capacity: Option<u64>,
    read_only: bool,
    failing_syncs: u32,
    failing_writes: u32,
    failing_reads: u32,
    gate_closed: bool,
    waiting_at_gate: u32,
}

#[derive(Debug)]
enum Node {
    File {
        bytes: Vec<u8>,
        synced: usize,
        /// Bytes from here on were lost by a failed sync: a later one does not bring them back.
        lost_from: Option<usize>,
        links: u32,
    },
    Dir {
        live: BTreeMap<String, u64>,
        durable: BTreeMap<String, u64>,
    },
}

#[derive(Debug, Clone)]
enum Change {
    Link(u64, String, u64),
    Unlink(u64, String),
    Rename(u64, String, u64, String),
}

impl Default for World {
    fn default() -> Self {
        Self {
            next: 1,
            nodes: BTreeMap::from([(ROOT, Node::empty_dir())]),
            pending: Vec::new(),
            locks: BTreeMap::new(),
            boot: 0,
            steps: 0,
            crash_at: None,
            crashed: false,
            dice: Dice::new(0),
            capacity: None,
            read_only: false,
            failing_syncs: 0,
            failing_writes: 0,
            failing_reads: 0,
            gate_closed: false,
            waiting_at_gate: 0,
        }
    }
}

impl Node {
    fn empty_dir() -> Self {
        Self::Dir {
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
        }
    }
}

/// What a test does to the disk.
impl ForgetfulDisk {
    /// An empty disk whose misdeeds follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.world().dice = Dice::new(seed);
        disk
    }

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

    /// Every change fails with EROFS.
    pub fn set_read_only(&self, read_only: bool) {
        self.world().read_only = read_only;
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

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// Node and parent of a path.
    fn find(&self, path: &Path) -> io::Result<(u64, u64)> {
        let (mut node, mut parent) = (ROOT, ROOT);
        for name in names(path) {
            let Some(Node::Dir { live, .. }) = self.nodes.get(&node) else {
                return Err(ErrorKind::NotADirectory.into());
            };
            parent = node;
            node = *live.get(name).ok_or(ErrorKind::NotFound)?;
        }
        Ok((node, parent))
    }

    fn find_parent(&self, path: &Path) -> io::Result<u64> {
        let parent = path.parent().ok_or(ErrorKind::InvalidInput)?;
        Ok(self.find(parent)?.0)
    }

    fn live(&mut self, dir: u64) -> io::Result<&mut BTreeMap<String, u64>> {
        match self.nodes.get_mut(&dir) {
            Some(Node::Dir { live, .. }) => Ok(live),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Counts a change; says whether the machine dies in the middle of it.
    fn step(&mut self) -> io::Result<bool> {
        self.alive()?;
        self.steps += 1;
        if self.read_only {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        self.crashed = self.crash_at.is_some_and(|at| self.steps >= at);
        Ok(self.crashed)
    }

    /// A change that happens whole or not at all.
    fn whole_step(&mut self) -> io::Result<()> {
        if self.step()? && self.dice.one_in(2) {
            return Err(died());
        }
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(died()) } else { Ok(()) }
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<u64> {
        let parent = self.find_parent(path)?;
        let name = last(path)?;
        let id = self.next;
        let live = self.live(parent)?;
        if live.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        live.insert(name.clone(), id);
        self.next += 1;
        self.nodes.insert(id, node);
        self.pending.push(Change::Link(parent, name, id));
        Ok(id)
    }

    fn unlink(&mut self, parent: u64, name: &str) -> io::Result<()> {
        let id = self.live(parent)?.remove(name).ok_or(ErrorKind::NotFound)?;
        if let Some(Node::File { links, .. }) = self.nodes.get_mut(&id) {
            *links = 0;
        }
        self.pending.push(Change::Unlink(parent, name.to_owned()));
        Ok(())
    }

    fn delete_below(&mut self, dir: u64) {
        let children: Vec<(String, u64)> = match self.nodes.get(&dir) {
            Some(Node::Dir { live, .. }) => live.iter().map(|(n, id)| (n.clone(), *id)).collect(),
            _ => return,
        };
        for (name, id) in children {
            self.delete_below(id);
            drop(self.unlink(dir, &name));
        }
    }

    fn used(&self) -> u64 {
        let files = self.nodes.values().map(|node| match node {
            Node::File { bytes, links, .. } if *links > 0 => bytes.len() as u64,
            _ => 0,
        });
        files.sum()
    }

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

    fn sync_dir(&mut self, dir: u64) -> io::Result<()> {
        self.whole_step()?;
        let pending = std::mem::take(&mut self.pending);
        for change in pending {
            if change.touches(dir) {
                self.apply(change);
            } else {
                self.pending.push(change);
            }
        }
        self.alive()
    }

    /// Makes a change of names durable, if what it builds on is.
    fn apply(&mut self, change: Change) {
        match change {
            Change::Link(dir, name, id) => {
                if let Some(Node::Dir { durable, .. }) = self.nodes.get_mut(&dir) {
                    durable.insert(name, id);
                }
            }
            Change::Unlink(dir, name) => {
                if let Some(Node::Dir { durable, .. }) = self.nodes.get_mut(&dir) {
                    durable.remove(&name);
                }
            }
            Change::Rename(from, name, to, new) => {
                let moved = match self.nodes.get_mut(&from) {
                    Some(Node::Dir { durable, .. }) => durable.remove(&name),
                    _ => None,
                };
                if let (Some(id), Some(Node::Dir { durable, .. })) =
                    (moved, self.nodes.get_mut(&to))
                {
                    durable.insert(new, id);
                }
            }
        }
    }

    fn forget(&mut self) {
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

impl Change {
    fn touches(&self, wanted: u64) -> bool {
        match self {
            Self::Link(dir, ..) | Self::Unlink(dir, _) => *dir == wanted,
            Self::Rename(from, _, to, _) => *from == wanted || *to == wanted,
        }
    }
}

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
        Ok(live.into_iter().map(entry).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let mut world = self.world();
        world.whole_step()?;
        let id = world.add(path, empty_file())?;
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
            world.add(path, empty_file())?;
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

/// An open file; useless after a restart.
#[derive(Debug)]
struct OpenFile {
    disk: ForgetfulDisk,
    id: u64,
    boot: u64,
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

#[derive(Debug)]
struct Held {
    disk: ForgetfulDisk,
    id: u64,
    boot: u64,
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

fn empty_file() -> Node {
    Node::File {
        bytes: Vec::new(),
        synced: 0,
        lost_from: None,
        links: 1,
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

fn last(path: &Path) -> io::Result<String> {
    let name = names(path).last().ok_or(ErrorKind::InvalidInput)?;
    Ok(name.to_owned())
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn died() -> io::Error {
    io::Error::other("the machine died")
}
