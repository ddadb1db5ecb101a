//! What the kernel tells of the machine and of a process.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;
use serde::Serialize;

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Host {
    pub(super) processor: String,
    pub(super) processors: usize,
    pub(super) memory_mib: u64,
    pub(super) kernel: String,
    /// Processes that wanted a processor within the last minute: what else was going on.
    pub(super) load_average: String,
    /// The day of the measurement, UTC.
    pub(super) day: String,
}

impl Host {
    /// What can be seen; what cannot is empty.
    pub(super) fn look() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let first = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map_or("", |rest| rest.trim_start_matches([':', ' ', '\t']))
                .to_owned()
        };
        let memory = first(&read("/proc/meminfo"), "MemTotal");
        let memory = memory.split(' ').next().and_then(|kib| kib.parse().ok());
        Self {
            processor: first(&read("/proc/cpuinfo"), "model name"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory.unwrap_or(0_u64) / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            day: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        }
    }
}

impl Host {
    /// In one line.
    pub(super) fn line(&self) -> String {
        format!(
            "{}; {} × {}, {} MiB, Linux {}; load average at the end {}",
            self.day,
            self.processors,
            self.processor,
            self.memory_mib,
            self.kernel,
            self.load_average,
        )
    }
}

/// CPU time that a process has used, in seconds: utime and stime, of all its threads.
pub(super) fn cpu(pid: u32) -> anyhow::Result<f64> {
    let (_, seconds) = stat(&format!("/proc/{pid}/stat"))?;
    Ok(seconds)
}

/// The same by the threads' names.
pub(super) fn cpu_by_thread(pid: u32) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut threads = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path().join("stat");
        // A thread may have ended meanwhile.
        if let Ok((name, seconds)) = stat(&path.display().to_string()) {
            *threads.entry(name).or_default() += seconds;
        }
    }
    Ok(threads)
}

/// Resident memory of a process, in MiB.
pub(super) fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().split(' ').next());
    let kib: f64 = kib.context("no VmRSS")?.parse()?;
    Ok(kib / 1024.0)
}

/// Name and CPU seconds of a line of `/proc/…/stat`. The name stands in brackets and may hold
/// anything; behind it, utime and stime are the fields 12 and 13.
fn stat(path: &str) -> anyhow::Result<(String, f64)> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let parts = text.rsplit_once(") ").context("not a stat line")?;
    let name = parts.0.split_once('(').map_or("", |(_, name)| name);
    let ticks = parts.1.split(' ').skip(11).take(2);
    let mut seconds = 0.0;
    for field in ticks {
        seconds += field.parse::<f64>()? / TICKS;
    }
    Ok((name.to_owned(), seconds))
}

/// The kernel's unit for these times: `USER_HZ`, 100 on every architecture that Rust's own builds
/// of a Linux server run on.
const TICKS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_process_that_works_uses_cpu_and_memory() {
        let own = std::process::id();
        let before = cpu(own).unwrap();
        let begin = Instant::now();
        // This thread works; those of other tests may end meanwhile, and then count no more.
        let of_threads = || cpu_by_thread(own).unwrap().values().sum::<f64>();
        while cpu(own).unwrap() < before + 0.05 || of_threads() < 0.05 {
            assert!(begin.elapsed() < Duration::from_secs(60));
        }
        assert!(resident_mib(own).unwrap() > 1.0);
    }
}
