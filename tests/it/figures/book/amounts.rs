//! Amounts as networks write them, and what is remarkable about them.

use std::collections::BTreeSet;

use super::dice::Dice;
use crate::figures::model::written;

/// Decimals of a currency, as ISO 4217 has them; `None` where the currency is unknown.
pub(crate) fn decimals(currency: &str) -> Option<usize> {
    match currency {
        "" => None,
        "JPY" => Some(0),
        "KWD" => Some(3),
        _ => Some(2),
    }
}

/// An amount and its text.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) units: Option<i128>,
    pub(crate) text: String,
}

impl Written {
    /// Some amount of a currency; now and then none, nothing, a word, or one without decimals.
    pub(crate) fn some(dice: &mut Dice, currency: &str) -> Self {
        let places = decimals(currency).unwrap_or(2);
        let step = 10_i128.pow(4 - u32::try_from(places).unwrap());
        let units = i128::from(500 + dice.roll(20_000)) * step;
        match dice.roll(60) {
            0 | 1 => Self::none(""),
            2 => Self::none("n/a"),
            3 | 4 => Self::exact(0, places),
            5..=14 => Self::exact(units / 10_000 * 10_000 + 10_000, 0),
            15 | 16 => Self::exact(units / 10_000 * 10_000 + 10_000, places),
            _ => Self::exact(units, places),
        }
    }

    fn none(text: &str) -> Self {
        Self {
            units: None,
            text: text.to_owned(),
        }
    }

    pub(crate) fn exact(units: i128, places: usize) -> Self {
        Self {
            units: Some(units),
            text: written(units, places),
        }
    }

    /// A tenth of it in whole minor units.
    pub(crate) fn tenth(&self, currency: &str) -> Self {
        let places = decimals(currency).unwrap_or(2);
        let step = 10_i128.pow(4 - u32::try_from(places).unwrap());
        let tenth = |units: i128| Self::exact(units / 10 / step * step, places);
        self.units.map_or_else(|| Self::none(""), tenth)
    }

    /// What takes this back.
    pub(crate) fn negated(&self, currency: &str) -> Self {
        let places = decimals(currency).unwrap_or(2);
        let negated = |units: i128| Self::exact(-units, places);
        self.units.map_or_else(|| Self::none(""), negated)
    }

    /// Half of it, and what takes that back.
    pub(crate) fn half_negated(&self, currency: &str) -> Self {
        let places = decimals(currency).unwrap_or(2);
        let step = 10_i128.pow(4 - u32::try_from(places).unwrap());
        let half = |units: i128| Self::exact(-(units / 2 / step * step), places);
        self.units.map_or_else(|| Self::none(""), half)
    }

    /// What a flag says of it; `currency` is empty where it is unknown.
    pub(crate) fn flag(&self, currency: &str, flags: &mut BTreeSet<&'static str>) {
        let has_decimals = decimals(currency).is_some_and(|places| places > 0);
        let flag = match self.units {
            None if self.text.is_empty() => "missing_amount",
            None => "unreadable_amount",
            Some(0) => "zero_amount",
            Some(_) if has_decimals && !self.text.contains('.') => "whole_amount",
            Some(_) => return,
        };
        flags.insert(flag);
    }
}
