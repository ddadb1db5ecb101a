//! An endpoint as it is shown: by its parts, and without its key.

use postback_common::config::SourceSettings;
use postback_network::Endpoint;

use super::address::Address;
use crate::output::{Cell, printable};

/// What is registered, or will be: one row for each part, by its name.
pub(super) struct Shown(Vec<(String, Cell)>);

impl Shown {
    /// `None`: none is registered.
    pub(super) fn of(
        endpoint: Option<&Endpoint>,
        source: &SourceSettings,
        sources: &[SourceSettings],
    ) -> Self {
        let Some(endpoint) = endpoint else {
            return Self(vec![named("endpoint", Cell::text("none"))]);
        };
        let address = Address::of(&endpoint.url, source, sources);
        let mut rows = vec![
            named("endpoint", Cell::text("registered")),
            named("active", Cell::Flag(endpoint.is_active)),
            named("address", Cell::text(&address.place)),
            named("key", Cell::text(&address.key)),
        ];
        let parameters = address.parameters.into_iter();
        rows.extend(parameters.map(|(name, value)| {
            let name = printable(&name);
            (format!("parameter {name}"), Cell::Text(printable(&value)))
        }));
        Self(rows)
    }

    pub(super) fn rows(self) -> Vec<Vec<Cell>> {
        let rows = self.0.into_iter();
        rows.map(|(name, cell)| vec![Cell::Text(name), cell])
            .collect()
    }

    /// This one against another, part by part.
    pub(super) fn against(self, after: Self) -> Vec<Vec<Cell>> {
        let mut after = after.0;
        let mut rows = Vec::new();
        for (name, cell) in self.0 {
            let place = after.iter().position(|(other, _)| *other == name);
            let now = place.map_or(Cell::Missing, |place| after.remove(place).1);
            rows.push(vec![Cell::Text(name), cell, now]);
        }
        let new = after.into_iter();
        rows.extend(new.map(|(name, cell)| vec![Cell::Text(name), Cell::Missing, cell]));
        rows
    }
}

fn named(name: &str, cell: Cell) -> (String, Cell) {
    (name.to_owned(), cell)
}
