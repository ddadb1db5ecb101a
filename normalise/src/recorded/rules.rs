//! The rules of all sources: as a generation records them, and in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use postback_common::name::{AccountName, SourceName};
use serde::{Deserialize, Serialize};

use super::{Difference, Recorded, RecordedError};
use crate::configured::Fixed;
use crate::rules::SourceRules;

/// All sources' rules, as one generation records them when it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRules {
    /// Each source once.
    pub sources: Vec<Recorded>,
}

impl RecordedRules {
    /// As it stands in the table.
    ///
    /// # Errors
    /// None in practice: there is nothing in it that JSON has no form for.
    pub fn to_json(&self) -> Result<String, RecordedError> {
        serde_json::to_string(self).map_err(|error| RecordedError::Json(error.to_string()))
    }

    /// What holds after later changes: `made` as it stands in the table, then each change's JSON, with
    /// true for one that was accepted in place of older rules.
    ///
    /// # Errors
    /// [`RecordedError::Json`].
    pub fn with_later<'a>(
        made: &str,
        later: impl IntoIterator<Item = (bool, &'a str)>,
    ) -> Result<Self, RecordedError> {
        let mut rules = Self::from_json(made)?;
        for (is_accepted, json) in later {
            let rule = Recorded::from_json(json)?;
            if is_accepted {
                rules.accept(rule);
            } else {
                rules.add(rule);
            }
        }
        Ok(rules)
    }

    /// A source that is new. One that is there already keeps its rules, and gets the templates
    /// whose markers are new to it. One that is [apart in its account](Self::apart_in_account) is left
    /// out: two processes may each have added one in the same moment, and the first holds for all.
    pub fn add(&mut self, rules: Recorded) {
        let known = (self.sources.iter_mut()).find(|known| known.source == rules.source);
        if let Some(known) = known {
            if let Some(merged) = known.with_new_templates(&rules) {
                *known = merged;
            }
        } else if self.apart_in_account(&rules).is_none() {
            self.sources.push(rules);
        }
    }

    /// Changed rules of a source take the place of its old ones.
    pub fn accept(&mut self, rules: Recorded) {
        self.sources.retain(|known| known.source != rules.source);
        self.sources.push(rules);
    }

    /// One source's rules.
    #[must_use]
    pub fn of(&self, source: &SourceName) -> Option<&Recorded> {
        self.sources.iter().find(|known| known.source == *source)
    }

    /// The first source of the same account by which the same sales would get other keys or days than
    /// by `new`, and in what; `None` where `new` can be added. Sources of one file agree, and what a
    /// generation is loaded by can be older than the file.
    #[must_use]
    pub fn apart_in_account(&self, new: &Recorded) -> Option<(&Recorded, Vec<Difference>)> {
        let mut others = self
            .sources
            .iter()
            .filter(|known| known.account == new.account && known.source != new.source);
        others.find_map(|known| {
            let apart = known.apart_from(new);
            (!apart.is_empty()).then_some((known, apart))
        })
    }

    /// What is otherwise than a file proposes for a source: in its rules here, or, where it is new, in
    /// those of its account by which it cannot be added. Empty where nothing is.
    #[must_use]
    pub fn otherwise_than(&self, proposed: &Recorded) -> Vec<Difference> {
        match self.of(&proposed.source) {
            Some(known) => known.differences(proposed),
            None => (self.apart_in_account(proposed)).map_or_else(Vec::new, |(_, apart)| apart),
        }
    }

    /// True when records of that source are read: under its name, or as an alias.
    #[must_use]
    pub fn reads(&self, source: &SourceName) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|known| known.source == *source || known.aliases.contains(source))
    }

    /// What is fixed for each account.
    #[must_use]
    pub fn fixed(&self) -> BTreeMap<AccountName, Fixed> {
        let fixed = self.sources.iter().rev().map(|rules| {
            let fixed = Fixed {
                identity: rules.identity,
                key_day: rules.key_day,
            };
            (rules.account.clone(), fixed)
        });
        fixed.collect()
    }

    /// Reads what stands in the table.
    ///
    /// # Errors
    /// [`RecordedError::Json`].
    pub fn from_json(json: &str) -> Result<Self, RecordedError> {
        /// An early version of the CLI wrote the list alone.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Whole(RecordedRules),
            List(Vec<Recorded>),
        }
        match serde_json::from_str(json) {
            Ok(Form::Whole(rules)) => Ok(rules),
            Ok(Form::List(sources)) => Ok(Self { sources }),
            Err(error) => Err(RecordedError::Json(error.to_string())),
        }
    }
}

/// The rules by which a generation is loaded.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    sources: BTreeMap<SourceName, Arc<SourceRules>>,
    /// Names that sources had before.
    aliases: BTreeMap<SourceName, SourceName>,
}

impl Rules {
    /// The rules in force of each record. Of two records of one source the later one holds.
    ///
    /// # Errors
    /// [`RecordedError`] of the first one that this version does not understand.
    pub fn of<'a>(recorded: impl IntoIterator<Item = &'a Recorded>) -> Result<Self, RecordedError> {
        let mut rules = Self::default();
        for recorded in recorded {
            rules.add(recorded.rules()?, &recorded.aliases);
        }
        Ok(rules)
    }

    pub(crate) fn add(&mut self, rules: SourceRules, aliases: &[SourceName]) {
        let name = rules.source.clone();
        let aliases = aliases.iter().map(|alias| (alias.clone(), name.clone()));
        self.aliases.extend(aliases);
        self.sources.insert(name, Arc::new(rules));
    }

    /// The rules of a source, by its name or one that it had before; `None` where there is no such
    /// source. A source that still has the name comes before one that had it.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Arc<SourceRules>> {
        self.sources.get(name).or_else(|| {
            let now = self.aliases.get(name)?;
            self.sources.get(now)
        })
    }
}
