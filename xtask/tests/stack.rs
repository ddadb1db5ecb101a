//! `cargo xtask stack` as a user runs it.
#![allow(
    clippy::unwrap_used,
    reason = "the lint knows only functions marked as tests, not the helpers beside them"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use postback_stack::{ClickHouseClient, Password, port};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// A stack in a directory of its own; taken down when dropped.
struct Stack {
    directory: tempfile::TempDir,
    ports: [String; 3],
}

impl Stack {
    fn new() -> Self {
        let ports = port::free::<3>().unwrap().map(|port| port.to_string());
        Self {
            directory: tempfile::tempdir().unwrap(),
            ports,
        }
    }

    fn run(&self, command: &str) -> Output {
        let mut arguments = vec!["stack", command];
        if command == "up" {
            let options = [
                "--kafka-port",
                "--clickhouse-http-port",
                "--clickhouse-tcp-port",
            ];
            for (option, port) in options.iter().zip(&self.ports) {
                arguments.extend([option, port.as_str()]);
            }
        }
        Command::new(XTASK)
            .args(arguments)
            .arg("--data-dir")
            .arg(self.directory.path())
            .output()
            .unwrap()
    }

    fn up(&self) -> BTreeMap<String, String> {
        let output = self.run("up");
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        let exports = String::from_utf8(output.stdout).unwrap();
        let export = |line: &str| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        };
        exports.lines().filter_map(export).collect()
    }

    /// Waits until no process works in the directory any more.
    fn wait_until_empty(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while !running_in(self.directory.path()).is_empty() {
            assert!(
                Instant::now() < until,
                "{:?}",
                running_in(self.directory.path())
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run("down");
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The running processes whose working directory lies in this one.
fn running_in(directory: &Path) -> Vec<String> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let process = entry.ok()?.path();
            let inside = std::fs::read_link(process.join("cwd"))
                .ok()?
                .starts_with(directory);
            inside.then(|| process.display().to_string())
        })
        .collect()
}

#[test]
fn up_outlives_its_command_and_down_ends_it() {
    let stack = Stack::new();
    assert_eq!(stack.run("status").status.code(), Some(3));
    let exports = stack.up();
    assert_eq!(
        exports["POSTBACK__KAFKA__BROKERS"],
        format!("127.0.0.1:{}", stack.ports[0])
    );
    let client = || {
        ClickHouseClient::new(
            &exports["POSTBACK__CLICKHOUSE__URL"],
            &exports["POSTBACK__CLICKHOUSE__USER"],
            Password::new(&exports["POSTBACK__CLICKHOUSE__PASSWORD"]),
        )
    };
    client()
        .query("CREATE TABLE kept (n UInt8) ENGINE = MergeTree ORDER BY n")
        .unwrap();
    assert_eq!(
        stack.up(),
        exports,
        "a second `up` finds the first one's servers"
    );
    let status = stack.run("status");
    assert_eq!(status.status.code(), Some(0), "{}", errors(&status));

    let down = stack.run("down");
    assert_eq!(down.status.code(), Some(0), "{}", errors(&down));
    assert_eq!(running_in(stack.directory.path()), Vec::<String>::new());
    assert_eq!(stack.run("status").status.code(), Some(3));

    assert_eq!(stack.up(), exports, "ports and password stay");
    assert_eq!(client().query("SELECT count() FROM kept").unwrap(), "0\n");
}

#[test]
fn the_servers_die_with_their_keeper() {
    let stack = Stack::new();
    stack.up();
    let state = std::fs::read_to_string(stack.directory.path().join("stack.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    let keeper = state["keeper"]["pid"].to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &keeper])
            .status()
            .unwrap()
            .success()
    );
    stack.wait_until_empty();
    // The thread that started them may end before the keeper's first one does.
    let until = Instant::now() + Duration::from_secs(30);
    while is_running(&keeper) {
        assert!(Instant::now() < until, "the keeper ends");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(stack.run("status").status.code(), Some(3));
}

/// Not one that has ended and whose parent has not noticed: proc(5).
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().unwrap_or_default();
    !(state.is_empty() || state.starts_with(['Z', 'X']))
}

#[test]
fn a_taken_port_is_named_with_its_option() {
    let stack = Stack::new();
    let taken = TcpListener::bind(format!("127.0.0.1:{}", stack.ports[1])).unwrap();
    let output = stack.run("up");
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "port {} is taken by another program: choose another one with --clickhouse-http-port",
        stack.ports[1]
    );
    assert!(errors(&output).contains(&expected), "{}", errors(&output));
    drop(taken);
}

#[test]
fn without_root_it_names_what_is_missing() {
    // A place that any user may read, with a checkout's outline in it.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::create_dir(path.join("xtask")).unwrap();
    std::fs::write(path.join("Cargo.lock"), "").unwrap();
    std::fs::copy(XTASK, path.join("run")).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg(path.join("run"));
        command
    } else {
        Command::new(path.join("run"))
    };
    let setpriv = postback_stack::process::find("setpriv").unwrap();
    let empty = path.join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::os::unix::fs::symlink(setpriv, empty.join("setpriv")).unwrap();
    let output = command
        .arg("check")
        .current_dir(path)
        .env("CARGO_MANIFEST_DIR", path.join("xtask"))
        .env("XDG_CACHE_HOME", path.join("cache"))
        .env("PATH", empty)
        .output()
        .unwrap();
    let packages = "cmake gcc g++ make pkg-config libssl-dev zlib1g-dev docker-compose";
    let expected = format!(
        "error: missing on this machine: {packages}\n\
         Only root may install packages. Run this, then try again:\n  \
         sudo apt-get update && sudo apt-get install --no-install-recommends {packages}\n"
    );
    assert_eq!(errors(&output), expected);
    assert_eq!(output.status.code(), Some(2));
}
