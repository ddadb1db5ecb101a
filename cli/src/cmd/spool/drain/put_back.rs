//! Puts what was set aside back among what waits, once the reason of its refusal is mended.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;

use anyhow::Context as _;
use postback_spool::disk::{Disk, RealDisk};
use postback_spool::{Committer, Found, OpenError, Options, Records, Spool, SubmitError};

use crate::output::size;

/// Room for a record and its framing in a segment. No ingest ever took a record nearly as long,
/// whatever its limits were.
const RECORD_MAX_BYTES: u64 = 63 * 1024 * 1024;

/// What was put back, and what stays set aside.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PutBack {
    /// Records that wait again.
    pub(super) records: u64,
    /// Files of living processes, which may still append to them.
    pub(super) living_files: u64,
    /// Files that cannot be put back whole, and why.
    pub(super) kept: Vec<(PathBuf, String)>,
}

/// Writes the records of the set-aside `files` of a spool into a process directory of its own, which
/// is an orphan afterwards, and removes the files. Blocks.
///
/// A process holds the lock of the file that it sets aside into. Here it is held from before the
/// first look at a file until after its removal: no record comes to it unseen, and of two who put
/// back at once each file is one's.
///
/// # Errors
/// What the disk says of the spool itself. What was put back is in the spool; the rest stays set
/// aside.
pub(super) fn put_back(root: &Path, files: &[PathBuf]) -> anyhow::Result<PutBack> {
    let mut put_back = PutBack::default();
    if files.is_empty() {
        return Ok(put_back);
    }
    let disk = Arc::new(RealDisk);
    let options = Options {
        // What is set aside has its room already, and was taken whatever its size.
        max_bytes: u64::MAX / 2,
        record_max_bytes: RECORD_MAX_BYTES,
        queue_max_bytes: 2 * RECORD_MAX_BYTES,
        ..Options::default()
    };
    // Its committer runs here, and not on a thread that might hold the directory a little longer.
    let shared = Arc::clone(&disk) as Arc<dyn Disk>;
    let (spool, mut committer) = Spool::with_committer(shared, root, options)?;
    for path in files {
        match put_back_file(&*disk, path, &spool, &mut committer)? {
            Fate::PutBack(records) => put_back.records += records,
            Fate::Gone => {}
            Fate::Living => put_back.living_files += 1,
            Fate::Kept(why) => put_back.kept.push((path.clone(), why)),
        }
    }
    Ok(put_back)
}

/// What became of a file.
enum Fate {
    /// Its records wait again.
    PutBack(u64),
    /// Somebody else was faster.
    Gone,
    /// A process may still append to it.
    Living,
    /// It stays, for this reason.
    Kept(String),
}

fn put_back_file(
    disk: &dyn Disk,
    path: &Path,
    spool: &Spool,
    committer: &mut Committer,
) -> anyhow::Result<Fate> {
    let _held = match disk.lock(path, false) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Fate::Living),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Fate::Gone),
        Err(error) => return Ok(Fate::Kept(format!("it cannot be locked: {error}"))),
    };
    let before = match length(disk, path).and_then(|bytes| Ok((bytes, flaw(disk, path)?))) {
        Ok((bytes, None)) => bytes,
        Ok((_, Some(why))) => return Ok(Fate::Kept(why)),
        Err(error) => return Ok(Fate::Kept(error.to_string())),
    };
    let records = submit_all(disk, path, spool, committer)?;
    // Ingest of an older version appends without the lock.
    if length(disk, path)? != before {
        return Ok(Fate::Living);
    }
    match disk.unlink(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(Fate::PutBack(records)),
    }
}

fn length(disk: &dyn Disk, path: &Path) -> anyhow::Result<u64> {
    let length = disk.open(path).and_then(|file| file.length());
    length.with_context(|| format!("cannot read {}", path.display()))
}

/// Why not every byte of the file can be put back; `None` if each can.
fn flaw(disk: &dyn Disk, path: &Path) -> Result<Option<String>, OpenError> {
    for found in Records::open(disk, path)? {
        let flaw = match found? {
            Found::Rejected { rejected, .. } => {
                let bytes = rejected.record.len() as u64;
                if bytes <= RECORD_MAX_BYTES {
                    continue;
                }
                format!("a record of {} fits no segment", size(bytes))
            }
            Found::Record { .. } => "a record in it was not set aside as the others".to_owned(),
            Found::Damage { bytes } => format!("{} of it are damaged", size(bytes)),
            Found::Torn { bytes } => {
                format!("its last append was cut short ({})", size(bytes))
            }
        };
        return Ok(Some(flaw));
    }
    Ok(None)
}

/// Returns when all records of the file are synced.
fn submit_all(
    disk: &dyn Disk,
    path: &Path,
    spool: &Spool,
    committer: &mut Committer,
) -> anyhow::Result<u64> {
    let mut records = 0;
    for found in Records::open(disk, path)? {
        let Found::Rejected {
            at_micros,
            rejected,
        } = found?
        else {
            anyhow::bail!("{} has changed while it was read", path.display());
        };
        let (told, hears) = mpsc::channel();
        spool.submit(&rejected.record, at_micros, move |outcome| {
            // Whoever asked waits right below.
            drop(told.send(outcome));
        })?;
        committer.step();
        hears.try_recv().unwrap_or(Err(SubmitError::Closed))?;
        records += 1;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use postback_spool::survey;

    use super::*;

    /// Of all set-aside files, as the command does it.
    fn put_back_all(root: &Path) -> PutBack {
        let rejected = survey(&RealDisk, root).unwrap().rejected;
        let files: Vec<PathBuf> = rejected.into_iter().map(|file| file.path).collect();
        put_back(root, &files).unwrap()
    }

    fn drain(root: &Path) -> postback_spool::Drain {
        let disk = Arc::new(RealDisk);
        let mut drain = postback_spool::Drain::of_orphans(disk, root, Options::default()).unwrap();
        drain.adopt().unwrap();
        drain
    }

    /// What waits, by a process of its own; says where each record is now.
    fn set_all_aside(root: &Path) -> Vec<PathBuf> {
        let mut drain = drain(root);
        let mut files = Vec::new();
        while let Some(entry) = drain.next() {
            files.push(drain.set_aside(&entry, "too large").unwrap());
            drain.release(entry.position);
        }
        files
    }

    fn spooled(root: &Path, records: &[&[u8]]) {
        spooled_with(root, Options::default(), records);
    }

    fn spooled_with(root: &Path, options: Options, records: &[&[u8]]) {
        let (spool, mut committer) =
            Spool::with_committer(Arc::new(RealDisk), root, options).unwrap();
        for (at, record) in (7..).zip(records) {
            let (told, hears) = mpsc::channel();
            let tell = move |outcome| told.send(outcome).unwrap();
            spool.submit(record, at, tell).unwrap();
            committer.step();
            hears.try_recv().unwrap().unwrap();
        }
    }

    #[test]
    fn what_was_set_aside_waits_again_and_its_file_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        spooled(root, &[b"one", b"two"]);
        set_all_aside(root);
        assert_eq!(survey(&RealDisk, root).unwrap().rejected.len(), 1);

        let put = put_back_all(root);
        assert_eq!((put.records, put.living_files, put.kept), (2, 0, vec![]));
        assert!(survey(&RealDisk, root).unwrap().rejected.is_empty());
        let mut again = drain(root);
        let mut waiting = Vec::new();
        while let Some(entry) = again.next() {
            waiting.push((entry.at_micros, entry.record));
        }
        assert_eq!(waiting, [(7, b"one".to_vec()), (8, b"two".to_vec())]);
        assert_eq!(put_back_all(root), PutBack::default());
    }

    #[test]
    fn a_file_that_a_living_process_may_append_to_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        spooled(root, &[b"one", b"two", b"three"]);
        let mut living = drain(root);
        let mut set_aside_next = || {
            let entry = living.next().unwrap();
            living.set_aside(&entry, "too large").unwrap();
        };
        set_aside_next();
        let put = put_back_all(root);
        assert_eq!((put.records, put.living_files), (0, 1));
        set_aside_next();
        set_aside_next();
        let found = survey(&RealDisk, root).unwrap();
        let kept: Vec<u64> = found.rejected.iter().map(|file| file.records).collect();
        assert_eq!(kept, [3]);
        drop(living);
        assert_eq!(put_back_all(root).records, 3);
    }

    #[test]
    fn one_that_cannot_be_put_back_keeps_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let mut files = Vec::new();
        // Longer than a spool takes by default, damaged, and an ordinary one.
        for record in [vec![b'x'; 3_000_000], b"two".to_vec(), b"three".to_vec()] {
            let options = Options {
                record_max_bytes: 4_000_000,
                ..Options::default()
            };
            spooled_with(root, options, &[&record]);
            files.extend(set_all_aside(root));
        }
        let mut damaged = std::fs::read(&files[1]).unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(&files[1], damaged).unwrap();
        // Not even root can read a directory as a file.
        let unreadable = root.join("set-aside/0000000000000001-0123456789abcdef.rejected");
        std::fs::create_dir(&unreadable).unwrap();

        let put = put_back_all(root);
        assert_eq!((put.records, put.living_files), (2, 0));
        let mut kept: Vec<&PathBuf> = put.kept.iter().map(|(path, _)| path).collect();
        kept.sort();
        let mut expected = vec![&files[1], &unreadable];
        expected.sort();
        assert_eq!(kept, expected);
    }

    #[test]
    fn two_who_put_back_at_once_put_back_each_record_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for number in 0..20 {
            spooled(root, &[format!("{number}").as_bytes()]);
            set_all_aside(root);
        }
        let put: Vec<u64> = std::thread::scope(|scope| {
            let both = [0; 2].map(|_| scope.spawn(|| put_back_all(root).records));
            both.map(|one| one.join().unwrap()).to_vec()
        });
        assert_eq!(put.iter().sum::<u64>() + put_back_all(root).records, 20);
        let mut again = drain(root);
        assert_eq!(std::iter::from_fn(|| again.next()).count(), 20);
    }
}
