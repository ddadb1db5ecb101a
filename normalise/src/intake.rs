//! From decoded parameters to fields: which parameter says what, and what no column takes.

use std::borrow::Cow;
use std::mem;

use postback_common::reason::Flag;
use postback_common::secret::HIDDEN;

use crate::by_name::ByName;
use crate::decode::{Decoded, MAX_PARAMETERS, Pair, trim, trimmed};
use crate::field::Field;
use crate::mapping::Mapping;
use crate::mask;
use crate::money;
use crate::profile::MacroStyle;
use crate::template::MARKER;

/// A request's parameters by what they say; everything sent is in here exactly once.
pub(crate) struct Intake<'a> {
    mapping: &'a Mapping,
    /// Those that fields are taken from stand here until then; of the others nothing is left.
    pairs: Vec<Pair<'a>>,
    /// Places of pairs whose value is a JSON number with an exponent.
    exponents: Vec<u16>,
    /// Which of the pairs each field has.
    places: [Option<u16>; Field::COUNT],
    pub(crate) sub_ids: ByName<'a, Cow<'a, str>>,
    pub(crate) extra: ByName<'a, Vec<Cow<'a, str>>>,
    /// May repeat; sorted at the very end.
    pub(crate) flags: Vec<Flag>,
    /// No parameter came at all.
    pub(crate) is_empty: bool,
}

// Pairs have places: a form and the JSON in one of its fields have at most so many parameters each.
const _: () = assert!(2 * MAX_PARAMETERS <= u16::MAX as usize);

impl<'a> Intake<'a> {
    pub(crate) fn of(decoded: Decoded<'a>, mapping: &'a Mapping, style: &MacroStyle) -> Self {
        let unreadable = decoded.unreadable;
        let mut intake = Self {
            mapping,
            is_empty: decoded.pairs.is_empty(),
            pairs: decoded.pairs,
            exponents: decoded.exponents,
            places: [None; Field::COUNT],
            sub_ids: ByName::default(),
            extra: ByName::default(),
            flags: decoded.faults,
        };
        let mut expected = 0;
        for place in 0..u16::try_from(intake.pairs.len()).unwrap_or(u16::MAX) {
            let pair = &intake.pairs[usize::from(place)];
            let found = mapping.find(&pair.name, expected);
            let is_unreadable = unreadable.contains(&place);
            let unreplaced = style.is_unreplaced(&pair.value);
            if unreplaced {
                intake.flags.push(Flag::UnreplacedMacro);
            }
            let says_nothing = unreplaced || is_unreadable;
            let Some((position, carrier)) = found else {
                if pair.name == MARKER && !mapping.expects(MARKER) {
                    intake.flags.push(Flag::UnknownMarker);
                } else if !mapping.expects(&pair.name) {
                    intake.flags.push(Flag::UnknownParameter);
                }
                intake.keep(place);
                continue;
            };
            expected = position + 1;
            match carrier.column {
                None => intake.keep(place),
                Some(Field::SubId) => {
                    intake.take_sub_id(&carrier.network_name, place, says_nothing);
                }
                Some(field) => intake.take(field, place, says_nothing),
            }
        }
        intake
    }

    /// True when the source's template carries the field.
    pub(crate) fn carries(&self, field: Field) -> bool {
        self.mapping.carries(field)
    }

    /// What was sent for a field, spaces around left out; empty for nothing.
    pub(crate) fn text(&self, field: Field) -> &str {
        self.pair(field).map_or("", |pair| trim(&pair.value))
    }

    /// As [`Intake::text`], without the exponent of a JSON number: `1.25E7` is `12500000`. A text that
    /// looks like one stays as it is.
    pub(crate) fn number(&self, field: Field) -> Cow<'_, str> {
        let text = self.text(field);
        let has_exponent =
            self.places[field.index()].is_some_and(|place| self.exponents.contains(&place));
        let plain = has_exponent.then(|| money::without_exponent(text));
        plain.flatten().map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Takes out what [`Intake::text`] tells.
    pub(crate) fn take_text(&mut self, field: Field) -> Cow<'a, str> {
        trimmed(self.take_value(field))
    }

    /// As [`Intake::take_text`], with the spaces before it.
    pub(crate) fn take_text_from_start(&mut self, field: Field) -> Cow<'a, str> {
        match self.take_value(field) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
            Cow::Owned(mut text) => {
                text.truncate(text.trim_end().len());
                Cow::Owned(text)
            }
        }
    }

    fn take_value(&mut self, field: Field) -> Cow<'a, str> {
        match self.places[field.index()] {
            Some(place) => taken(&mut self.pairs[usize::from(place)].value),
            None => Cow::Borrowed(""),
        }
    }

    fn pair(&self, field: Field) -> Option<&Pair<'a>> {
        let place = self.places[field.index()]?;
        self.pairs.get(usize::from(place))
    }

    /// Notes that a field's value could not be read: its text is kept, before any repeats of it.
    pub(crate) fn set_aside(&mut self, field: Field, flag: Flag) {
        self.flags.push(flag);
        if let Some(Pair { name, value }) = self.pair(field).cloned() {
            self.extra.entry(name).insert(0, value);
        }
    }

    /// Keeps what was sent for a field beside the column that it fills.
    pub(crate) fn keep_word(&mut self, field: Field) {
        if let Some(Pair { name, value }) = self.pair(field).cloned() {
            self.extra.entry(name).insert(0, trimmed(value));
        }
    }

    /// `says_nothing`: the field is empty, and what was sent is kept.
    fn take(&mut self, field: Field, place: u16, says_nothing: bool) {
        if self.places[field.index()].is_some() {
            self.flags.push(Flag::RepeatedParameter);
            self.keep(place);
            return;
        }
        if says_nothing {
            let pair = &self.pairs[usize::from(place)];
            let name = pair.name.clone();
            self.keep(place);
            self.pairs[usize::from(place)].name = name;
        }
        self.places[field.index()] = Some(place);
    }

    fn take_sub_id(&mut self, name: &'a str, place: u16, says_nothing: bool) {
        if self.sub_ids.get(name).is_some() {
            self.flags.push(Flag::RepeatedParameter);
            self.keep(place);
        } else if says_nothing {
            *self.sub_ids.entry(name.into()) = Cow::Borrowed("");
            self.keep(place);
        } else {
            let value = taken(&mut self.pairs[usize::from(place)].value);
            *self.sub_ids.entry(name.into()) = trimmed(value);
        }
    }

    /// Keeps a parameter that no column takes.
    fn keep(&mut self, place: u16) {
        let pair = &mut self.pairs[usize::from(place)];
        let (name, value) = (taken(&mut pair.name), taken(&mut pair.value));
        let value = shown(self.mapping, &name, value);
        let values = self.extra.entry(name);
        // Repeats are rare: no room for more of them.
        values.reserve_exact(1);
        values.push(value);
    }
}

/// A longer JSON text that may name a secret is hidden as a whole: taking it apart would take more
/// memory than a request is worth.
const TAKEN_APART_BYTES: usize = 32 * 1024;

/// A value without what must not be shown: all of it, or secret members of the JSON that it is.
fn shown<'a>(mapping: &Mapping, name: &str, value: Cow<'a, str>) -> Cow<'a, str> {
    if mapping.is_secret(name) {
        return Cow::Borrowed(HIDDEN);
    }
    if !mask::looks_like_json(&value) || !mapping.may_name_secret(&value) {
        return value;
    }
    if value.len() > TAKEN_APART_BYTES {
        return Cow::Borrowed(HIDDEN);
    }
    mask::within(&value, &|member| mapping.is_secret(member)).map_or(value, Cow::Owned)
}

/// What stands there, of which nothing is left.
fn taken<'a>(text: &mut Cow<'a, str>) -> Cow<'a, str> {
    mem::replace(text, Cow::Borrowed(""))
}
