//! A test postback, to see whether an endpoint answers in time.
//!
//! It is sent as the network would send it: to the URL that the network has registered, filled with
//! values that can be told from real ones and that no sum has. The source's password goes with it, so
//! only a URL that is the source's own is asked.

mod content;
mod knock;
mod values;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use postback_common::basic_auth::{BasicAuth, authorization};
use postback_common::config::SourceSettings;
use postback_common::secret::Secret;
use postback_normalise::{Field, Profile};

use crate::registered::Own;

pub use content::{Body, Content};
pub use values::Values;

/// What the network allows for an answer, from the begin of connecting on.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(400);

/// Why a test postback counts as not answered. Never shows the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// It is none that a request can be sent to.
    #[error("the registered URL is none that a GET can be sent to")]
    Url,
    /// The source wants a password, and the configuration holds its hash alone.
    #[error("the source wants basic_auth, whose password the configuration does not hold")]
    Password,
    /// This machine lacks something.
    #[error("this machine cannot ask: {0}")]
    Setup(String),
    /// Nobody listens, the name has no address, or TLS was not agreed on.
    #[error("no connection: {0}")]
    Connect(String),
    /// It ended without a whole answer.
    #[error("the connection was lost before the whole answer: {0}")]
    Lost(String),
    /// No whole answer in time.
    #[error("no whole answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// Another answer than a 2xx.
    #[error("it answers {0}")]
    Status(u16),
}

impl ProbeError {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Password => "password",
            Self::Setup(_) => "setup",
            Self::Connect(_) => "connect",
            Self::Lost(_) => "lost",
            Self::Late(_) => "late",
            Self::Status(500..) => "server_error",
            Self::Status(_) => "refused",
        }
    }

    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Url => "register the source's URL with `postback endpoint set`",
            Self::Password => {
                "give basic_auth's password in plain in the configuration, or switch the endpoint on with `postback endpoint enable`"
            }
            Self::Setup(_) => {
                "install root certificates (Debian package ca-certificates), or set SSL_CERT_FILE"
            }
            Self::Connect(_) => {
                "see that postback-ingest, or the proxy before it, listens there with a valid certificate, and that this machine may reach it"
            }
            Self::Lost(_) | Self::Late(_) | Self::Status(500..) => {
                "see `postback doctor` on ingest's machine, and the proxy before it"
            }
            Self::Status(_) => {
                "see `postback tail --refused`: the key, allow_from or basic_auth of the source refuses it"
            }
        }
    }
}

/// Sends one test postback to the registered URL, which is the source's own, and says how long the answer took.
///
/// It is recorded as any other; it is a signal where the network has signals, and its amounts are
/// zero.
///
/// # Errors
/// [`ProbeError`] where it was not answered with 2xx within `within`, connecting included.
pub async fn probe(
    source: &SourceSettings,
    profile: &Profile,
    registered: Own<'_>,
    within: Duration,
) -> Result<Duration, ProbeError> {
    let password = password(source)?;
    let mark = mark().map_err(|error| ProbeError::Setup(error.to_string()))?;
    let url = filled(source, profile, registered.url(), &mark, Timestamp::now());
    knock::knock(&url, password.as_ref(), within).await
}

/// The registered URL with its macros replaced.
fn filled(
    source: &SourceSettings,
    profile: &Profile,
    registered: &Secret,
    mark: &str,
    now: Timestamp,
) -> Secret {
    let (base, query) = match registered.expose().split_once('?') {
        Some((base, query)) => (base, query),
        None => (registered.expose(), ""),
    };
    // A URL that does not say that it is a signal would make it a sale.
    let money = [Field::SaleAmount, Field::Commission].into_iter();
    let nothing = money.filter_map(|field| profile.parameter_for(field));
    let chosen: BTreeMap<String, String> = nothing
        .map(|name| (name.to_owned(), "0".to_owned()))
        .collect();
    let values = Values {
        source,
        profile,
        registered: Some(query),
        mark,
        now,
        is_transaction: false,
        chosen: &chosen,
    };
    match values.query().as_str() {
        "" => Secret::new(base),
        query => Secret::new(format!("{base}?{query}")),
    }
}

fn password(source: &SourceSettings) -> Result<Option<Secret>, ProbeError> {
    let Some(auth) = &source.basic_auth else {
        return Ok(None);
    };
    let plain = BasicAuth::plain(auth).ok_or(ProbeError::Password)?;
    Ok(Some(authorization(auth.user(), plain)))
}

/// Eight hexadecimal digits that nothing else has.
///
/// # Errors
/// Where the system gives no random bytes.
pub fn mark() -> Result<String, getrandom::Error> {
    Ok(format!("{:08x}", getrandom::u32()?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_common::config;
    use postback_normalise::profile;

    use super::*;

    #[test]
    fn the_registered_url_is_filled_and_worth_nothing() {
        let text = "[kafka]\nbrokers = \"h:1\"\n[[source]]\nname = \"s\"\nnetwork = \"rakuten\"\n\
            enabled = false\ncurrency = \"EUR\"\n";
        let settings = config::read(Path::new("t"), text, []).unwrap();
        let profile = profile::builtin("rakuten").unwrap();
        let filled = |url: &str| {
            let url = Secret::new(url);
            let now = "2026-03-01T12:30:00Z".parse().unwrap();
            let filled = filled(&settings.sources[0], profile, &url, "0123abcd", now);
            filled.expose().to_owned()
        };
        let url = "http://h:8080/postback/CANARY?a=1&e=<is_event>&m=<sale_amount>&o=%3Corder_id%3E&c=<commissions>";
        assert_eq!(
            filled(url),
            "http://h:8080/postback/CANARY?a=1&e=Y&m=0&o=TEST%2D0123abcd&c=0"
        );
        assert_eq!(filled("https://h/p/K"), "https://h/p/K");
    }

    #[test]
    fn marks_differ() {
        let mark = mark().unwrap();
        assert_eq!(mark.len(), 8);
        assert_ne!(mark, super::mark().unwrap());
    }
}
