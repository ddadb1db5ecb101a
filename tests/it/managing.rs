//! Managing the endpoint leaves a mark, and no secret anywhere.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use postback_tests::pipeline::Pipeline;
use postback_tests::{Servers, Setup, secret};

use crate::templates::COMPLETE;

/// A network that repeats every secret that it knows, in good days and bad ones.
#[derive(Default)]
struct Network {
    token: String,
    is_down: bool,
    /// It does what it is asked, and says that it did not.
    denies: bool,
    /// It changes nothing, and says so.
    refuses: bool,
    /// It is down from the next change on, which it does not do.
    breaks: bool,
    /// As JSON.
    endpoint: Option<String>,
    /// All that was said to it.
    heard: String,
}

type Shared = Arc<Mutex<Network>>;

fn serve(network: &Shared) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let network = Arc::clone(network);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that breaks off is its own affair.
            answer(stream.unwrap(), &network).ok();
        }
    });
    address
}

fn answer(stream: TcpStream, network: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let begin = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
        let line = head[begin..].to_lowercase();
        if let Some(number) = line.strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let (status, text) = network.lock().unwrap().judge(&head, &body);
    let length = text.len();
    let text = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
    );
    reader.into_inner().write_all(text.as_bytes())
}

impl Network {
    fn judge(&mut self, head: &str, body: &str) -> (u16, String) {
        self.heard.push_str(&format!("{head}{body}\n"));
        let token = self.token.clone();
        if head.starts_with("POST /token") {
            return (200, format!("{{\"access_token\":\"{token}\"}}"));
        }
        assert!(head.contains(&format!("Bearer {token}")), "{head}");
        if self.is_down {
            let url = self.endpoint.as_deref().unwrap_or_default();
            return (500, format!("no entry for {token}: {url} {body}"));
        }
        let is_change = !head.starts_with("GET");
        self.is_down |= self.breaks && is_change;
        if is_change && (self.refuses || self.breaks) {
            return (500, format!("no change for {token}"));
        }
        match head.split(' ').next() {
            Some("DELETE") => self.endpoint = None,
            Some("POST" | "PUT") => self.endpoint = Some(self.changed(body)),
            _ => {}
        }
        if self.denies && !head.starts_with("GET") {
            return (502, format!("no answer for {token}"));
        }
        let answer = self.endpoint.clone().map(|endpoint| (200, endpoint));
        answer.unwrap_or((404, format!("none for {token}")))
    }

    fn changed(&self, body: &str) -> String {
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let mut endpoint = read(self.endpoint.as_deref().unwrap_or("{}"));
        for (name, value) in read(body).as_object().unwrap() {
            endpoint[name] = value.clone();
        }
        endpoint.to_string()
    }
}

/// Runs `postback endpoint …`; what it shows has no secret.
fn endpoint(pipeline: &Pipeline, command: &str, more: &[&str]) -> (i32, String) {
    let all = [&["endpoint", command, "--source", "rakuten-us"], more].concat();
    quiet(pipeline, &all)
}

fn quiet(pipeline: &Pipeline, arguments: &[&str]) -> (i32, String) {
    let finished = pipeline.postback(arguments);
    let shown = finished.shown();
    assert!(
        !shown.contains(secret::MARK),
        "{arguments:?} prints a secret"
    );
    (finished.code, shown)
}

#[test]
fn every_change_is_marked_and_no_secret_is_shown_or_stored() {
    let network = Shared::default();
    network.lock().unwrap().token = secret::fresh();
    let address = serve(&network);
    let client_secret = secret::fresh();
    let api = format!(
        "api = {{ base_url = \"http://{address}\", client_id = \"publisher\", client_secret = \"{client_secret}\", publisher_id = \"3817122\", token_auth = \"form\", poll_seconds = 0 }}"
    );
    let pipeline = Setup::new("endpoint")
        .source("rakuten-us", COMPLETE)
        .lines("source", &api)
        .prepare();
    pipeline.migrate();
    let is_down = |is_down| network.lock().unwrap().is_down = is_down;

    assert_eq!(endpoint(&pipeline, "get", &[]).0, 3, "none is registered");
    for (command, code) in [
        ("set", 0),
        ("get", 0),
        ("disable", 0),
        ("get", 3),
        ("enable", 0),
        ("set", 0),
    ] {
        let more: &[&str] = if command == "get" { &[] } else { &["--yes"] };
        let (found, shown) = endpoint(&pipeline, command, more);
        assert_eq!(found, code, "{command}: {shown}");
    }
    let registered = network.lock().unwrap().endpoint.clone().unwrap();
    assert!(
        registered.contains(&pipeline.sources[0].key),
        "{registered}"
    );
    quiet(&pipeline, &["doctor"]);
    quiet(&pipeline, &["config", "show"]);

    is_down(true);
    for command in ["set", "disable", "delete", "get"] {
        let more: &[&str] = if command == "get" {
            &[]
        } else {
            &["--yes", "-v"]
        };
        let (found, shown) = endpoint(&pipeline, command, more);
        assert_eq!(found, 1, "{command}: {shown}");
        assert!(shown.contains("remedy"), "{command}: {shown}");
    }
    quiet(&pipeline, &["doctor"]);
    is_down(false);
    // Its answer is lost; what it has then is seen, and marked.
    network.lock().unwrap().denies = true;
    let (code, shown) = endpoint(&pipeline, "disable", &["--yes"]);
    assert_eq!(code, 0, "{shown}");
    network.lock().unwrap().denies = false;
    let (code, shown) = endpoint(&pipeline, "delete", &["--yes", "-o", "json"]);
    assert_eq!(code, 0, "{shown}");

    // The network was told what is shown nowhere.
    let heard = network.lock().unwrap().heard.clone();
    for secret in [&client_secret, &pipeline.sources[0].key] {
        assert!(heard.contains(secret.as_str()));
    }
    let marks = pipeline.database.rows(
        "SELECT text, toString(source) AS source, made_by FROM {db}.annotations ORDER BY at, id",
    );
    let words: Vec<&str> = marks
        .iter()
        .map(|mark| mark["text"].as_str().unwrap())
        .collect();
    let change = |what: &str| format!("{what} at the network (postback endpoint)");
    let expected = [
        "endpoint set up",
        "endpoint disabled",
        "endpoint enabled",
        "endpoint disabled",
        "endpoint deleted",
    ];
    assert_eq!(
        words,
        expected.map(change),
        "what changed nothing has no mark"
    );
    // What a person switched off is switched on by nothing else.
    let by_hand = pipeline.database.rows(
        "SELECT what, state, source FROM {db}.endpoint_history WHERE source = 'rakuten-us' ORDER BY at, id",
    );
    let switched: Vec<&str> = by_hand
        .iter()
        .map(|note| note["what"].as_str().unwrap())
        .collect();
    let (on, off) = ("on_by_hand", "off_by_hand");
    assert_eq!(
        switched,
        [on, off, on, off, off],
        "set twice, once without a change"
    );
    for mark in &marks {
        assert_eq!(mark["source"], "rakuten-us");
        assert!(!mark["made_by"].as_str().unwrap().is_empty());
    }
    assert!(!format!("{marks:?}").contains(secret::MARK));
}

/// A source that is switched on again, and what is noted of it.
struct Reenabled {
    network: Shared,
    pipeline: Pipeline,
}

impl Reenabled {
    fn start() -> Self {
        let network = Shared::default();
        network.lock().unwrap().token = secret::fresh();
        let address = serve(&network);
        let api = format!(
            "api = {{ base_url = \"http://{address}\", client_id = \"publisher\", client_secret = \"{}\", publisher_id = \"3817122\", reenable = true }}",
            secret::fresh()
        );
        let pipeline = Setup::new("endpoint_by_hand")
            .source("rakuten-us", COMPLETE)
            .lines("source", &api)
            .prepare();
        pipeline.migrate();
        Self { network, pipeline }
    }

    fn run(&self, command: &str, code: i32) -> String {
        let (found, shown) = endpoint(&self.pipeline, command, &["--yes"]);
        assert_eq!(found, code, "{command}: {shown}");
        shown
    }

    fn network(&self, change: impl FnOnce(&mut Network)) {
        change(&mut self.network.lock().unwrap());
    }

    fn is_on(&self) -> bool {
        let endpoint = self.network.lock().unwrap().endpoint.clone().unwrap();
        let endpoint: serde_json::Value = serde_json::from_str(&endpoint).unwrap();
        endpoint["isActive"].as_bool().unwrap()
    }

    /// Writes the configuration with another text in place of one.
    fn configure(&self, from: &str, to: &str) {
        let file = self.pipeline.configuration();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    }

    /// What people wanted, as it is noted.
    fn noted(&self) -> Vec<String> {
        let notes = self.pipeline.database.rows(
            "SELECT what FROM {db}.endpoint_history WHERE what LIKE '%by_hand' ORDER BY at, id",
        );
        let notes = notes.iter();
        notes
            .map(|note| note["what"].as_str().unwrap().to_owned())
            .collect()
    }
}

const OFF: &str = "off_by_hand";
const ON: &str = "on_by_hand";

#[test]
fn what_a_person_wants_off_is_noted_before_it_is_off() {
    let source = Reenabled::start();
    source.run("set", 0);
    // ClickHouse is away: reenable would undo it, and nothing would keep it from that.
    let servers = Servers::from_environment();
    source.configure(&servers.clickhouse_url, "http://127.0.0.1:1");
    let shown = source.run("disable", 1);
    assert!(
        shown.contains("nothing is changed: reenable is on")
            && shown.contains("postback endpoint disable --source rakuten-us"),
        "{shown}"
    );
    assert!(source.is_on());
    // Without reenable it is made all the same, and noted when it is run again.
    source.configure("reenable = true", "reenable = false");
    let shown = source.run("disable", 1);
    assert!(
        shown.contains("the endpoint was changed, but no mark was left, and it is not noted")
            && shown.contains("postback endpoint disable --source rakuten-us"),
        "{shown}"
    );
    assert!(!source.is_on());
    let shown = source.run("disable", 1);
    assert!(shown.contains("It is so already"), "{shown}");
    source.configure("http://127.0.0.1:1", &servers.clickhouse_url);
    source.configure("reenable = false", "reenable = true");
    assert_eq!(source.noted(), [ON]);
    source.run("disable", 0);
    assert_eq!(source.noted(), [ON, OFF]);
    source.run("enable", 0);
    assert_eq!(source.noted(), [ON, OFF, ON]);

    // The network does not do it: the note is taken back.
    source.network(|network| network.refuses = true);
    let shown = source.run("disable", 1);
    assert!(
        shown.contains("nothing is changed at the network") && !shown.contains("stays noted"),
        "{shown}"
    );
    assert!(source.is_on());
    assert_eq!(source.noted(), [ON, OFF, ON, OFF, ON]);
    // Whether it did it is not known: it may be off, and then it stays so.
    source.network(|network| (network.refuses, network.breaks) = (false, true));
    let shown = source.run("disable", 1);
    assert!(
        shown.contains("it stays noted that a person wants it off")
            && shown.contains("postback endpoint enable --source rakuten-us"),
        "{shown}"
    );
    assert_eq!(source.noted(), [ON, OFF, ON, OFF, ON, OFF]);
    source.network(|network| (network.breaks, network.is_down) = (false, false));
    let shown = source.run("enable", 0);
    assert!(shown.contains("It is so already"), "{shown}");
    assert_eq!(source.noted().last().unwrap(), ON);
}

#[test]
fn another_url_says_nothing_of_who_wants_it_off() {
    let source = Reenabled::start();
    source.run("set", 0);
    let other = format!("https://pb.example/postback/KEY?pbt=2&{COMPLETE}");
    let set = |other: &str| endpoint(&source.pipeline, "set", &["--yes", "--url", other]);
    // The network switched it off: it may be switched on again afterwards.
    source.network(|network| {
        let endpoint = network.endpoint.as_mut().unwrap();
        *endpoint = endpoint.replace("true", "false");
    });
    assert!(!source.is_on());
    let (code, shown) = set(&other);
    assert_eq!(code, 0, "{shown}");
    let by_itself = "with reenable the consumer switches it on by itself";
    assert!(shown.contains(by_itself) && !shown.contains("stays off"));
    assert!(!source.is_on());
    assert_eq!(source.noted(), [ON]);
    // A person switched it off: it is not.
    source.run("disable", 0);
    let (code, shown) = set(&other.replace("pbt=2", "pbt=3"));
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("stays off: a person wants it so") && !shown.contains(by_itself));
    assert_eq!(source.noted(), [ON, OFF]);
}
