//! The real servers: started, used, killed and started again.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the lints know only functions marked as tests, not the helpers beside them"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use postback_stack::{
    Cancellation, ClickHouseClient, ClickHouseOptions, ClickHouseServer, Installation,
    KafkaOptions, KafkaServer, Needs, Password, Stack, StackError, StackOptions, install,
};

fn installation() -> Installation {
    install(Needs::default(), &Cancellation::new(), &|line| {
        println!("{line}");
    })
    .unwrap()
}

fn clickhouse(directory: &Path) -> ClickHouseServer {
    let options = ClickHouseOptions::new(directory);
    ClickHouseServer::start(&installation(), options, &Cancellation::new()).unwrap()
}

/// One of Kafka's own command-line tools, for expectations that are not our own code's.
fn kafka_topics(kafka: &KafkaServer, arguments: &[&str]) -> String {
    let installation = installation();
    let output = Command::new(&installation.java)
        .args(["-XX:TieredStopAtLevel=1", "-Dlog4j2.level=warn", "-cp"])
        .arg(installation.kafka_libraries.join("*"))
        .args([
            "org.apache.kafka.tools.TopicCommand",
            "--bootstrap-server",
            &kafka.brokers(),
        ])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn clickhouse_answers_its_user_and_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let server = clickhouse(directory.path());
    let client = server.client();
    client.query("CREATE DATABASE mine").unwrap();
    client
        .query("CREATE TABLE mine.t (n UInt64) ENGINE = MergeTree ORDER BY n")
        .unwrap();
    client
        .query("INSERT INTO mine.t SELECT number FROM numbers(10)")
        .unwrap();
    assert_eq!(client.query("SELECT sum(n) FROM mine.t").unwrap(), "45\n");
    assert!(
        client
            .query("SELECT version()")
            .unwrap()
            .starts_with("26.7.")
    );

    let wrong = ClickHouseClient::new(server.url(), "postback", Password::new("wrong"));
    let error = wrong.query("SELECT 1").unwrap_err().to_string();
    assert!(error.contains("AUTHENTICATION_FAILED"), "{error}");
    let default = ClickHouseClient::new(server.url(), "default", Password::new(""));
    let error = default
        .query("SELECT sum(n) FROM mine.t")
        .unwrap_err()
        .to_string();
    assert!(error.contains("ACCESS_DENIED"), "{error}");
}

#[test]
fn an_error_after_the_first_rows_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let server = clickhouse(directory.path());
    let late =
        "SELECT throwIf(number = 300000) FROM numbers(400000) SETTINGS max_block_size = 1000";
    let error = server.client().query(late).unwrap_err().to_string();
    assert!(
        error.contains("FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        "{error}"
    );
}

#[test]
fn clickhouse_keeps_its_data_and_ports_when_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = clickhouse(directory.path());
    let (url, client) = (server.url(), server.client());
    client
        .query("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
        .unwrap();
    client
        .query("INSERT INTO t SELECT number FROM numbers(1000)")
        .unwrap();
    server.kill();
    assert!(client.query("SELECT 1").is_err());
    server.restart(&Cancellation::new()).unwrap();
    assert_eq!(server.url(), url);
    assert_eq!(client.query("SELECT count() FROM t").unwrap(), "1000\n");
    server.stop();
    assert_eq!(
        server.process().status().and_then(|status| status.code()),
        Some(0)
    );
}

#[test]
fn a_frozen_clickhouse_goes_on_when_thawed() {
    let directory = tempfile::tempdir().unwrap();
    let server = clickhouse(directory.path());
    server.process().freeze().unwrap();
    let client = server.client();
    let asked = std::thread::spawn(move || client.query("SELECT 1"));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!asked.is_finished());
    server.process().thaw().unwrap();
    assert_eq!(asked.join().unwrap().unwrap(), "1\n");
}

#[test]
fn kafka_keeps_its_topics_when_killed_and_makes_none_by_accident() {
    let directory = tempfile::tempdir().unwrap();
    let options = KafkaOptions::new(directory.path());
    let cancellation = Cancellation::new();
    let mut kafka = KafkaServer::start(&installation(), options, &cancellation).unwrap();
    let (brokers, cluster) = (kafka.brokers(), kafka.cluster_id().to_owned());
    kafka_topics(
        &kafka,
        &["--create", "--topic", "kept", "--partitions", "3"],
    );
    kafka.kill();
    kafka.restart(&cancellation).unwrap();
    assert_eq!(
        (kafka.brokers(), kafka.cluster_id()),
        (brokers, cluster.as_str())
    );
    assert_eq!(
        kafka_topics(&kafka, &["--list", "--exclude-internal"]).trim(),
        "kept"
    );
    kafka.stop();
    assert!(!kafka.process().is_running());
}

#[test]
fn two_stacks_run_side_by_side() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let installation = installation();
    let stacks = std::thread::scope(|scope| {
        let start = |directory: &tempfile::TempDir| {
            let options = StackOptions::new(directory.path());
            Stack::start(&installation, options, &Cancellation::new()).unwrap()
        };
        let threads = directories
            .each_ref()
            .map(|directory| scope.spawn(move || start(directory)));
        threads.map(|thread| thread.join().unwrap())
    });
    let [first, second] = &stacks;
    assert_ne!(first.kafka.cluster_id(), second.kafka.cluster_id());
    first
        .clickhouse
        .client()
        .query("CREATE DATABASE only_here")
        .unwrap();
    let names = second.clickhouse.client().query("SHOW DATABASES").unwrap();
    assert!(!names.contains("only_here"));
    for (name, value) in first.environment() {
        assert!(name.starts_with("POSTBACK__") && !value.is_empty());
    }
}

#[test]
fn a_taken_port_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut options = ClickHouseOptions::new(directory.path());
    options.http_port = Some(port);
    let error = ClickHouseServer::start(&installation(), options, &Cancellation::new());
    let error = error.unwrap_err();
    assert!(matches!(error, StackError::PortTaken { .. }));
    let text = format!(
        "port {port} for ClickHouse's HTTP is taken by another program: choose another one"
    );
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_server_that_ends_shows_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = KafkaOptions::new(directory.path());
    options
        .settings
        .push(("num.io.threads".to_owned(), "none".to_owned()));
    let error = KafkaServer::start(&installation(), options, &Cancellation::new());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("num.io.threads") && error.contains("kafka.log"),
        "{error}"
    );
}

#[test]
fn a_cancelled_start_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let cancellation = Cancellation::new();
    cancellation.cancel();
    let options = StackOptions::new(directory.path());
    let error = Stack::start(&installation(), options, &cancellation).unwrap_err();
    assert!(matches!(error, StackError::Cancelled), "{error}");
    assert_eq!(running_in(directory.path()), Vec::<String>::new());
}

#[test]
fn servers_die_with_a_killed_owner() {
    let directory = tempfile::tempdir().unwrap();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner", "--ignored", "--nocapture"])
        .env(OWNER, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    assert!(
        lines
            .map_while(Result::ok)
            .any(|line| line.ends_with("serving")),
        "did not start"
    );
    assert_eq!(running_in(directory.path()).len(), 2);
    owner.kill().unwrap();
    owner.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !running_in(directory.path()).is_empty() {
        assert!(
            Instant::now() < until,
            "left running: {:?}",
            running_in(directory.path())
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where the process of [`owner`] keeps its servers.
const OWNER: &str = "POSTBACK_STACK_TEST_OWNER";

#[test]
#[ignore = "the process that `servers_die_with_a_killed_owner` starts and kills"]
fn owner() {
    let Some(directory) = std::env::var_os(OWNER) else {
        return;
    };
    let options = StackOptions::new(PathBuf::from(directory));
    let _stack = Stack::start(&installation(), options, &Cancellation::new()).unwrap();
    println!("\nserving");
    std::thread::sleep(Duration::from_secs(600));
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
