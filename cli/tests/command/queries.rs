use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::installed::{Installed, load};
use crate::run::{AWAY, Place};

#[tokio::test]
async fn questions_are_answered_in_every_form_and_change_nothing() {
    let installed = Installed::new("query").await;
    load(&installed).await;
    let many = "SELECT toUInt64(18446744073709551615) AS big, toDecimal64(1.5, 4) AS d, NULL AS nothing, \
        [1, 2] AS list, map('a', 1) AS m, true AS yes, 'a\nb' AS t, toUInt128(1) AS huge, nan AS n, now() > 0 AS later";
    let file = installed.place.path().join("question.sql");
    std::fs::write(&file, "-- how many\nSELECT kind, count() AS conversions\nFROM conversions GROUP BY kind ORDER BY kind;\n").unwrap();
    let query = |words: &[&str]| installed.shown(&[&["query"], words].concat());
    let text = [
        query(&[
            "SELECT order_id, sale_amount, currency FROM conversions ORDER BY order_id, sale_amount",
        ]),
        query(&["-f", "question.sql", "-o", "csv"]),
        query(&[many]),
        query(&[many, "-o", "json"]),
        query(&[
            "SELECT number FROM numbers(100)",
            "--max-rows",
            "2",
            "-o",
            "jsonl",
        ]),
        query(&["SELECT 1 WHERE false"]),
        query(&["DROP TABLE conversions_g1"]),
        query(&["INSERT INTO conversions_g1 (account) VALUES ('x')"]),
        query(&["SET readonly = 0"]),
        query(&["SELECT 1 SETTINGS readonly = 0"]),
        query(&["SELECT 1 SETTINGS max_execution_time = 1000"]),
        query(&["SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)"]),
        query(&["SELECT * FROM (SELECT 1 SETTINGS readonly = 0)"]),
        query(&[
            "EXPLAIN actions = 1 SELECT 1",
            "-q",
            "-o",
            "csv",
            "--max-rows",
            "1",
        ]),
        query(&["KILL QUERY WHERE query_id = 'none'"]),
        query(&["BACKUP TABLE conversions_g1 TO Memory('b')"]),
        query(&["INSERT INTO FUNCTION url('http://127.0.0.1:1/', 'CSV', 'a Int8') VALUES (1)"]),
        query(&["SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8')"]),
        query(&["DESCRIBE TABLE url('http://127.0.0.1:1/', 'CSV')"]),
        query(&["EXISTS TABLE conversions_g1"]),
        query(&["SELECT 1; SELECT 2"]),
        query(&["SELECT nothing FROM conversions"]),
        query(&["SELECT 1 FROM sales"]),
        query(&["SELEKT 1"]),
        query(&["SELECT 1 FORMAT TSV"]),
        query(&["SELECT char(255)", "-o", "json"]),
        query(&[
            "SELECT sum(number % 7) FROM system.numbers",
            "--max-time",
            "1",
        ]),
        query(&[
            "SELECT groupArray(number) FROM numbers(100000000)",
            "--max-memory",
            "1",
        ]),
        query(&["-f", "nowhere.sql"]),
        query(&["  "]),
        query(&[]),
        query(&["SELECT count() FROM conversions_g1", "-o", "csv"]),
    ];
    // Places in the server's parser and its figures of memory and time differ between versions.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(?m)(Timeout exceeded: )[^\[\n]*", "$1… ");
    settings.add_filter(
        r"(?m)((?:Query|Memory|User) [^\n]*memory limit exceeded)[^\[\n]*",
        "$1… ",
    );
    settings.add_filter(
        r"(?m)(Syntax error)[^\[\n]*(?:\n[^\[\n]+)*?(\[code)",
        "$1… $2",
    );
    settings.bind(|| insta::assert_snapshot!(text.join("\n")));
    installed.remove().await;
}

#[tokio::test]
async fn a_question_comes_from_stdin_too() {
    let installed = Installed::new("query_stdin").await;
    for stdin in [&["-"][..], &["-f", "-"]] {
        let mut child = installed
            .place
            .command(&[&["query", "-o", "csv"], stdin].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"SELECT 6 * 7 AS answer")
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "answer\r\n42\r\n"
        );
    }
    installed.remove().await;
}

#[test]
fn what_is_read_from_a_pipe_can_be_interrupted() {
    let place = Place::with(AWAY);
    let pipe = place.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut child = place.command(&["query", "-f", "pipe"]).spawn().unwrap();
    // Opens when the other end is open, too; and nothing is ever written.
    let writer = File::options().write(true).open(&pipe).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(writer);
}

#[test]
fn shells_complete_commands() {
    let place = Place::with(AWAY);
    for (shell, sign) in [
        ("bash", "complete -F _postback"),
        ("zsh", "#compdef postback"),
        ("fish", "complete -c postback"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "set edit:completion:arg-completer[postback]"),
    ] {
        let shown = place.run(&["completion", shell]);
        assert!(
            shown.contains(sign) && shown.contains("unattributed"),
            "{shell}"
        );
        assert!(shown.ends_with("--- stderr\n--- exit 0\n"), "{shell}");
    }
    insta::assert_snapshot!(place.run(&["completion", "csh"]));
}
