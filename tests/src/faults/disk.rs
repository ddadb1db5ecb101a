//! A disk that hangs or fails, for one process: see `tests/faults/disk.c`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The name of a control file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Hang,
    Eio,
}

impl Fault {
    const fn file(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Eio => "eio",
        }
    }
}

/// The shim and its control files.
#[derive(Debug)]
pub(super) struct Disk {
    shim: PathBuf,
    control: PathBuf,
}

impl Disk {
    /// Compiles the shim into this directory.
    pub(super) fn new(directory: &Path) -> Self {
        let shim = directory.join("disk.so");
        let control = directory.join("disk-faults");
        std::fs::create_dir(&control).expect("a directory can be made");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&shim, &source])
            .arg("-ldl")
            .status()
            .expect("cc can be run");
        assert!(compiled.success(), "cc fails");
        Self { shim, control }
    }

    /// What puts it under a process.
    pub(super) fn environment(&self) -> [(&'static str, &Path); 2] {
        [
            ("LD_PRELOAD", &self.shim),
            ("POSTBACK_DISK_FAULTS", &self.control),
        ]
    }

    /// From now on syncs hang or fail.
    pub(super) fn begin(&self, fault: Fault) {
        std::fs::write(self.control.join(fault.file()), "").expect("a file can be written");
    }

    /// From now on they work again.
    pub(super) fn end(&self, fault: Fault) {
        std::fs::remove_file(self.control.join(fault.file())).expect("a file can be removed");
    }

    /// Beginnings and ends of the syncs for which the real disk took longer than 5 ms.
    pub(super) fn slow_syncs(&self) -> Vec<(Instant, Instant)> {
        let (now, monotonic) = (Instant::now(), clock_gettime(ClockId::Monotonic));
        let monotonic = Duration::try_from(monotonic).expect("a time since the start");
        let instant = |nanos: &str| {
            let then = Duration::from_nanos(nanos.parse().expect("nanoseconds"));
            now - monotonic.saturating_sub(then)
        };
        // Without a slow sync there is no file.
        let text = std::fs::read_to_string(self.control.join("syncs")).unwrap_or_default();
        let lines = text
            .lines()
            .map(|line| line.split_once(' ').expect("two numbers"));
        lines
            .map(|(begin, end)| (instant(begin), instant(end)))
            .collect()
    }

    /// Whether a sync has met the fault.
    pub(super) fn was_met(&self, fault: Fault) -> bool {
        self.control.join(format!("met-{}", fault.file())).exists()
    }
}
