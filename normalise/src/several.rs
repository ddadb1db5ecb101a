//! One record with several orders: a body that is a JSON array of them.

use std::collections::HashMap;

use postback_common::reason::Flag;
use postback_common::record::RawRecord;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::conversion::{Conversion, Outcome};
use crate::rules::SourceRules;
use crate::{judge, payload};

/// Reads each element as if it had come alone. Of several with one key the newest revision stays, of
/// equal ones the last: rows of one record with one key and one revision would leave it to chance
/// which of them counts.
pub(crate) fn of<'a>(
    elements: Vec<&'a RawValue>,
    record: &'a RawRecord<'_>,
    rules: &'a SourceRules,
) -> Outcome<'a> {
    let mut outcomes: Vec<Outcome<'a>> = Vec::with_capacity(elements.len());
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    for element in elements {
        let outcome = judge(payload::read_element(record, element), record, rules);
        let Outcome::Accepted(row) = outcome else {
            outcomes.push(outcome);
            continue;
        };
        match places.get(&row.conversion_key) {
            Some(place) => replace(&mut outcomes[*place], row),
            None => {
                places.insert(row.conversion_key, outcomes.len());
                outcomes.push(Outcome::Accepted(row));
            }
        }
    }
    Outcome::Several(outcomes)
}

fn replace<'a>(place: &mut Outcome<'a>, row: Box<Conversion<'a>>) {
    let Outcome::Accepted(known) = place else {
        return;
    };
    if row.revision >= known.revision {
        *known = row;
    }
    if !known.flags.contains(&Flag::RepeatedOrder) {
        known.flags.push(Flag::RepeatedOrder);
        known.flags.sort_unstable_by_key(|flag| flag.as_str());
    }
}
