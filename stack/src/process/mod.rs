//! Processes that never outlive the one that started them.
//!
//! The kernel's parent-death signal is tied to the *thread* that started a process, not to its
//! process: a child that a short-lived thread started would be killed when that thread ends. So
//! each child gets a thread of its own, which starts it and then waits for its end. It ends only
//! after the child, or together with the whole owning process; callers cannot get it wrong.
//!
//! Only the child itself gets the signal, not what it starts in turn.

mod launch;

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

pub use launch::{DIE_WITH_PARENT, Launch, find};

use crate::cancellation::LOOK;
use crate::{Cancellation, StackError};

/// Where a process is in its life.
#[derive(Debug)]
enum Life {
    Runs(Pid),
    Ended(ExitStatus),
}

#[derive(Debug)]
struct Shared {
    life: Mutex<Life>,
    ended: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running process that is killed when this is dropped, and when the owning process dies.
#[derive(Debug)]
pub struct Supervised {
    pid: u32,
    shared: Arc<Shared>,
}

impl Supervised {
    fn start(mut command: Command) -> io::Result<Self> {
        let (sender, started) = mpsc::channel();
        std::thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || {
                let started = command.spawn().and_then(|child| {
                    let pid = pid_of(&child)?;
                    let life = Mutex::new(Life::Runs(pid));
                    Ok((
                        child,
                        pid,
                        Arc::new(Shared {
                            life,
                            ended: Condvar::new(),
                        }),
                    ))
                });
                match started {
                    Err(error) => drop(sender.send(Err(error))),
                    Ok((child, pid, shared)) => {
                        drop(sender.send(Ok((child.id(), Arc::clone(&shared)))));
                        await_end(child, pid, &shared);
                    }
                }
            })?;
        let (pid, shared) = started
            .recv()
            .map_err(|_| io::Error::other("the supervising thread ended"))??;
        Ok(Self { pid, shared })
    }

    /// The process id; it may belong to another process once this one has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended yet; a frozen process counts as running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(*self.shared.lock(), Life::Runs(_))
    }

    /// How it ended; `None` while it runs. Does not block.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        match *self.shared.lock() {
            Life::Runs(_) => None,
            Life::Ended(status) => Some(status),
        }
    }

    /// Sends a signal; false when the process has ended already.
    ///
    /// It is never sent to another process that got the same id: the id stays taken for as long as
    /// the end is not noted under this lock.
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        match *self.shared.lock() {
            Life::Runs(pid) => kill_process(pid, signal).map(|()| true).map_err(Into::into),
            Life::Ended(_) => Ok(false),
        }
    }

    /// Blocks until it has ended, at most for this long; `None` when it still runs.
    pub fn wait_for(&self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        let mut life = self.shared.lock();
        while matches!(*life, Life::Runs(_)) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let woken = self.shared.ended.wait_timeout(life, left);
            life = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(life);
        self.status()
    }

    /// Blocks until it has ended.
    ///
    /// # Errors
    /// [`StackError::Cancelled`]: the process is asked to end, and killed when it has not after
    /// `grace`.
    pub fn wait(
        &self,
        cancellation: &Cancellation,
        grace: Duration,
    ) -> Result<ExitStatus, StackError> {
        loop {
            if let Some(status) = self.wait_for(LOOK) {
                return Ok(status);
            }
            if cancellation.is_cancelled() {
                self.stop(grace);
                return Err(StackError::Cancelled);
            }
        }
    }

    /// Asks it and its process group to end (SIGTERM, also when it is frozen), kills them when it
    /// has not after `grace`, and returns when it has ended.
    pub fn stop(&self, grace: Duration) {
        self.signal_group(Signal::TERM);
        self.signal_group(Signal::CONT);
        if self.wait_for(grace).is_none() {
            self.kill();
        }
    }

    /// Kills it and its process group (SIGKILL) and returns when it has ended.
    pub fn kill(&self) {
        while self.is_running() {
            self.signal_group(Signal::KILL);
            self.wait_for(Duration::from_secs(1));
        }
    }

    /// Sends a signal to it and to what it started in turn, such as the compilers of a build.
    fn signal_group(&self, signal: Signal) {
        if let Life::Runs(pid) = *self.shared.lock() {
            // It can only fail when all of them have ended.
            drop(kill_process_group(pid, signal).map_err(io::Error::from));
        }
    }

    /// Freezes it (SIGSTOP) and returns when all its threads stand still: it keeps its sockets and
    /// its memory, and does nothing.
    ///
    /// The signal alone stops nothing: one thread has to take it before the others are told, and on
    /// a busy machine these go on until then, long enough to answer a request.
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn freeze(&self) -> io::Result<bool> {
        let sent = self.signal(Signal::STOP)?;
        while sent && self.is_running() && !threads_stand_still(self.pid) {
            std::thread::sleep(LOOK_AT_THREADS);
        }
        Ok(sent)
    }

    /// Lets a frozen process go on (SIGCONT).
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn thaw(&self) -> io::Result<bool> {
        self.signal(Signal::CONT)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pid_of(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a process id out of range"))
}

/// Waits for the end, and notes it under the lock before the process id becomes free again.
fn await_end(mut child: Child, pid: Pid, shared: &Shared) {
    let leave = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(error) = waitid(WaitId::Pid(pid), leave) {
        if error != rustix::io::Errno::INTR {
            break;
        }
    }
    let mut life = shared.lock();
    // Where the system will not say how it ended, that is no success.
    *life = Life::Ended(
        child
            .wait()
            .unwrap_or_else(|_| ExitStatus::from_raw(1 << 8)),
    );
    drop(life);
    shared.ended.notify_all();
}

/// Between two looks at threads that have been told to stop.
const LOOK_AT_THREADS: Duration = Duration::from_millis(1);

/// Whether every thread of a process is stopped (state `T` in `/proc/PID/task/*/stat`). A thread
/// that ends meanwhile does nothing either.
fn threads_stand_still(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return true;
    };
    let stats = threads.flatten().map(|thread| thread.path().join("stat"));
    let mut states = stats.filter_map(|stat| std::fs::read_to_string(stat).ok());
    // The state follows the name, which stands in brackets and may hold any character.
    states.all(|stat| {
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
        state.is_some_and(|state| state.starts_with(['T', 'Z', 'X']))
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn tells_how_a_process_ended() {
        let process = Launch::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        assert_eq!(process.wait_for(LONG).unwrap().code(), Some(7));
        assert!(!process.is_running());
        assert!(!process.signal(Signal::TERM).unwrap());
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = Launch::new("sleep").args(["1000"]).spawn().unwrap();
        let path = PathBuf::from(format!("/proc/{}", process.pid()));
        assert!(path.exists());
        drop(process);
        assert!(!path.exists());
    }

    #[test]
    fn outlives_the_thread_that_asked_for_it() {
        let process = std::thread::spawn(|| Launch::new("sleep").args(["1000"]).spawn().unwrap())
            .join()
            .unwrap();
        assert!(process.wait_for(Duration::from_millis(300)).is_none());
    }

    #[test]
    fn a_frozen_process_can_be_stopped() {
        let process = Launch::new("sleep").args(["1000"]).spawn().unwrap();
        assert!(process.freeze().unwrap());
        process.stop(LONG);
        assert!(!process.is_running());
    }

    #[test]
    fn output_goes_to_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let script = ["-c", "echo out; echo err >&2; echo $GREETING"];
        let launch = Launch::new("sh")
            .args(script)
            .envs([("GREETING", "hello")])
            .log(&log);
        launch.spawn().unwrap().wait_for(LONG).unwrap();
        assert_eq!(std::fs::read_to_string(log).unwrap(), "out\nerr\nhello\n");
    }
}
