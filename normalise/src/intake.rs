//! From decoded parameters to fields: which parameter says what, and what no column takes.

use std::borrow::Cow;

use postback_common::reason::Flag;
use postback_common::secret::HIDDEN;

use crate::by_name::ByName;
use crate::decode::{Decoded, Pair, trim, trimmed};
use crate::field::Field;
use crate::mapping::Mapping;
use crate::profile::MacroStyle;
use crate::template::MARKER;

/// A request's parameters by what they say; everything sent is in here exactly once.
pub(crate) struct Intake<'a> {
    mapping: &'a Mapping,
    slots: [Option<Slot<'a>>; Field::COUNT],
    pub(crate) sub_ids: ByName<'a, Cow<'a, str>>,
    pub(crate) extra: ByName<'a, Vec<Cow<'a, str>>>,
    /// May repeat; sorted at the very end.
    pub(crate) flags: Vec<Flag>,
    /// No parameter came at all.
    pub(crate) is_empty: bool,
}

/// What came for a field.
struct Slot<'a> {
    /// The parameter, as sent.
    parameter: Cow<'a, str>,
    /// Its value; empty when the network left the macro in.
    value: Cow<'a, str>,
}

impl<'a> Intake<'a> {
    pub(crate) fn of(decoded: Decoded<'a>, mapping: &'a Mapping, style: &MacroStyle) -> Self {
        let mut intake = Self {
            mapping,
            slots: [const { None }; Field::COUNT],
            sub_ids: ByName::default(),
            extra: ByName::default(),
            flags: decoded.faults,
            is_empty: decoded.pairs.is_empty(),
        };
        let mut expected = 0;
        for pair in decoded.pairs {
            let found = mapping.find(&pair.name, expected);
            let unreplaced = style.is_unreplaced(&pair.value);
            if unreplaced {
                intake.flags.push(Flag::UnreplacedMacro);
            }
            let Some((position, carrier)) = found else {
                if pair.name == MARKER && !mapping.expects(MARKER) {
                    intake.flags.push(Flag::UnknownMarker);
                } else if !mapping.expects(&pair.name) {
                    intake.flags.push(Flag::UnknownParameter);
                }
                intake.keep(pair);
                continue;
            };
            expected = position + 1;
            match carrier.column {
                None => intake.keep(pair),
                Some(Field::SubId) => {
                    intake.take_sub_id(&carrier.network_name, pair, unreplaced);
                }
                Some(field) => intake.take(field, pair, unreplaced),
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
        self.slots[field.index()]
            .as_ref()
            .map_or("", |slot| trim(&slot.value))
    }

    /// Takes out what [`Intake::text`] tells.
    pub(crate) fn take_text(&mut self, field: Field) -> Cow<'a, str> {
        self.slots[field.index()]
            .take()
            .map_or(Cow::Borrowed(""), |slot| trimmed(slot.value))
    }

    /// As [`Intake::take_text`], with the spaces before it.
    pub(crate) fn take_text_from_start(&mut self, field: Field) -> Cow<'a, str> {
        match self.slots[field.index()].take().map(|slot| slot.value) {
            None => Cow::Borrowed(""),
            Some(Cow::Borrowed(text)) => Cow::Borrowed(text.trim_end()),
            Some(Cow::Owned(mut text)) => {
                text.truncate(text.trim_end().len());
                Cow::Owned(text)
            }
        }
    }

    /// Notes that a field's value could not be read: its text is kept, before any repeats of it.
    pub(crate) fn set_aside(&mut self, field: Field, flag: Flag) {
        self.flags.push(flag);
        if let Some(slot) = &self.slots[field.index()] {
            let values = self.extra.entry(slot.parameter.clone());
            values.insert(0, slot.value.clone());
        }
    }

    /// Keeps what was sent for a field beside the column that it fills.
    pub(crate) fn keep_word(&mut self, field: Field) {
        if let Some(slot) = &self.slots[field.index()] {
            let values = self.extra.entry(slot.parameter.clone());
            values.insert(0, trimmed(slot.value.clone()));
        }
    }

    fn take(&mut self, field: Field, pair: Pair<'a>, unreplaced: bool) {
        let slot = &self.slots[field.index()];
        if slot.is_some() {
            self.flags.push(Flag::RepeatedParameter);
            self.keep(pair);
            return;
        }
        let slot = if unreplaced {
            let parameter = pair.name.clone();
            self.keep(pair);
            Slot {
                parameter,
                value: Cow::Borrowed(""),
            }
        } else {
            Slot {
                parameter: pair.name,
                value: pair.value,
            }
        };
        self.slots[field.index()] = Some(slot);
    }

    fn take_sub_id(&mut self, name: &'a str, pair: Pair<'a>, unreplaced: bool) {
        if self.sub_ids.get(name).is_some() {
            self.flags.push(Flag::RepeatedParameter);
            self.keep(pair);
        } else if unreplaced {
            *self.sub_ids.entry(name.into()) = Cow::Borrowed("");
            self.keep(pair);
        } else {
            *self.sub_ids.entry(name.into()) = trimmed(pair.value);
        }
    }

    /// Keeps a parameter that no column takes.
    fn keep(&mut self, pair: Pair<'a>) {
        let value = if self.mapping.is_secret(&pair.name) {
            Cow::Borrowed(HIDDEN)
        } else {
            pair.value
        };
        let values = self.extra.entry(pair.name);
        // Repeats are rare: no room for more of them.
        values.reserve_exact(1);
        values.push(value);
    }
}
