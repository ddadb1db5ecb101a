//! `postback network show NAME`

use postback_normalise::Field;
use postback_normalise::profile::Profile;

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
    sheet
}
