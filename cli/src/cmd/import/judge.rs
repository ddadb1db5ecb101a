//! Whether a row can be a row of the tables, and what is remarkable about it.

use std::collections::{BTreeMap, HashMap};

use postback_common::reason::Flag;
use postback_common::record::RawRecord;
use postback_normalise::{Field, Outcome, SourceRules, normalise};

/// What a row of a file would become.
pub(super) enum Verdict {
    Fit,
    /// Why not, for people; and whether it is of somebody else's account.
    Refused {
        reasons: Vec<String>,
        is_foreign: bool,
    },
}

/// Reads rows by a source's rules before they are sent.
pub(super) struct Judge<'r> {
    rules: &'r SourceRules,
    /// The parameter that numbers equal rows; `None` where rows have an id of their own.
    occurrence: Option<&'r str>,
    /// How often a row came, by the hash of it.
    seen: HashMap<u128, u32>,
    /// What is remarkable: how often, and in which line first.
    pub(super) remarks: BTreeMap<&'static str, Remark>,
}

/// Something remarkable about rows that were taken all the same.
pub(super) struct Remark {
    pub(super) flag: Flag,
    pub(super) rows: u64,
    pub(super) first_line: u64,
}

impl<'r> Judge<'r> {
    pub(super) fn new(rules: &'r SourceRules) -> Self {
        let readings = rules.readings().iter();
        let mut carriers = readings.flat_map(|reading| reading.mapping.carriers());
        let occurrence = carriers.find(|carrier| carrier.column == Some(Field::Occurrence));
        Self {
            rules,
            occurrence: occurrence.map(|carrier| &*carrier.parameter),
            seen: HashMap::new(),
            remarks: BTreeMap::new(),
        }
    }

    /// The row with its number among equal ones, where its source has nothing else to tell them by.
    pub(super) fn numbered(&mut self, object: String) -> String {
        let Some(name) = self.occurrence else {
            return object;
        };
        let hash = blake3::hash(object.as_bytes());
        let hash = u128::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at]));
        let times = self.seen.entry(hash).or_default();
        *times += 1;
        if *times == 1 {
            return object;
        }
        let name = serde_json::Value::from(name);
        match object.strip_suffix('}') {
            Some(members) if members.trim_ascii() != "{" => {
                format!("{members},{name}:\"{times}\"}}")
            }
            _ => object,
        }
    }

    pub(super) fn judge(&mut self, record: &RawRecord<'_>, line: u64) -> Verdict {
        match normalise(record, self.rules) {
            Outcome::Accepted(row) if row.flags.contains(&Flag::ForeignPublisher) => {
                let reason = format!(
                    "it is of publisher {}, and the source's publisher_id is another",
                    row.publisher_id
                );
                Verdict::Refused {
                    reasons: vec![reason],
                    is_foreign: true,
                }
            }
            Outcome::Accepted(row) => {
                for flag in row.flags.iter().filter(|flag| is_remarkable(**flag)) {
                    let remark = self.remarks.entry(flag.as_str()).or_insert(Remark {
                        flag: *flag,
                        rows: 0,
                        first_line: line,
                    });
                    remark.rows += 1;
                }
                Verdict::Fit
            }
            Outcome::Rejected(rejected) => Verdict::Refused {
                reasons: rejected
                    .reasons
                    .iter()
                    .map(|reason| self.words(*reason))
                    .collect(),
                is_foreign: false,
            },
            // One object is not several.
            Outcome::Several(_) => Verdict::Fit,
        }
    }

    /// The reason, and the column that it is about.
    fn words(&self, reason: postback_common::reason::Rejection) -> String {
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
                format!("{} is missing", column(Some(needed)))
            }
            Rejection::UnreadableKeyDate => {
                let date = column(profile.identity.immutable_date);
                format!("{date} is missing or no date that can be read")
            }
            other => other.explanation().to_owned(),
        }
    }
}

/// What a person would want to know of a file before its figures are trusted.
const fn is_remarkable(flag: Flag) -> bool {
    !matches!(
        flag,
        Flag::UnknownParameter | Flag::AssumedCurrency | Flag::WholeAmount | Flag::NoIdentity
    )
}
