//! A database for one test.

use std::env;
use std::future::Future;

use postback_common::config::ClickHouseSettings;
use postback_common::secret::Secret;
use postback_store::reports::Reader;
use postback_store::{Manifest, Role, client, migrate};

/// Makes a migrated database, runs `test` on it, drops it.
pub(crate) async fn with_database<F: Future<Output = ()>>(
    name: &str,
    test: impl FnOnce(clickhouse::Client, Reader) -> F,
) {
    with_settings(name, |loader, settings| async move {
        let reader = Reader::of_active(&settings).await.unwrap();
        test(loader, reader).await;
    })
    .await;
}

/// The same for a test that connects by itself.
pub(crate) async fn with_settings<F: Future<Output = ()>>(
    name: &str,
    test: impl FnOnce(clickhouse::Client, ClickHouseSettings) -> F,
) {
    let settings = settings(&format!("reports_{name}_{}", std::process::id()));
    let manifest = Manifest {
        normaliser_version: 1,
        rules: "{}",
        made_by: "test",
    };
    migrate(&settings, manifest).await.unwrap();
    let loader = client(&settings, Role::Load).unwrap();
    // Some tests are long, and so are their futures.
    Box::pin(test(loader.clone(), settings.clone())).await;
    let drop = format!("DROP DATABASE {}", settings.database);
    loader.query(&drop).execute().await.unwrap();
}

fn settings(database: &str) -> ClickHouseSettings {
    let variable = |key: &str| {
        let name = format!("POSTBACK__CLICKHOUSE__{key}");
        env::var(&name).unwrap_or_else(|_| {
            panic!("{name} is not set: these tests need a ClickHouse; run `cargo xtask stack up` and take what it prints")
        })
    };
    ClickHouseSettings {
        url: variable("URL"),
        database: database.to_owned(),
        user: variable("USER"),
        password: Some(Secret::new(variable("PASSWORD"))),
        keep_days: None,
    }
}
