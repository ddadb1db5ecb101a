//! Names in directories, and their changes: in order, durable only once they are synced.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

use super::world::{Node, ROOT, World};

#[derive(Debug, Clone)]
pub(super) enum Change {
    Link(u64, String, u64),
    Unlink(u64, String),
    Rename(u64, String, u64, String),
}

impl World {
    /// Node and parent of a path.
    pub(super) fn find(&self, path: &Path) -> io::Result<(u64, u64)> {
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

    pub(super) fn find_parent(&self, path: &Path) -> io::Result<u64> {
        let parent = path.parent().ok_or(ErrorKind::InvalidInput)?;
        Ok(self.find(parent)?.0)
    }

    pub(super) fn live(&mut self, dir: u64) -> io::Result<&mut BTreeMap<String, u64>> {
        match self.nodes.get_mut(&dir) {
            Some(Node::Dir { live, .. }) => Ok(live),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn add(&mut self, path: &Path, node: Node) -> io::Result<u64> {
        let parent = self.find_parent(path)?;
        let name = last(path)?;
        let (id, nameless) = (self.next, self.nameless);
        let live = self.live(parent)?;
        if live.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if nameless {
            return Err(ErrorKind::StorageFull.into());
        }
        live.insert(name.clone(), id);
        self.next += 1;
        self.nodes.insert(id, node);
        self.pending.push(Change::Link(parent, name, id));
        Ok(id)
    }

    pub(super) fn unlink(&mut self, parent: u64, name: &str) -> io::Result<()> {
        let id = self.live(parent)?.remove(name).ok_or(ErrorKind::NotFound)?;
        if let Some(Node::File { links, .. }) = self.nodes.get_mut(&id) {
            *links = 0;
        }
        self.pending.push(Change::Unlink(parent, name.to_owned()));
        Ok(())
    }

    pub(super) fn delete_below(&mut self, dir: u64) {
        let children: Vec<(String, u64)> = match self.nodes.get(&dir) {
            Some(Node::Dir { live, .. }) => live.iter().map(|(n, id)| (n.clone(), *id)).collect(),
            _ => return,
        };
        for (name, id) in children {
            self.delete_below(id);
            drop(self.unlink(dir, &name));
        }
    }

    pub(super) fn sync_dir(&mut self, dir: u64) -> io::Result<()> {
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
    pub(super) fn apply(&mut self, change: Change) {
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
}

impl Change {
    fn touches(&self, wanted: u64) -> bool {
        match self {
            Self::Link(dir, ..) | Self::Unlink(dir, _) => *dir == wanted,
            Self::Rename(from, _, to, _) => *from == wanted || *to == wanted,
        }
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

pub(super) fn last(path: &Path) -> io::Result<String> {
    let name = names(path).last().ok_or(ErrorKind::InvalidInput)?;
    Ok(name.to_owned())
}
