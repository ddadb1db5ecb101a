//! The same by HTTP, from a network that is out of sorts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use postback_common::config::ApiSettings;
use postback_network::{NetworkApi, Patience, Trouble};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::error::BackfillError;
use super::super::planner::Planner;
use super::super::reader::Reader;

/// 2026-09-01T00:00:00Z.
const BEGIN: i64 = 1_788_220_800;
const NOW: i64 = BEGIN + 100 * 86_400;

/// Whether it is the trouble that is meant.
type Is = fn(&Trouble) -> bool;

/// What is answered to the question for transactions with this number, from 1; `None`: as it should be.
type Fault = fn(u32) -> Option<&'static str>;

const TOO_MANY: &str =
    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
const TROUBLE: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const NO_TOKEN: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
/// The connection ends before the body does.
const CUT_OFF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n[{\"id\":1},{\"i";
const NO_JSON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n<html>Welcome</html>\r\n";
const CUT_JSON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[{\"id\":1},";

/// A network with a transaction in every second of ten minutes, ten to a page.
async fn network(fault: Fault) -> (String, Arc<Mutex<u32>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let calls = Arc::clone(&counted);
            tokio::spawn(serve(stream, calls, fault));
        }
    });
    (url, calls)
}

async fn serve(mut stream: TcpStream, calls: Arc<Mutex<u32>>, fault: Fault) {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let answer = if request.starts_with("POST /token") {
        whole(r#"{"access_token":"t","expires_in":3600}"#)
    } else {
        let call = {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        fault(call).map_or_else(|| whole(&page(&request)), str::to_owned)
    };
    // One answer for a connection: a fault may have left it unusable.
    stream.write_all(answer.as_bytes()).await.ok();
}

fn whole(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn page(request: &str) -> String {
    let query = request.split([' ', '?']).nth(2).unwrap();
    let value = |name: &str| {
        let pair = query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.unwrap().replace("%20", "T").replace("%3A", ":")
    };
    let moment = |name: &str| {
        format!("{}Z", value(name))
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_second()
    };
    let (from, through) = (moment("process_date_start"), moment("process_date_end"));
    let (limit, page): (usize, usize) = (
        value("limit").parse().unwrap(),
        value("page").parse().unwrap(),
    );
    let all = (BEGIN..BEGIN + 600).filter(|at| from <= *at && *at <= through);
    let rows: Vec<String> = all
        .skip(limit * (page - 1))
        .take(limit)
        .map(|at| format!("{{\"id\":{at}}}"))
        .collect();
    format!("[{}]", rows.join(","))
}

fn settings(url: &str) -> ApiSettings {
    let text = format!(
        "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[source]]\nname = \"us\"\nnetwork = \"rakuten\"\npublisher_id = \"1\"\n[[source.key]]\nkey = \"0123456789abcdef0123456789abcdef\"\n\
         [source.api]\nbase_url = \"{url}\"\nclient_id = \"a\"\nclient_secret = \"b\"\npage_size = 10\n"
    );
    let settings = postback_common::config::read(std::path::Path::new("t.toml"), &text, []);
    settings.unwrap().sources[0].api.clone().unwrap()
}

async fn read(fault: Fault) -> (Result<Vec<String>, BackfillError>, u32) {
    let (url, calls) = network(fault).await;
    let patience = Patience {
        attempts: 8,
        answer_within: Duration::from_secs(30),
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
    };
    let api = NetworkApi::new(&settings(&url), patience).unwrap();
    let planner = Planner::new(BEGIN, BEGIN + 600, NOW, 10);
    let mut reader = Reader::new(api, planner, 3);
    let mut all = Vec::new();
    let ended = loop {
        match reader.next().await {
            Ok(Some(read)) => {
                all.extend(read.transactions.iter().map(|text| text.get().to_owned()));
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    all.sort();
    // Neighbours overlap.
    all.dedup();
    let calls = *calls.lock().unwrap();
    (ended.map(|()| all), calls)
}

#[tokio::test]
async fn nothing_is_lost_to_faults_that_pass() {
    let faults: [(&str, Fault); 7] = [
        ("none", |_| None),
        ("401 in mid-paging", |call| (call == 5).then_some(NO_TOKEN)),
        ("429 storm", |call| {
            (10..17).contains(&call).then_some(TOO_MANY)
        }),
        ("500s", |call| (call % 4 == 2).then_some(TROUBLE)),
        ("cut off", |call| (call % 5 == 1).then_some(CUT_OFF)),
        ("no JSON", |call| (call % 5 == 1).then_some(NO_JSON)),
        ("truncated JSON", |call| (call % 5 == 1).then_some(CUT_JSON)),
    ];
    for (what, fault) in faults {
        let (all, _) = read(fault).await;
        let all = all.unwrap_or_else(|error| panic!("{what}: {error}"));
        let expected: Vec<String> = (BEGIN..BEGIN + 600)
            .map(|at| format!("{{\"id\":{at}}}"))
            .collect();
        assert_eq!(all, expected, "{what}");
    }
}

#[tokio::test]
async fn faults_that_stay_end_it_soon_and_name_the_call() {
    let faults: [(Fault, Is); 4] = [
        (
            |_| Some(TOO_MANY),
            |trouble| matches!(trouble, Trouble::TooManyRequests { .. }),
        ),
        (
            |_| Some(TROUBLE),
            |trouble| matches!(trouble, Trouble::Server { status: 500, .. }),
        ),
        (
            |call| (call > 4).then_some(NO_TOKEN),
            |trouble| *trouble == Trouble::Unauthorized,
        ),
        (
            |_| Some(NO_JSON),
            |trouble| matches!(trouble, Trouble::Unreadable(_)),
        ),
    ];
    for (fault, is_it) in faults {
        let (ended, calls) = read(fault).await;
        let error = ended.unwrap_err();
        let BackfillError::Api(api) = &error else {
            panic!("{error}");
        };
        assert!(is_it(&api.trouble), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("the question for transactions: "),
            "{error}"
        );
        assert!(!error.remedy().is_empty());
        assert!(calls < 80, "{calls} calls");
    }
}
