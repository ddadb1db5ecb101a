use std::io::Read as _;
use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{AWAY, Place};

#[test]
fn a_bad_configuration_is_refused_with_everything_that_is_wrong() {
    let bad = AWAY
        .replace("public_url", "publik_url")
        .replace("is_event=<is_event>&", "");
    let place = Place::with(&bad);
    let no_template = Place::with(&AWAY.replace("is_event=<is_event>&", ""));
    let broken = Place::with("[kafka\nbrokers = \"CANARY\"\n");
    let text = [
        place.run(&["config", "check"]),
        place.run(&["config", "check", "-o", "json"]),
        place.run(&["doctor"]),
        no_template.run(&["config", "check"]),
        broken.run(&["config", "check"]),
        broken.run(&["-c", "nowhere.toml", "config", "show"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn bad_values_are_named_with_what_is_accepted() {
    let place = Place::with(AWAY);
    let tries: [&[&str]; 12] = [
        &["report", "summary", "--from", "yesterdy"],
        &["report", "summary", "--to", "2026-02-30"],
        &[
            "report",
            "summary",
            "--from",
            "2026-09-02",
            "--to",
            "2026-09-01",
        ],
        &["report", "summary", "--by", "days"],
        &["report", "summary", "--where", "statsu=pending"],
        &["report", "summary", "--where", "received_at=today"],
        &["report", "summary", "--where", "pending"],
        &["report", "summary", "--where", "sale_amount=1,50"],
        &["report", "summary", "--compare", "--by", "month"],
        &[
            "report",
            "summary",
            "--compare",
            "--by",
            "hour",
            "--from",
            "12h",
            "--to",
            "now",
        ],
        &["source", "show", "amazon"],
        &["trace", "M1917799796", "--as", "id"],
    ];
    let text: Vec<String> = tries.iter().map(|arguments| place.run(arguments)).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn servers_that_are_away_are_named_with_address_and_remedy() {
    let place = Place::with(AWAY);
    let text = [
        place.run(&["report", "summary"]),
        place.run(&["trace", "M1917799796"]),
        place.run(&["migrate"]),
        place.run(&["doctor"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn the_doctor_leaves_out_what_runs_on_another_host() {
    let tls = "[ingest.tls]\ncert_file = 'none.pem'\nkey_file = 'none.pem'\n[[source]]";
    let place = Place::with(&AWAY.replace("[[source]]", tls));
    let states = |without: &[&str]| {
        let told = place.run(&[&["doctor", "-o", "csv", "-q"], without].concat());
        ["ingest", "certificate", "spool", "consumer"].map(|check| {
            let line = told.lines().find_map(|line| line.strip_prefix(check));
            line.and_then(|rest| rest.split(',').nth(1))
                .unwrap_or_default()
                .to_owned()
        })
    };
    // At once, because each waits for a Kafka that is away.
    std::thread::scope(|scope| {
        for (without, expected) in [
            (&[][..], ["broken", "broken", "doubtful", "broken"]),
            (
                &["--without", "ingest"],
                ["left_out", "left_out", "left_out", "broken"],
            ),
            (
                &["--without", "consumer"],
                ["broken", "broken", "doubtful", "left_out"],
            ),
            (&["--without", "ingest,consumer"], ["left_out"; 4]),
        ] {
            scope.spawn(move || assert_eq!(states(without), expected, "{without:?}"));
        }
    });
    insta::assert_snapshot!(place.run(&["doctor", "--without", "kafka"]));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let place = Place::with(AWAY);
    let mut command = place.command(&["config", "show"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closed before a byte is read: whatever is written meets a closed pipe.
    drop(child.stdout.take());
    let mut words = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut words)
        .unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), words.as_str()),
        (Some(0), "")
    );
}

#[test]
fn ctrl_c_ends_with_130() {
    assert_eq!(
        signalled(&["report", "summary"], Signal::INT),
        (Some(130), String::new())
    );
    assert_eq!(
        signalled(&["watch"], Signal::INT),
        (Some(130), String::new())
    );
}

#[test]
fn a_watch_that_is_told_to_stop_ends_with_0() {
    assert_eq!(
        signalled(&["watch"], Signal::TERM),
        (Some(0), String::new())
    );
}

/// How a command ends that got a signal while ClickHouse hangs, and what it said.
fn signalled(arguments: &[&str], signal: Signal) -> (Option<i32>, String) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let place = Place::with(AWAY).set("POSTBACK__CLICKHOUSE__URL", &url);
    let mut command = place.command(arguments);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It asks, and is never answered.
    let _asked = silent.accept().unwrap();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let code = child.wait().unwrap().code();
    let mut words = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut words)
        .unwrap();
    (code, words)
}
