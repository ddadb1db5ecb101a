//! What Kafka and ClickHouse refuse, in words: what, at which address, what to do.

use postback_common::config::ClickHouseSettings;
use postback_service::kafka::PublishError;
use postback_service::topic::TopicError;
use postback_store::StoreError;

use crate::ending::Failure;

/// Something that is not well, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Trouble {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn of_kafka(error: &TopicError) -> Self {
        Self::new(error.to_string(), error.remedy())
    }

    pub(crate) fn of_clickhouse(error: &StoreError, settings: &ClickHouseSettings) -> Self {
        let code = error.code.map(|code| format!(" [code {code}]"));
        let what = format!(
            "ClickHouse at {}, database {}: {}: {}{}",
            settings.url,
            settings.database,
            error.attempt,
            error.message,
            code.unwrap_or_default()
        );
        Self::new(what, &*error.remedy)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n    remedy: {}", self.what, self.remedy)
    }
}

impl std::error::Error for Trouble {}

impl From<PublishError> for Trouble {
    fn from(error: PublishError) -> Self {
        Self::new(error.to_string(), error.remedy())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Trouble::from(error).into()
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::failed(trouble)
    }
}
