//! The page of queries: each of them runs, and answers.

use std::path::Path;
use std::time::Duration;

use postback_store::ask::{Limits, ask};

use crate::books::{conversions, load};
use crate::database::with_settings;

/// The blocks of a language, in order: of those for an administrator, the word stands behind it.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = page.split(&fence).skip(1);
    parts
        .map(|part| part.split("\n```").next().unwrap().to_owned())
        .collect()
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sql.md");
    std::fs::read_to_string(page).unwrap()
}

const LIMITS: Limits = Limits {
    within: Duration::from_secs(60),
    rows: Some(1_000),
    memory: 1 << 30,
};

#[tokio::test]
async fn every_query_of_the_page_runs() {
    with_settings("page", |loader, settings| async move {
        load(&loader, &conversions(2_000)).await;
        let queries = blocks(&page(), "sql");
        assert!(queries.len() >= 17, "{}", queries.len());
        let mut answered = 0;
        for query in queries {
            let answer = ask(&settings, &query, LIMITS).await;
            let answer = answer.unwrap_or_else(|error| panic!("{query}\n{error}"));
            assert!(!answer.columns.is_empty(), "{query}");
            answered += usize::from(!answer.rows.is_empty());
        }
        // Those that ask about days near today, about statements, refusals or one order find nothing.
        assert!(answered >= 6, "{answered} have rows");
    })
    .await;
}

#[tokio::test]
async fn the_administrators_statements_are_such() {
    with_settings("administrator", |loader, _| async move {
        let statements = blocks(&page(), "sql administrator");
        assert_eq!(statements.len(), 2);
        for statement in statements {
            // The tests' user may make no users: read by the server's parser, and not run.
            let read = loader.query("SELECT formatQuery(?)").bind(&statement);
            let read = read.fetch_one::<String>().await.unwrap();
            assert!(read.contains("postback_reader"), "{read}");
        }
    })
    .await;
}
