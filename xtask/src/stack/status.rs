//! Says what runs, where, and how much it holds.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use postback_stack::{ClickHouseClient, Password};

use super::keeper::State;
use crate::report;

/// The exit code when no servers run.
const NOT_RUNNING: u8 = 3;

/// Prints it; exit code 0 when both serve, 3 when they do not run, 1 when one does not answer.
///
/// # Errors
/// When what is written down about them cannot be read.
pub(super) fn run(directory: &Path) -> anyhow::Result<ExitCode> {
    let sizes = ["kafka", "clickhouse"].map(|server| size(&directory.join(server)));
    let Some(state) = State::running(directory)? else {
        println!("not running; start with `cargo xtask stack up`");
        print_data(directory, sizes);
        return Ok(ExitCode::from(NOT_RUNNING));
    };
    let kafka = kafka_answers(state.kafka_port);
    let clickhouse = clickhouse_answers(&state);
    println!(
        "kafka       127.0.0.1:{}  {}",
        state.kafka_port,
        answer(&kafka)
    );
    println!(
        "clickhouse  127.0.0.1:{} (HTTP), 127.0.0.1:{} (native)  {}",
        state.clickhouse_http_port,
        state.clickhouse_tcp_port,
        answer(&clickhouse)
    );
    print_data(directory, sizes);
    state.print_exports();
    Ok(if kafka.is_ok() && clickhouse.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print_data(directory: &Path, [kafka, clickhouse]: [u64; 2]) {
    println!(
        "data        {}: Kafka {}, ClickHouse {}",
        directory.display(),
        report::bytes(kafka),
        report::bytes(clickhouse)
    );
}

fn answer(outcome: &Result<String, String>) -> String {
    match outcome {
        Ok(version) => format!("serves{version}"),
        Err(reason) => format!("DOES NOT ANSWER: {reason}"),
    }
}

fn kafka_answers(port: u16) -> Result<String, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(5))
        .map(|_| String::new())
        .map_err(|error| error.to_string())
}

fn clickhouse_answers(state: &State) -> Result<String, String> {
    let value = |wanted| {
        let found = state.environment.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let password = Password::new(value(postback_stack::stack::CLICKHOUSE_PASSWORD));
    let url = value(postback_stack::stack::CLICKHOUSE_URL);
    let user = value(postback_stack::stack::CLICKHOUSE_USER);
    ClickHouseClient::new(url, user, password)
        .query("SELECT version()")
        .map(|version| format!(", version {}", version.trim()))
        .map_err(|error| error.to_string())
}

/// Bytes of all files below a directory; what vanishes or cannot be read counts as nothing.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
