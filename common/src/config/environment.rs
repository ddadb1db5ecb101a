//! Overrides by environment variable: `POSTBACK__SECTION__KEY`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::fault::{Fault, FaultCode};

const PREFIX: &str = "POSTBACK__";

/// The variables that begin with `POSTBACK__`, and which of them nobody has asked for yet.
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
    /// Names of those whose value is no text.
    unreadable: BTreeSet<String>,
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX));
        Self {
            variables: ours.collect(),
            unreadable: BTreeSet::new(),
        }
    }

    /// The same of variables as a process has them, whose values may be no text.
    pub(super) fn of_process(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut unreadable = BTreeSet::new();
        let texts = variables.into_iter().map(|(name, value)| {
            // What is no text is none of our names: it is refused as unknown.
            let name = name.to_string_lossy().into_owned();
            let value = value.into_string().unwrap_or_else(|value| {
                unreadable.insert(name.clone());
                value.to_string_lossy().into_owned()
            });
            (name, value)
        });
        let mut environment = Self::new(texts);
        unreadable.retain(|name| name.starts_with(PREFIX));
        environment.unreadable = unreadable;
        environment
    }

    /// Takes `POSTBACK__SECTION__KEY`; returns its name with its value.
    pub(super) fn take(&mut self, section: &str, key: &str) -> Option<(String, String)> {
        let name = format!("{PREFIX}{}__{}", section.to_uppercase(), key.to_uppercase());
        self.variables.remove_entry(&name)
    }

    /// Whether there is any `POSTBACK__SECTION__…`.
    pub(super) fn has_section(&self, section: &str) -> bool {
        let prefix = format!("{PREFIX}{}__", section.to_uppercase());
        let mut from = self.variables.range(prefix.clone()..);
        from.next()
            .is_some_and(|(name, _)| name.starts_with(&prefix))
    }

    /// Takes all `POSTBACK__SECTION__TABLE__…`; returns (name, key, value). A key of such a table
    /// may have dots, which a variable's name cannot: `SASL_PASSWORD` stands for `sasl.password`.
    pub(super) fn take_table(
        &mut self,
        section: &str,
        table: &str,
    ) -> Vec<(String, String, String)> {
        let prefix = format!(
            "{PREFIX}{}__{}__",
            section.to_uppercase(),
            table.to_uppercase()
        );
        let matching = |name: &String, _: &mut String| name.starts_with(&prefix);
        let taken = self.variables.extract_if(prefix.clone().., matching);
        let dotted = |name: &str| {
            let key = name[prefix.len()..].to_lowercase();
            match key.strip_suffix("_file") {
                Some(stem) => format!("{}_file", stem.replace('_', ".")),
                None => key.replace('_', "."),
            }
        };
        taken
            .map(|(name, value)| (name.clone(), dotted(&name), value))
            .collect()
    }

    /// Refuses what is no text, which takes the place of whatever else was said of it: that would be
    /// about a value that nobody gave.
    pub(super) fn refuse_unreadable(&self, faults: &mut Vec<Fault>) {
        faults.retain(|fault| !self.unreadable.contains(&fault.key));
        faults.extend(self.unreadable.iter().map(|name| {
            let remedy = "set it to a text in UTF-8, or unset it";
            Fault::new(FaultCode::BadValue, name, "the value is not UTF-8", remedy)
        }));
    }

    /// Variables that are none of ours: refused like an unknown key.
    pub(super) fn leftovers(&self) -> impl Iterator<Item = Fault> {
        self.variables.keys().map(|name| {
            let remedy = "unset it, or write it POSTBACK__SECTION__KEY with a key of the configuration file; \
                          of a source only [source.api] is set this way: POSTBACK__SOURCE__NAME__API__KEY";
            Fault::new(FaultCode::UnknownKey, name, "this environment variable names no setting", remedy)
        })
    }
}
