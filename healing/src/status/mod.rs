//! Whether the network sends to a source's endpoint: asked, and what follows from the answer.
//!
//! - [`ask`]: one question, and what it says.
//! - [`Pace`]: when to ask again.
//! - [`Attempts`]: whether a disabled endpoint may be switched on again now.

mod attempts;
mod pace;

use std::time::Duration;

use jiff::Timestamp;
use postback_common::config::SourceSettings;
use postback_network::{ApiError, Endpoint, NetworkApi, Patience};
use postback_store::endpoints::{Poll, State};

use crate::registered::Registered;

pub use attempts::{Attempts, MOST_A_DAY, Refusal, SECOND_AFTER, Verdict};
pub use pace::Pace;

/// How patient one poll is: there is another one soon.
#[must_use]
pub const fn patience() -> Patience {
    Patience {
        attempts: 2,
        answer_within: Duration::from_secs(15),
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(20),
    }
}

/// What a poll brought.
#[derive(Debug)]
pub struct Answer {
    /// When it was asked, UTC.
    pub at: Timestamp,
    /// What is noted of it.
    pub poll: Poll,
    /// What the network has registered.
    pub endpoint: Option<Endpoint>,
    /// Why nothing is known.
    pub error: Option<ApiError>,
}

impl Answer {
    /// How long the network asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.error.as_ref()?.retry_after()
    }
}

/// Asks the network's API for the endpoint of a source.
pub async fn ask(api: &NetworkApi, source: &SourceSettings) -> Answer {
    let at = Timestamp::now();
    let answered = api.endpoint().await;
    of(source, at, answered)
}

fn of(
    source: &SourceSettings,
    at: Timestamp,
    answered: Result<Option<Endpoint>, ApiError>,
) -> Answer {
    let nothing = |state, reason: &str| Poll {
        state,
        reason: reason.to_owned(),
        updated_at: None,
        is_template: None,
    };
    match answered {
        Ok(Some(endpoint)) => Answer {
            at,
            poll: Poll {
                state: if endpoint.is_active {
                    State::Active
                } else {
                    State::Disabled
                },
                reason: String::new(),
                updated_at: endpoint.updated_at,
                is_template: Registered::of(&endpoint.url, source).is_template(),
            },
            endpoint: Some(endpoint),
            error: None,
        },
        Ok(None) => Answer {
            at,
            poll: nothing(State::Missing, ""),
            endpoint: None,
            error: None,
        },
        Err(error) => Answer {
            at,
            poll: nothing(State::Unknown, error.reason()),
            endpoint: None,
            error: Some(error),
        },
    }
}
