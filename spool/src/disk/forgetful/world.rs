//! All that the disk is, and the counting of its changes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::dice::Dice;
use super::names::Change;

pub(super) const ROOT: u64 = 0;

#[derive(Debug)]
pub(super) struct World {
    pub(super) next: u64,
    pub(super) nodes: BTreeMap<u64, Node>,
    /// Changes of names that are not durable yet, in order.
    pub(super) pending: Vec<Change>,
    pub(super) locks: BTreeMap<u64, u64>,
    pub(super) boot: u64,
    pub(super) steps: u64,
    pub(super) crash_at: Option<u64>,
    pub(super) crashed: bool,
    pub(super) dice: Dice,
    pub(super) capacity: Option<u64>,
    pub(super) read_only: bool,
    /// Nothing more can be given a name.
    pub(super) nameless: bool,
    pub(super) failing_syncs: u32,
    pub(super) failing_writes: u32,
    pub(super) failing_reads: u32,
    /// Directories that may not be listed.
    pub(super) unlistable: BTreeSet<PathBuf>,
    pub(super) gate_closed: bool,
    pub(super) waiting_at_gate: u32,
}

#[derive(Debug)]
pub(super) enum Node {
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
            nameless: false,
            failing_syncs: 0,
            failing_writes: 0,
            failing_reads: 0,
            unlistable: BTreeSet::new(),
            gate_closed: false,
            waiting_at_gate: 0,
        }
    }
}

impl World {
    /// Counts a change; says whether the machine dies in the middle of it.
    pub(super) fn step(&mut self) -> io::Result<bool> {
        self.alive()?;
        self.steps += 1;
        if self.read_only {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        self.crashed = self.crash_at.is_some_and(|at| self.steps >= at);
        Ok(self.crashed)
    }

    /// A change that happens whole or not at all.
    pub(super) fn whole_step(&mut self) -> io::Result<()> {
        if self.step()? && self.dice.one_in(2) {
            return Err(died());
        }
        Ok(())
    }

    pub(super) fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(died()) } else { Ok(()) }
    }

    pub(super) fn used(&self) -> u64 {
        let files = self.nodes.values().map(|node| match node {
            Node::File { bytes, links, .. } if *links > 0 => bytes.len() as u64,
            _ => 0,
        });
        files.sum()
    }
}

impl Node {
    pub(super) fn empty_dir() -> Self {
        Self::Dir {
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
        }
    }

    pub(super) fn empty_file() -> Self {
        Self::File {
            bytes: Vec::new(),
            synced: 0,
            lost_from: None,
            links: 1,
        }
    }
}

pub(super) fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

pub(super) fn died() -> io::Error {
    io::Error::other("the machine died")
}
