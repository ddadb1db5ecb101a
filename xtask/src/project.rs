//! The checkout, and cargo in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use postback_stack::{Cancellation, Installation, Launch, Needs};

use crate::report;

/// How long a command may take to stop in order.
const GRACE: Duration = Duration::from_secs(10);

/// The checkout that this program was built from.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    root: PathBuf,
    cargo: OsString,
}

impl Project {
    /// Finds it; cargo says where when it runs this program.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let own = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = own
            .parent()
            .context("xtask/ has no parent directory")?
            .to_owned();
        if !root.join("Cargo.lock").is_file() {
            bail!(
                "{} is not a checkout of this project: run `cargo xtask` in one",
                root.display()
            );
        }
        Ok(Self {
            root,
            cargo: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        })
    }

    /// The directory that holds everything.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where this project's tasks keep what a person may delete.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// A cargo command in the checkout.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Launch {
        Launch::new(&self.cargo)
            .args(arguments)
            .current_dir(&self.root)
            // Set for this program, and wrong for the packages that cargo builds next.
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_MANIFEST_PATH")
    }

    /// Runs a cargo command, with its output where ours goes.
    ///
    /// # Errors
    /// When it ends with another status than 0, or when cancelled.
    pub(crate) fn run_cargo(
        &self,
        arguments: &[&str],
        cancellation: &Cancellation,
    ) -> anyhow::Result<()> {
        run(
            &format!("cargo {}", arguments.join(" ")),
            self.cargo(arguments),
            cancellation,
        )
    }

    /// Installs the servers and what `needs` says, and builds the program that holds ClickHouse.
    pub(crate) fn set_up(
        &self,
        needs: Needs,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Installation> {
        let installation = postback_stack::install(needs, cancellation, &report::step)?;
        let build = [
            "build",
            "--quiet",
            "--package",
            "postback-stack",
            "--bin",
            "clickhouse-host",
        ];
        self.run_cargo(&build, cancellation)?;
        Ok(installation)
    }
}

/// Runs a command to its end, with its output on our standard error.
///
/// # Errors
/// When it ends with another status than 0, or when cancelled.
pub(crate) fn run(what: &str, launch: Launch, cancellation: &Cancellation) -> anyhow::Result<()> {
    wait(what, launch.output_to_stderr(), cancellation)
}

/// Runs a command to its end, with its output where `launch` says.
///
/// # Errors
/// As [`run`].
pub(crate) fn wait(what: &str, launch: Launch, cancellation: &Cancellation) -> anyhow::Result<()> {
    let status = launch.spawn()?.wait(cancellation, GRACE)?;
    if !status.success() {
        bail!("`{what}` failed ({status})");
    }
    Ok(())
}

/// The machine's target triple, such as `x86_64-unknown-linux-gnu`.
///
/// # Errors
/// When rustc cannot be asked.
pub(crate) fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}
