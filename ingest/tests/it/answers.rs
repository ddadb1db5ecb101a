//! Every answer, to the byte.

use crate::support::{Ingest, Kafka, PATH, get, request, settings, without_id};
use postback_ingest::limits::Limits;

const STORED: &str = "postback_ingest_stored_total{source=\"shop\",key=\"spring\"}";

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain; charset=utf-8\r\n\
                         connection: close\r\ncontent-length: 9\r\n\r\nnot found";

#[tokio::test]
async fn an_accepted_postback_gets_ok_and_its_id() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let answer = ingest.exchange(get(&format!("{PATH}?u1=a"))).await;
    let expected = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n\
                    connection: close\r\ncontent-length: 2\r\n\r\nOK";
    assert_eq!(without_id(&answer), expected);
    let id = ingest.kafka.records()[0]["id"].as_str().unwrap().to_owned();
    assert!(
        answer.contains(&format!("\r\nx-postback-id: {id}\r\n")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_source_may_have_a_reply_of_its_own() {
    let reply = "reply = { status = 202, body = \"<ok/>\", content_type = \"text/xml\" }";
    let ingest = Ingest::with(Kafka::Confirms, &settings("", reply), Limits::default()).await;
    let answer = ingest.exchange(request("POST", PATH, "", "")).await;
    let expected = "HTTP/1.1 202 Accepted\r\ncontent-type: text/xml\r\nconnection: close\r\n\
                    content-length: 5\r\n\r\n<ok/>";
    assert_eq!(without_id(&answer), expected);
    let counted = "postback_ingest_requests_total{source=\"shop\",key=\"spring\",status=\"202\"}";
    assert_eq!(ingest.metric(counted), 1.0);
    assert_eq!(ingest.metric(STORED), 1.0);
}

#[tokio::test]
async fn what_is_stored_is_told_from_what_is_only_answered() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let answered = "postback_ingest_requests_total{source=\"shop\",key=\"spring\",status=\"200\"}";
    assert!(
        ingest.metrics().contains(&format!("\n{STORED} 0\n")),
        "it is there from the start"
    );
    for _ in 0..3 {
        ingest.exchange(request("HEAD", PATH, "", "")).await;
    }
    assert_eq!(ingest.metric(answered), 3.0);
    assert_eq!(ingest.metric(STORED), 0.0);
    ingest.exchange(get(PATH)).await;
    assert_eq!(ingest.metric(answered), 4.0);
    assert_eq!(ingest.metric(STORED), 1.0);
    let strangers = "postback_ingest_stored_total{source=\"\"";
    assert!(!ingest.metrics().contains(strangers));
}

#[tokio::test]
async fn a_reply_without_content_is_sent_without() {
    for (status, expected) in [
        (204, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
        (
            205,
            "HTTP/1.1 205 Reset Content\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        ),
    ] {
        let reply = format!("reply = {{ status = {status} }}");
        let ingest = Ingest::with(Kafka::Confirms, &settings("", &reply), Limits::default()).await;
        let answer = ingest.exchange(get(&format!("{PATH}?u1=a"))).await;
        assert_eq!(without_id(&answer), expected);
    }
}

#[tokio::test]
async fn nobody_without_a_key_learns_anything() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let targets = [
        "/postback/another-key-of-good-length",
        "/postback/disabled-disabled-disabled",
        "/postback/",
        "/postback",
        "/",
        "/postback/canary-7d1f0b6a2c9e4835/",
        "/POSTBACK/canary-7d1f0b6a2c9e4835",
        "/x/postback/canary-7d1f0b6a2c9e4835",
        "/metrics",
        "/readyz",
    ];
    for target in targets {
        assert_eq!(ingest.exchange(get(target)).await, NOT_FOUND, "{target}");
    }
    // Neither method nor size tells a stranger more.
    let long = format!("/postback/x?{}", "q".repeat(20_000));
    for request in [
        request("DELETE", "/postback/x", "", ""),
        request("OPTIONS", "*", "", ""),
        get(&long),
        request(
            "POST",
            "/postback/x",
            "Content-Length: 70000\r\n",
            &"b".repeat(70_000),
        ),
    ] {
        assert_eq!(ingest.exchange(&request).await, NOT_FOUND, "{request:.40}");
    }
    assert_eq!(ingest.refusals("not_found"), 14.0);
    let strangers = "postback_ingest_requests_total{source=\"\",key=\"\",status=\"404\"}";
    assert_eq!(ingest.metric(strangers), 14.0);
    assert!(ingest.kafka.records().is_empty());
}

#[tokio::test]
async fn head_tries_the_url_and_stores_nothing() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let answer = ingest.exchange(request("HEAD", PATH, "", "")).await;
    let expected = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n\
                    connection: close\r\n";
    assert_eq!(
        answer.replace("content-length: 0\r\n", ""),
        format!("{expected}\r\n")
    );
    let unknown = ingest
        .exchange(request("HEAD", "/postback/x", "", ""))
        .await;
    assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
    assert!(ingest.kafka.records().is_empty());
}

#[tokio::test]
async fn other_methods_are_told_which_would_do() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let answer = ingest.exchange(request(method, PATH, "", "")).await;
        let expected = "HTTP/1.1 405 Method Not Allowed\r\n\
                        content-type: text/plain; charset=utf-8\r\nallow: GET, HEAD, POST\r\n\
                        connection: close\r\ncontent-length: 18\r\n\r\nmethod not allowed";
        assert_eq!(answer, expected, "{method}");
    }
    assert_eq!(ingest.refusals("wrong_method"), 5.0);
    assert!(ingest.kafka.records().is_empty());
}

#[tokio::test]
async fn too_long_a_query_is_refused_and_one_at_the_limit_is_kept() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    for length in [16_385, 20 * 1024, 60_000, 66_000, 900_000] {
        let answer = ingest
            .exchange(get(&format!("{PATH}?{}", "q".repeat(length))))
            .await;
        let expected = "HTTP/1.1 414 URI Too Long\r\ncontent-type: text/plain; charset=utf-8\r\n\
                        connection: close\r\ncontent-length: 14\r\n\r\nquery too long";
        assert_eq!(answer, expected, "{length} bytes");
    }
    let kept = ingest
        .exchange(get(&format!("{PATH}?{}", "q".repeat(16_384))))
        .await;
    assert!(kept.starts_with("HTTP/1.1 200 "), "{kept}");
    assert_eq!(ingest.kafka.records().len(), 1);
    assert_eq!(ingest.refusals("query_too_large"), 5.0);
}

#[tokio::test]
async fn too_large_a_body_is_refused_with_and_without_its_length() {
    let limits = settings("max_body_bytes = 1000", "");
    let ingest = Ingest::with(Kafka::Confirms, &limits, Limits::default()).await;
    let expected = "HTTP/1.1 413 Payload Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n\
                    connection: close\r\ncontent-length: 14\r\n\r\nbody too large";
    for length in [1_001, 300_000] {
        let body = "b".repeat(length);
        let announced = format!("Content-Length: {length}\r\n");
        let answer = ingest
            .exchange(request("POST", PATH, &announced, &body))
            .await;
        assert_eq!(answer, expected, "{length} bytes");
        let chunks = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
        let answer = ingest
            .exchange(request(
                "POST",
                PATH,
                "Transfer-Encoding: chunked\r\n",
                &chunks,
            ))
            .await;
        assert_eq!(answer, expected, "{length} bytes in a chunk");
    }
    let body = "b".repeat(1_000);
    let kept = ingest
        .exchange(request("POST", PATH, "Content-Length: 1000\r\n", &body))
        .await;
    assert!(kept.starts_with("HTTP/1.1 200 "), "{kept}");
    assert_eq!(ingest.kafka.records().len(), 1);
    assert_eq!(ingest.refusals("body_too_large"), 4.0);
}

#[tokio::test]
async fn what_hyper_refuses_is_answered_and_counted_too() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let answer = ingest.exchange("hello\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let long = format!("X-Long: {}\r\n", "y".repeat(600_000));
    let answer = ingest.exchange(request("GET", PATH, &long, "")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(ingest.refusals("unparsable"), 1.0);
    assert_eq!(ingest.refusals("head_too_large"), 1.0);
    assert!(ingest.kafka.records().is_empty());
}
