//! No secret, token or URL key is shown, whatever the network answers.

use postback_common::secret::Secret;
use postback_network::{ApiError, Change, NetworkApi};

use crate::server::{Answer, Server, json, status, with_header};
use crate::settings::{CANARY, impatience, settings, year};

fn check(shown: &str) {
    assert!(!shown.contains(CANARY), "{shown}");
    // In Basic authentication: what canary-secret becomes at the place where it stands.
    assert!(
        !shown.contains("Y2FuYXJ5") && !shown.contains("NhbmFyeS1"),
        "{shown}"
    );
}

fn check_error(error: &ApiError) {
    let (reason, remedy) = (error.reason(), error.remedy());
    check(&format!("{error} {error:?} {error:#?} {reason} {remedy}"));
}

#[tokio::test]
async fn whatever_goes_wrong_shows_no_secret() {
    let url = Secret::new(format!("https://h/postback/{CANARY}key?a=<u1>"));
    let body = format!("{{\"url\":\"https://h/postback/{CANARY}key\",\"{CANARY}\":1}}");
    let answers = [
        status(400),
        status(401),
        status(403),
        status(409),
        status(500),
        with_header(429, &format!("retry-after: {CANARY}")),
        with_header(302, &format!("location: http://{CANARY}/")),
        with_header(200, &format!("content-length: {CANARY}")),
        json(&body),
        json(&format!("[{{}},\"{CANARY}")),
        json(&format!("{CANARY}\u{0}")),
        Answer::CutOff(body),
        Answer::Silence,
        Answer::Flood,
        Answer::Close,
    ];
    for answer in answers {
        let server = Server::new([answer]).await;
        let mut settings = settings(server.address);
        settings.page_size = 1;
        let api = NetworkApi::new(&settings, impatience()).unwrap();
        let change = Change {
            url: Some(url.clone()),
            is_active: Some(true),
        };
        check(&format!("{change:?} {settings:?}"));
        let errors = [
            api.endpoint().await.err(),
            api.page(year(), 1).await.err(),
            api.set_up(&url, true).await.err(),
            api.change(&change).await.err(),
            api.delete().await.err(),
        ];
        let mut errors = errors.into_iter().flatten().peekable();
        assert!(errors.peek().is_some(), "something went wrong");
        errors.for_each(|error| check_error(&error));
    }
}

#[tokio::test]
async fn an_endpoint_shows_no_key() {
    let body = format!("{{\"url\":\"https://h/postback/{CANARY}key\",\"isActive\":true}}");
    let server = Server::new([json(&body)]).await;
    let api = NetworkApi::new(&settings(server.address), impatience()).unwrap();
    let endpoint = api.endpoint().await.unwrap().unwrap();
    check(&format!("{endpoint:?} {endpoint:#?}"));
    assert!(endpoint.url.expose().contains(CANARY));
}

#[tokio::test]
async fn credentials_that_cannot_be_sent_are_not_shown() {
    let server = Server::new([json("[]")]).await;
    let mut settings = settings(server.address);
    settings.base_url = format!("http://{}\u{7f}", server.address);
    let api = NetworkApi::new(&settings, impatience()).unwrap();
    let refused = api.endpoint().await.unwrap_err();
    assert_eq!(refused.reason(), "setup");
    check_error(&refused);
}
