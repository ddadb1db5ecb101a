//! The usual `process_` metrics, read from `/proc/self` at each scrape; absent where there is none.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// `sysconf(_SC_CLK_TCK)`, which Linux fixes at 100 for user space (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Process;

/// What `/proc/self/stat` (proc(5)) says, in seconds.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    /// Since the machine was booted.
    started_seconds: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        if let Some(bytes) = resident_bytes() {
            let help = "Memory in use that is in RAM.";
            gauge("process_resident_memory_bytes", help, bytes)?;
        }
        if let Some(open) = open_files() {
            gauge("process_open_fds", "Open file descriptors.", open)?;
        }
        let stat = read("/proc/self/stat").and_then(|text| parse_stat(&text));
        let Some(stat) = stat else { return Ok(()) };
        if let Some(boot) = boot_time() {
            let help = "Start of the process, Unix time.";
            gauge(
                "process_start_time_seconds",
                help,
                boot + stat.started_seconds,
            )?;
        }
        let cpu = ConstCounter::new(stat.cpu_seconds);
        let help = "User and system CPU time spent.";
        cpu.encode(encoder.encode_descriptor(
            "process_cpu_seconds",
            help,
            None,
            cpu.metric_type(),
        )?)
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The second field is the program's name in parentheses and may itself have spaces and
    // parentheses; the third field follows the last one.
    let (_, fields) = text.rsplit_once(") ")?;
    let field = |number: usize| -> Option<f64> { fields.split(' ').nth(number - 3)?.parse().ok() };
    Some(Stat {
        cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
        started_seconds: field(22)? / TICKS_PER_SECOND,
    })
}

fn boot_time() -> Option<f64> {
    let stat = read("/proc/stat")?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn resident_bytes() -> Option<f64> {
    let status = read("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn open_files() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    // The directory that is being read is one of them.
    u32::try_from(count.saturating_sub(1)).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_shifts_no_field() {
        let text = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 250 11 12 13 14 15 16 9900 17\n";
        let expected = Stat {
            cpu_seconds: 4.0,
            started_seconds: 99.0,
        };
        assert_eq!(parse_stat(text), Some(expected));
        assert_eq!(parse_stat("7 (a"), None);
    }
}
