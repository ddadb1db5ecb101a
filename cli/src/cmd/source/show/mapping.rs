//! What each parameter of a source's URL means.

use postback_common::config::{SourceSettings, holds_key};
use postback_common::secret::{HIDDEN, sounds_secret};
use postback_common::url_key::KeyHash;
use postback_normalise::{Field, Mapping, SourceRules, Template};
use serde_json::json;

use crate::output::{Cell, Sheet, text};

/// One row for each parameter, then what is not carried.
pub(super) fn sheet(
    rules: &SourceRules,
    template: Option<&Template>,
    sources: &[SourceSettings],
) -> Sheet {
    let mut sheet = Sheet::new(&[
        text("parameter", "Parameter"),
        text("kind", "Kind"),
        text("carries", "Carries"),
        text("field", "Field"),
        text("value", "Value"),
    ]);
    sheet.rows = carried(rules);
    let statics = template.iter().flat_map(|template| template.statics());
    let is_key = |hash: KeyHash| {
        let mut keys = sources.iter().flat_map(|source| &source.keys);
        keys.any(|known| known.sha256 == hash)
    };
    sheet.rows.extend(statics.map(|(parameter, value)| {
        let is_secret = sounds_secret(parameter) || holds_key(value, &is_key);
        let value = Cell::text(if is_secret { HIDDEN } else { value.as_str() });
        row(parameter, "static", Cell::Missing, "extra", value)
    }));
    let parameters = rules.profile().parameters.iter();
    let missing: Vec<&str> = parameters
        .filter_map(|known| known.column)
        .filter(|column| !newest(rules).is_some_and(|mapping| mapping.carries(*column)))
        .map(Field::as_str)
        .collect();
    sheet.fact("template", template.is_some());
    sheet.fact("not_carried", json!(missing));
    if !missing.is_empty() {
        let missing = missing.join(", ");
        let note = format!("Not carried, so empty in every conversion: {missing}");
        sheet.notes.push(note);
    }
    let older = rules.readings().len() - 1;
    if older > 0 {
        let note = format!("The newest template; {older} more are read by marker or time.");
        sheet.notes.push(note);
    }
    if template.is_none() {
        let note = "No [[source.template]]: the network's own names hold.";
        sheet.notes.push(note.to_owned());
    }
    sheet
}

/// What the newest template says.
fn newest(rules: &SourceRules) -> Option<&Mapping> {
    rules.readings().last().map(|reading| &reading.mapping)
}

/// `field`: fills a column; `kept`: known, and kept in `extra`; `unknown`: kept there, too.
fn carried(rules: &SourceRules) -> Vec<Vec<Cell>> {
    let profile = rules.profile();
    let carriers = newest(rules).into_iter().flat_map(Mapping::carriers);
    let rows = carriers.map(|carrier| {
        let known = profile.parameter(&carrier.network_name);
        let kind = match (carrier.column, known) {
            (Some(_), _) => "field",
            (None, Some(_)) => "kept",
            (None, None) => "unknown",
        };
        let field = carrier.column.map_or("extra", Field::as_str);
        let written = known.and_then(|known| profile.macro_for(known));
        let written = written.unwrap_or_else(|| profile.macro_style.write(&carrier.network_name));
        let carries = Cell::Text(written);
        let value = if rules.is_secret(&carrier.parameter) {
            Cell::text(HIDDEN)
        } else {
            Cell::Missing
        };
        row(&carrier.parameter, kind, carries, field, value)
    });
    rows.collect()
}

fn row(parameter: &str, kind: &str, carries: Cell, field: &str, value: Cell) -> Vec<Cell> {
    vec![
        Cell::text(parameter),
        Cell::text(kind),
        carries,
        Cell::text(field),
        value,
    ]
}
