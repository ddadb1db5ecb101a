//! What a transaction of the API says itself: a row has more, since rules fill what was not said.

use std::cell::OnceCell;

use postback_normalise::profile::Parameter;
use postback_normalise::{Field, SourceRules};
use serde_json::{Map, Value};

/// The members of a transaction. Read when they are first asked for: of most transactions they never
/// are.
pub(super) struct Said<'r> {
    json: &'r str,
    members: OnceCell<Map<String, Value>>,
    rules: &'r SourceRules,
}

impl<'r> Said<'r> {
    /// By the network's own names.
    pub(super) const fn new(json: &'r str, rules: &'r SourceRules) -> Self {
        Self {
            json,
            members: OnceCell::new(),
            rules,
        }
    }

    pub(super) const fn rules(&self) -> &'r SourceRules {
        self.rules
    }

    /// As it stands there, for people.
    pub(super) fn of_field(&self, field: Field) -> String {
        match self.value(field) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }

    /// Whether it says anything of a column.
    pub(super) fn has(&self, field: Field) -> bool {
        match self.value(field) {
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(Value::Null) | None => false,
            Some(_) => true,
        }
    }

    fn value(&self, field: Field) -> Option<&Value> {
        let members = self
            .members
            .get_or_init(|| serde_json::from_str(self.json).unwrap_or_default());
        let parameters = self.rules.profile().parameters.iter();
        let mut names = parameters
            .filter(|parameter| parameter.column == Some(field))
            .flat_map(Parameter::names);
        names.find_map(|name| members.get(name))
    }
}
