//! What the network is asked, as people and messages call it.

use std::fmt;

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// A token for all other calls.
    Token,
    /// The endpoint as it is registered.
    GetEndpoint,
    /// An endpoint where there is none.
    SetUp,
    /// Another URL, or on and off.
    Change,
    /// No endpoint any more.
    Delete,
    /// A page of transactions.
    Transactions,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Token,
        Self::GetEndpoint,
        Self::SetUp,
        Self::Change,
        Self::Delete,
        Self::Transactions,
    ];

    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::GetEndpoint => "get_endpoint",
            Self::SetUp => "set_up_endpoint",
            Self::Change => "change_endpoint",
            Self::Delete => "delete_endpoint",
            Self::Transactions => "transactions",
        }
    }

    /// In words, behind "the network's answer to".
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Token => "the request for a token",
            Self::GetEndpoint => "the question for the endpoint",
            Self::SetUp => "setting up the endpoint",
            Self::Change => "changing the endpoint",
            Self::Delete => "deleting the endpoint",
            Self::Transactions => "the question for transactions",
        }
    }

    /// Whether a second request does no more than the first did: one that may have been heard can
    /// then be sent again.
    #[must_use]
    pub(crate) const fn is_repeatable(self) -> bool {
        !matches!(self, Self::SetUp)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
