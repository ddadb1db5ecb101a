//! A command before it is started.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Supervised;
use crate::StackError;

/// The program of util-linux, and its arguments, that give a process its parent-death signal.
///
/// Put in front of a command it stays the same process: it replaces itself by the command.
pub const DIE_WITH_PARENT: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];

/// A command to be started as a [`Supervised`] process. Its standard input is empty unless one is
/// given.
#[derive(Debug)]
pub struct Launch {
    command: Command,
    program: PathBuf,
    log: Option<PathBuf>,
}

impl Launch {
    /// The program to run: a path, or a name to be looked up in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(DIE_WITH_PARENT[0]);
        command
            .args(&DIE_WITH_PARENT[1..])
            .arg(program.as_ref())
            .stdin(Stdio::null());
        // In a group of its own: Ctrl-C on a terminal reaches the owner alone, which then ends its
        // children in its own order.
        command.process_group(0);
        Self {
            command,
            program: program.as_ref().into(),
            log: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Adds or replaces environment variables; all others are inherited.
    #[must_use]
    pub fn envs(
        mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    /// Does not pass on an inherited environment variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Gives it this as its standard input: a file, or a socket to be handed over.
    #[must_use]
    pub fn stdin(mut self, input: OwnedFd) -> Self {
        self.command.stdin(Stdio::from(input));
        self
    }

    /// Runs it in this directory.
    #[must_use]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Appends standard output and standard error to this file, which is made if needed.
    /// Without it both are inherited.
    #[must_use]
    pub fn log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// Sends standard output to the owner's standard error: for tools whose output is progress.
    #[must_use]
    pub fn output_to_stderr(mut self) -> Self {
        self.command.stdout(Stdio::from(io::stderr()));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the log cannot be opened or `setpriv` cannot be started. A program that does not exist
    /// starts and ends at once with status 127 and a line in the log.
    pub fn spawn(mut self) -> Result<Supervised, StackError> {
        if let Some(log) = &self.log {
            let file = OpenOptions::new().create(true).append(true).open(log);
            let (out, err) = file
                .and_then(|file| Ok((file.try_clone()?, file)))
                .map_err(StackError::io("open the log", log))?;
            self.command.stdout(out).stderr(err);
        }
        Supervised::start(self.command).map_err(StackError::io("start", &self.program))
    }
}

/// Finds a program in `PATH`.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
