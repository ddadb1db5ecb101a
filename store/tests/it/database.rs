//! A database of its own for each test.

use std::future::Future;

use clickhouse::Client;
use postback_common::config::ClickHouseSettings;
use postback_common::secret::Secret;
use postback_store::insert::{self, Conversions, Postbacks};
use postback_store::rows::{ConversionRow, PostbackRow};
use postback_store::{
    Event, Generation, Lineage, Manifest, Report, Role, StoreError, WantedIdentity, generations,
    identities,
};
use uuid::Uuid;

pub(crate) const FIRST: Manifest<'static> = Manifest {
    normaliser_version: 1,
    rules: r#"{"sources":["a"]}"#,
    made_by: "test 0",
};

/// A database that is dropped at the end, also when the test fails.
pub(crate) struct Database {
    pub(crate) settings: ClickHouseSettings,
    /// As the consumer's, so that inserts run with its settings.
    pub(crate) client: Client,
}

fn variable(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) => value,
        Err(_) => panic!(
            "{name} is not set: this test needs a real ClickHouse. Run `cargo xtask test`, or `cargo xtask stack up` and set what it prints"
        ),
    }
}

pub(crate) fn settings(database: &str) -> ClickHouseSettings {
    ClickHouseSettings {
        url: variable("POSTBACK__CLICKHOUSE__URL"),
        database: database.to_owned(),
        user: variable("POSTBACK__CLICKHOUSE__USER"),
        password: Some(Secret::new(variable("POSTBACK__CLICKHOUSE__PASSWORD"))),
        keep_days: None,
    }
}

impl Database {
    pub(crate) async fn insert_conversions<'a>(
        &self,
        rows: impl IntoIterator<Item = ConversionRow<'a>>,
    ) -> Result<(), StoreError> {
        let mut rows: Conversions = rows.into_iter().collect();
        insert::conversions(&self.client, Generation::FIRST, [&mut rows], || {}).await
    }

    pub(crate) async fn insert_postbacks<'a>(
        &self,
        rows: impl IntoIterator<Item = PostbackRow<'a>>,
    ) -> Result<(), StoreError> {
        let mut rows: Postbacks = rows.into_iter().collect();
        insert::postbacks(&self.client, Generation::FIRST, [&mut rows], || {}).await
    }

    fn named_anew() -> Self {
        let settings = settings(&format!("store_test_{}", Uuid::now_v7().simple()));
        let client = postback_store::client(&settings, Role::Load).unwrap();
        Self { settings, client }
    }

    pub(crate) async fn migrate(&self, accounts: &[WantedIdentity]) -> Result<Report, StoreError> {
        let mut report = postback_store::migrate(&self.settings, FIRST).await?;
        let settled = identities::settle(&self.client, report.active, &[], accounts).await?;
        report.steps.extend(settled.steps);
        Ok(report)
    }

    /// Records a switch of readers as a coordinator does. The views stay what they are.
    pub(crate) async fn switch_to(&self, generation: Generation) -> Lineage {
        let held = Event::Held(format!("{generation} comes"));
        for event in [Event::ActivationAsked, held] {
            let recorded = generations::record(&self.client, generation, &event).await;
            recorded.unwrap();
        }
        let activated = generations::record(&self.client, generation, &Event::Activated);
        activated.await.unwrap()
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.client.query_raw(sql).execute().await.unwrap();
    }

    /// The first column of the first row, as text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let sql = format!("SELECT toString(x) FROM ({sql}) AS t(x)");
        self.client.query_raw(&sql).fetch_one().await.unwrap()
    }
}

/// Runs a test in a runtime of its own with an empty, unmade database.
pub(crate) fn with_database<F: Future<Output = ()>>(test: impl FnOnce(Database) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let database = Database::named_anew();
        let name = database.settings.database.clone();
        let server = postback_store::client(&settings("default"), Role::Query).unwrap();
        let outcome =
            futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(test(database)));
        let outcome = outcome.await;
        let drop = format!("DROP DATABASE IF EXISTS {name}");
        server.query_raw(&drop).execute().await.unwrap();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The same with everything migrated.
pub(crate) fn with_tables<F: Future<Output = ()>>(test: impl FnOnce(Database) -> F) {
    with_database(|database| async {
        database.migrate(&[]).await.unwrap();
        test(database).await;
    });
}
