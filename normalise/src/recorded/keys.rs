//! Whether changed templates read keys out of something else.

use std::collections::BTreeSet;

use super::{Recorded, RecordedTemplate};
use crate::field::Field;
use crate::identity::{self, KeyDayRule};
use crate::mapping::Mapping;
use crate::profile::Profile;
use crate::template::Template;

/// What a network sends by one template, and how it is read.
struct Sent {
    template: Option<Template>,
    mapping: Mapping,
}

impl Sent {
    fn by(template: &RecordedTemplate, profile: &Profile) -> Option<Self> {
        let template = template.registered(profile).ok()?.template;
        Some(Self {
            mapping: template.mapping().clone(),
            template: Some(template),
        })
    }

    fn by_own_names(profile: &Profile) -> Self {
        Self {
            template: None,
            mapping: Mapping::of_profile(profile),
        }
    }

    /// True when a request by this template has the parameter.
    fn has(&self, parameter: &str) -> bool {
        let statics = self.template.iter().flat_map(Template::statics);
        carriers(&self.mapping).any(|(name, _)| name == parameter)
            || statics.map(|(name, _)| name).any(|name| name == parameter)
    }
}

fn carriers(mapping: &Mapping) -> impl Iterator<Item = (&str, Option<Field>)> {
    (mapping.carriers().iter()).map(|carrier| (&*carrier.parameter, carrier.column))
}

/// Parameters that carry the field.
fn of_field(mapping: &Mapping, field: Field) -> BTreeSet<&str> {
    carriers(mapping)
        .filter(|(_, column)| *column == Some(field))
        .map(|(name, _)| name)
        .collect()
}

/// True when postbacks that the network sends by one of `before`'s templates, and that came already,
/// could get another key or another day if they came again and were read by `after`'s: a template
/// was changed in its place. A template that was added, with a marker or a time of its own, reads
/// what a network sends by its own URL.
pub(super) fn are_read_elsewhere(before: &Recorded, after: &Recorded, profile: &Profile) -> bool {
    let own_names = || vec![Sent::by_own_names(profile)];
    let read = |templates: &[&RecordedTemplate]| -> Vec<Sent> {
        let read = templates
            .iter()
            .filter_map(|template| Sent::by(template, profile));
        read.collect()
    };
    let gone: Vec<_> = (before.templates.iter())
        .filter(|template| !after.templates.contains(template))
        .collect();
    let gone = if before.templates.is_empty() {
        own_names()
    } else {
        read(&gone)
    };
    let instead: Vec<_> = (after.templates.iter())
        .filter(|template| !before.templates.contains(template))
        .collect();
    let instead = if after.templates.is_empty() {
        own_names()
    } else {
        read(&instead)
    };
    gone.iter()
        .any(|sent| instead.iter().any(|by| is_moved(before, profile, sent, by)))
}

/// Where something is lacking that the key or its day needs, there is none, and nothing counts.
fn is_moved(rules: &Recorded, profile: &Profile, sent: &Sent, by: &Sent) -> bool {
    let recipe = identity::recipe(rules.identity, profile).iter().copied();
    let date = profile.identity.immutable_date;
    let date = date.filter(|_| rules.key_day == KeyDayRule::Date);
    let needed = |field: Field| date == Some(field) || identity::needs(rules.identity, field);
    let mut is_moved = false;
    for field in recipe.chain(date) {
        let then = of_field(&sent.mapping, field);
        let mut now = of_field(&by.mapping, field);
        now.retain(|parameter| sent.has(parameter));
        if now.is_empty() && needed(field) {
            return false;
        }
        is_moved |= !now.is_subset(&then) || (now.is_empty() && !then.is_empty());
    }
    is_moved
}
