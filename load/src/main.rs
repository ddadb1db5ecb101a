//! `postback-load`: see the library's front page. Prints its report as JSON.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use postback_load::{ClosedLoop, OpenLoop, OpenReport, Request, Reuse};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// Sends requests to a server on loopback and prints a report as JSON
#[derive(Debug, Parser)]
#[command(name = "postback-load")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Each connection sends its next request when the one before is answered
    Closed {
        #[command(flatten)]
        target: Target,
        /// How many at once
        #[arg(long, default_value_t = 64)]
        connections: usize,
    },
    /// A fixed rate, whatever the server does
    Open {
        #[command(flatten)]
        target: Target,
        /// Requests a second
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
        /// Open so many connections first, and use all of them in turn
        #[arg(long, default_value_t = 0)]
        opened_ahead: usize,
        /// Most connections at once
        #[arg(long, default_value_t = 4_096)]
        connections_max: usize,
    },
}

#[derive(Debug, Args)]
struct Target {
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS")]
    to: SocketAddr,
    /// The request's target; `{number}` in it becomes the number of the request
    #[arg(long, default_value = "/")]
    target: String,
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    seconds: u64,
}

impl Target {
    fn request(&self) -> Request {
        Request::get(self.to, &self.target)
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

fn main() -> anyhow::Result<()> {
    raise_open_files()?;
    match Arguments::parse().command {
        Command::Closed {
            target,
            connections,
        } => {
            let closed = ClosedLoop {
                address: target.to,
                request: target.request(),
                connections,
                time: target.time(),
            };
            print(&closed.run()?)
        }
        Command::Open {
            target,
            rate,
            opened_ahead,
            connections_max,
        } => {
            let open = OpenLoop {
                opened_ahead,
                connections_max: connections_max.max(opened_ahead),
                reuse: if opened_ahead > 0 {
                    Reuse::Oldest
                } else {
                    Reuse::Newest
                },
                ..OpenLoop::new(target.to, target.request(), rate, target.time())
            };
            print(&OpenReport::of(&open.run()?)?)
        }
    }
}

/// As many connections as the system lets us have.
fn raise_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

fn print(report: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, report)?;
    Ok(writeln!(out)?)
}
