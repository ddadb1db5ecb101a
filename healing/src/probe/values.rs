//! The values of a test postback: recognisable, and harmless unless asked otherwise.

use std::collections::BTreeMap;

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postback_common::config::SourceSettings;
use postback_normalise::profile::{AmountForm, DateForm};
use postback_normalise::{Field, Profile, decode};

/// What a test postback carries.
#[derive(Debug)]
pub struct Values<'a> {
    /// Whose postback it is.
    pub source: &'a SourceSettings,
    /// The source's network.
    pub profile: &'a Profile,
    /// The query of the URL as it is registered with the network, its macros unfilled; `None`: the
    /// network's own parameters.
    pub registered: Option<&'a str>,
    /// Eight hexadecimal digits that nothing else has.
    pub mark: &'a str,
    /// When the sale is said to have been.
    pub now: Timestamp,
    /// A transaction that counts, instead of a signal.
    pub is_transaction: bool,
    /// Values of one's own, by the network's own names.
    pub chosen: &'a BTreeMap<String, String>,
}

impl Values<'_> {
    /// Everything behind the `?`, as the network would fill the registered URL.
    #[must_use]
    pub fn query(&self) -> String {
        let own: String;
        let template = match self.registered {
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

    /// The value of the network's field of that name; empty for one that it has not.
    #[must_use]
    pub fn value(&self, name: &str) -> String {
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
            // Another one would be flagged.
            Field::PublisherId => self.source.publisher_id.as_deref().unwrap_or("0"),
            Field::AdvertiserId | Field::OfferId => "0",
            Field::Sku => "TEST",
            Field::ProductName => "Test postback",
            Field::Quantity => "1",
            Field::SaleAmount | Field::Commission => self.money(column),
            Field::Currency | Field::CommissionCurrency => {
                self.source.currency.as_deref().unwrap_or("USD")
            }
            Field::OccurredAt | Field::ProcessedAt => return self.date(),
            Field::Signal => return self.signal(),
            // The usual status.
            Field::Status | Field::Eligible | Field::Occurrence => "",
        };
        fixed.to_owned()
    }

    fn money(&self, column: Field) -> &'static str {
        let in_minor_units = self.profile.amounts.form == AmountForm::MinorUnits;
        match (self.has_money(), column, in_minor_units) {
            (true, Field::SaleAmount, false) => "10.00",
            (true, Field::SaleAmount, true) => "1000",
            (true, _, false) => "1.00",
            (true, _, true) => "100",
            (false, _, false) => "0.00",
            (false, _, true) => "0",
        }
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
            Some(DateForm::MonthDayYear) => local().strftime("%m/%d/%Y %H:%M:%S").to_string(),
            Some(DateForm::UnixSeconds) => self.now.as_second().to_string(),
            Some(DateForm::UnixMilliseconds) => self.now.as_millisecond().to_string(),
            Some(DateForm::Iso8601) | None => self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_common::config;
    use postback_common::record::{Payload, RawRecord, Via};
    use postback_normalise::profile::Subject;
    use postback_normalise::{Configured, Conversion, Kind, Outcome, normalise, profile};
    use uuid::Uuid;

    use super::*;

    /// What becomes of a test postback of a source with this network and these lines.
    fn understood(network: &str, lines: &str, is_transaction: bool) -> Conversion<'static> {
        let text = format!(
            "[kafka]\nbrokers = \"h:1\"\n[[source]]\nname = \"s\"\nnetwork = \"{network}\"\n\
             currency = \"EUR\"\n[[source.key]]\nkey = \"CANARY-0123456789abcdef\"\n{lines}"
        );
        let settings = config::read(Path::new("t"), &text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        let profile = profile::builtin(network).unwrap();
        let values = Values {
            source: &settings.sources[0],
            profile,
            registered: settings.sources[0].newest_query(),
            mark: "0123abcd",
            now: "2026-03-01T12:30:00Z".parse().unwrap(),
            is_transaction,
            chosen: &BTreeMap::new(),
        };
        let query = values.query();
        let record = RawRecord {
            id: Uuid::from_u128(1),
            source: "s".into(),
            key: None,
            received_at: values.now,
            method: "GET".into(),
            query: Payload::of(query.as_bytes()),
            content_type: None,
            body: None,
            remote: None,
            headers: Vec::new(),
            via: Via::Http,
        };
        match normalise(&record, configured.source("s").unwrap()) {
            Outcome::Accepted(conversion) => conversion.into_owned(),
            other => panic!("{network}: {other:?}: {query}"),
        }
    }

    #[test]
    fn every_network_understands_its_test_and_no_sum_has_it() {
        let networks = profile::all().iter();
        for known in networks.filter(|known| known.about == Subject::Conversions) {
            let network = known.network.as_str();
            let conversion = understood(network, "", false);
            let sale = conversion.sale_amount.map(|amount| amount.to_string());
            let is_nothing = sale.is_none_or(|sale| sale.parse::<f64>().unwrap() == 0.0);
            let is_harmless = conversion.kind == Kind::Signal || is_nothing;
            assert!(is_harmless, "{network}: {conversion:?}");
            if known.parameter_for(Field::ClickId).is_some() {
                assert_eq!(conversion.click_id, "test0123abcd", "{network}");
            }
            if known.parameter_for(Field::OccurredAt).is_some() {
                assert_eq!(
                    conversion.occurred_at,
                    Some("2026-03-01T12:30:00Z".parse().unwrap()),
                    "{network}"
                );
            }
        }
    }

    #[test]
    fn money_is_written_as_the_network_does() {
        let text = "[kafka]\nbrokers = \"h:1\"\n[[source]]\nname = \"s\"\nnetwork = \"impact\"\nenabled = false\n";
        let settings = config::read(Path::new("t"), text, []).unwrap();
        for (form, expected) in [
            (AmountForm::Decimal, ["10.00", "1.00", "0.00"]),
            (AmountForm::MinorUnits, ["1000", "100", "0"]),
        ] {
            let mut profile = (**profile::builtin("impact").unwrap()).clone();
            profile.amounts.form = form;
            let chosen = BTreeMap::new();
            let values = |is_transaction| Values {
                source: &settings.sources[0],
                profile: &profile,
                registered: None,
                mark: "0123abcd",
                now: Timestamp::UNIX_EPOCH,
                is_transaction,
                chosen: &chosen,
            };
            let (counting, test) = (values(true), values(false));
            let sent = [
                counting.value("Amount"),
                counting.value("Payout"),
                test.value("Amount"),
            ];
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn a_template_is_filled_as_the_network_would() {
        let template = "[[source.template]]\nurl = \"https://h/postback/K?a=1&unique_id=<u1>\
            &is_event=%3Cis_event%3E&tid=<etransaction_id>&t=<transaction_date>&s=<sale_amount>&&b\"\n";
        let conversion = understood("rakuten", template, true);
        assert_eq!(conversion.kind, Kind::Transaction);
        assert_eq!(conversion.click_id, "test0123abcd");
        assert_eq!(
            conversion
                .sale_amount
                .map(|amount| amount.to_string())
                .as_deref(),
            Some("10.0000")
        );
        assert_eq!(
            conversion
                .currency
                .map(|currency| currency.to_string())
                .as_deref(),
            Some("EUR")
        );
    }
}
