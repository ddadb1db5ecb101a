//! `postback network show NAME`

use postback_normalise::Field;
use postback_normalise::profile::{Profile, StatusRules};
use serde_json::{Map, Value, json};

use crate::output::{Cell, Sheet, text};

/// One row for each parameter, then what holds for the whole network.
pub(super) fn sheet(profile: &Profile) -> Sheet {
    let mut sheet = Sheet::new(&[
        text("parameter", "Parameter"),
        text("macro", "Macro"),
        text("field", "Field"),
        text("aliases", "Also called"),
        text("confidence", "Confidence"),
    ]);
    let parameters = profile.parameters.iter();
    sheet.rows = parameters
        .map(|known| {
            vec![
                Cell::text(&known.name),
                profile.macro_for(known).map_or(Cell::Missing, Cell::Text),
                Cell::text(known.column.map_or("extra", Field::as_str)),
                Cell::List(known.aliases.clone()),
                Cell::text(known.confidence.as_str()),
            ]
        })
        .collect();
    sheet.fact("network", profile.network.as_str());
    sheet.fact("title", profile.title.as_str());
    let methods: Vec<&str> = profile
        .methods
        .iter()
        .map(|method| method.as_str())
        .collect();
    sheet.fact("methods", methods.clone());
    let sections = profile.facts().filter(|fact| !fact.is_parameter);
    let sections: Vec<String> = sections
        .map(|fact| format!("{} {}", fact.name, fact.confidence))
        .collect();
    sheet.fact("sections", sections.clone());
    let known = words(profile);
    let as_json = |of: &Words<'_>| (of.field.as_str().to_owned(), of.as_json());
    sheet.fact("words", Value::Object(known.iter().map(as_json).collect()));
    let name = |field: Option<Field>| field.map_or("none", Field::as_str);
    let identity = &profile.identity;
    sheet.notes = vec![
        format!(
            "{}, by {}; a field without a column is kept in extra.",
            profile.title,
            methods.join(" and ")
        ),
        format!("Known how well: {}.", sections.join(", ")),
        format!(
            "Date that never changes: {}; time that orders revisions: {}.",
            name(identity.immutable_date),
            name(identity.revision_time)
        ),
    ];
    sheet.notes.extend(known.iter().map(Words::shown));
    sheet
}

/// The words that a field is read by.
struct Words<'a> {
    field: Field,
    /// What a word says, with all that say so.
    by_meaning: Vec<(&'static str, Vec<&'a str>)>,
    /// What is taken where none of them comes, in words; empty where nothing is.
    otherwise: String,
}

impl Words<'_> {
    fn as_json(&self) -> Value {
        let each = self.by_meaning.iter();
        let each = each.map(|(meaning, words)| ((*meaning).to_owned(), json!(words)));
        Value::Object(each.collect::<Map<_, _>>())
    }

    fn shown(&self) -> String {
        let each = self.by_meaning.iter();
        let each: Vec<String> = each
            .map(|(meaning, words)| format!("\n  {meaning}: {}", words.join(", ")))
            .collect();
        format!(
            "Words of {}, in any case{}:{}",
            self.field,
            self.otherwise,
            each.concat()
        )
    }
}

/// Those of the fields that have words of the network's own.
fn words(profile: &Profile) -> Vec<Words<'_>> {
    let signal = profile.signal.as_ref().map(|values| Words {
        field: Field::Signal,
        by_meaning: vec![
            ("signal", texts(&values.signal)),
            ("transaction", texts(&values.transaction)),
        ],
        otherwise: String::new(),
    });
    let eligible = profile.eligible.as_ref().map(|words| Words {
        field: Field::Eligible,
        by_meaning: vec![("yes", texts(&words.yes)), ("no", texts(&words.no))],
        otherwise: String::new(),
    });
    let rules = &profile.status;
    let mut statuses = Vec::<(&str, Vec<&str>)>::new();
    for (word, status) in &rules.words {
        let status = status.as_str();
        match statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, words)) => words.push(word),
            None => statuses.push((status, vec![word])),
        }
    }
    let status = (!statuses.is_empty()).then_some(Words {
        field: Field::Status,
        by_meaning: statuses,
        otherwise: otherwise(rules),
    });
    [signal, status, eligible].into_iter().flatten().collect()
}

fn texts(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn otherwise(rules: &StatusRules) -> String {
    let default = rules.default.as_str();
    match rules.negative {
        Some(negative) => {
            let negative = negative.as_str();
            format!("; without one of them {default}, {negative} of negative money")
        }
        None => format!("; without one of them {default}"),
    }
}
