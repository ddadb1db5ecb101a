//! Statuses: which are tried again, how often, and what they are called.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use postback_common::secret::Secret;
use postback_network::{ApiError, Call, Change, NetworkApi, Patience, Trouble};

use crate::server::{Answer, Server, json, status, with_header};
use crate::settings::{api, patience, settings, year};

const OFF: &str = r#"{"url":"https://h/postback/k","isActive":false}"#;

fn error(call: Call, trouble: Trouble, attempts: u32) -> ApiError {
    ApiError {
        call,
        trouble,
        attempts,
    }
}

fn server_error(status: u16) -> Trouble {
    Trouble::Server {
        status,
        retry_after: None,
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_no_oftener_than_it_should_be() {
    for (trouble, answer) in [
        (server_error(500), status(500)),
        (server_error(503), status(503)),
        (Trouble::TooManyRequests { retry_after: None }, status(429)),
    ] {
        let server = Server::new([answer.clone()]).await;
        let refused = api(server.address).page(year(), 1).await.unwrap_err();
        assert_eq!(refused, error(Call::Transactions, trouble, 3));
        assert_eq!(server.calls(), 3);

        let server = Server::new([answer.clone(), answer, json("[]")]).await;
        assert!(api(server.address).page(year(), 1).await.unwrap().is_last);
    }
}

#[tokio::test]
async fn what_does_not_pass_is_asked_once() {
    for (code, trouble) in [
        (400, Trouble::Refused(400)),
        (403, Trouble::Forbidden),
        (404, Trouble::NotFound),
        (409, Trouble::Conflict),
        (302, Trouble::Redirected(302)),
    ] {
        let server = Server::new([status(code)]).await;
        let refused = api(server.address).page(year(), 1).await.unwrap_err();
        assert_eq!(refused, error(Call::Transactions, trouble, 1));
        assert_eq!(server.calls(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::new([json(OFF)]).await;
    let header = format!("location: http://{}/v1/postback/3817122", elsewhere.address);
    let server = Server::new([with_header(307, &header)]).await;
    let refused = api(server.address).endpoint().await.unwrap_err();
    assert_eq!(refused.trouble, Trouble::Redirected(307));
    assert!(elsewhere.seen().is_empty(), "the token went elsewhere");
}

#[tokio::test]
async fn the_seconds_that_the_network_asks_for_are_waited() {
    let server = Server::new([with_header(429, "retry-after: 1"), json(OFF)]).await;
    let begun = Instant::now();
    let endpoint = api(server.address).endpoint().await.unwrap().unwrap();
    assert!(!endpoint.is_active);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn the_date_that_the_network_names_is_waited_for() {
    // In whole seconds, as it is written.
    let second = Timestamp::now().as_second() + 2;
    let ahead = Timestamp::from_second(second).unwrap();
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&ahead);
    let header = format!("retry-after: {}", text.unwrap());
    let server = Server::new([with_header(429, &header), json(OFF)]).await;
    assert!(api(server.address).endpoint().await.unwrap().is_some());
    assert!(Timestamp::now() >= ahead);

    // One that is over is not.
    let past = "retry-after: Sun, 06 Nov 1994 08:49:37 GMT";
    let server = Server::new([with_header(429, past), json(OFF)]).await;
    assert!(api(server.address).endpoint().await.unwrap().is_some());
}

#[tokio::test]
async fn who_asks_for_too_long_a_pause_is_not_asked_again() {
    let server = Server::new([with_header(429, "retry-after: 3600")]).await;
    let refused = api(server.address).endpoint().await.unwrap_err();
    let hour = Trouble::TooManyRequests {
        retry_after: Some(Duration::from_secs(3_600)),
    };
    assert_eq!(refused, error(Call::GetEndpoint, hour, 1));
    assert!(refused.to_string().contains("3600 s"), "{refused}");

    let server = Server::new([with_header(503, "retry-after: 3600")]).await;
    let refused = api(server.address).endpoint().await.unwrap_err();
    assert_eq!((refused.reason(), refused.attempts), ("server_error", 1));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(3_600)));
    assert!(refused.to_string().contains("3600 s"), "{refused}");
}

#[tokio::test]
async fn a_network_that_is_away_is_named() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let refused = api(address).endpoint().await.unwrap_err();
    assert_eq!(
        (refused.call, refused.reason(), refused.attempts),
        (Call::Token, "unreachable", 3)
    );
    assert!(refused.to_string().contains("refused"), "{refused}");
}

#[tokio::test]
async fn a_connection_that_ends_is_tried_again() {
    let server = Server::new([Answer::Close, json(OFF)]).await;
    assert!(api(server.address).endpoint().await.unwrap().is_some());
}

#[tokio::test]
async fn setting_up_is_not_repeated_when_it_may_have_been_heard() {
    let url = Secret::new("https://h/postback/k?a=<u1>");
    for (answer, attempts) in [(status(500), 1), (Answer::Close, 1), (status(429), 3)] {
        let server = Server::new([answer]).await;
        let refused = api(server.address).set_up(&url, true).await.unwrap_err();
        assert_eq!((refused.call, refused.attempts), (Call::SetUp, attempts));
        assert_eq!(server.calls(), usize::try_from(attempts).unwrap());
    }
    let server = Server::new([status(201)]).await;
    api(server.address).set_up(&url, false).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[1].line, "POST /v1/postback");
    assert_eq!(
        seen[1].body,
        r#"{"isActive":false,"sid":3817122,"url":"https://h/postback/k?a=<u1>"}"#
    );
}

#[tokio::test]
async fn a_change_is_repeated_and_a_deletion_that_was_heard_is_one() {
    let on = Change {
        is_active: Some(true),
        ..Change::default()
    };
    let server = Server::new([status(502), json("{}")]).await;
    api(server.address).change(&on).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[2].line, "PUT /v1/postback/3817122");
    assert_eq!(seen[2].body, r#"{"isActive":true,"sid":3817122}"#);

    // Deleted, but the answer did not come.
    let server = Server::new([Answer::Close, status(404)]).await;
    api(server.address).delete().await.unwrap();
    let server = Server::new([status(404)]).await;
    let refused = api(server.address).delete().await.unwrap_err();
    assert_eq!(refused, error(Call::Delete, Trouble::NotFound, 1));
    let server = Server::new([with_header(204, "x: y")]).await;
    api(server.address).delete().await.unwrap();
}

#[tokio::test]
async fn none_is_registered_where_the_network_says_404() {
    let server = Server::new([status(404)]).await;
    assert_eq!(api(server.address).endpoint().await, Ok(None));
}

#[tokio::test]
async fn a_token_url_that_leads_nowhere_says_nothing_of_the_endpoint() {
    let server = Server::new([json(OFF)]).await;
    server.answer_for_tokens([status(404), status(404)]);
    let nowhere = error(Call::Token, Trouble::NotFound, 1);
    assert_eq!(api(server.address).endpoint().await, Err(nowhere.clone()));
    assert_eq!(api(server.address).delete().await, Err(nowhere));
    assert_eq!(server.calls(), 0);
    // Nor where it was found missing by a second attempt only.
    server.answer_for_tokens([status(500), status(404)]);
    let refused = api(server.address).delete().await.unwrap_err();
    assert_eq!(refused, error(Call::Token, Trouble::NotFound, 2));
}

#[tokio::test]
async fn pauses_grow() {
    let server = Server::new([status(500)]).await;
    let patience = Patience {
        first_pause: Duration::from_millis(100),
        ..patience()
    };
    let begun = Instant::now();
    let api = NetworkApi::new(&settings(server.address), patience).unwrap();
    api.endpoint().await.unwrap_err();
    // At the least half of 100 ms and half of 200 ms.
    assert!(begun.elapsed() >= Duration::from_millis(150));
}
