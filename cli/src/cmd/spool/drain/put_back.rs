//! Puts what was set aside back among what waits, once the reason of its refusal is mended.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use anyhow::Context as _;
use postback_spool::disk::{Disk, RealDisk};
use postback_spool::{Committer, Found, Options, Records, Spool, SubmitError, survey};

/// What was put back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PutBack {
    /// Records that wait again.
    pub(super) records: u64,
    /// Files that stay: of living processes, which may still write them, and with damage in them.
    pub(super) kept_files: u64,
}

/// Writes the records of `set-aside/` into a process directory of its own, which is an orphan
/// afterwards, and removes their files. Blocks.
///
/// # Errors
/// What the disk says. What was put back is in the spool; the rest stays set aside.
pub(super) fn put_back(root: &Path) -> anyhow::Result<PutBack> {
    let disk = Arc::new(RealDisk);
    let found = survey(&*disk, root)?;
    let mut put_back = PutBack::default();
    if found.rejected.is_empty() {
        return Ok(put_back);
    }
    let living: Vec<String> = found
        .directories
        .iter()
        .filter(|directory| directory.in_use)
        .filter_map(|directory| Some(directory.path.file_name()?.to_str()?.to_owned()))
        .collect();
    let options = Options {
        // What is set aside has its room already.
        max_bytes: u64::MAX / 2,
        ..Options::default()
    };
    // Its committer runs here, and not on a thread that might hold the directory a little longer.
    let shared = Arc::clone(&disk) as Arc<dyn Disk>;
    let (spool, mut committer) = Spool::with_committer(shared, root, options)?;
    for file in &found.rejected {
        let name = file.path.file_name().and_then(|name| name.to_str());
        let is_living = name.is_some_and(|name| living.iter().any(|dir| name.starts_with(dir)));
        if is_living || file.damaged_bytes > 0 || file.torn_bytes > 0 {
            put_back.kept_files += 1;
            continue;
        }
        put_back.records += submit_all(&*disk, &file.path, &spool, &mut committer)?;
        let removed = disk.unlink(&file.path);
        removed.with_context(|| format!("cannot remove {}", file.path.display()))?;
    }
    Ok(put_back)
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
            continue;
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
    use super::*;

    fn drain(root: &Path) -> postback_spool::Drain {
        let disk = Arc::new(RealDisk);
        let mut drain = postback_spool::Drain::of_orphans(disk, root, Options::default()).unwrap();
        drain.adopt().unwrap();
        drain
    }

    fn spooled(root: &Path, records: &[&[u8]]) {
        let options = Options::default();
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
        let mut first = drain(root);
        while let Some(entry) = first.next() {
            first.set_aside(&entry, "too large").unwrap();
            first.release(entry.position);
        }
        drop(first);
        assert_eq!(survey(&RealDisk, root).unwrap().rejected.len(), 1);

        let put = put_back(root).unwrap();
        assert_eq!((put.records, put.kept_files), (2, 0));
        assert!(survey(&RealDisk, root).unwrap().rejected.is_empty());
        let mut again = drain(root);
        let mut waiting = Vec::new();
        while let Some(entry) = again.next() {
            waiting.push((entry.at_micros, entry.record));
        }
        assert_eq!(waiting, [(7, b"one".to_vec()), (8, b"two".to_vec())]);
        assert_eq!(put_back(root).unwrap(), PutBack::default());
    }
}
