//! Answers that are not what they should be, or never end.

use std::time::{Duration, Instant};

use postback_common::config::ApiSettings;
use postback_network::{Call, NetworkApi, Trouble};

use crate::server::{Answer, Server, json};
use crate::settings::{api, impatience, patience, settings, year};

#[tokio::test]
async fn what_cannot_be_read_is_asked_for_again() {
    let row = r#"[{"etransaction_id":"a"}]"#;
    for (answer, words) in [
        (Answer::CutOff(row.to_owned()), "it was cut off"),
        (json(&row[..row.len() - 1]), "it is no whole JSON array"),
        (json("<html>busy</html>"), "it is no whole JSON array"),
        (json(r#"{"error":"busy"}"#), "it is no whole JSON array"),
        (json("[1]"), "something else than objects"),
        (json(""), "it is no whole JSON array"),
    ] {
        let server = Server::new([answer.clone()]).await;
        let refused = api(server.address).page(year(), 1).await.unwrap_err();
        assert_eq!(
            (refused.call, refused.reason(), refused.attempts),
            (Call::Transactions, "unreadable", 3)
        );
        assert!(refused.to_string().contains(words), "{refused}");

        let server = Server::new([answer, json(row)]).await;
        let page = api(server.address).page(year(), 1).await.unwrap();
        assert_eq!(page.transactions[0].get(), &row[1..row.len() - 1]);
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_or_never_ends_is_bounded_by_time() {
    for answer in [Answer::Silence, Answer::Drip] {
        let server = Server::new([answer]).await;
        let api = NetworkApi::new(&settings(server.address), impatience()).unwrap();
        let begun = Instant::now();
        let refused = api.page(year(), 1).await.unwrap_err();
        let within = impatience().answer_within;
        assert_eq!(refused.trouble, Trouble::TimedOut(within));
        assert_eq!((refused.attempts, server.calls()), (3, 3));
        assert!(begun.elapsed() >= 3 * within);
        assert!(refused.to_string().contains("within 0.3 s"), "{refused}");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_bounded_by_length() {
    let server = Server::new([Answer::Flood]).await;
    let begun = Instant::now();
    let refused = api(server.address).page(year(), 1).await.unwrap_err();
    // Two transactions cannot be longer than a megabyte, whatever they say.
    assert_eq!(refused.trouble, Trouble::TooLong(1024 * 1024));
    assert_eq!(server.calls(), 1, "it would be as long again");
    assert!(begun.elapsed() < Duration::from_secs(60));
    let refused = api(server.address).endpoint().await.unwrap_err();
    assert_eq!(refused.reason(), "too_long");
}

#[tokio::test]
async fn a_page_may_be_as_long_as_its_transactions_need() {
    let pages_of = |server: &Server, page_size: u32| {
        let settings = ApiSettings {
            page_size,
            ..settings(server.address)
        };
        NetworkApi::new(&settings, patience()).unwrap()
    };
    // 200 of 10 kB each.
    let row = format!(
        r#"{{"etransaction_id":"a","note":"{}"}}"#,
        "x".repeat(10_000)
    );
    let server = Server::new([json(&format!("[{}]", vec![&*row; 200].join(",")))]).await;
    let page = pages_of(&server, 200).page(year(), 1).await.unwrap();
    assert_eq!(page.transactions.len(), 200);
    assert!(page.transactions.iter().all(|one| one.get() == row));

    // 16 KiB for each of them, and 64 MiB whatever is asked for.
    for (page_size, longest) in [(200, 200 * 16_384), (1_000_000, 64 * 1_048_576)] {
        let server = Server::new([Answer::Flood]).await;
        let refused = pages_of(&server, page_size).page(year(), 1).await;
        assert_eq!(refused.unwrap_err().trouble, Trouble::TooLong(longest));
    }
}
