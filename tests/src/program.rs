//! The project's binaries, run as a user runs them.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postback_stack::{Launch, Supervised};
use rustix::process::Signal;

use crate::wait;

/// Where this build's binaries are: beside this binary, or beside the directory of this test.
///
/// # Panics
/// When the test's own place is unknown.
#[must_use]
pub fn binaries() -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its own binary");
    let directory = own.parent().expect("a binary is in a directory");
    // Tests are in target/PROFILE/deps, binaries above it.
    let deps = directory.parent().filter(|_| directory.ends_with("deps"));
    deps.unwrap_or(directory).to_owned()
}

/// A binary of this build.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let path = binaries().join(name);
    assert!(
        path.is_file(),
        "{name} is not built: run `cargo build --workspace`, or `cargo xtask test`"
    );
    path
}

/// `name` as a supervisor starts it that holds its socket: see [`Program::start_with_socket`].
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn with_socket(name: &str, arguments: &[&str], socket: OwnedFd) -> Launch {
    // The shell stays the same process, so its number is the program's.
    let hand_over = "exec 3<&0 0</dev/null; \
        export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=ingest; exec \"$0\" \"$@\"";
    Launch::new("sh")
        .args(["-c", hand_over])
        .args([binary(name)])
        .args(arguments)
        .stdin(socket)
}

/// A service that runs until the test ends it, or ends itself.
#[derive(Debug)]
pub struct Program {
    process: Supervised,
    log: PathBuf,
}

impl Program {
    /// Starts `name` with its output in `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, arguments: &[&str], log: &Path) -> Self {
        Self::launch(Launch::new(binary(name)).args(arguments), log)
    }

    /// Starts what was prepared, with its output in `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn launch(launch: Launch, log: &Path) -> Self {
        Self {
            process: plain_environment(launch.log(log))
                .spawn()
                .expect("the program can be started"),
            log: log.to_owned(),
        }
    }

    /// Starts `name` as a supervisor does that holds its socket: as descriptor 3, said by
    /// `LISTEN_FDS` and its kin (`sd_listen_fds(3)`). What it tells the supervisor goes to `notify`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with_socket(
        name: &str,
        arguments: &[&str],
        log: &Path,
        socket: OwnedFd,
        notify: Option<&Path>,
    ) -> Self {
        let notify = notify.map(|path| ("NOTIFY_SOCKET", path));
        Self::launch(with_socket(name, arguments, socket).envs(notify), log)
    }

    /// Everything it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Supervised {
        &self.process
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process has ended already.
    pub fn signal(&self, signal: Signal) {
        assert!(
            self.process.signal(signal).expect("a signal can be sent"),
            "it has ended already: {}",
            self.output()
        );
    }

    /// Asks it to end (SIGTERM) and returns its exit code.
    ///
    /// # Panics
    /// When it does not end, or not by itself.
    #[must_use]
    pub fn terminate(self) -> i32 {
        self.signal(Signal::TERM);
        self.exit_code()
    }

    /// Waits for its end and returns its exit code.
    ///
    /// # Panics
    /// When it does not end, or ends by a signal.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        let status = self
            .process
            .wait_for(wait::LIMIT)
            .unwrap_or_else(|| panic!("it does not end: {}", self.output()));
        status
            .code()
            .unwrap_or_else(|| panic!("it ended by a signal ({status}): {}", self.output()))
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Code and both outputs, as a snapshot shows them.
    #[must_use]
    pub fn shown(&self) -> String {
        format!(
            "exit code: {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// Runs a command to its end, keeps its output in the run's logs too, and returns it.
///
/// # Panics
/// When it cannot be started or ends by a signal.
#[must_use]
pub fn run(name: &str, arguments: &[&str], directory: &Path, log: &Path) -> Finished {
    let mut command = Command::new(binary(name));
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null());
    for variable in inherited() {
        command.env_remove(variable);
    }
    let output = command.output().expect("the command can be started");
    let finished = Finished {
        code: output.status.code().expect("the command ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("output is UTF-8"),
    };
    let mut kept = std::fs::read_to_string(log).unwrap_or_default();
    kept.push_str(&finished.shown());
    std::fs::write(log, kept).expect("the log can be written");
    finished
}

/// What must not reach the programs from the run's own environment: each has a configuration file.
fn inherited() -> impl Iterator<Item = String> {
    let ours =
        |name: &String| name.starts_with("POSTBACK__") || name == "RUST_LOG" || name == "NO_COLOR";
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(ours)
}

fn plain_environment(launch: Launch) -> Launch {
    inherited().fold(launch, Launch::env_remove)
}
