//! What a record holds: the request as it came.

use postback_ingest::limits::Limits;
use serde_json::{Value, json};

use crate::support::{Ingest, KEY, Kafka, PATH, get, request, settings};

#[tokio::test]
async fn a_record_is_the_contracts_example() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let agent = "User-Agent: agent \"one\"\r\n";
    ingest
        .exchange(request(
            "GET",
            &format!("{PATH}?is_event=N&u1=abc"),
            agent,
            "",
        ))
        .await;
    let mut record = ingest.kafka.records().remove(0);
    let fields = record.as_object_mut().unwrap();
    let id = fields.remove("id").unwrap();
    let received_at = fields.remove("received_at").unwrap();
    let expected = json!({
        "v": 1, "source": "shop", "key": "spring", "method": "GET",
        "query": {"utf8": "is_event=N&u1=abc"}, "content_type": null, "body": null,
        "remote": "127.0.0.1", "headers": {"user-agent": "agent \"one\""}, "via": "http",
    });
    assert_eq!(record, expected);
    assert_eq!(id.as_str().map(str::len), Some(36));
    let received_at = received_at.as_str().unwrap();
    assert_eq!(
        received_at.len(),
        "2026-09-01T00:00:00.000000Z".len(),
        "{received_at}"
    );
}

async fn recorded(ingest: &Ingest, request: impl AsRef<[u8]>) -> Value {
    let answer = ingest.exchange(request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    ingest.kafka.records().pop().unwrap()
}

#[tokio::test]
async fn the_query_is_everything_behind_the_first_question_mark_undecoded() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    for query in ["", "a=1?b=2&c=%E9%zz%&d=+x", "a=b=c&&;/:@!$'()*,~"] {
        let record = recorded(&ingest, get(&format!("{PATH}?{query}"))).await;
        assert_eq!(record["query"]["utf8"], query);
    }
    let record = recorded(&ingest, get(PATH)).await;
    assert_eq!(record["query"]["utf8"], "");
    let absolute = format!("http://pb.example{PATH}?u1=absolute");
    let record = recorded(&ingest, get(&absolute)).await;
    assert_eq!(record["query"]["utf8"], "u1=absolute");
}

#[tokio::test]
async fn a_body_is_kept_whatever_the_method_and_its_bytes() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let typed = "Content-Type: application/json\r\nContent-Length: 2\r\n";
    for method in ["GET", "POST"] {
        let record = recorded(&ingest, request(method, PATH, typed, "{}")).await;
        assert_eq!(record["method"], method);
        assert_eq!(record["body"]["utf8"], "{}");
        assert_eq!(record["content_type"], "application/json");
    }
    let untyped = "Content-Type: application/json\r\nContent-Length: 0\r\n";
    let record = recorded(&ingest, request("POST", PATH, untyped, "")).await;
    assert_eq!(
        (&record["body"], &record["content_type"]),
        (&Value::Null, &Value::Null)
    );

    let mut binary = request("POST", PATH, "Content-Length: 5\r\n", "").into_bytes();
    binary.extend([0, 0xff, 0xfe, b'{', b'\n']);
    let record = recorded(&ingest, binary).await;
    // `printf '\x00\xff\xfe{\n' | base64`
    assert_eq!(record["body"], json!({"base64": "AP/+ewo="}));
    assert_eq!(record["content_type"], Value::Null);

    let chunked = "Transfer-Encoding: chunked\r\n";
    let record = recorded(
        &ingest,
        request("POST", PATH, chunked, "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"),
    )
    .await;
    assert_eq!(record["body"]["utf8"], "abcde");
}

#[tokio::test]
async fn recorded_headers_come_in_the_configured_order_and_joined() {
    let names = "record_headers = [\"X-Two\", \"x-absent\", \"x-one\"]";
    let ingest = Ingest::with(Kafka::Confirms, &settings(names, ""), Limits::default()).await;
    let headers = "X-One: 1\r\nx-two: a\r\nUser-Agent: no\r\nX-TWO: b, c\r\nx-two: \u{e9}\r\n";
    ingest.exchange(request("GET", PATH, headers, "")).await;
    let record = ingest.kafka.records().remove(0);
    let headers = serde_json::to_string(&record["headers"]).unwrap();
    assert_eq!(
        record["headers"],
        json!({"x-two": "a, b, c, \u{e9}", "x-one": "1"}),
        "{headers}"
    );
}

#[tokio::test]
async fn the_key_is_masked_in_the_headers_that_repeat_it() {
    let names = "record_headers = [\"x-original-uri\", \"referer\", \"user-agent\"]";
    let ingest = Ingest::with(Kafka::Confirms, &settings(names, ""), Limits::default()).await;
    let headers = format!(
        "X-Original-URI: {PATH}?u1=a\r\nReferer: https://x{PATH}#{KEY}\u{e9}\r\n\
         User-Agent: {}\r\n",
        &KEY[1..]
    );
    ingest.exchange(request("GET", PATH, &headers, "")).await;
    let record = ingest.kafka.records().remove(0);
    // `printf canary-7d1f0b6a2c9e4835 | sha256sum | cut -c -8`
    let masked = "[23 characters, sha256 20021225]";
    let expected = json!({
        "x-original-uri": format!("/postback/{masked}?u1=a"),
        "referer": format!("https://x/postback/{masked}#{masked}\u{e9}"),
        "user-agent": "anary-7d1f0b6a2c9e4835",
    });
    assert_eq!(record["headers"], expected);
}
