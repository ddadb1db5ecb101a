//! Whether a row can be a row of the tables, and what is remarkable about it.

use std::collections::{BTreeMap, BTreeSet};

use postback_common::reason::Flag;
use postback_common::record::{Payload, RawRecord};
use postback_normalise::decode::MAX_TEXT_BYTES;
use postback_normalise::profile::Subject;
use postback_normalise::{Conversion, Field, Outcome, SourceRules, normalise};
use serde_json::value::RawValue;

use super::equals::Equals;
use super::numbers::Numbers;
use crate::output::excerpt;

/// What a row of a file would become.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A row of the tables.
    Fit {
        /// Revisions of the same that stand before it in the file and say the same time.
        equals: u32,
    },
    /// Why not, for people; and whether it is of somebody else's account.
    Refused {
        reasons: Vec<String>,
        is_foreign: bool,
    },
}

/// Reads rows by a source's rules before they are sent.
pub(super) struct Judge<'r> {
    rules: &'r SourceRules,
    /// Numbers rows that have no id of their own; `None` where they have one.
    numbers: Option<Numbers<'r>>,
    /// Revisions that nothing tells apart but their place in the file.
    equals: Equals,
    /// What is remarkable: how often, and in which line first.
    pub(super) remarks: BTreeMap<&'static str, Remark>,
}

/// Something remarkable about rows that were taken all the same.
pub(super) struct Remark {
    pub(super) flag: Flag,
    pub(super) rows: u64,
    pub(super) first_line: u64,
    /// Columns that nobody knows here, where it is about them; some of them, where they are many.
    pub(super) columns: BTreeSet<String>,
}

/// Unknown columns that are named.
const NAMED_COLUMNS: usize = 20;

impl Remark {
    fn note_unknown(&mut self, row: &Conversion<'_>, rules: &SourceRules) {
        for (name, _) in &row.extra {
            let is_noted = self.columns.len() >= NAMED_COLUMNS || self.columns.contains(&**name);
            if !is_noted && !is_known(name, rules) {
                self.columns.insert(name.to_string());
            }
        }
    }
}

/// Whether the network's profile or a template of the source has a column of that name.
fn is_known(name: &str, rules: &SourceRules) -> bool {
    let mut readings = rules.readings().iter();
    rules.profile().parameter(name).is_some()
        || readings.any(|reading| {
            let mut carriers = reading.mapping.carriers().iter();
            carriers.any(|carrier| &*carrier.parameter == name)
        })
}

impl<'r> Judge<'r> {
    pub(super) fn new(rules: &'r SourceRules) -> Self {
        Self {
            rules,
            numbers: Numbers::of(rules),
            equals: Equals::default(),
            remarks: BTreeMap::new(),
        }
    }

    /// The row with its number among those that nothing else tells it from; `None` where it is the
    /// first of them, or its source has something else.
    pub(super) fn numbered(&mut self, record: &RawRecord<'_>, object: &str) -> Option<String> {
        let numbers = self.numbers.as_mut()?;
        match normalise(record, self.rules) {
            Outcome::Accepted(row) if !is_foreign(&row) => numbers.numbered(&row, object),
            _ => None,
        }
    }

    pub(super) fn judge(&mut self, record: &RawRecord<'_>, line: u64) -> Verdict {
        match normalise(record, self.rules) {
            Outcome::Accepted(row) if is_foreign(&row) => {
                let reason = format!(
                    "it is of publisher {}, and the source's publisher_id is another",
                    excerpt(&row.publisher_id)
                );
                Verdict::Refused {
                    reasons: vec![reason],
                    is_foreign: true,
                }
            }
            Outcome::Accepted(row) => {
                self.remark(&row, line);
                Verdict::Fit {
                    equals: self.equals.before(&row),
                }
            }
            Outcome::Rejected(rejected) => Verdict::Refused {
                reasons: rejected
                    .reasons
                    .iter()
                    .map(|reason| self.words(*reason, record))
                    .collect(),
                is_foreign: false,
            },
            // One object is not several.
            Outcome::Several(_) => Verdict::Fit { equals: 0 },
        }
    }

    fn remark(&mut self, row: &Conversion<'_>, line: u64) {
        let profile = self.rules.profile();
        for flag in row.flags.iter().copied() {
            let names_columns =
                flag == Flag::UnknownParameter && profile.about == Subject::Statements;
            if !names_columns && !is_remarkable(flag) {
                continue;
            }
            let remark = self.remarks.entry(flag.as_str()).or_insert(Remark {
                flag,
                rows: 0,
                first_line: line,
                columns: BTreeSet::new(),
            });
            remark.rows += 1;
            if names_columns {
                remark.note_unknown(row, self.rules);
            }
        }
    }

    /// The reason, and the column that it is about.
    fn words(&self, reason: postback_common::reason::Rejection, record: &RawRecord<'_>) -> String {
        use postback_common::reason::Rejection;
        let profile = self.rules.profile();
        let column = |field: Option<Field>| {
            let name = field.and_then(|field| profile.parameter_for(field));
            name.unwrap_or_default().to_owned()
        };
        match reason {
            Rejection::MissingIdentity => {
                let needed = match self.rules.identity() {
                    postback_normalise::Identity::TransactionId => Field::TransactionId,
                    _ => Field::OrderId,
                };
                let name = column(Some(needed));
                if self.is_too_long(needed, record) {
                    let most = MAX_TEXT_BYTES / 1024;
                    return format!("{name} is too long: a text has {most} KiB at most");
                }
                format!("{name} is missing")
            }
            Rejection::UnreadableKeyDate => {
                let date = column(profile.identity.immutable_date);
                format!("{date} is missing or no date that can be read")
            }
            other => other.explanation().to_owned(),
        }
    }

    /// Whether what was sent for a field is left out for its length.
    fn is_too_long(&self, field: Field, record: &RawRecord<'_>) -> bool {
        let body = record.body.as_ref().map_or(&[][..], Payload::as_bytes);
        let Ok(members) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body) else {
            return false;
        };
        let readings = self.rules.readings().iter();
        let mut carriers = readings.flat_map(|reading| reading.mapping.carriers());
        carriers.any(|carrier| {
            let value = members.get(&*carrier.parameter);
            carrier.column == Some(field)
                && value.is_some_and(|value| value.get().len() > MAX_TEXT_BYTES)
        })
    }
}

/// Whether it is of somebody else's account.
fn is_foreign(row: &Conversion<'_>) -> bool {
    row.flags.contains(&Flag::ForeignPublisher)
}

/// What a person would want to know of a file before its figures are trusted. Columns that nobody
/// knows are usual in a shop's own files.
const fn is_remarkable(flag: Flag) -> bool {
    !matches!(
        flag,
        Flag::UnknownParameter | Flag::AssumedCurrency | Flag::WholeAmount | Flag::NoIdentity
    )
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use postback_common::config;
    use postback_normalise::Configured;
    use uuid::Uuid;

    use super::super::record::Origin;
    use super::*;

    /// The rules of a source of that network.
    pub(in crate::cmd::import) fn rules(network: &str) -> Arc<SourceRules> {
        let text = format!(
            "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"s\"\nnetwork = \"{network}\"\nenabled = false\n"
        );
        let settings = config::read(Path::new("t.toml"), &text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        Arc::clone(configured.source("s").unwrap())
    }

    /// One import's records, begun a hair before a millisecond is over.
    pub(in crate::cmd::import) fn origin(rules: &SourceRules) -> Origin {
        Origin {
            id: Uuid::from_u128(7),
            source: rules.source().clone(),
            started_at: "2026-09-01T10:00:00.000998Z".parse().unwrap(),
        }
    }

    #[test]
    fn an_order_number_that_is_too_long_is_not_called_missing() {
        let rules = rules("orders");
        let origin = origin(&rules);
        let reason = |order: &str| {
            let row = format!("{{{order}\"ordered_at\":\"2026-09-01\"}}");
            Judge::new(&rules).judge(&origin.record(1, &row), 2)
        };
        let refused = |words: &str| Verdict::Refused {
            reasons: vec![words.to_owned()],
            is_foreign: false,
        };
        let too_long = refused("order_id is too long: a text has 64 KiB at most");
        let missing = refused("order_id is missing");
        let long = "x".repeat(100_000);
        assert_eq!(reason(&format!("\"order_id\":\"{long}\",")), too_long);
        assert_eq!(reason(&format!("\"order_number\":\"{long}\",")), too_long);
        assert_eq!(reason(&format!("\"note\":\"{long}\",")), missing);
        assert_eq!(reason("\"order_id\":\"\","), missing);
        let fits = "x".repeat(64 * 1024);
        let fit = Verdict::Fit { equals: 0 };
        assert_eq!(reason(&format!("\"order_id\":\"{fits}\",")), fit);
    }
}
