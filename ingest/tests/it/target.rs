//! The query of a record is what stood behind the first `?`, whatever bytes these are.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use postback_ingest::limits::Limits;
use postback_ingest::listener::connection;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::pieces::Pieces;
use crate::support::{Ingest, Kafka, PATH, settings, without_id};

/// `GET target` and a `Connection: close`, in bytes.
fn get(target: &[u8]) -> Vec<u8> {
    let close = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    [b"GET ", target, close].concat()
}

fn with_query(query: &[u8]) -> Vec<u8> {
    [PATH.as_bytes(), b"?", query].concat()
}

fn queries(ingest: &Ingest) -> Vec<Value> {
    let records = ingest.kafka.records();
    records
        .iter()
        .map(|record| record["query"].clone())
        .collect()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn what_careless_senders_write_is_kept() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let texts = [
        "product_name=Shirt #4&u1=abc",
        "#",
        "a=#b#c?d",
        "u1=<u1>&cid=7",
        "a=>b",
        "n=\"quoted\"",
        "a= b  c ",
        " ",
        "a={b}&c={{d}}",
        "a|b\\c^d`e[f]",
        "n=caf\u{e9}&x=\u{1f9e6}",
        "a=\0\u{1}\u{7f}\t\u{1b}[0m",
        "a=%&b=%z&c=%4&d=%zz&e=100%",
        "a=b HTTP/1.1",
        "u=http://x.example/?y#z",
    ];
    for text in texts {
        let answer = ingest.exchange(get(&with_query(text.as_bytes()))).await;
        assert_eq!(status(&answer), "200", "{text:?}: {answer}");
        let kept = queries(&ingest).pop().unwrap();
        assert_eq!(kept, json!({ "utf8": text }), "{text:?}");
    }
    assert_eq!(ingest.kafka.records().len(), texts.len());
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_in_base64() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let answer = ingest.exchange(get(&with_query(b"n=caf\xe9 \0"))).await;
    assert_eq!(status(&answer), "200");
    // `printf 'n=caf\xe9 \0' | base64`
    assert_eq!(queries(&ingest), [json!({"base64": "bj1jYWbpIAA="})]);
}

#[tokio::test]
async fn an_answer_does_not_depend_on_the_querys_bytes() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let expected = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n\
                    connection: close\r\ncontent-length: 2\r\n\r\nOK";
    let answer = ingest.exchange(get(&with_query(b"a=<#>\xff"))).await;
    assert_eq!(without_id(&answer), expected);
    let close = "HTTP/1.0\r\n\r\n";
    let answer = ingest.exchange(format!("GET {PATH}?a=<1> {close}")).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    let line_feeds = format!("GET {PATH}?a=<2> HTTP/1.1\nConnection: close\n\n");
    assert_eq!(status(&ingest.exchange(line_feeds).await), "200");
    let blank_lines = format!("\r\n\n\r\nGET {PATH}?a=<3> {close}");
    assert_eq!(status(&ingest.exchange(blank_lines).await), "200");
    let absolute = format!("GET HTTPS://pb.example:8443{PATH}?a=<4>#? {close}");
    assert_eq!(status(&ingest.exchange(absolute).await), "200");
    let texts = ["a=<1>", "a=<2>", "a=<3>", "a=<4>#?"];
    assert_eq!(
        queries(&ingest)[1..],
        texts.map(|text| json!({"utf8": text}))
    );
}

#[tokio::test]
async fn the_gate_judges_the_target_as_it_came() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let strangers = [
        "/postback/another key?a",
        &format!("{PATH}#?u1=in-a-fragment"),
        &format!("{PATH}#u1"),
        &format!("{PATH} ?a"),
        &format!(" {PATH}?a"),
        &format!("#{PATH}?a"),
        &format!("ftp://x{PATH}?<"),
        &format!("http://x?{PATH}?<"),
        &format!("/?<{PATH}?a"),
    ];
    for target in strangers {
        let answer = ingest.exchange(get(target.as_bytes())).await;
        assert_eq!(status(&answer), "404", "{target}: {answer}");
    }
    for (method, expected) in [("HEAD", "200"), ("get", "405"), ("PUT", "405")] {
        let request = format!("{method} {PATH}?a=<b> HTTP/1.0\r\n\r\n");
        let answer = ingest.exchange(request).await;
        assert_eq!(status(&answer), expected, "{method}: {answer}");
    }
    assert!(ingest.kafka.records().is_empty());
}

#[tokio::test]
async fn the_limit_counts_the_bytes_as_they_came() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    for (length, expected) in [(16_384, "200"), (16_385, "414"), (700_000, "414")] {
        let answer = ingest.exchange(get(&with_query(&vec![b'<'; length]))).await;
        assert_eq!(status(&answer), expected, "{length}: {answer}");
        let stranger = ["/postback/x?", &"<".repeat(length)].concat();
        let answer = ingest.exchange(get(stranger.as_bytes())).await;
        assert_eq!(status(&answer), "404", "{length}: {answer}");
    }
    assert_eq!(ingest.kafka.records().len(), 1);
    assert_eq!(ingest.refusals("query_too_large"), 2.0);

    let largest = settings("max_query_bytes = 61440", "");
    let ingest = Ingest::with(Kafka::Confirms, &largest, Limits::default()).await;
    for byte in ["#", "q"] {
        let answer = ingest
            .exchange(get(&with_query(byte.repeat(61_440).as_bytes())))
            .await;
        assert_eq!(status(&answer), "200", "{answer}");
        let absolute = format!("http://{}{PATH}?{}", "h".repeat(3_000), byte.repeat(61_440));
        let answer = ingest.exchange(get(absolute.as_bytes())).await;
        assert_eq!(status(&answer), "200", "{answer}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_request_that_ends_its_connection_is_read() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let long = get(&with_query(&vec![b'q'; 200_000]));
    let chunks = format!("POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno chunk");
    let broken = [chunks.as_bytes(), &[b'b'; 200_000]].concat();
    for (request, expected) in [(long, "414"), (broken, "408")] {
        let sender = Pieces::of(&request, &[10_000]);
        let left = Arc::clone(&sender.left);
        let answer = answered(&ingest, sender).await;
        assert_eq!(status(&answer), expected, "{answer}");
        // To close a socket with unread bytes would reset it, and the answer might not get there.
        assert_eq!(left.lock().unwrap().len(), 0, "{expected}");
    }
}

#[tokio::test]
async fn requests_behind_a_careless_one_are_its_own() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let chunks = "6\r\nGET /#\r\n0\r\n\r\n";
    let requests = format!(
        "GET {PATH}?a=#1 HTTP/1.1\r\nHost: x\r\n\r\n\
         POST {PATH}?a=#2 HTTP/1.1\r\nContent-Length: 23\r\n\r\nGET /x?# HTTP/1.1\r\n\r\n#?\
         POST {PATH}?a=<3> HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}\
         GET {PATH}?a=4 HTTP/1.1\r\nHost: x\r\n\r\n\
         GET {PATH}?a= 5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    );
    let mut sender = ingest.connect().await;
    sender.stream.set_nodelay(true).unwrap();
    for piece in requests.as_bytes().chunks(11) {
        sender.send(piece).await;
        sender.stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let answers = sender.rest().await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 5, "{answers}");
    let texts = ["a=#1", "a=#2", "a=<3>", "a=4", "a= 5"];
    assert_eq!(queries(&ingest), texts.map(|text| json!({"utf8": text})));
    let records = ingest.kafka.records();
    assert_eq!(records[1]["body"]["utf8"], "GET /x?# HTTP/1.1\r\n\r\n#?");
    assert_eq!(records[2]["body"]["utf8"], "GET /#");
}

/// The answer to what `sender` sends.
async fn answered(ingest: &Ingest, sender: Pieces) -> String {
    let written = Arc::clone(&sender.written);
    let (server, shutdown) = (Arc::clone(&ingest.server), ingest.shutdown.clone());
    connection::answer(sender, IpAddr::V4(Ipv4Addr::LOCALHOST), server, shutdown).await;
    let written = written.lock().unwrap();
    String::from_utf8_lossy(&written).into_owned()
}

#[tokio::test]
async fn packets_may_end_anywhere() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let request = get(&with_query(b"a=# <\xe9\0> HTTP/1.1"));
    for at in 1..request.len() {
        let answer = answered(&ingest, Pieces::cut(&request, at)).await;
        assert_eq!(status(&answer), "200", "cut at {at}: {answer}");
    }
    answered(&ingest, Pieces::of(&request, &[1])).await;
    let kept = queries(&ingest);
    assert_eq!(kept.len(), request.len());
    // `printf 'a=# <\xe9\0> HTTP/1.1' | base64`
    let expected = json!({"base64": "YT0jIDzpAD4gSFRUUC8xLjE="});
    assert!(kept.iter().all(|query| *query == expected), "{kept:?}");
}

#[test]
fn any_target_in_any_packets_is_kept_or_refused_by_its_path() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ingest = runtime.block_on(Ingest::start(Kafka::Confirms));
    let byte = any::<u8>().prop_map(|b| if b"\r\n".contains(&b) { b' ' } else { b });
    let text = vec(
        prop_oneof![byte, prop::sample::select(b"?#< %/".to_vec())],
        0..40,
    );
    let sizes = vec(1..80_usize, 1..8);
    let config = ProptestConfig {
        cases: 1_000,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&(text, any::<bool>(), sizes), |(text, with_mark, sizes)| {
            let mark: &[u8] = if with_mark { b"?" } else { b"" };
            let target = [PATH.as_bytes(), mark, &text].concat();
            let answer = runtime.block_on(answered(&ingest, Pieces::of(&get(&target), &sizes)));
            let behind = [mark, &text].concat();
            let records = ingest.kafka.take();
            if behind.is_empty() || behind[0] == b'?' {
                prop_assert_eq!(status(&answer), "200");
                prop_assert_eq!(records.len(), 1);
                let query = behind.get(1..).unwrap_or_default();
                let shown = &records[0]["query"];
                let expected = match str::from_utf8(query) {
                    Ok(text) => json!({ "utf8": text }),
                    Err(_) => json!({ "base64": base64(query) }),
                };
                prop_assert_eq!(shown, &expected);
            } else {
                prop_assert_eq!(status(&answer), "404");
                prop_assert!(records.is_empty());
            }
            Ok(())
        })
        .unwrap();
}

/// RFC 4648, section 4, by its own rules.
fn base64(bytes: &[u8]) -> String {
    let alphabet: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['+', '/'])
        .collect();
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = 0_usize;
        for place in 0..3 {
            bits = bits << 8 | usize::from(three.get(place).copied().unwrap_or(0));
        }
        for digit in 0..4 {
            let shown = alphabet[bits >> (18 - 6 * digit) & 63];
            text.push(if digit > three.len() { '=' } else { shown });
        }
    }
    text
}
