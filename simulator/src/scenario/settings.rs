//! What a scenario is made from.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::catalogue::{Advertiser, advertisers};
use crate::event::utc_day;

/// What a scenario is made from. Equal settings give equal scenarios.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the chance starts from.
    pub seed: u64,
    /// How many events to make, exact repeats included. Default 20,000.
    pub postbacks: u32,
    /// The last day, in UTC, on which orders are placed and the network reports.
    pub last_day: Date,
    /// How many days, the last one included. Default 30. Reversals need at least two.
    pub days: u16,
    /// The publisher ("SID").
    pub publisher_id: u64,
    /// The shops, equally busy.
    pub advertisers: Vec<Advertiser>,
    /// How often what happens.
    pub shares: Shares,
    /// The first order's place in the shops' numbering: scenarios of one network that follow each
    /// other share no order. Default 0.
    pub first_order: u64,
}

/// How often what happens, in ten-thousandths: 600 is 6 %. Zero switches it off altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Orders with two to four SKU lines instead of one.
    pub several_lines: u16,
    /// Orders whose number is not numeric (`M1917799796`).
    pub letter_orders: u16,
    /// Orders without a click id: empty in half of them, the parameter absent in the others.
    pub without_click: u16,
    /// Orders with the click id of an earlier order: a customer who comes back.
    pub same_click: u16,
    /// Orders whose click id is an unreplaced macro.
    pub unreplaced_macros: u16,
    /// SKU lines that are announced by a signal.
    pub signals: u16,
    /// Orders that are reversed on a later day, whole or one line of them.
    pub reversed: u16,
    /// Orders whose amounts are zero.
    pub zero_amounts: u16,
    /// Orders that the advertiser reports in a batch, hours later.
    pub batch: u16,
    /// Orders whose dates are written in ISO 8601.
    pub iso_dates: u16,
    /// Orders whose dates hold a raw `+`.
    pub raw_plus: u16,
    /// SKU lines without a SKU.
    pub without_sku: u16,
    /// Events that are reported again word for word, as a share of all events.
    pub repeats: u16,
    /// SKU lines of which the network reports another amount days later, under the same id.
    pub revised: u16,
    /// Events that the network sends hours late, behind events that are newer.
    pub late: u16,
    /// Orders whose values are hardly percent-encoded, a third of them in Latin-1.
    pub careless: u16,
}

/// Settings that make no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Zero days.
    #[error("a scenario of 0 days has no room for an order: set days to 1 or more")]
    NoDays,
    /// No advertiser, or one without products.
    #[error("a scenario needs at least one advertiser, and each of them at least one product")]
    NothingToSell,
    /// More than everything.
    #[error("a share of {share} ten-thousandths is more than all: set it to 10000 or less")]
    ShareAboveAll {
        /// The share as it was given.
        share: u16,
    },
    /// A day outside what the calendar can hold.
    #[error("the scenario's days lie outside the calendar: {0}")]
    Calendar(#[from] jiff::Error),
}

impl Settings {
    /// The defaults, ending on `last_day`.
    #[must_use]
    pub fn ending(last_day: Date) -> Self {
        Settings {
            seed: 1,
            postbacks: 20_000,
            last_day,
            days: 30,
            publisher_id: 3_817_122,
            advertisers: advertisers(),
            shares: Shares::default(),
            first_order: 0,
        }
    }

    /// The defaults, ending yesterday as seen from `now` in UTC, so that nothing lies in the future.
    #[must_use]
    pub fn until(now: Timestamp) -> Self {
        let today = utc_day(now);
        Settings::ending(today.yesterday().unwrap_or(today))
    }

    /// The first day on which orders are placed.
    ///
    /// # Errors
    /// When it lies before the calendar begins.
    pub fn first_day(&self) -> Result<Date, ScenarioError> {
        Ok(self
            .last_day
            .checked_sub(i32::from(self.days.saturating_sub(1)).days())?)
    }

    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        if self.days == 0 {
            return Err(ScenarioError::NoDays);
        }
        if self.advertisers.is_empty() || self.advertisers.iter().any(|a| a.products.is_empty()) {
            return Err(ScenarioError::NothingToSell);
        }
        match self.shares.all().into_iter().find(|share| *share > 10_000) {
            Some(share) => Err(ScenarioError::ShareAboveAll { share }),
            None => Ok(()),
        }
    }
}

impl Shares {
    /// The defaults and, beside them, what only some receivers take: revisions, late events and
    /// careless spelling.
    #[must_use]
    pub fn lifelike() -> Self {
        Shares {
            revised: 100,
            late: 200,
            careless: 300,
            ..Shares::default()
        }
    }

    fn all(&self) -> [u16; 16] {
        [
            self.several_lines,
            self.letter_orders,
            self.without_click,
            self.same_click,
            self.unreplaced_macros,
            self.signals,
            self.reversed,
            self.zero_amounts,
            self.batch,
            self.iso_dates,
            self.raw_plus,
            self.without_sku,
            self.repeats,
            self.revised,
            self.late,
            self.careless,
        ]
    }
}

impl Default for Shares {
    fn default() -> Self {
        Shares {
            several_lines: 3_000,
            letter_orders: 1_000,
            without_click: 600,
            same_click: 300,
            unreplaced_macros: 20,
            signals: 1_900,
            reversed: 500,
            zero_amounts: 50,
            batch: 1_000,
            iso_dates: 1_000,
            raw_plus: 300,
            without_sku: 100,
            repeats: 50,
            revised: 0,
            late: 0,
            careless: 0,
        }
    }
}
