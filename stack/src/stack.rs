//! Both servers, and the environment that points Postback at them.

use std::path::PathBuf;

use crate::{
    Cancellation, ClickHouseOptions, ClickHouseServer, Installation, KafkaOptions, KafkaServer,
    StackError,
};

/// Environment variable: Kafka's bootstrap servers.
pub const KAFKA_BROKERS: &str = "POSTBACK__KAFKA__BROKERS";
/// Environment variable: ClickHouse's HTTP address.
pub const CLICKHOUSE_URL: &str = "POSTBACK__CLICKHOUSE__URL";
/// Environment variable: ClickHouse's user.
pub const CLICKHOUSE_USER: &str = "POSTBACK__CLICKHOUSE__USER";
/// Environment variable: that user's password.
pub const CLICKHOUSE_PASSWORD: &str = "POSTBACK__CLICKHOUSE__PASSWORD";

/// How to start both servers.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The broker.
    pub kafka: KafkaOptions,
    /// The database.
    pub clickhouse: ClickHouseOptions,
}

impl StackOptions {
    /// Both in subdirectories of this one, on free ports.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self {
            kafka: KafkaOptions::new(directory.join("kafka")),
            clickhouse: ClickHouseOptions::new(directory.join("clickhouse")),
        }
    }
}

/// Both servers; killed when dropped.
#[derive(Debug)]
pub struct Stack {
    /// The broker.
    pub kafka: KafkaServer,
    /// The database.
    pub clickhouse: ClickHouseServer,
}

impl Stack {
    /// Starts both and waits until both serve: about four seconds.
    ///
    /// # Errors
    /// When one of them does not start; the other one is stopped then.
    pub fn start(
        installation: &Installation,
        options: StackOptions,
        cancellation: &Cancellation,
    ) -> Result<Self, StackError> {
        let StackOptions { kafka, clickhouse } = options;
        let clickhouse = ClickHouseServer::start(installation, clickhouse, cancellation)?;
        let kafka = KafkaServer::start(installation, kafka, cancellation)?;
        Ok(Self { kafka, clickhouse })
    }

    /// Names and values of the environment variables that point Postback at these servers.
    /// One of them is the password.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            (KAFKA_BROKERS, self.kafka.brokers()),
            (CLICKHOUSE_URL, self.clickhouse.url()),
            (CLICKHOUSE_USER, crate::clickhouse::USER.to_owned()),
            (
                CLICKHOUSE_PASSWORD,
                self.clickhouse.password().reveal().to_owned(),
            ),
        ]
    }

    /// Stops both in order.
    pub fn stop(&self) {
        self.clickhouse.stop();
        self.kafka.stop();
    }
}
