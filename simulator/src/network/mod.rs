//! The network as its publisher meets it: an endpoint that is registered, pushed to and disabled in
//! silence, and an HTTP API to look after it and to fetch what was missed.

mod api;
mod conduct;
mod endpoint;
mod management;
mod tokens;
mod transactions;
mod visit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::delivery::{Authorization, Registration};
use crate::event::Event;
use crate::ledger::Withheld;
use crate::ledger::line::{Change, ChangeKind};
use conduct::Moods;
use endpoint::Endpoint;
use tokens::Tokens;
use transactions::Transactions;

pub use api::Api;
pub use conduct::{ApiTrouble, Conduct};
pub use endpoint::EndpointError;

/// What the network is told about itself.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The publisher ("SID") whose endpoint it is.
    pub publisher_id: u64,
    /// The receiver's name of the source, for the ledger.
    pub source: String,
    /// ISO 4217 code that stands in where the template carries no currency.
    pub currency: String,
    /// Failures in a row after which the endpoint is disabled; 0: never.
    pub disable_after: u32,
    /// How many transactions the Events API keeps, the newest.
    pub kept_transactions: usize,
    /// What the endpoint wants beside the URL.
    pub authorization: Option<Authorization>,
    /// What `POST /token` wants.
    pub credentials: Credentials,
}

/// The publisher's account for the API.
#[derive(Clone)]
pub struct Credentials {
    /// `client_id`
    pub client_id: String,
    /// `client_secret`
    pub client_secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// A network with one publisher, shared between its pushing and its API.
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
}

struct State {
    terms: Terms,
    endpoint: Option<Endpoint>,
    /// Not written to the ledger yet.
    changes: Vec<Change>,
    transactions: Transactions,
    tokens: Tokens,
    moods: Moods,
}

impl Network {
    /// A network without an endpoint.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        let transactions = Transactions::keeping(terms.kept_transactions);
        let state = State {
            terms,
            endpoint: None,
            changes: Vec::new(),
            transactions,
            tokens: Tokens::default(),
            moods: Moods::of(Conduct::default()),
        };
        Network {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Registers `url` as the publisher's endpoint.
    ///
    /// # Errors
    /// When there is one already, or the URL cannot be one.
    pub fn set_up(&self, url: &str, now: Timestamp) -> Result<(), EndpointError> {
        self.state().set_up(url, true, now)
    }

    /// From now on its API treats callers like this.
    pub fn behave(&self, conduct: Conduct) {
        let mut state = self.state();
        // What is under way was counted by the one before.
        let under_way = state.moods.under_way;
        state.moods = Moods::of(conduct);
        state.moods.under_way = under_way;
    }

    /// Whether the network would send now.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.target().is_ok()
    }

    /// Where a postback goes now, or why it is kept back.
    pub(crate) fn target(&self) -> Result<Arc<Registration>, Withheld> {
        match &self.state().endpoint {
            None => Err(Withheld::Deleted),
            Some(endpoint) if !endpoint.is_active => Err(Withheld::Disabled),
            Some(endpoint) => Ok(Arc::clone(&endpoint.registration)),
        }
    }

    /// Stands for the endpoint while none has ever been registered.
    pub(crate) fn unregistered(&self) -> Registration {
        let state = self.state();
        let Terms {
            source, currency, ..
        } = &state.terms;
        Registration::empty(source, currency)
    }

    /// Counts an attempt's end; the network loses its patience with an endpoint that fails.
    pub(crate) fn judge(&self, succeeded: bool, now: Timestamp) {
        let mut state = self.state();
        let limit = state.terms.disable_after;
        let Some(endpoint) = &mut state.endpoint else {
            return;
        };
        if let Some(change) = endpoint.judge(succeeded, limit, now) {
            state.changes.push(change);
        }
    }

    /// Remembers a transaction for those who fetch them.
    pub fn remember(&self, event: Event) {
        self.state().transactions.add(event);
    }

    /// The changes since the last call.
    pub(crate) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut self.state().changes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set_up(&mut self, url: &str, is_active: bool, now: Timestamp) -> Result<(), EndpointError> {
        if self.endpoint.is_some() {
            return Err(EndpointError::Exists);
        }
        let endpoint = Endpoint::new(url, is_active, &self.terms, now)?;
        self.endpoint = Some(endpoint);
        self.note(ChangeKind::SetUp, now);
        Ok(())
    }

    fn note(&mut self, change: ChangeKind, at: Timestamp) {
        let failures = self
            .endpoint
            .as_ref()
            .map_or(0, |endpoint| endpoint.failures);
        self.changes.push(Change {
            at,
            change,
            failures,
        });
    }
}

#[cfg(test)]
mod tests;
