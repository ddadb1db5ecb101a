//! The rules by which a generation is loaded: what it was made with, and what came later.

use clickhouse::Client;
use postback_normalise::{RecordedError, RecordedRules};
use postback_store::generations::{Change, later_rules};
use postback_store::{Life, StoreError};

/// Why a generation's rules are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("generation {generation}: {error}")]
    Recorded {
        generation: postback_store::Generation,
        error: RecordedError,
    },
}

/// What a generation is loaded by now.
pub(crate) async fn current(client: &Client, life: &Life) -> Result<RecordedRules, RulesError> {
    let later = later_rules(client, life.generation).await?;
    let later = (later.iter()).map(|later| (later.change == Change::Accepted, &*later.rule));
    RecordedRules::with_later(&life.record.rules, later).map_err(|error| RulesError::Recorded {
        generation: life.generation,
        error,
    })
}
