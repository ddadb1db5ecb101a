//! The page of queries: each of them runs, and answers; those about money answer what is right. And
//! the statements by which operators erase a person.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use postback_common::config::ClickHouseSettings;
use postback_store::ask::{Limits, ask};
use postback_store::rows::{ConversionRow, PostbackRow};
use serde_json::{Value, json};

use crate::books::{conversions, load};
use crate::database::with_settings;
use crate::sales::{postback, sale};
use crate::{insert_conversions, insert_postbacks};

/// The blocks of a language, in order: of those for an administrator, the word stands behind it.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = page.split(&fence).skip(1);
    parts
        .map(|part| part.split("\n```").next().unwrap().to_owned())
        .collect()
}

fn page() -> String {
    page_of("sql.md")
}

fn page_of(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    std::fs::read_to_string(docs.join(name)).unwrap()
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

/// What the query answers that stands below these words of the page.
async fn answer(settings: &ClickHouseSettings, below: &str) -> Value {
    let page = page();
    let (_, rest) = page.split_once(below).unwrap();
    let query = blocks(rest, "sql").swap_remove(0);
    let answer = ask(settings, &query, LIMITS).await;
    let answer = answer.unwrap_or_else(|error| panic!("{query}\n{error}"));
    answer.rows.into_iter().map(Value::from).collect()
}

/// Noon of so many days ago, UTC.
fn noon(days: i64) -> String {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).start_of_day();
    let noon = today.unwrap().timestamp() + SignedDuration::from_hours(12 - 24 * days);
    noon.to_string()
}

fn taken_back(row: ConversionRow<'_>) -> ConversionRow<'_> {
    ConversionRow {
        status: "reversed",
        ..row
    }
}

/// Sales of three days ago: those that are taken back by rows of their own, as Rakuten does, and one
/// that was revised, as others do.
fn earnings() -> [Vec<ConversionRow<'static>>; 2] {
    let at = noon(3);
    let of = |key, click, amounts| sale(key, "", click, "USD", amounts, &at);
    let approved = |row| ConversionRow {
        status: "approved",
        ..row
    };
    let campaign = |row| ConversionRow {
        sub_ids: vec![("campaign", "spring")],
        ..row
    };
    let rows = vec![
        of(1, "a", ("100", "10")),
        campaign(of(2, "a", ("40", "4"))),
        campaign(taken_back(of(3, "a", ("-40", "-4")))),
        campaign(approved(of(4, "a", ("30", "3")))),
        ConversionRow {
            status: "rejected",
            ..campaign(of(5, "a", ("999", "99")))
        },
        campaign(approved(of(6, "a", ("50", "5.5")))),
        approved(of(7, "b", ("60", "6"))),
        taken_back(of(8, "b", ("-60", "-6"))),
        taken_back(of(9, "c", ("-15", "-1.5"))),
        ConversionRow {
            commission_currency: "EUR",
            ..of(10, "a", ("70", "7.25"))
        },
        ConversionRow {
            sale_amount: None,
            commission: None,
            ..of(11, "a", ("0", "0"))
        },
        of(12, "", ("5", "0.5")),
        ConversionRow {
            kind: "signal",
            ..of(13, "", ("5", "0.5"))
        },
    ];
    let revised = taken_back(campaign(of(4, "a", ("30", "3"))));
    let revised = ConversionRow {
        revision: 2,
        ..revised
    };
    [rows, vec![revised]]
}

#[tokio::test]
async fn what_was_taken_back_earns_nothing() {
    with_settings("page_earned", |loader, settings| async move {
        for rows in earnings() {
            insert_conversions(&loader, rows).await;
        }
        let earned = answer(&settings, "What each click id").await;
        let expected = json!([
            // 10 + 4 - 4 + 0 + 5.5; approved 5.5 - 4.
            ["a", "USD", 5, "15.5", "1.5"],
            ["a", "EUR", 1, "7.25", "0"],
            ["b", "USD", 1, "0", "0"],
            ["c", "USD", 0, "-1.5", "0"],
        ]);
        assert_eq!(earned, expected);
        let sales = answer(&settings, "By a sub id of your own").await;
        let expected = json!([
            // 100 + 60 - 60 - 15 + 70 + 5; 40 - 40 + 0 + 50.
            ["", "USD", 5, "160"],
            ["spring", "USD", 3, "50"],
        ]);
        assert_eq!(sales, expected);
        let revenue = answer(&settings, "Revenue of the last 30 days").await;
        // 100 + 40 + 30 + 50 + 60 + 70 + 5; 40 + 60 + 15 + 30.
        let day = &noon(3)[..10];
        assert_eq!(revenue, json!([[day, "USD", "355", "-145", "210"]]));
        let unattributed = answer(&settings, "Share of sales without a click id").await;
        assert_eq!(unattributed, json!([["10", 8, 12.5]]));
    })
    .await;
}

#[tokio::test]
async fn an_order_is_reported_by_its_number_where_it_names_no_advertiser() {
    with_settings("page_orders", |loader, settings| async move {
        let at = noon(1);
        let sold = |key, order, advertiser| ConversionRow {
            advertiser_id: advertiser,
            ..sale(key, order, "", "USD", ("10", "1"), &at)
        };
        let own = |key, order, advertiser| ConversionRow {
            kind: "order",
            status: "placed",
            ..sold(key, order, advertiser)
        };
        let rows = vec![
            own(1, "known", ""),
            sold(101, "known", "10"),
            own(2, "lost", ""),
            own(3, "another advertiser's", "10"),
            sold(103, "another advertiser's", "20"),
            own(4, "known by both", "10"),
            sold(104, "known by both", "10"),
            own(5, "taken back", "10"),
            taken_back(sold(105, "taken back", "10")),
            own(6, "signal", ""),
            ConversionRow {
                kind: "signal",
                ..sold(106, "signal", "10")
            },
            ConversionRow {
                status: "cancelled",
                ..own(7, "cancelled", "")
            },
            ConversionRow {
                kind: "order",
                status: "placed",
                ..sale(8, "today's", "", "USD", ("10", "1"), &noon(0))
            },
        ];
        insert_conversions(&loader, rows).await;
        let listed = answer(&settings, "Orders of yesterday").await;
        let mut listed: Vec<_> = (listed.as_array().unwrap().iter())
            .map(|row| (row[0].as_str().unwrap(), row[1].as_str().unwrap()))
            .collect();
        listed.sort_unstable();
        let expected = [("", "lost"), ("", "signal"), ("10", "another advertiser's")];
        assert_eq!(listed, expected);
    })
    .await;
}

#[tokio::test]
async fn a_statement_stands_beside_the_postbacks_of_its_network() {
    with_settings("page_statement", |loader, settings| async move {
        let at = noon(3);
        let told = |key, amounts| sale(key, "", "", "USD", amounts, &at);
        let stated = |key, source, amounts| ConversionRow {
            kind: "statement",
            source,
            ..told(key, amounts)
        };
        let rows = vec![
            told(1, ("100", "10")),
            taken_back(told(2, ("-40", "-4"))),
            // Revised, its money as it was.
            taken_back(told(3, ("30", "3"))),
            ConversionRow {
                currency: "GBP",
                ..told(4, ("20", "2"))
            },
            ConversionRow {
                network: "awin",
                ..told(5, ("50", "5"))
            },
            stated(6, "rakuten-items", ("100", "10")),
            taken_back(stated(7, "rakuten-items", ("-10", "-1"))),
            ConversionRow {
                currency: "GBP",
                ..stated(8, "rakuten-items", ("20", "2"))
            },
            // The other form of it.
            stated(9, "rakuten-feed", ("100", "10")),
        ];
        insert_conversions(&loader, rows).await;
        let beside = answer(&settings, "What the network's statement says").await;
        // 10 - 4 + 0 + 2; 10 - 1 + 2.
        let day = &noon(3)[..10];
        assert_eq!(beside, json!([[day, "USD", "8", "11", "3"]]));
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

#[tokio::test]
async fn a_person_is_erased_everywhere_and_stays_in_no_statement() {
    with_settings("erased", |loader, _| async move {
        const AT: &str = "2026-09-01T10:00:00Z";
        let url = [Cow::Borrowed("https://shop.example.com/?u1=CLICK&b=1")];
        let other = [Cow::Borrowed("kept")];
        let of = |key, click| sale(key, "", click, "USD", ("1", "1"), AT);
        let rows = vec![
            of(1, "CLICK"),
            ConversionRow {
                extra: vec![("page", &url[..]), ("b", &other[..])],
                ..of(2, "kept")
            },
            ConversionRow {
                sub_ids: vec![("a", "x-CLICK"), ("b", "kept")],
                ..of(3, "kept")
            },
        ];
        insert_conversions(&loader, rows).await;
        let of = |number, raw, detail| PostbackRow {
            raw,
            detail,
            ..postback(number, number, AT, number.try_into().unwrap())
        };
        let rows = vec![
            of(1, r#"{"query":"u1=CLICK","remote":"203.0.113.7"}"#, ""),
            of(2, "blake3:00", "Cannot parse 'CLICK'"),
            of(3, r#"{"query":"u1=kept","remote":"203.0.113.7"}"#, "kept"),
        ];
        insert_postbacks(&loader, rows).await;
        let operations = page_of("operations.md");
        let (_, section) = operations.split_once("## Erasing a person").unwrap();
        let statements = blocks(section, "sql").swap_remove(0);
        for statement in statements.split(";\n") {
            let statement = statement.trim_end_matches(';');
            loader.query_raw(statement).execute().await.unwrap();
        }
        let ask = |sql: &'static str| loader.query_raw(sql).fetch_one::<String>();
        let conversions = "SELECT toString(groupArray((click_id, sub_ids, extra))) FROM \
             (SELECT * FROM conversions_g1 ORDER BY conversion_key)";
        assert_eq!(
            ask(conversions).await.unwrap(),
            "[('erased',{},{}),\
             ('kept',{},{'page':['https://shop.example.com/?u1=erased&b=1'],'b':['kept']}),\
             ('kept',{'a':'x-erased','b':'kept'},{})]"
        );
        let postbacks = "SELECT toString(groupArray((raw, remote, detail))) FROM \
             (SELECT * FROM postbacks_g1 ORDER BY id)";
        assert_eq!(
            ask(postbacks).await.unwrap(),
            "[('{\"query\":\"u1=erased\",\"remote\":null}','',''),\
             ('blake3:00','','erased'),\
             ('{\"query\":\"u1=kept\",\"remote\":\"203.0.113.7\"}','203.0.113.7','kept')]"
        );
        let kept = "SELECT toString((count(), countIf(position(command, 'CLICK') > 0))) FROM system.mutations \
             WHERE database = currentDatabase()";
        assert_eq!(ask(kept).await.unwrap(), "(2,0)");
    })
    .await;
}
