//! Overrides by environment variable: `POSTBACK__SECTION__KEY`.

use std::collections::BTreeMap;

use super::fault::{Fault, FaultCode};

const PREFIX: &str = "POSTBACK__";

/// The variables that begin with `POSTBACK__`, and which of them nobody has asked for yet.
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX));
        Self {
            variables: ours.collect(),
        }
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

    /// Variables that are none of ours: refused like an unknown key.
    pub(super) fn leftovers(self) -> impl Iterator<Item = Fault> {
        self.variables.into_keys().map(|name| {
            let remedy = "unset it, or write it POSTBACK__SECTION__KEY with a key of the configuration file; \
                          of a source only [source.api] is set this way: POSTBACK__SOURCE__NAME__API__KEY";
            Fault::new(FaultCode::UnknownKey, &name, "this environment variable names no setting", remedy)
        })
    }
}
