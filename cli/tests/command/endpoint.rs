//! `postback endpoint` and the doctor against a simulated network's API.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Stdio};

use jiff::Timestamp;
use postback_simulator::Network;
use postback_simulator::network::{Api, Credentials, Terms};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::runtime::Runtime;

use crate::run::{AWAY, Place};

const QUERY: &str = "is_event=<is_event>&tid=<etransaction_id>&u1=<u1>&sale=<sale_amount>&earned=<commissions>\
    &ordered=<transaction_date>&processed=<process_date>";

/// A network with its API, until it is dropped.
pub(crate) struct Site {
    network: Network,
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

impl Site {
    pub(crate) fn open() -> Self {
        let network = Network::new(Terms {
            publisher_id: 3_817_122,
            source: "rakuten-us".to_owned(),
            currency: "USD".to_owned(),
            disable_after: 1,
            kept_transactions: 1,
            authorization: None,
            credentials: Credentials {
                client_id: "publisher".to_owned(),
                client_secret: "CANARY-secret".to_owned(),
            },
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let api = runtime.block_on(Api::bind(([127, 0, 0, 1], 0).into()));
        let api = api.unwrap();
        let address = api.address().unwrap();
        runtime.spawn(api.serve(network.clone()));
        Self {
            network,
            address,
            _runtime: runtime,
        }
    }

    fn register(&self, url: &str) {
        self.network.set_up(url, Timestamp::now()).unwrap();
    }

    fn place(&self) -> Place {
        self.place_with("")
    }

    /// A configuration whose API is this one, with these settings before all others.
    fn place_with(&self, settings: &str) -> Place {
        configured(&format!(
            "{settings}\nbase_url = \"http://{}\"",
            self.address
        ))
    }
}

/// The template has the simulated network's own scheme, and KEY where the key belongs.
pub(crate) fn configured(api: &str) -> Place {
    let defaults = [
        ("client_id", "publisher"),
        ("client_secret", "CANARY-secret"),
        ("publisher_id", "3817122"),
    ];
    let missing = defaults.iter().filter(|(key, _)| !api.contains(key));
    let missing = missing.map(|(key, value)| format!("{key} = \"{value}\"\n"));
    let (servers, _) = AWAY.split_once("[[source.template]]").unwrap();
    let text = format!(
        "{servers}[[source.template]]\nurl = \"http://pb.example.com/postback/KEY?{QUERY}\"\n\
         [source.api]\n{api}\n{}",
        missing.collect::<String>()
    );
    let place = Place::with(&text);
    std::fs::write(place.path().join("url-key"), "CANARY-0123456789abcdef\n").unwrap();
    place
}

fn url(key: &str) -> String {
    format!("http://pb.example.com/postback/{key}?{QUERY}")
}

const KEY: &str = "CANARY-0123456789abcdef";

fn endpoint(place: &Place, command: &str, more: &[&str]) -> String {
    let usual = ["endpoint", command, "--source", "rakuten-us"];
    place.run(&[&usual, more].concat())
}

fn snapshot(name: &str, text: &[String]) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"http://127\.0\.0\.1:\d{4,5}", "http://API");
    settings.add_filter(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "[time]");
    settings.bind(|| insta::assert_snapshot!(name, text.join("\n")));
}

#[test]
fn what_is_registered_is_shown() {
    let site = Site::open();
    let place = site.place();
    let get = |more: &[&str]| endpoint(&place, "get", more);
    let mut text = vec![get(&[])];
    site.register(&url(KEY));
    text.extend([
        get(&[]),
        get(&["-o", "json"]),
        get(&["-o", "jsonl"]),
        get(&["-o", "csv"]),
    ]);
    let off = endpoint(&place, "disable", &["--yes", "-q"]);
    assert!(off.contains("the endpoint was changed"), "{off}");
    text.push(get(&[]));
    snapshot("what_is_registered_is_shown", &text);

    let other = Site::open();
    other
        .register("http://tracker.example/CANARY-path/in?tid=<etransaction_id>&token=CANARY-token");
    let text = [endpoint(&other.place(), "get", &[])];
    snapshot("another_url_is_registered", &text);
}

#[test]
fn who_cannot_be_asked_is_told_why() {
    let site = Site::open();
    let text = [
        Place::with(AWAY).run(&["endpoint", "get", "--source", "rakuten-us"]),
        Place::with(AWAY).run(&["endpoint", "set", "--source", "rakuten"]),
        endpoint(
            &site.place_with("client_secret = \"CANARY-wrong\""),
            "get",
            &[],
        ),
        endpoint(&site.place_with("publisher_id = \"7\""), "get", &[]),
        endpoint(
            &site.place_with("publisher_id = \"7\"\nscope = \"3817122\""),
            "get",
            &[],
        ),
        endpoint(
            &site.place_with("publisher_id = \"7\"\nscope = \"3817122\""),
            "set",
            &["--key-file", "url-key", "--yes"],
        ),
        endpoint(&site.place_with("token_path = \"/elsewhere\""), "get", &[]),
        endpoint(&configured("base_url = \"http://127.0.0.1:1\""), "get", &[]),
    ];
    snapshot("who_cannot_be_asked_is_told_why", &text);
}

#[test]
fn a_url_is_registered_after_it_was_checked_and_agreed_to() {
    let site = Site::open();
    let place = site.place();
    let set = |more: &[&str]| endpoint(&place, "set", more);
    let with_key = ["--key-file", "url-key"];
    let also = |more: &[&'static str]| [&with_key[..], more].concat();
    let wrong_key = url("KEY").replace("KEY", "another-key-of-nobody");
    let text = [
        // No key, a URL that cannot count, a foreign key, no host: nothing is asked or changed.
        set(&[]),
        set(&also(&[
            "--url",
            "http://pb.example.com/postback/KEY?u1=<u1>",
        ])),
        set(&["--url", &wrong_key]),
        set(&also(&["--url", "/postback/KEY?is_event=<is_event>"])),
        set(&also(&[
            "--url",
            "http://pb.example.com/postback/KEY?cid=7#&is_event=<is_event>&tid=<etransaction_id>",
        ])),
        set(&also(&["--dry-run"])),
        set(&also(&[])),
    ];
    assert!(!site.network.is_active(), "nothing is registered");
    snapshot("a_url_that_is_not_registered", &text);

    let text = [
        // ClickHouse is away.
        set(&also(&["--yes"])),
        endpoint(&place, "get", &[]),
        set(&also(&["--yes"])),
        set(&also(&[
            "--yes",
            "-o",
            "json",
            "--url",
            "http://pb.example.com/postback/KEY?pbt=2&is_event=<is_event>&tid=<etransaction_id>",
        ])),
        set(&also(&["--dry-run", "-o", "csv"])),
    ];
    assert!(site.network.is_active());
    snapshot("a_url_is_registered", &text);
}

#[test]
fn it_is_switched_and_deleted() {
    let site = Site::open();
    let place = site.place();
    let run = |command: &str, more: &[&str]| endpoint(&place, command, more);
    let mut text = vec![run("enable", &["--yes"]), run("delete", &["--yes"])];
    site.register(&url(KEY));
    text.push(run("disable", &[]));
    assert!(site.network.is_active());
    text.push(run("disable", &["--yes"]));
    assert!(!site.network.is_active());
    text.push(run("disable", &["--yes"]));
    // Another URL, while it is off.
    let more = [
        "--yes",
        "--url",
        "http://pb.example.com/postback/KEY?pbt=2&is_event=<is_event>&tid=<etransaction_id>",
        "--key-file",
        "url-key",
    ];
    text.push(run("set", &more));
    text.push(run("enable", &["--dry-run"]));
    assert!(!site.network.is_active());
    text.push(run("enable", &["--yes"]));
    assert!(site.network.is_active());
    text.push(run("delete", &["--yes", "-o", "json"]));
    text.push(run("get", &["-q"]));
    snapshot("it_is_switched_and_deleted", &text);
}

#[test]
fn one_that_reenable_switches_on_is_not_said_to_stay_off() {
    let site = Site::open();
    site.register(&url(KEY));
    let place = site.place();
    endpoint(&place, "disable", &["--yes"]);
    assert!(!site.network.is_active());
    let set = |place: &Place| {
        let url = "http://pb.example.com/postback/KEY?pbt=2&is_event=<is_event>";
        let more = ["--dry-run", "--url", url, "--key-file", "url-key"];
        endpoint(place, "set", &more)
    };
    let shown = set(&place);
    assert!(shown.contains("is off and stays off\n"), "{shown}");
    // ClickHouse, which notes what a person wants, is away.
    let shown = set(&site.place_with("reenable = true"));
    assert!(
        !shown.contains("stays off") && shown.contains("the consumer switches it on by itself"),
        "{shown}"
    );
}

/// What the doctor says of endpoints.
fn doctor(place: &Place) -> String {
    let shown = place.run(&["doctor", "-o", "csv"]);
    let lines = shown.lines().filter(|line| line.starts_with("endpoint,"));
    lines.fold(String::new(), |text, line| format!("{text}{line}\n"))
}

#[test]
fn the_doctor_looks_at_endpoints() {
    let sites = [(); 5].map(|()| Site::open());
    let [unknown, none, on, off, other] = &sites;
    on.register(&url(KEY));
    off.register(&url(KEY));
    endpoint(&off.place(), "disable", &["--yes"]);
    other.register("http://pb.example.com/postback/CANARY-of-nobody?u1=<u1>");
    let places = [
        unknown.place_with("client_secret = \"CANARY-wrong\""),
        unknown.place_with("publisher_id = \"7\""),
        configured("base_url = \"http://127.0.0.1:1\""),
        none.place(),
        on.place(),
        off.place(),
        other.place(),
        Place::with(AWAY),
    ];
    // At once: each waits for a Kafka that is away.
    let text: Vec<String> = std::thread::scope(|scope| {
        let doctors = places.each_ref();
        let doctors = doctors.map(|place| scope.spawn(|| doctor(place)));
        doctors.map(|doctor| doctor.join().unwrap()).to_vec()
    });
    assert_eq!(text[7], "", "there is no API to ask");
    snapshot("the_doctor_looks_at_endpoints", &text);
}

/// Starts `postback endpoint …` with this at its stdin.
fn start(place: &Place, command: &str, more: &[&str], stdin: Stdio) -> Child {
    let usual = ["endpoint", command, "--source", "rakuten-us"];
    let mut command = place.command(&[&usual, more].concat());
    let command = command.stdin(stdin).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

/// Its exit code, and what it said on stderr beside what was read already.
fn end(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(!words.contains("CANARY"), "{words}");
    (output.status.code().unwrap(), words)
}

/// Both ends of a terminal.
fn terminal() -> (OwnedFd, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let mut options = File::options();
    let options = options.read(true).write(true);
    let options = options.custom_flags(OFlags::NOCTTY.bits().cast_signed());
    (master, options.open(name.to_str().unwrap()).unwrap())
}

/// The command, asking.
fn asked(place: &Place) -> (Child, OwnedFd) {
    let (master, slave) = terminal();
    let mut child = start(place, "disable", &[], slave.into());
    let mut words = Vec::new();
    let stderr = child.stderr.as_mut().unwrap();
    while !words.ends_with(b"[y/N] \n") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "it asks");
        words.extend(byte);
    }
    let words = String::from_utf8(words).unwrap();
    assert!(
        words.contains("active") && !words.contains("CANARY"),
        "{words}"
    );
    (child, master)
}

#[test]
fn a_person_is_asked_and_can_say_no() {
    let site = Site::open();
    site.register(&url(KEY));
    let place = site.place();
    for no in ["n\n", "\n", "nyes\n"] {
        let (child, terminal) = asked(&place);
        File::from(terminal).write_all(no.as_bytes()).unwrap();
        assert_eq!(end(child), (1, "Nothing was changed.\n".to_owned()));
    }
    let (child, _terminal) = asked(&place);
    interrupt(&child);
    assert_eq!(end(child), (130, String::new()));
    assert!(site.network.is_active(), "nobody agreed");

    let (child, terminal) = asked(&place);
    let mut terminal = File::from(terminal);
    terminal.write_all(b"y\n").unwrap();
    let (_, words) = end(child);
    assert!(words.contains("the endpoint was changed"), "{words}");
    assert!(!site.network.is_active());
}

#[test]
fn ctrl_c_before_the_change_leaves_everything_as_it_was() {
    // It accepts, and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("base_url = \"http://{}\"", silent.local_addr().unwrap());
    let place = configured(&api);
    let child = start(&place, "delete", &["--yes"], Stdio::null());
    let _asked = silent.accept().unwrap();
    interrupt(&child);
    assert_eq!(end(child), (130, String::new()));
}

#[test]
fn ctrl_c_during_the_change_says_that_it_may_be_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("base_url = \"http://{}\"", listener.local_addr().unwrap());
    let place = configured(&api);
    let child = start(&place, "delete", &["--yes"], Stdio::null());
    // A token, the endpoint, and no answer to its deletion.
    let endpoint = format!("{{\"url\":\"{}\",\"isActive\":true}}", url(KEY));
    for body in ["{\"access_token\":\"CANARY\"}", &endpoint] {
        answered(&listener, body);
    }
    let (_reader, line) = heard(&listener);
    interrupt(&child);
    let (code, words) = end(child);
    assert!(line.starts_with("DELETE /v1/postback/3817122 "), "{line}");
    assert!(
        code == 130 && words.contains("may be changed"),
        "{code} {words}"
    );
}

#[test]
fn a_network_that_shows_the_url_escaped_has_taken_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("base_url = \"http://{}\"", listener.local_addr().unwrap());
    let place = configured(&api);
    let shown = |url: &str| format!("{{\"url\":\"{url}\",\"isActive\":true}}");
    let escaped = url(KEY).replace('<', "%3C").replace('>', "%3E");
    // A token, what is registered, the change, what is registered then.
    let bodies = [
        "{\"access_token\":\"CANARY\"}".to_owned(),
        shown("http://pb.example.com/postback/another"),
        "{}".to_owned(),
        shown(&escaped),
    ];
    let network = std::thread::spawn(move || bodies.map(|body| answered(&listener, &body)));
    let words = endpoint(&place, "set", &["--key-file", "url-key", "--yes"]);
    assert!(words.contains("Changed, and read back"), "{words}");
    let lines = network.join().unwrap();
    assert!(
        lines[2].starts_with("PUT /v1/postback/3817122 "),
        "{lines:?}"
    );
}

/// Gives the next request this answer. Its first line.
fn answered(listener: &TcpListener, body: &str) -> String {
    let (mut reader, line) = heard(listener);
    let length = body.len();
    let head = format!("HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let answer = format!("{head}{body}");
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    // The client closes when it has everything.
    reader.read_to_end(&mut Vec::new()).ok();
    line
}

/// The next request, and its first line.
fn heard(listener: &TcpListener) -> (BufReader<TcpStream>, String) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (reader, line)
}
