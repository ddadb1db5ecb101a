//! What the server really answers.

use postback_common::secret::Secret;
use postback_store::{Kind, Role, check, client};

use crate::database::{settings, with_database, with_tables};
use crate::rows::{conversion, postback};

const CANARY: &str = "canary-3f1c";

#[tokio::test]
async fn a_wrong_password_is_a_matter_of_setup_and_is_not_repeated() {
    let mut settings = settings("default");
    settings.password = Some(Secret::new(CANARY));
    let error = check::ping(&client(&settings, Role::Query).unwrap())
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Setup, Some(516)));
    assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    assert!(error.remedy.contains("clickhouse.password"), "{error}");
}

#[test]
fn an_unknown_database_and_an_unknown_table_are_matters_of_setup() {
    with_database(|database| async move {
        let error = check::ping(&database.client).await.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Setup, Some(81)));
    });
    with_tables(|database| async move {
        database.execute("DROP TABLE conversions_g1 SYNC").await;
        let error = database.insert_conversions([conversion()]).await;
        let error = error.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Setup, Some(60)));
        assert_eq!(error.attempt, "insert into conversions_g1");
    });
}

#[tokio::test]
async fn nobody_at_home_is_an_outage() {
    let mut settings = settings("default");
    // Nothing listens on port 1 of the loopback interface.
    settings.url = "http://127.0.0.1:1".to_owned();
    let error = check::ping(&client(&settings, Role::Query).unwrap())
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Outage, None));
    assert!(error.message.contains("refused"), "{error}");
}

#[test]
fn a_refused_row_is_a_data_error_until_the_table_is_mended() {
    with_tables(|database| async move {
        let insert = || database.insert_conversions([conversion()]);
        database
            .execute("ALTER TABLE conversions_g1 ADD CONSTRAINT small CHECK quantity < 0")
            .await;
        let error = insert().await.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Data, Some(469)));
        assert!(error.message.contains("small"), "{error}");
        database
            .execute("ALTER TABLE conversions_g1 DROP CONSTRAINT small")
            .await;
        insert().await.unwrap();
    });
}

#[test]
fn other_columns_are_found_and_mending_them_is_enough() {
    with_tables(|database| async move {
        let insert = || database.insert_postbacks([postback()]);
        insert().await.unwrap();
        database
            .execute("ALTER TABLE postbacks_g1 RENAME COLUMN remote TO peer")
            .await;
        let refused = insert().await.unwrap_err();
        assert_eq!(refused.kind, Kind::Setup, "{refused}");
        let refused = insert().await.unwrap_err();
        assert_eq!(refused.kind, Kind::Setup, "{refused}");
        database
            .execute("ALTER TABLE postbacks_g1 RENAME COLUMN peer TO remote")
            .await;
        insert().await.unwrap();
    });
}

#[test]
fn a_month_a_row_is_no_pressure() {
    with_tables(|database| async move {
        let months = (0..150_i32).map(|month| {
            let mut row = conversion();
            row.key_day =
                jiff::civil::date(2001, 1, 1).saturating_add(jiff::Span::new().months(month));
            row
        });
        let rows: Vec<_> = months.collect();
        database.insert_conversions(rows).await.unwrap();
        assert_eq!(database.ask("SELECT count() FROM conversions").await, "150");
    });
}
