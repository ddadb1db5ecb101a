//! The URL that a publisher registered, and the network's patience with it.

use std::sync::Arc;

use jiff::Timestamp;

use super::Terms;
use crate::delivery::Registration;
use crate::ledger::line::{Change, ChangeKind};
use crate::template::TemplateError;

/// A registered endpoint.
pub(super) struct Endpoint {
    /// As registered. It holds the URL's key.
    pub(super) url: String,
    pub(super) registration: Arc<Registration>,
    pub(super) is_active: bool,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// In a row.
    pub(super) failures: u32,
}

/// Why an endpoint cannot be set up or changed. Never shows the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// One publisher has one endpoint.
    #[error("there is an endpoint already: update it, or delete it first")]
    Exists,
    /// There is none to be changed.
    #[error("there is no endpoint: set one up first")]
    Missing,
    /// It is no URL template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// There is no host to send to.
    #[error("the URL names no host: expected http://HOST:PORT/PATH?NAME=<field>&…")]
    NoHost,
    /// TLS is not spoken here.
    #[error(
        "the simulated network speaks plain HTTP: give the http:// address of the receiver's own listener"
    )]
    Tls,
}

impl Endpoint {
    pub(super) fn new(
        url: &str,
        is_active: bool,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Self, EndpointError> {
        Ok(Endpoint {
            url: url.to_owned(),
            registration: register(url, terms)?,
            is_active,
            created_at: now,
            updated_at: now,
            failures: 0,
        })
    }

    /// Takes another URL.
    pub(super) fn replace_url(
        &mut self,
        url: &str,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<(), EndpointError> {
        self.registration = register(url, terms)?;
        url.clone_into(&mut self.url);
        self.updated_at = now;
        Ok(())
    }

    /// Switches it on or off; a fresh start forgives its failures. Says whether that is a change.
    pub(super) fn switch(&mut self, is_active: bool, now: Timestamp) -> bool {
        let changed = self.is_active != is_active;
        if changed {
            self.is_active = is_active;
            self.updated_at = now;
            self.failures = 0;
        }
        changed
    }

    /// Counts an attempt; after `limit` failures in a row (0: never) the endpoint is off.
    pub(super) fn judge(&mut self, succeeded: bool, limit: u32, now: Timestamp) -> Option<Change> {
        if succeeded {
            self.failures = 0;
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let is_enough = limit > 0 && self.failures >= limit && self.is_active;
        is_enough.then(|| {
            self.is_active = false;
            self.updated_at = now;
            Change {
                at: now,
                change: ChangeKind::DisabledByFailures,
                failures: self.failures,
            }
        })
    }
}

fn register(url: &str, terms: &Terms) -> Result<Arc<Registration>, EndpointError> {
    let registration = Registration {
        authorization: terms.authorization.clone(),
        ..Registration::new(&terms.source, url, &terms.currency)?
    };
    match registration.template.authority() {
        None => Err(EndpointError::NoHost),
        Some(authority) if authority.is_secure => Err(EndpointError::Tls),
        Some(_) => Ok(Arc::new(registration)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::tests::terms;

    fn endpoint() -> Endpoint {
        Endpoint::new(
            "http://h/p/KEY?a=<u1>",
            true,
            &terms(),
            Timestamp::UNIX_EPOCH,
        )
        .unwrap()
    }

    #[test]
    fn failures_in_a_row_disable_it_once() {
        let mut endpoint = endpoint();
        let mut disabled = Vec::new();
        for (number, succeeded) in [false, false, true, false, false, false, false, true]
            .into_iter()
            .enumerate()
        {
            let change = endpoint.judge(succeeded, 3, Timestamp::UNIX_EPOCH);
            disabled.extend(change.map(|change| (number, change.failures)));
        }
        assert_eq!(disabled, [(5, 3)]);
        assert!(!endpoint.is_active);
        assert!(endpoint.switch(true, Timestamp::UNIX_EPOCH));
        assert_eq!((endpoint.is_active, endpoint.failures), (true, 0));
        assert!(!endpoint.switch(true, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn patience_without_a_limit_never_ends() {
        let mut endpoint = endpoint();
        let changes = (0..1_000).filter_map(|_| endpoint.judge(false, 0, Timestamp::UNIX_EPOCH));
        assert_eq!(changes.count(), 0);
        assert!(endpoint.is_active);
    }

    #[test]
    fn a_url_that_cannot_be_sent_to_is_refused_without_showing_it() {
        for (url, error) in [
            ("https://h/CANARY?a=<u1>", EndpointError::Tls),
            ("/CANARY?a=<u1>", EndpointError::NoHost),
            (
                "ftp://CANARY",
                EndpointError::Template(TemplateError::NotAUrl),
            ),
        ] {
            let found = Endpoint::new(url, true, &terms(), Timestamp::UNIX_EPOCH).err();
            assert_eq!(found, Some(error));
            assert!(!format!("{found:?}").contains("CANARY"));
        }
    }
}
