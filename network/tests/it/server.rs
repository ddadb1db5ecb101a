//! An HTTP server that misbehaves as it is told: it writes to the socket itself.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::settings::CANARY;

/// What to answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Status, further header lines, body.
    Whole(u16, String, String),
    /// A body that ends before its length.
    CutOff(String),
    /// A byte now and then, without an end.
    Drip,
    /// As much as is taken, without an end.
    Flood,
    /// Nothing.
    Silence,
    /// The end of the connection.
    Close,
}

pub(crate) fn json(text: &str) -> Answer {
    Answer::Whole(200, String::new(), text.to_owned())
}

pub(crate) fn status(status: u16) -> Answer {
    let body = format!("{{\"error\":\"{CANARY}of-the-network\"}}");
    Answer::Whole(status, String::new(), body)
}

pub(crate) fn with_header(code: u16, header: &str) -> Answer {
    Answer::Whole(code, format!("{header}\r\n"), String::new())
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Such as `GET /v1/postback/7`.
    pub(crate) line: String,
    pub(crate) authorization: String,
    pub(crate) body: String,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    /// For every request but those for tokens, in turn; the last one for all that follow.
    script: VecDeque<Answer>,
    /// For requests for tokens, in turn, before they are given.
    token_script: VecDeque<Answer>,
    tokens: usize,
    expires_in: Option<u64>,
    at_once: usize,
    most_at_once: usize,
}

/// A network of one test's own.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    gate: watch::Sender<bool>,
}

impl Server {
    /// Gives a token to everybody, and these answers to all other requests.
    pub(crate) async fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State {
                script: script.into_iter().collect(),
                ..State::default()
            })),
            gate: watch::Sender::new(true),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                // A client that breaks off is what some tests are about.
                tokio::spawn(async move { server.serve(stream).await.ok() });
            }
        });
        server
    }

    /// Its tokens say that they hold so many seconds.
    pub(crate) fn tokens_hold(&self, seconds: u64) {
        self.state.lock().unwrap().expires_in = Some(seconds);
    }

    /// Answers the next requests for tokens like this.
    pub(crate) fn answer_for_tokens(&self, script: impl IntoIterator<Item = Answer>) {
        let mut state = self.state.lock().unwrap();
        state.token_script = script.into_iter().collect();
    }

    /// Keeps all answers back until [`Server::open`].
    pub(crate) fn close(&self) {
        self.gate.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Requests so far, without those for tokens.
    pub(crate) fn calls(&self) -> usize {
        let seen = self.seen();
        seen.iter().filter(|seen| !seen.is_for_token()).count()
    }

    /// Requests for tokens so far.
    pub(crate) fn tokens(&self) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.is_for_token())
            .count()
    }

    /// Most requests that it had under way at one time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state.lock().unwrap().most_at_once
    }

    /// Waits until so many requests are under way.
    pub(crate) async fn has_under_way(&self, number: usize) {
        let reached = async {
            while self.state.lock().unwrap().at_once < number {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), reached).await;
        waited.expect("as many requests come as are let through");
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut unread = Vec::new();
        while let Some(seen) = read(&mut stream, &mut unread).await? {
            let answer = self.begin(seen);
            let mut gate = self.gate.subscribe();
            gate.wait_for(|is_open| *is_open).await.ok();
            self.state.lock().unwrap().at_once -= 1;
            if !send(&mut stream, answer).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn begin(&self, seen: Seen) -> Answer {
        let mut state = self.state.lock().unwrap();
        state.at_once += 1;
        state.most_at_once = state.most_at_once.max(state.at_once);
        let is_for_token = seen.is_for_token();
        state.seen.push(seen);
        if is_for_token {
            if let Some(answer) = state.token_script.pop_front() {
                return answer;
            }
            state.tokens += 1;
            let number = state.tokens;
            let until = state
                .expires_in
                .map(|seconds| format!(",\"expires_in\":{seconds}"));
            let until = until.unwrap_or_default();
            return json(&format!("{{\"access_token\":\"{CANARY}{number}\"{until}}}"));
        }
        match state.script.len() {
            0 => status(418),
            1 => state.script[0].clone(),
            _ => state.script.pop_front().unwrap(),
        }
    }
}

impl Seen {
    pub(crate) fn is_for_token(&self) -> bool {
        self.line.contains(" /token")
    }
}

/// One request; nothing where the client has gone.
async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>) -> std::io::Result<Option<Seen>> {
    let end = |bytes: &[u8]| bytes.windows(4).position(|four| four == b"\r\n\r\n");
    while end(unread).is_none() {
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
    let body_at = end(unread).unwrap() + 4;
    let head = String::from_utf8(unread[..body_at].to_vec()).unwrap();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    };
    let length: usize = header("content-length").map_or(0, |text| text.parse().unwrap());
    while unread.len() < body_at + length {
        stream.read_buf(unread).await?;
    }
    let body = String::from_utf8(unread[body_at..body_at + length].to_vec()).unwrap();
    unread.drain(..body_at + length);
    let line = head.lines().next().unwrap();
    Ok(Some(Seen {
        line: line.trim_end_matches(" HTTP/1.1").to_owned(),
        authorization: header("authorization").unwrap_or_default(),
        body,
    }))
}

/// Whether the connection goes on.
async fn send(stream: &mut TcpStream, answer: Answer) -> std::io::Result<bool> {
    let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    match answer {
        Answer::Whole(status, headers, body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await?;
            Ok(true)
        }
        Answer::CutOff(body) => {
            let length = body.len() + 1;
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await?;
            Ok(false)
        }
        Answer::Drip => {
            stream.write_all(endless).await?;
            loop {
                stream.write_all(b"1\r\n \r\n").await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Answer::Flood => {
            stream.write_all(endless).await?;
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
            loop {
                stream.write_all(chunk.as_bytes()).await?;
            }
        }
        Answer::Silence => {
            // Until the client goes.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            Ok(false)
        }
        Answer::Close => Ok(false),
    }
}
