//! Why a backfill cannot begin, or cannot go on.

use std::time::Duration;

use postback_common::config::Identity;
use postback_common::name::{AccountName, SourceName};
use postback_network::{ApiError, Window};
use postback_service::kafka::PublishError;
use postback_store::{Generation, StoreError};

/// Why a backfill cannot begin, or cannot go on. What was sent before stays, and is noted: the same
/// command goes on.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// The account's conversions are known by something else: a fetched one would count beside its push.
    #[error(
        "account {account} knows its conversions by {identity}, and what is fetched can be told from what was pushed only by transaction_id"
    )]
    Identity {
        /// The source's.
        account: AccountName,
        /// Its identity.
        identity: Identity,
    },
    /// By the network's profile nothing of the kind can be fetched.
    #[error(
        "the profile of network {network} has no date by which its transactions were processed"
    )]
    Network {
        /// The source's.
        network: String,
    },
    /// Nothing of the source was ever loaded.
    #[error("generation {generation} of the tables does not know source {origin}")]
    UnknownSource {
        /// The source.
        origin: SourceName,
        /// The active one.
        generation: Generation,
    },
    /// Consumers of another version load the tables that readers see.
    #[error(
        "generation {generation} is loaded by programs with normaliser version {theirs}, which do not read what is fetched"
    )]
    Normaliser {
        /// The active one.
        generation: Generation,
        /// Theirs.
        theirs: u32,
    },
    /// The recorded rules are not understood.
    #[error("{0}")]
    Rules(String),
    /// ClickHouse.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Kafka does not say how far the loading is.
    #[error("{0}")]
    Lag(String),
    /// Nothing is loaded.
    #[error("{waiting} records that Kafka has wait to be loaded, and for {seconds} s none was")]
    Loader {
        /// Records.
        waiting: u64,
        /// For so long.
        seconds: u64,
    },
    /// Kafka takes nothing.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The network's API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The API caps pages below what it is asked for, so that a short page is not the last.
    #[error("the question for transactions: the network gives only {given} at once")]
    PageSize {
        /// Transactions of a page.
        given: usize,
    },
    /// Pages of one second that do not end, or repeat themselves.
    #[error("the question for transactions: the pages from {window} (UTC) do not come to an end")]
    Endless {
        /// What was asked for.
        window: Window,
    },
    /// Something else at every pass.
    #[error(
        "the question for transactions: what the network gives from {window} (UTC) is different each time"
    )]
    Restless {
        /// What was asked for.
        window: Window,
    },
    /// All that came first can be no row.
    #[error(
        "none of the first {seen} transactions that the network gave can be a conversion: {reason}"
    )]
    Unreadable {
        /// How many were looked at.
        seen: usize,
        /// Of the first one.
        reason: &'static str,
    },
    /// A fault of ours.
    #[error("reading stopped by itself: {0}")]
    Internal(String),
}

impl BackfillError {
    /// The machine-readable reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Identity { .. } => "identity",
            Self::Network { .. } => "network",
            Self::UnknownSource { .. } => "unknown_source",
            Self::Normaliser { .. } => "normaliser_version",
            Self::Rules(_) => "rules",
            Self::Store(error) => error.kind.as_str(),
            Self::Lag(_) => "kafka_lag",
            Self::Loader { .. } => "not_loading",
            Self::Publish(error) => error.reason(),
            Self::Api(error) => error.reason(),
            Self::PageSize { .. } => "page_size",
            Self::Endless { .. } => "endless_pages",
            Self::Restless { .. } => "restless_pages",
            Self::Unreadable { .. } => "unreadable_transactions",
            Self::Internal(_) => "internal",
        }
    }

    /// How long the network asks to be left alone.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after(),
            _ => None,
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::Store(error) => &*error.remedy,
            Self::Publish(error) => return error.remedy(),
            Self::Api(error) => error.remedy(),
            Self::PageSize { given } => {
                return format!("set page_size = {given} in [source.api]; run it again");
            }
            Self::Identity { .. } => {
                "add the transaction's id to the template, here and at the network, and load everything anew with `postback replay start`"
            }
            Self::Network { .. } => "give the source a profile that has it (docs/networks.md)",
            Self::UnknownSource { .. } => {
                "start or reload postback-consumer with this configuration, then run it again"
            }
            Self::Normaliser { .. } => {
                "load the tables anew with `postback replay start --activate`, then run it again"
            }
            Self::Rules(_) => "use the version of Postback that recorded them",
            Self::Lag(_) => "see `postback doctor`; run it again",
            Self::Loader { .. } => {
                "start postback-consumer, or see `postback doctor` for why it does not load; run it again"
            }
            Self::Endless { .. } => {
                "set a larger page_size in [source.api]; if it stays, ask the network: its API may be out of order"
            }
            Self::Restless { .. } => "run it again later: it goes on where it stopped",
            Self::Unreadable { .. } => {
                "compare the API's names with `postback network show`, and give the source a profile that has them; nothing was sent"
            }
            Self::Internal(_) => "run it again; if it stays, report it",
        };
        remedy.to_owned()
    }
}
