//! By which of a source's templates a request is read.
//!
//! A request that names a template by its marker (`pbt=2`) is read by that one. Any other is read
//! by the template that was valid when it was received: of those without a marker, or, where each
//! has one, of all, the one with the latest `valid_from` that is not later. Before the first of
//! them it is the first.

use jiff::Timestamp;
use postback_common::reason::Flag;

use crate::decode::Decoded;
use crate::mapping::Mapping;
use crate::profile::Profile;
use crate::rules::Registered;
use crate::template::MARKER;

/// What parameters mean, under one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The marker of its template.
    pub marker: Option<Box<str>>,
    /// From when on its template was registered; `None`: from the beginning.
    pub valid_from: Option<Timestamp>,
    /// Which parameter carries which field.
    pub mapping: Mapping,
}

/// All readings of a source, at least one.
#[derive(Debug, Clone)]
pub(crate) struct Readings {
    /// By `valid_from`; those of one time in the order of the file.
    all: Vec<Reading>,
    has_markers: bool,
    /// Some template has no marker.
    has_plain: bool,
}

impl Readings {
    /// Without a template the network's own names hold.
    pub(crate) fn new(templates: &[Registered], profile: &Profile) -> Self {
        let mut all: Vec<Reading> = templates.iter().map(Reading::of).collect();
        if all.is_empty() {
            all.push(Reading {
                marker: None,
                valid_from: None,
                mapping: Mapping::of_profile(profile),
            });
        }
        all.sort_by_key(|reading| reading.valid_from);
        Self {
            has_markers: all.iter().any(|reading| reading.marker.is_some()),
            has_plain: all.iter().any(|reading| reading.marker.is_none()),
            all,
        }
    }

    pub(crate) fn all(&self) -> &[Reading] {
        &self.all
    }

    /// The mapping of a request; a marker that no template has is flagged.
    pub(crate) fn mapping_for(
        &self,
        decoded: &mut Decoded<'_>,
        received_at: Timestamp,
    ) -> &Mapping {
        if let [only] = self.all.as_slice()
            && !self.has_markers
        {
            return &only.mapping;
        }
        let mut sent = decoded.pairs.iter();
        let sent = sent.find(|pair| self.has_markers && pair.name == MARKER);
        if let Some(sent) = sent {
            let named = |reading: &&Reading| reading.marker.as_deref() == Some(sent.value.trim());
            if let Some(reading) = self.all.iter().find(named) {
                return &reading.mapping;
            }
            decoded.faults.push(Flag::UnknownMarker);
        }
        self.valid_at(received_at)
    }

    fn valid_at(&self, received_at: Timestamp) -> &Mapping {
        let is_candidate = |reading: &&Reading| !self.has_plain || reading.marker.is_none();
        let candidates = || self.all.iter().filter(is_candidate);
        let begun = |reading: &&Reading| reading.valid_from.is_none_or(|from| from <= received_at);
        let latest = candidates()
            .filter(begun)
            .map(|reading| reading.valid_from)
            .max();
        let mut chosen = candidates();
        let reading = match latest {
            Some(latest) => chosen.find(|reading| reading.valid_from == latest),
            None => chosen.next(),
        };
        // There is at least one, and one of them is a candidate.
        &reading.unwrap_or(&self.all[0]).mapping
    }
}

impl Reading {
    fn of(registered: &Registered) -> Self {
        Self {
            marker: registered.template.marker().map(Into::into),
            valid_from: registered.valid_from,
            mapping: registered.template.mapping().clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;
    use crate::field::Field;
    use crate::profile;
    use crate::template::Template;

    /// Which parameter carries the click id says which template was chosen.
    fn chosen(
        templates: &[(&str, Option<&str>)],
        query: &str,
        received_at: &str,
    ) -> (String, bool) {
        let profile = profile::builtin("rakuten").unwrap();
        let templates: Vec<_> = templates
            .iter()
            .map(|(query, valid_from)| Registered {
                valid_from: valid_from.map(|from| from.parse().unwrap()),
                template: Template::of_query(&format!("is_event=<is_event>&{query}"), profile)
                    .unwrap(),
            })
            .collect();
        let readings = Readings::new(&templates, profile);
        let mut decoded = decode::decode(query.as_bytes());
        let mapping = readings.mapping_for(&mut decoded, received_at.parse().unwrap());
        let mut carriers = mapping.carriers().iter();
        let carrier = carriers.find(|carrier| carrier.column == Some(Field::ClickId));
        let is_flagged = decoded.faults == [Flag::UnknownMarker];
        (carrier.unwrap().parameter.to_string(), is_flagged)
    }

    const OLD: (&str, Option<&str>) = ("old=<u1>", None);
    const NEW: (&str, Option<&str>) = ("new=<u1>", Some("2026-09-01T00:00:00Z"));
    const TWO: (&str, Option<&str>) = ("two=<u1>&pbt=2", None);
    const THREE: (&str, Option<&str>) = ("three=<u1>&pbt=3", Some("2026-10-01T00:00:00Z"));

    #[test]
    fn a_marker_decides_and_otherwise_the_time_does() {
        let (before, at) = ("2026-08-31T23:59:59.999999Z", "2026-09-01T00:00:00Z");
        let later = "2027-01-01T00:00:00Z";
        type Templates = &'static [(&'static str, Option<&'static str>)];
        let cases: &[(Templates, &str, &str, &str, bool)] = &[
            (&[], "u1=x", later, "u1", false),
            (&[OLD], "old=x", later, "old", false),
            (&[NEW, OLD], "", before, "old", false),
            (&[NEW, OLD], "", at, "new", false),
            (&[NEW], "", before, "new", false),
            (
                &[OLD, NEW, TWO, THREE],
                "a=1&pbt=2&b=2",
                later,
                "two",
                false,
            ),
            (&[OLD, NEW, TWO, THREE], "pbt=%203+", before, "three", false),
            (&[OLD, NEW, TWO, THREE], "pbt=4", before, "old", true),
            (&[OLD, NEW, TWO, THREE], "", later, "new", false),
            (&[TWO, THREE], "", before, "two", false),
            (&[TWO, THREE], "", later, "three", false),
            (&[THREE, TWO], "pbt=", later, "three", true),
        ];
        for (templates, query, received_at, expected, is_flagged) in cases {
            assert_eq!(
                chosen(templates, query, received_at),
                ((*expected).to_owned(), *is_flagged),
                "{templates:?} {query} {received_at}"
            );
        }
    }

    #[test]
    fn before_every_template_the_earliest_holds_wherever_it_stands() {
        let (early, late) = ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z");
        let templates = [("late=<u1>", Some(late)), ("early=<u1>", Some(early))];
        for (received_at, expected) in [
            ("2026-08-01T00:00:00Z", "early"),
            (early, "early"),
            (late, "late"),
        ] {
            let read = chosen(&templates, "", received_at);
            assert_eq!(read, (expected.to_owned(), false), "{received_at}");
        }
    }
}
