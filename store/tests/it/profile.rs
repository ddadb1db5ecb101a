//! What the user's profile says must not make parts of answers, nor of inserts, look like wholes.
//!
//! A profile's settings hold for a user as a session's hold for its statements: sessions stand for
//! profiles here, which the tests' user may not make.

use std::collections::BTreeSet;
use std::time::Duration;

use clickhouse::Client;
use postback_store::ask::{AskError, Limits, ask};
use postback_store::history::{lacking, slices};
use postback_store::insert::{self, Conversions};
use postback_store::rows::PostbackRow;
use postback_store::{Generation, Kind, StoreError, check, migrate, settings_arrive};
use uuid::Uuid;

use crate::database::{Database, FIRST, with_database, with_tables};
use crate::proxy;
use crate::rows::{conversion, postback};

/// More than ClickHouse has at once.
const MANY: usize = 20_000;

const LIMITS: Limits = Limits {
    within: Duration::from_secs(10),
    rows: Some(5),
    memory: 1 << 30,
};

/// The consumer's client, of a user who has these settings.
async fn with_profile(database: &Database, settings: &str) -> Client {
    let session = Uuid::now_v7().to_string();
    let client = database.client.clone().with_setting("session_id", session);
    let set = format!("SET {settings}");
    client.query_raw(&set).execute().await.unwrap();
    client
}

/// What generation 2 lacks of the first one.
async fn lacked(client: &Client) -> Result<BTreeSet<Uuid>, StoreError> {
    let mut found = BTreeSet::new();
    for slice in slices(client, Generation::FIRST).await? {
        let second = Generation::new(2).unwrap();
        let mut rows = lacking(client, Generation::FIRST, second, &slice)?;
        while let Some(lacked) = rows.next().await? {
            found.insert(lacked.kept.id);
        }
    }
    Ok(found)
}

#[test]
fn what_a_replay_lacks_is_whole_or_an_error() {
    with_tables(|database| async move {
        let ids: BTreeSet<Uuid> = std::iter::repeat_with(Uuid::now_v7).take(MANY).collect();
        let rows = ids.iter().map(|id| PostbackRow {
            id: *id,
            ..postback()
        });
        database.insert_postbacks(rows).await.unwrap();
        database
            .execute("CREATE TABLE postbacks_g2 AS postbacks_g1")
            .await;
        for (limit, mode, code) in [
            ("max_result_rows", "result_overflow_mode", 396),
            ("max_rows_to_read", "read_overflow_mode", 158),
        ] {
            let settings = format!("{limit} = 10, max_block_size = 5, {mode} = 'break'");
            let client = with_profile(&database, &settings).await;
            let cut = lacked(&client.clone().with_setting(mode, "break")).await;
            assert!(cut.unwrap().len() < MANY, "{settings}: the limit is one");
            let error = lacked(&client).await.unwrap_err();
            assert_eq!(error.code, Some(code), "{settings}: {error}");
        }
        let client = with_profile(&database, "limit = 10, offset = 1").await;
        assert_eq!(lacked(&client).await.unwrap(), ids);
        // Not ended in its midst: what comes is loaded meanwhile.
        let slow = with_profile(&database, "max_execution_time = 0.001").await;
        let slices = slices(&database.client, Generation::FIRST).await.unwrap();
        let second = Generation::new(2).unwrap();
        let mut rows = lacking(&slow, Generation::FIRST, second, &slices[0]).unwrap();
        let mut found = BTreeSet::new();
        while let Some(lacked) = rows.next().await.unwrap() {
            found.insert(lacked.kept.id);
        }
        assert_eq!(found, ids);
    });
}

#[test]
fn a_batch_is_stored_whole_whatever_time_a_profile_gives() {
    with_tables(|database| async move {
        let settings = "max_execution_time = 0.001, timeout_overflow_mode = 'break'";
        let client = with_profile(&database, settings).await;
        let months = (0..150_i32).map(|month| {
            let mut row = conversion();
            row.key_day =
                jiff::civil::date(2001, 1, 1).saturating_add(jiff::Span::new().months(month));
            row
        });
        let insert = async |client: &Client| {
            let mut rows: Conversions = months.clone().collect();
            insert::conversions(client, Generation::FIRST, [&mut rows], || {}).await
        };
        insert(&client).await.unwrap();
        assert_eq!(database.ask("SELECT count() FROM conversions").await, "150");
        let client = client.with_setting("max_execution_time", "0.001");
        let error = insert(&client).await.unwrap_err();
        assert_eq!(error.code, Some(159), "{error}");
    });
}

#[test]
fn words_of_a_profile_do_not_change_what_our_questions_mean() {
    with_tables(|database| async move {
        let settings = "aggregate_functions_null_for_empty = 1, group_by_use_nulls = 1";
        let client = with_profile(&database, settings).await;
        let slices = slices(&client, Generation::FIRST).await.unwrap();
        assert_eq!(slices, []);
        let sum = client.query_raw("SELECT sum(kafka_offset) FROM postbacks");
        assert_eq!(sum.fetch_one::<u64>().await.unwrap(), 0);
    });
}

#[test]
fn a_proxy_that_drops_settings_is_found_out() {
    with_database(|mut database| async move {
        settings_arrive(&database.client.clone().with_database("default"))
            .await
            .unwrap();
        database.migrate(&[]).await.unwrap();
        let direct = ask(&database.settings, "SELECT 1", LIMITS).await.unwrap();
        assert_eq!(direct.rows.len(), 1);

        database.settings.url = proxy::without_settings(&database.settings.url);
        let settings = &database.settings;
        let errors = [
            migrate(settings, FIRST).await.unwrap_err(),
            check::check(settings).await.unwrap_err(),
            match ask(settings, "SELECT 1", LIMITS).await.unwrap_err() {
                AskError::Store(error) => error,
                other => panic!("{other}"),
            },
        ];
        for error in errors {
            assert_eq!((error.kind, error.code), (Kind::Setup, None), "{error}");
            assert!(error.remedy.contains("proxy"), "{error}");
        }
    });
}

/// As ClickHouse answers a user with `readonly = 1`, and one whose profile fixes a limit.
#[tokio::test]
async fn who_may_not_be_given_limits_is_told_from_a_question_that_sets_them() {
    for (words, code) in [
        (
            "Code: 164. DB::Exception: Cannot modify 'max_execution_time' setting in readonly mode. (READONLY)",
            164,
        ),
        (
            "Code: 452. DB::Exception: Setting max_memory_usage should not be changed. (SETTING_CONSTRAINT_VIOLATION)",
            452,
        ),
    ] {
        let mut settings = crate::database::settings("default");
        settings.url = proxy::that_says(words);
        let error = ask(&settings, "SELECT 1", LIMITS).await.unwrap_err();
        let AskError::Unlimited(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.code, Some(code), "{error}");
    }
    for statement in [
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_memory_usage = 0",
    ] {
        let settings = crate::database::settings("default");
        let error = ask(&settings, statement, LIMITS).await.unwrap_err();
        assert!(matches!(error, AskError::Store(_)), "{error}");
    }
}
