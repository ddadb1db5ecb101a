use std::net::Ipv4Addr;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn webhook(url: &str, allow: &str) -> Webhook {
    let text = format!(
        "[kafka]\nbrokers = \"k:1\"\n[watch]\nwebhook_url = \"{url}\"\nwebhook_allow = [{allow}]\n"
    );
    let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
    Webhook::of(&settings.watch).unwrap().unwrap()
}

/// Answers one request after the other, closes each connection, and gives what came.
async fn receiver(answers: &'static [&'static str]) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            requests.push(String::from_utf8(request).unwrap());
            let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (port, served)
}

#[tokio::test]
async fn an_alert_is_posted_and_tried_again_until_it_is_taken() {
    let (port, served) = receiver(&["503 Busy", "204 No Content"]).await;
    let url = format!("http://127.0.0.1:{port}/hook?token=t0ken");
    webhook(&url, "\"127.0.0.1\"")
        .deliver("{\"a\":1}")
        .await
        .unwrap();
    let requests = served.await.unwrap();
    assert_eq!(requests.len(), 2);
    assert!(
        requests[1].starts_with("POST /hook?token=t0ken HTTP/1.1\r\n"),
        "{requests:?}"
    );
    assert!(requests[1].contains(&format!("host: 127.0.0.1:{port}\r\n")));
    assert!(requests[1].contains("content-type: application/json\r\n"));
    assert!(requests[1].ends_with("\r\n\r\n{\"a\":1}"));
}

#[tokio::test]
async fn an_alert_that_was_taken_is_not_sent_again_whatever_else_the_answer_says() {
    for answer in [
        &["200 OK\r\ncontent-length: 100000"][..],
        &["200 OK\r\ncontent-length: 5\r\n\r\nab"],
        &["200 OK\r\ncontent-length: x"],
        &["103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK"],
    ] {
        let (port, served) = receiver(answer).await;
        let url = format!("http://127.0.0.1:{port}/");
        let webhook = webhook(&url, "\"127.0.0.1\"");
        assert_eq!(webhook.attempt("{}").await, Ok(()), "{answer:?}");
        assert_eq!(served.await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_it_refuses_for_good_is_not_tried_again() {
    let (port, served) = receiver(&["302 Found"]).await;
    let url = format!("http://127.0.0.1:{port}/");
    let refused = webhook(&url, "\"127.0.0.0/8\"").deliver("{}").await;
    assert_eq!(refused, Err("it answered 302".to_owned()));
    assert_eq!(served.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_private_address_is_refused_unless_allowed() {
    for host in [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "[::1]",
        "169.254.169.254",
    ] {
        let url = format!("http://{host}:1/t0ken");
        let refused = webhook(&url, "").deliver("{}").await.unwrap_err();
        assert!(refused.contains("no public address"), "{refused}");
        assert!(refused.contains("watch.webhook_allow") && !refused.contains("t0ken"));
    }
}
