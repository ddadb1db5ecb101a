//! What is written down about a running stack, and the process that keeps it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use postback_stack::Stack;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// The file in the data directory that says what runs there.
const STATE: &str = "stack.json";

/// A process that cannot be mistaken for a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pid: i32,
    /// Clock ticks between the machine's start and the process's.
    started: u64,
    /// Which start of the machine that was.
    boot: String,
}

impl Identity {
    /// The running process with this id.
    fn of(pid: i32) -> anyhow::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?
            .trim()
            .to_owned();
        let started = started(&stat).context("it has ended, or /proc/PID/stat is unknown")?;
        Ok(Self { pid, started, boot })
    }

    /// Whether it still runs. One that has ended and whose parent has not noticed does not.
    pub(super) fn is_running(&self) -> bool {
        Self::of(self.pid).is_ok_and(|found| found == *self)
    }

    /// Sends a signal, to this process or to none; false when it has ended.
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<bool> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            bail!("no process id: {}", self.pid)
        };
        // The handle stands for one process. Its identity is looked at after it was taken, so
        // that it cannot be a later process.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(false);
        };
        if !self.is_running() {
            return Ok(false);
        }
        Ok(pidfd_send_signal(&process, signal).is_ok())
    }
}

/// The start time out of `/proc/PID/stat`, its field 22; none when the state, field 3, says that
/// the process has ended. Fields are counted behind the name in parentheses, which may hold spaces.
fn started(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// A running stack, as its keeper wrote it down when both servers served.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) keeper: Identity,
    /// Names and values of the variables that point Postback at the servers.
    pub(super) environment: Vec<(String, String)>,
    pub(super) kafka_port: u16,
    pub(super) clickhouse_http_port: u16,
    pub(super) clickhouse_tcp_port: u16,
}

impl State {
    /// This process keeps this stack.
    pub(super) fn own(stack: &Stack) -> anyhow::Result<Self> {
        let environment = stack
            .environment()
            .map(|(name, value)| (name.to_owned(), value));
        Ok(Self {
            keeper: Identity::of(i32::try_from(std::process::id())?)?,
            environment: environment.into(),
            kafka_port: stack.kafka.port(),
            clickhouse_http_port: stack.clickhouse.http_port(),
            clickhouse_tcp_port: stack.clickhouse.tcp_port(),
        })
    }

    /// Writes it where [`running`](Self::running) finds it. It holds the password: only its owner
    /// may read it.
    pub(super) fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let unfinished = directory.join("stack.json.unfinished");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        Ok(std::fs::rename(unfinished, directory.join(STATE))?)
    }

    /// Forgets it.
    pub(super) fn remove(directory: &Path) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(directory.join(STATE))?)
    }

    /// The stack that runs in this directory, if one does.
    pub(super) fn running(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = directory.join(STATE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let state: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged: remove it", path.display()))?;
        Ok(Some(state).filter(|state| state.keeper.is_running()))
    }

    /// Prints the environment as lines for a shell.
    pub(super) fn print_exports(&self) {
        for (name, value) in &self.environment {
            println!("export {name}='{value}'");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        assert_eq!(started(&format!("42 (a) b (c)) {fields}")), Some(4711));
        let ended = fields.replacen('S', "Z", 1);
        assert_eq!(started(&format!("42 (a) {ended}")), None);
        assert_eq!(started("42"), None);
    }

    #[test]
    fn another_process_with_the_same_id_is_not_this_one() {
        let own = Identity::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.is_running());
        let earlier = Identity {
            started: own.started - 1,
            ..own.clone()
        };
        assert!(!earlier.is_running());
        assert!(!earlier.signal(Signal::TERM).unwrap());
        let before_reboot = Identity {
            boot: "another".to_owned(),
            ..own
        };
        assert!(!before_reboot.is_running());
    }
}
