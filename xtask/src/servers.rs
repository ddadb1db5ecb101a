//! Kafka and ClickHouse for a demo or a test run: those of the environment, or our own.

use std::path::Path;

use anyhow::bail;
use postback_stack::stack::{CLICKHOUSE_PASSWORD, CLICKHOUSE_URL, CLICKHOUSE_USER, KAFKA_BROKERS};
use postback_stack::{Cancellation, ClickHouseClient, Installation, Password, Stack, StackOptions};

/// Where the servers are, and how to log in.
pub(crate) struct Servers {
    /// `host:port`, several separated by commas.
    pub(crate) brokers: String,
    /// ClickHouse over HTTP.
    pub(crate) clickhouse_url: String,
    /// Its user.
    pub(crate) clickhouse_user: String,
    /// That user's password.
    pub(crate) clickhouse_password: Password,
    /// Set when they are our own; they stop with it.
    own: Option<Stack>,
}

impl Servers {
    /// The servers that the environment names, if it does.
    ///
    /// # Errors
    /// When it names only one of them.
    pub(crate) fn given() -> anyhow::Result<Option<Self>> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (brokers, url) = match (variable(KAFKA_BROKERS), variable(CLICKHOUSE_URL)) {
            (None, None) => return Ok(None),
            (Some(brokers), Some(url)) => (brokers, url),
            (Some(_), None) => bail!(
                "{KAFKA_BROKERS} is set and {CLICKHOUSE_URL} is not: set both, or none to have both started"
            ),
            (None, Some(_)) => bail!(
                "{CLICKHOUSE_URL} is set and {KAFKA_BROKERS} is not: set both, or none to have both started"
            ),
        };
        Ok(Some(Self {
            brokers,
            clickhouse_url: url,
            clickhouse_user: variable(CLICKHOUSE_USER).unwrap_or_else(|| "default".to_owned()),
            clickhouse_password: Password::new(variable(CLICKHOUSE_PASSWORD).unwrap_or_default()),
            own: None,
        }))
    }

    /// Starts our own on free ports.
    pub(crate) fn start(
        installation: &Installation,
        directory: &Path,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Self> {
        let stack = Stack::start(installation, StackOptions::new(directory), cancellation)?;
        Ok(Self {
            brokers: stack.kafka.brokers(),
            clickhouse_url: stack.clickhouse.url(),
            clickhouse_user: postback_stack::clickhouse::USER.to_owned(),
            clickhouse_password: stack.clickhouse.password().clone(),
            own: Some(stack),
        })
    }

    /// Whether they go away with this.
    pub(crate) fn are_own(&self) -> bool {
        self.own.is_some()
    }

    /// The variables that point Postback at them; one is the password.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        [
            (KAFKA_BROKERS, self.brokers.clone()),
            (CLICKHOUSE_URL, self.clickhouse_url.clone()),
            (CLICKHOUSE_USER, self.clickhouse_user.clone()),
            (
                CLICKHOUSE_PASSWORD,
                self.clickhouse_password.reveal().to_owned(),
            ),
        ]
    }

    /// Asks this ClickHouse.
    pub(crate) fn clickhouse(&self) -> ClickHouseClient {
        let password = self.clickhouse_password.clone();
        ClickHouseClient::new(&self.clickhouse_url, &self.clickhouse_user, password)
    }

    /// Stops our own in order; leaves others alone.
    pub(crate) fn stop(&self) {
        if let Some(stack) = &self.own {
            stack.stop();
        }
    }
}
