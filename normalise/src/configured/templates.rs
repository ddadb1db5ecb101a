//! The templates of one source, and what must hold between them.

use postback_common::config::{Fault, FaultCode, SourceSettings};

use super::faults::{contradiction, key};
use crate::profile::Profile;
use crate::recorded::RecordedTemplate;
use crate::rules::Registered;
use crate::template::{MARKER, Template};

/// Reads all templates of a source.
pub(super) fn read(
    settings: &SourceSettings,
    profile: &Profile,
    faults: &mut Vec<Fault>,
) -> Vec<Registered> {
    let mut templates: Vec<Registered> = Vec::new();
    for (index, registered) in settings.templates.iter().enumerate() {
        let query = registered.url.query().unwrap_or_default();
        let template = match Template::of_query(query, profile) {
            Ok(template) => template,
            Err(error) => {
                let text = error.to_string();
                let (problem, remedy) =
                    text.split_once("; ").unwrap_or((&text, "give another URL"));
                let key = key(settings, &name(settings, index, "url"));
                faults.push(Fault::new(FaultCode::BadValue, &key, problem, remedy));
                continue;
            }
        };
        let registered = Registered {
            valid_from: registered.valid_from,
            template,
        };
        if templates.iter().any(|known| is_twin(known, &registered)) {
            faults.push(same_time(settings, &registered, index));
        }
        templates.push(registered);
    }
    templates
}

/// As a generation records them.
pub(super) fn recorded(settings: &SourceSettings) -> Vec<RecordedTemplate> {
    let recorded = settings
        .templates
        .iter()
        .map(|registered| RecordedTemplate {
            valid_from: registered.valid_from,
            query: registered.url.query().unwrap_or_default().to_owned(),
        });
    recorded.collect()
}

/// Nothing would say by which of the two a request is read.
fn is_twin(one: &Registered, other: &Registered) -> bool {
    let (marker, others) = (one.template.marker(), other.template.marker());
    marker == others && (marker.is_some() || one.valid_from == other.valid_from)
}

fn same_time(settings: &SourceSettings, registered: &Registered, index: usize) -> Fault {
    let (of, problem, remedy) = match registered.template.marker() {
        Some(marker) => (
            "url",
            format!("another template of the source has {MARKER}={marker}, too"),
            format!("give each URL another {MARKER}, here and at the network"),
        ),
        None => (
            "valid_from",
            "another template of the source is valid from the same time, and neither has a marker"
                .to_owned(),
            format!(
                "say when each was registered with valid_from, or add {MARKER}=2 to one, here and at the network"
            ),
        ),
    };
    contradiction(settings, &name(settings, index, of), problem, remedy)
}

/// `template.url` of the only one, `template[2].url` of several.
fn name(settings: &SourceSettings, index: usize, of: &str) -> String {
    if settings.templates.len() > 1 {
        format!("template[{}].{of}", index + 1)
    } else {
        format!("template.{of}")
    }
}
