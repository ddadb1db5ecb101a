//! `docs/rakuten-errors.md` has every answer.

use std::time::Duration;

use postback_common::reason::Refusal;
use postback_network::{ApiError, Call, Trouble};

const PAGE: &str = include_str!("../../../docs/rakuten-errors.md");

/// One of each. Whoever adds a variant is sent here by the match below.
fn troubles() -> Vec<Trouble> {
    vec![
        Trouble::Unreachable(String::new()),
        Trouble::TimedOut(Duration::from_secs(1)),
        Trouble::Unauthorized,
        Trouble::Forbidden,
        Trouble::NotFound,
        Trouble::Conflict,
        Trouble::TooManyRequests { retry_after: None },
        Trouble::Refused(400),
        Trouble::Server {
            status: 500,
            retry_after: None,
        },
        Trouble::Redirected(302),
        Trouble::Unreadable(String::new()),
        Trouble::TooLong(1),
        Trouble::Setup(String::new()),
    ]
}

/// Its place in [`troubles`].
fn place(trouble: &Trouble) -> usize {
    match trouble {
        Trouble::Unreachable(_) => 0,
        Trouble::TimedOut(_) => 1,
        Trouble::Unauthorized => 2,
        Trouble::Forbidden => 3,
        Trouble::NotFound => 4,
        Trouble::Conflict => 5,
        Trouble::TooManyRequests { .. } => 6,
        Trouble::Refused(_) => 7,
        Trouble::Server { .. } => 8,
        Trouble::Redirected(_) => 9,
        Trouble::Unreadable(_) => 10,
        Trouble::TooLong(_) => 11,
        Trouble::Setup(_) => 12,
    }
}

/// The lines of a section that begin with this tag, as a row of a table.
fn rows(section: &str, tag: &str) -> Vec<&'static str> {
    let begin = format!("| `{tag}` |");
    let lines = PAGE.lines().skip_while(|line| *line != section).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("## "));
    lines.filter(|line| line.starts_with(&begin)).collect()
}

#[test]
fn every_call_and_every_trouble_has_a_row_with_its_remedies() {
    for (expected, trouble) in troubles().into_iter().enumerate() {
        assert_eq!(place(&trouble), expected);
        let found = rows("## What goes wrong", trouble.as_str());
        assert_eq!(found.len(), 1, "{}", trouble.as_str());
        for call in Call::ALL {
            let error = ApiError {
                call,
                trouble: trouble.clone(),
                attempts: 1,
            };
            // Code in the remedies is code in the page, too.
            let remedy = error.remedy().replace('`', "");
            let row = found[0].replace('`', "");
            assert!(!remedy.is_empty(), "{} of {call}", trouble.as_str());
            assert!(row.contains(&remedy), "{}: {remedy}", trouble.as_str());
        }
    }
    for call in Call::ALL {
        let found = rows("## The calls", call.as_str());
        assert_eq!(found.len(), 1, "{call}");
        let words = call.explanation();
        assert!(!words.is_empty() && found[0].contains(words), "{call}");
    }
}

#[test]
fn every_refusal_of_ingest_has_a_row() {
    for refusal in Refusal::ALL {
        assert_eq!(
            rows("## What ingest answers", refusal.as_str()).len(),
            1,
            "{}",
            refusal.as_str()
        );
    }
}
