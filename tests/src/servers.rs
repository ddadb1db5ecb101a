//! The servers that all tests of a run share.

use std::path::PathBuf;

use postback_stack::clickhouse::Password;
use postback_stack::stack::{CLICKHOUSE_PASSWORD, CLICKHOUSE_URL, CLICKHOUSE_USER, KAFKA_BROKERS};

use crate::database::Database;

/// Where Kafka and ClickHouse are, and how to log in.
#[derive(Debug, Clone)]
pub struct Servers {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// ClickHouse over HTTP.
    pub clickhouse_url: String,
    /// Its user.
    pub clickhouse_user: String,
    /// That user's password.
    pub clickhouse_password: String,
}

impl Servers {
    /// The servers that the environment names.
    ///
    /// # Panics
    /// Without them: a test that needs servers must not pass without.
    #[must_use]
    pub fn from_environment() -> Self {
        let given = |name: &str| std::env::var(name).ok();
        let needed = |name: &str| {
            given(name).unwrap_or_else(|| {
                panic!("{name} is not set: run `cargo xtask test`, or `cargo xtask stack up` and export what it prints")
            })
        };
        Self {
            brokers: needed(KAFKA_BROKERS),
            clickhouse_url: needed(CLICKHOUSE_URL),
            clickhouse_user: given(CLICKHOUSE_USER).unwrap_or_else(|| "default".to_owned()),
            clickhouse_password: given(CLICKHOUSE_PASSWORD).unwrap_or_default(),
        }
    }

    /// One database of this ClickHouse.
    #[must_use]
    pub fn database(&self, name: &str) -> Database {
        Database::new(
            &self.clickhouse_url,
            &self.clickhouse_user,
            Password::new(&self.clickhouse_password),
            name,
        )
    }
}

/// Where a run keeps what its processes print: `POSTBACK_TEST_LOG_DIR`, else a directory below the
/// build's.
#[must_use]
pub fn log_directory() -> PathBuf {
    let directory = std::env::var_os("POSTBACK_TEST_LOG_DIR").map_or_else(
        || crate::program::binaries().join("test-logs"),
        PathBuf::from,
    );
    std::fs::create_dir_all(&directory).expect("the log directory can be made");
    directory
}
