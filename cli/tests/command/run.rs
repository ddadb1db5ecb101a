//! Runs the built command in a folder of its own.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A configuration whose servers are away: nothing listens on port 1.
pub(crate) const AWAY: &str = r#"
[kafka]
brokers = "127.0.0.1:1"
[clickhouse]
url = "http://127.0.0.1:1"
[ingest]
admin_listen = "127.0.0.1:1"
public_url = "https://pb.example.com"
[consumer]
admin_listen = "127.0.0.1:1"
[[source]]
name = "rakuten-us"
network = "rakuten"
currency = "USD"
[[source.key]]
key = "CANARY-0123456789abcdef"
[[source.template]]
url = "https://pb.example.com/postback/CANARY-0123456789abcdef?unique_id=<u1>&cid=7&is_event=<is_event>&tid=<etransaction_id>&ordered=<transaction_date>&type=<transaction_type>&x=<shoe_size>"
"#;

/// A folder with a configuration.
pub(crate) struct Place {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn with(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("postback.toml"), configuration).unwrap();
        Self {
            folder,
            environment: Vec::new(),
        }
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The command, ready to start: with this environment and no other of ours.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postback"));
        command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Everything that it printed, and its exit code.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.run_with(&[], arguments)
    }

    /// The same with more environment.
    pub(crate) fn run_with(&self, more: &[(&str, &str)], arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        let output = command.envs(more.iter().copied()).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        let shown = format!(
            "$ postback {}\n{out}--- stderr\n{err}--- exit {}\n",
            arguments.join(" "),
            output.status.code().unwrap()
        );
        assert!(!shown.contains("CANARY"), "{shown}");
        // librdkafka's words for a broker that is away depend on what it tried last.
        let lines = shown
            .lines()
            .map(|line| match line.split_once(" does not answer: ") {
                Some((before, _)) => format!("{before} does not answer: …\n"),
                None => format!("{line}\n"),
            });
        lines.collect()
    }
}
