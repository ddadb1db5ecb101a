//! One token for all calls, and a fresh one when it is needed.

use postback_common::config::{ApiSettings, TokenAuth};
use postback_network::{Call, NetworkApi, Trouble};

use crate::server::{Server, json, status};
use crate::settings::{CANARY, api, patience, settings, year};

#[tokio::test]
async fn a_token_is_asked_for_once_and_kept() {
    let server = Server::new([json("[]")]).await;
    let api = api(server.address);
    for page in 1..=3 {
        api.page(year(), page).await.unwrap();
    }
    assert_eq!((server.tokens(), server.calls()), (1, 3));
    let seen = server.seen();
    // publisher:canary-secret
    assert_eq!(
        seen[0].authorization,
        "Basic cHVibGlzaGVyOmNhbmFyeS1zZWNyZXQ="
    );
    assert_eq!(seen[0].body, "grant_type=client_credentials&scope=3817122");
    assert_eq!(seen[1].authorization, format!("Bearer {CANARY}1"));
    assert_eq!(
        seen[2].line,
        "GET /events/1.0/transactions?process_date_start=2026-01-01%2000%3A00%3A00\
         &process_date_end=2026-12-31%2023%3A59%3A59&limit=2&page=2"
    );
}

#[tokio::test]
async fn id_and_secret_can_stand_in_the_form() {
    let server = Server::new([json("[]")]).await;
    let settings = ApiSettings {
        token_auth: TokenAuth::Form,
        scope: "a b".to_owned(),
        ..settings(server.address)
    };
    let api = NetworkApi::new(&settings, patience()).unwrap();
    api.page(year(), 1).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.authorization, "");
    assert_eq!(
        seen.body,
        "grant_type=client_credentials&scope=a%20b&client_id=publisher&client_secret=canary-secret"
    );
}

#[tokio::test]
async fn in_the_middle_of_paging_a_fresh_token_is_asked_for_once() {
    let server = Server::new([json("[{},{}]"), status(401), json("[{}]")]).await;
    let api = api(server.address);
    assert!(!api.page(year(), 1).await.unwrap().is_last);
    assert!(api.page(year(), 2).await.unwrap().is_last);
    let used: Vec<_> = server
        .seen()
        .into_iter()
        .map(|seen| seen.authorization)
        .collect();
    assert_eq!(
        used[1..3],
        [format!("Bearer {CANARY}1"), format!("Bearer {CANARY}1")]
    );
    assert_eq!(used[4], format!("Bearer {CANARY}2"));
    assert_eq!((server.tokens(), server.calls()), (2, 3));
}

#[tokio::test]
async fn a_fresh_token_that_is_not_accepted_ends_it() {
    let server = Server::new([status(401)]).await;
    let refused = api(server.address).page(year(), 1).await.unwrap_err();
    assert_eq!(
        (refused.call, refused.trouble, refused.attempts),
        (Call::Transactions, Trouble::Unauthorized, 2)
    );
    assert_eq!((server.tokens(), server.calls()), (2, 2));
}

#[tokio::test]
async fn a_token_that_expires_between_two_attempts_is_replaced() {
    let script = [status(401), status(500), status(401), json("[]")];
    let server = Server::new(script).await;
    api(server.address).page(year(), 1).await.unwrap();
    assert_eq!((server.tokens(), server.calls()), (3, 4));
}

#[tokio::test]
async fn a_network_that_says_401_and_500_in_turn_is_not_asked_for_ever() {
    let script = [401, 500, 401, 500, 401, 500, 401, 500].map(status);
    let server = Server::new(script).await;
    let refused = api(server.address).page(year(), 1).await.unwrap_err();
    let last = Trouble::Server {
        status: 500,
        retry_after: None,
    };
    assert_eq!((refused.trouble, server.calls()), (last, 4));
}

#[tokio::test]
async fn a_token_that_has_expired_is_not_used() {
    let server = Server::new([json("[]")]).await;
    server.tokens_hold(0);
    let api = api(server.address);
    for page in 1..=3 {
        api.page(year(), page).await.unwrap();
    }
    assert_eq!((server.tokens(), server.calls()), (3, 3));
}

#[tokio::test]
async fn calls_that_need_a_token_at_once_ask_for_one() {
    let server = Server::new([json("[]")]).await;
    server.close();
    let api = api(server.address);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move { api.page(year(), 1).await.map(|page| page.is_last) })
        })
        .collect();
    server.has_under_way(1).await;
    server.open();
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(true));
    }
    assert_eq!((server.tokens(), server.calls()), (1, 3));
}
