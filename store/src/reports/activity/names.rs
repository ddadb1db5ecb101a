//! Rows keep the name that a source had when they were loaded, until a replay.

use std::collections::BTreeMap;

use crate::reports::question::{Column, Condition, Filter};

/// Which name a source has today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Names {
    /// Of names that sources had before, each with the one of today.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Names {
    pub(super) fn today(&self, name: String) -> String {
        self.0.get(&name).cloned().unwrap_or(name)
    }

    /// Conditions of a source mean its rows of every name.
    pub(super) fn widened(&self, only: &Filter) -> Filter {
        let mut wide = only.clone();
        let of_source = |condition: &&Condition| condition.column == Column::source();
        for condition in only.conditions().iter().filter(of_source) {
            for name in condition.values.iter().flat_map(|name| self.others(name)) {
                // Texts are never refused.
                if wide.add(Column::source(), condition.negated, name).is_err() {
                    return only.clone();
                }
            }
        }
        wide
    }

    /// All other names of the same source.
    fn others<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let today = self.0.get(name).map_or(name, String::as_str);
        let of_today = self.0.iter().filter(move |(_, newer)| *newer == today);
        let all = std::iter::once(today).chain(of_today.map(|(older, _)| older.as_str()));
        all.filter(move |other| *other != name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widened(negated: bool, asked: &[&str]) -> Vec<String> {
        let names = [("shop", "store"), ("boutique", "store"), ("a", "b")];
        let names = names.map(|(older, today)| (older.to_owned(), today.to_owned()));
        let mut only = Filter::default();
        for name in asked {
            only.add(Column::source(), negated, name).unwrap();
        }
        let wide = Names::from_iter(names).widened(&only);
        assert_eq!(wide.conditions().len(), 1);
        assert_eq!(wide.conditions()[0].negated, negated);
        wide.conditions()[0].values.clone()
    }

    #[test]
    fn a_source_is_meant_by_each_of_its_names() {
        assert_eq!(widened(false, &["store"]), ["store", "boutique", "shop"]);
        assert_eq!(widened(true, &["shop"]), ["shop", "store", "boutique"]);
        assert_eq!(widened(false, &["other", "a"]), ["other", "a", "b"]);
        assert_eq!(
            Names::default().widened(&Filter::default()),
            Filter::default()
        );
    }
}
