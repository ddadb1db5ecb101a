//! Who may send: addresses, user and password.

use postback_ingest::limits::Limits;
use postback_ingest::reload::apply;

use crate::support::{Ingest, Kafka, PATH, get, request, settings};

const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\n\
                         connection: close\r\ncontent-length: 9\r\n\r\nforbidden";

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\n\
    content-type: text/plain; charset=utf-8\r\nwww-authenticate: Basic realm=\"postback\"\r\n\
    connection: close\r\ncontent-length: 12\r\n\r\nunauthorized";

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain; charset=utf-8\r\n\
                         connection: close\r\ncontent-length: 9\r\n\r\nnot found";

async fn with_source(lines: &str) -> Ingest {
    Ingest::with(Kafka::Confirms, &settings("", lines), Limits::default()).await
}

fn with_authorization(value: &str) -> String {
    request("GET", PATH, &format!("Authorization: {value}\r\n"), "")
}

#[tokio::test]
async fn a_caller_from_elsewhere_is_forbidden() {
    let ingest = with_source("allow_from = [\"192.0.2.0/24\"]").await;
    for refused in [get(PATH), request("PUT", PATH, "", "")] {
        assert_eq!(ingest.exchange(refused).await, FORBIDDEN);
    }
    // Nobody is believed without being a trusted proxy.
    let pretended = request("GET", PATH, "X-Forwarded-For: 192.0.2.1\r\n", "");
    assert_eq!(ingest.exchange(pretended).await, FORBIDDEN);
    let head = ingest.exchange(request("HEAD", PATH, "", "")).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert_eq!(ingest.exchange(get("/postback/unknown")).await, NOT_FOUND);
    let counted = "postback_ingest_requests_total{source=\"shop\",key=\"spring\",status=\"403\"}";
    assert_eq!(ingest.metric(counted), 4.0);
    assert_eq!(ingest.refusals("forbidden"), 4.0);
    assert!(ingest.kafka.records().is_empty());

    let ingest = with_source("allow_from = [\"192.0.2.0/24\", \"127.0.0.1\"]").await;
    let answer = ingest.exchange(get(PATH)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn user_and_password_are_asked_for() {
    // `printf %s Aladdin:'open sesame' | base64`: RFC 7617, section 2.
    let ingest =
        with_source("basic_auth = { user = \"Aladdin\", password = \"open sesame\" }").await;
    let right = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    for value in [
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQo=",
        "Basic QWxhZGRpbjo=",
        "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "",
        &format!("{right}\r\nAuthorization: {right}"),
    ] {
        let answer = ingest.exchange(with_authorization(value)).await;
        assert_eq!(answer, UNAUTHORIZED, "{value}");
    }
    assert_eq!(ingest.exchange(get(PATH)).await, UNAUTHORIZED);
    assert_eq!(ingest.exchange(get("/postback/unknown")).await, NOT_FOUND);
    assert_eq!(ingest.refusals("unauthorized"), 6.0);
    assert!(ingest.kafka.records().is_empty());

    let answer = ingest.exchange(with_authorization(right)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let record = ingest.kafka.records()[0].to_string();
    assert!(
        !record.contains("QWxh") && !record.contains("sesame"),
        "{record}"
    );
}

#[tokio::test]
async fn nothing_is_said_of_headers_that_were_not_read() {
    let too_long = "HTTP/1.1 414 URI Too Long\r\ncontent-type: text/plain; charset=utf-8\r\n\
                    connection: close\r\ncontent-length: 14\r\n\r\nquery too long";
    // Longer than the longest query and the 4,000 bytes beside it.
    let query = "q".repeat(16_384 + 4_001);
    let authorization = "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
    let forwarded = "X-Forwarded-For: 192.0.2.1\r\n";
    for (lines, source, header) in [
        (
            "",
            "basic_auth = { user = \"Aladdin\", password = \"open sesame\" }",
            authorization,
        ),
        (
            "trusted_proxies = \"127.0.0.1\"",
            "allow_from = [\"192.0.2.0/24\"]",
            forwarded,
        ),
    ] {
        let settings = settings(lines, source);
        let ingest = Ingest::with(Kafka::Confirms, &settings, Limits::default()).await;
        let let_in = ingest.exchange(request("GET", PATH, header, "")).await;
        assert!(let_in.starts_with("HTTP/1.1 200 "), "{let_in}");
        for method in ["GET", "POST", "PUT"] {
            for header in [header, ""] {
                let long = request(method, &format!("{PATH}?{query}"), header, "");
                assert_eq!(ingest.exchange(long).await, too_long, "{method} {source}");
            }
        }
        let head = request("HEAD", &format!("{PATH}?{query}"), header, "");
        let head = ingest.exchange(head).await;
        assert!(head.starts_with("HTTP/1.1 414 "), "{head}");
        let stranger = ingest
            .exchange(get(&format!("/postback/unknown?{query}")))
            .await;
        assert_eq!(stranger, NOT_FOUND);
        let counted =
            "postback_ingest_requests_total{source=\"shop\",key=\"spring\",status=\"414\"}";
        assert_eq!(ingest.metric(counted), 7.0);
        assert_eq!(ingest.refusals("unauthorized"), 0.0);
        assert_eq!(ingest.refusals("forbidden"), 0.0);
    }
}

#[tokio::test]
async fn both_change_with_a_reload() {
    let ingest = with_source("").await;
    let running = settings("", "");
    let mut sender = ingest.connect().await;
    let keep_alive = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n");
    sender.send(&keep_alive).await;
    sender.answer_ending("OK").await;
    let closed = settings("", "allow_from = [\"::1\"]");
    apply(Ok(closed), &running, &ingest.server);
    sender.send(&keep_alive).await;
    sender.answer_ending("forbidden").await;
    let asked = settings("", "basic_auth = { user = \"a\", password = \"b\" }");
    apply(Ok(asked), &running, &ingest.server);
    sender.send(&keep_alive).await;
    sender.answer_ending("unauthorized").await;
    apply(Ok(running.clone()), &running, &ingest.server);
    sender.send(&keep_alive).await;
    sender.answer_ending("OK").await;
}
