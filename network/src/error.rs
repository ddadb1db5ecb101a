//! What the network's API can answer, or not answer, and what to do about it.
//!
//! No text of the network is shown as it came: it might repeat a token, or the URL with its key.

use std::time::Duration;

use crate::call::Call;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: {trouble}{}",
    call.explanation(),
    if *attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() }
)]
pub struct ApiError {
    /// Which one.
    pub call: Call,
    /// How it failed, the last time.
    pub trouble: Trouble,
    /// How often it was tried.
    pub attempts: u32,
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection, or it was lost.
    #[error("the network's API cannot be reached: {0}")]
    Unreachable(String),
    /// No whole answer within the time limit.
    #[error("no whole answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// 401; where a token was sent, with a fresh one as well.
    #[error("the network does not accept who is asking (401)")]
    Unauthorized,
    /// 403.
    #[error("this account may not do that (403)")]
    Forbidden,
    /// 404.
    #[error("the network has nothing there (404)")]
    NotFound,
    /// 409.
    #[error("the network has one already (409)")]
    Conflict,
    /// 429, again and again.
    #[error(
        "too many requests (429){}",
        retry_after.map_or_else(String::new, |pause| format!("; it asks to wait {} s", pause.as_secs()))
    )]
    TooManyRequests {
        /// What the network asks to wait for.
        retry_after: Option<Duration>,
    },
    /// Another 4xx.
    #[error("the network refuses the request ({0})")]
    Refused(u16),
    /// 5xx.
    #[error(
        "the network has trouble of its own ({status}){}",
        retry_after.map_or_else(String::new, |pause| format!("; it asks to wait {} s", pause.as_secs()))
    )]
    Server {
        /// Which one.
        status: u16,
        /// What the network asks to wait for.
        retry_after: Option<Duration>,
    },
    /// 3xx or 1xx: a token is never carried on to another place.
    #[error("the network answers with a redirect or the like ({0}), which is not followed")]
    Redirected(u16),
    /// Not the JSON that was expected: cut off, another page, other names.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    /// More than can be meant.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// This machine lacks something.
    #[error("this machine cannot ask: {0}")]
    Setup(String),
}

impl ApiError {
    /// The machine-readable reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.trouble.as_str()
    }

    /// How long the network asks to be left alone.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.trouble.retry_after()
    }

    /// Whether this very call, and not the request for its token, found nothing.
    pub(crate) fn is_not_found_by(&self, call: Call) -> bool {
        self.call == call && self.trouble == Trouble::NotFound
    }

    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match (&self.trouble, self.call) {
            (Trouble::Unreachable(_), _) => {
                "check source.api.base_url, and that this machine may reach it"
            }
            (Trouble::TimedOut(_) | Trouble::Server { .. }, _) => {
                "try again later; if it stays, ask the network"
            }
            (Trouble::Unauthorized, Call::Token) => {
                "check client_id, client_secret and token_auth in [source.api]; make new ones at the network if they were revoked"
            }
            (Trouble::Unauthorized, _) => {
                "the network gives a token and does not take it: check scope and the paths in [source.api]"
            }
            (Trouble::Forbidden, _) => {
                "ask the network to let this account use the API, and check publisher_id in [source.api]"
            }
            (Trouble::NotFound, Call::GetEndpoint | Call::Change | Call::Delete) => {
                "set one up with `postback endpoint set`; if there should be one, check publisher_id in [source.api]"
            }
            (Trouble::NotFound, _) => "check base_url and the paths in [source.api]",
            (Trouble::Conflict, _) => "look at it with `postback endpoint get`",
            (Trouble::TooManyRequests { .. }, _) => {
                "something else uses up the account's requests: find it, or try again later"
            }
            (Trouble::Refused(_), Call::Token) => {
                "check publisher_id, scope and token_auth in [source.api]"
            }
            (Trouble::Refused(_) | Trouble::Unreadable(_), _) => {
                "the API may differ from its descriptions: check the paths and fields in [source.api]"
            }
            (Trouble::Redirected(_), _) => "set base_url in [source.api] to where it leads",
            (Trouble::TooLong(_), Call::Transactions) => {
                "it is more than page_size transactions can be: check events_path in [source.api]"
            }
            (Trouble::TooLong(_), _) => "check base_url and the paths in [source.api]",
            (Trouble::Setup(_), _) => {
                "install root certificates (Debian package ca-certificates), or set SSL_CERT_FILE"
            }
        }
    }
}

impl Trouble {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut(_) => "timed_out",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Refused(_) => "refused",
            Self::Server { .. } => "server_error",
            Self::Redirected(_) => "redirected",
            Self::Unreadable(_) => "unreadable",
            Self::TooLong(_) => "too_long",
            Self::Setup(_) => "setup",
        }
    }

    /// Whether another attempt may succeed.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::TimedOut(_)
                | Self::TooManyRequests { .. }
                | Self::Server { .. }
                | Self::Unreadable(_)
        )
    }

    /// What the network asks to wait for.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after } | Self::Server { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// Whether the network has certainly not acted.
    pub(crate) const fn is_harmless(&self) -> bool {
        matches!(self, Self::TooManyRequests { .. })
    }
}
