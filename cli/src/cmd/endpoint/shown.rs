//! An endpoint as it is shown: by its parts, and without its key.

use postback_common::config::SourceSettings;
use postback_network::Endpoint;

use super::address::Address;
use crate::output::Cell;

/// What is registered, or will be.
pub(super) struct Shown {
    address: Option<(Address, bool)>,
}

impl Shown {
    /// `None`: none is registered.
    pub(super) fn of(
        endpoint: Option<&Endpoint>,
        source: &SourceSettings,
        sources: &[SourceSettings],
    ) -> Self {
        let address = endpoint.map(|endpoint| {
            let address = Address::of(&endpoint.url, source, sources);
            (address, endpoint.is_active)
        });
        Self { address }
    }

    /// What there is to be said, in one order.
    pub(super) const ROWS: [&str; 5] = ["endpoint", "active", "address", "key", "parameters"];

    /// The values of [`Shown::ROWS`].
    pub(super) fn cells(&self) -> [Cell; 5] {
        match &self.address {
            None => [
                Cell::text("none"),
                Cell::Missing,
                Cell::Missing,
                Cell::Missing,
                Cell::Missing,
            ],
            Some((address, is_active)) => [
                Cell::text("registered"),
                Cell::Flag(*is_active),
                Cell::text(&address.place),
                Cell::text(&address.key),
                Cell::text(&address.parameters),
            ],
        }
    }
}
