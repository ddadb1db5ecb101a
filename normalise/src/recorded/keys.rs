//! Whether changed templates, or a changed profile, read keys out of something else.

use std::collections::BTreeSet;

use super::{Recorded, RecordedTemplate};
use crate::field::Field;
use crate::identity::{self, KeyDayRule};
use crate::mapping::Mapping;
use crate::profile::{AmountForm, CommissionCurrency, Parameter, Profile};

/// Rules, and the profile that they have.
type Under<'r> = (&'r Recorded, &'r Profile);

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

/// Every field that a key or its day hangs on: what they are made of, and the currencies by which
/// amounts among that are read.
fn of_keys(rules: &Recorded, profile: &Profile) -> BTreeSet<Field> {
    let recipe = identity::recipe(rules.identity, profile).iter().copied();
    let mut fields: BTreeSet<Field> = recipe.chain(date_of(rules, profile)).collect();
    // ISO 4217 says how many decimals a minor unit is.
    if profile.amounts.form == AmountForm::MinorUnits {
        if fields.contains(&Field::SaleAmount) {
            fields.insert(Field::Currency);
        }
        if fields.contains(&Field::Commission) {
            fields.insert(Field::CommissionCurrency);
        }
    }
    if fields.contains(&Field::CommissionCurrency)
        && profile.amounts.commission_currency == CommissionCurrency::Sale
    {
        fields.insert(Field::Currency);
    }
    fields
}

/// The date that gives the day, where it is no bucket.
fn date_of(rules: &Recorded, profile: &Profile) -> Option<Field> {
    let date = profile.identity.immutable_date;
    date.filter(|_| rules.key_day == KeyDayRule::Date)
}

/// True where a source's default currency becomes part of the keys of postbacks that have none.
pub(super) fn have_assumed_currency(rules: &Recorded, profile: &Profile) -> bool {
    let fields = of_keys(rules, profile);
    fields.contains(&Field::Currency) || fields.contains(&Field::CommissionCurrency)
}

/// True when what these rules' keys and days hang on is read out of the same parameters by both
/// profiles, which have the same recipes. It is their names alone that are compared: a template
/// carries the macros of these names, and what is fetched from the network's API has them.
pub(super) fn are_read_the_same(rules: &Recorded, one: &Profile, other: &Profile) -> bool {
    let names = |profile: &Profile, field: Field| -> BTreeSet<String> {
        let own = profile.parameters.iter();
        let own = own.filter(|parameter| parameter.column == Some(field));
        own.flat_map(Parameter::names).map(str::to_owned).collect()
    };
    let fields = of_keys(rules, one);
    let is_read = |field: &Field| names(one, *field) == names(other, *field);
    fields.is_empty() || (fields.iter().all(is_read) && stand_where_they_stood(rules, one, other))
}

/// True when no key can change by where in a request parameters are looked for. What stands in the
/// query counts before what a body has: a key of one value is that of the query, or there was none.
/// Members that take a form field's place can come before what counted until then.
fn stand_where_they_stood(rules: &Recorded, one: &Profile, other: &Profile) -> bool {
    let (one_place, other_place) = (&one.payload, &other.payload);
    let recipe = identity::recipe(rules.identity, one);
    let is_simple = recipe.len() <= 1 && one_place.json_field == other_place.json_field;
    is_simple || one_place == other_place
}

/// True when postbacks that the network sends by one of `before`'s templates, and that came already,
/// could get another key or another day if they came again and were read by `after`'s: a template
/// was changed in its place. A template that was added, with a marker or a time of its own, reads
/// what a network sends by its own URL.
pub(super) fn are_read_elsewhere(before: Under<'_>, after: Under<'_>) -> bool {
    let gone = Sent::by_rules_alone(before.0, after.0, before.1);
    let instead = Sent::by_rules_alone(after.0, before.0, after.1);
    gone.iter()
        .any(|sent| instead.iter().any(|by| is_moved(before, sent, by)))
}

/// Where something is lacking that the key or its day needs, there is none, and nothing counts.
fn is_moved((rules, profile): Under<'_>, sent: &Sent, by: &Sent) -> bool {
    let named_after = identity::named_after(rules.identity);
    // Without a signal field it is neither of the two kinds, which is never summed.
    let needed = [named_after, date_of(rules, profile), Some(Field::Signal)];
    let mut is_moved = false;
    for field in of_keys(rules, profile) {
        let then = of_field(&sent.mapping, field);
        let mut now = of_field(&by.mapping, field);
        now.retain(|parameter| sent.has(parameter));
        if now.is_empty() && needed.contains(&Some(field)) {
            return false;
        }
        is_moved |= !now.is_subset(&then) || (now.is_empty() && !then.is_empty());
    }
    is_moved
}
