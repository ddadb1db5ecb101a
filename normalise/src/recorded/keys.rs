//! Whether changed templates read keys out of something else.

use std::collections::BTreeSet;

use super::{Recorded, RecordedTemplate};
use crate::field::Field;
use crate::identity::{self, KeyDayRule};
use crate::mapping::Mapping;
use crate::profile::Profile;

/// What a network sends by one template, and how it is read.
struct Sent {
    mapping: Mapping,
    /// Parameters that are the same each time.
    statics: Vec<(String, String)>,
}

impl Sent {
    fn by(template: &RecordedTemplate, profile: &Profile) -> Option<Self> {
        let template = template.registered(profile).ok()?.template;
        Some(Self {
            mapping: template.mapping().clone(),
            statics: template.statics().to_vec(),
        })
    }

    fn by_own_names(profile: &Profile) -> Self {
        Self {
            mapping: Mapping::of_profile(profile),
            statics: Vec::new(),
        }
    }

    /// By each template that the rules have and `others` have not; without a template the network's
    /// own names hold.
    fn by_rules_alone(rules: &Recorded, others: &Recorded, profile: &Profile) -> Vec<Self> {
        if rules.templates.is_empty() {
            return vec![Self::by_own_names(profile)];
        }
        let alone = rules.templates.iter();
        let alone = alone.filter(|template| !others.templates.contains(template));
        alone
            .filter_map(|template| Self::by(template, profile))
            .collect()
    }

    /// True when a request by this template has the parameter.
    fn has(&self, parameter: &str) -> bool {
        carriers(&self.mapping).any(|(name, _)| name == parameter)
            || self.statics.iter().any(|(name, _)| name == parameter)
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
    let gone = Sent::by_rules_alone(before, after, profile);
    let instead = Sent::by_rules_alone(after, before, profile);
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
