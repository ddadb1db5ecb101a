//! The values of a test postback: recognisable, and harmless unless asked otherwise.

use std::collections::BTreeMap;

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postback_common::config::SourceSettings;
use postback_normalise::profile::DateForm;
use postback_normalise::{Field, Profile, decode};

use crate::cmd::door;

/// What a test postback carries.
pub(super) struct Values<'a> {
    pub(super) source: &'a SourceSettings,
    pub(super) profile: &'a Profile,
    /// Eight hexadecimal digits that nothing else has.
    pub(super) mark: &'a str,
    pub(super) now: Timestamp,
    /// A transaction that counts, instead of a signal.
    pub(super) is_transaction: bool,
    /// By the network's own names.
    pub(super) chosen: &'a BTreeMap<String, String>,
}

impl Values<'_> {
    /// Everything behind the `?`, as the network would fill the source's newest template.
    pub(super) fn query(&self) -> String {
        let registered = door::newest(self.source).and_then(|template| template.url.query());
        let own: String;
        let template = match registered {
            Some(query) => query,
            None => {
                let names = self.profile.parameters.iter().map(|known| &known.name);
                let parts: Vec<String> = names
                    .map(|name| format!("{name}={}", self.profile.macro_style.write(name)))
                    .collect();
                own = parts.join("&");
                &own
            }
        };
        let parts = template.split('&').filter(|part| !part.is_empty());
        parts
            .map(|part| self.filled(part))
            .collect::<Vec<_>>()
            .join("&")
    }

    /// What has to be chosen to send the same with the money taken back.
    pub(super) fn reversal(&self) -> String {
        let fields = [
            Field::OrderId,
            Field::ClickId,
            Field::OccurredAt,
            Field::SaleAmount,
            Field::Commission,
        ];
        let names = fields
            .into_iter()
            .filter_map(|field| Some((field, self.profile.parameter_for(field)?)));
        let chosen = names.map(|(field, name)| {
            let value = self.value(name);
            let value = match field {
                Field::SaleAmount | Field::Commission => negated(&value),
                _ => value,
            };
            format!(" --set '{name}={value}'")
        });
        chosen.collect()
    }

    /// One parameter with its macro replaced; anything else as it stands.
    fn filled(&self, part: &str) -> String {
        let decoded = decode::decode(part.as_bytes());
        let value = decoded.pairs.first().map(|pair| pair.value.clone());
        let name = value
            .as_deref()
            .and_then(|value| self.profile.macro_style.name_in(value));
        match (name, part.split_once('=')) {
            (Some(name), Some((parameter, _))) => {
                let value = self.value(name);
                format!(
                    "{parameter}={}",
                    utf8_percent_encode(&value, NON_ALPHANUMERIC)
                )
            }
            _ => part.to_owned(),
        }
    }

    /// The value of the network's field of that name.
    fn value(&self, name: &str) -> String {
        if let Some(chosen) = self.chosen.get(name) {
            return chosen.clone();
        }
        let column = self.profile.parameter(name).and_then(|known| known.column);
        column.map_or_else(String::new, |column| self.of_column(column))
    }

    fn of_column(&self, column: Field) -> String {
        let mark = self.mark;
        let fixed = match column {
            Field::TransactionId => return format!("7e577e577e577e577e577e57{mark}"),
            Field::OrderId => return format!("TEST-{mark}"),
            Field::ClickId => return format!("test{mark}"),
            Field::SubId => "test",
            Field::AdvertiserId | Field::PublisherId | Field::OfferId => "0",
            Field::Sku => "TEST",
            Field::ProductName => "Test postback",
            Field::Quantity => "1",
            Field::SaleAmount if self.has_money() => "10.00",
            Field::Commission if self.has_money() => "1.00",
            Field::SaleAmount | Field::Commission => "0.00",
            Field::Currency | Field::CommissionCurrency => {
                self.source.currency.as_deref().unwrap_or("USD")
            }
            Field::OccurredAt | Field::ProcessedAt => return self.date(),
            Field::Signal => return self.signal(),
            // The network's usual status.
            Field::Status => "",
        };
        fixed.to_owned()
    }

    /// Money of a signal is never summed; that of a transaction is what was asked for.
    fn has_money(&self) -> bool {
        self.is_transaction || self.profile.signal.is_some()
    }

    fn signal(&self) -> String {
        let values = self.profile.signal.as_ref();
        let values = values.map(|rule| {
            if self.is_transaction {
                &rule.transaction
            } else {
                &rule.signal
            }
        });
        values
            .and_then(|values| values.first())
            .cloned()
            .unwrap_or_default()
    }

    /// Now, in the form that the network is known by, in the zone that it is read in.
    fn date(&self) -> String {
        let dates = &self.profile.dates;
        let zone = self
            .source
            .time_zone
            .clone()
            .unwrap_or_else(|| dates.zone.clone());
        let local = || self.now.to_zoned(zone);
        match dates.forms.first() {
            Some(DateForm::Javascript) => self
                .now
                .strftime("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)")
                .to_string(),
            Some(DateForm::DateTime) => local().strftime("%Y-%m-%d %H:%M:%S").to_string(),
            Some(DateForm::UnixSeconds) => self.now.as_second().to_string(),
            Some(DateForm::UnixMilliseconds) => self.now.as_millisecond().to_string(),
            Some(DateForm::Iso8601) | None => self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// An amount, the other way round.
fn negated(amount: &str) -> String {
    match amount.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None => format!("-{amount}"),
    }
}
