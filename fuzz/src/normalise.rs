//! Any query and body, on the way to a row.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use postback_common::name::{AccountName, SourceName};
use postback_common::reason::Flag;
use postback_common::record::{Payload, RawRecord, Via};
use postback_common::secret::HIDDEN;
use postback_normalise::{
    Amount, Conversion, Field, Identity, KeyDayRule, Outcome, Profile, SourceDescription,
    SourceRules, decode, normalise, profile,
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

/// What came of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// It became a row, by a network that asks for no identity.
    pub was_accepted: bool,
    /// Parameters of a body were found again.
    pub had_a_body: bool,
}

/// Flags after which something of the request stands in the raw record alone.
const INCOMPLETE: [Flag; 5] = [
    Flag::TooManyParameters,
    Flag::TextTooLong,
    Flag::InvalidUtf8,
    Flag::UnreadBody,
    Flag::UnreadableBody,
];

/// A request as an input says it: the network, the method, the content type and the query, each on
/// a line; the rest is the body. The method `PULL` says that it was fetched from the network's API.
#[derive(Debug)]
struct Request<'a> {
    profile: &'static Arc<Profile>,
    is_post: bool,
    is_pulled: bool,
    content_type: Option<&'a str>,
    query: &'a [u8],
    body: &'a [u8],
}

impl<'a> Request<'a> {
    fn of(input: &'a [u8]) -> Self {
        let mut lines = input.splitn(5, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let network = str::from_utf8(line()).unwrap_or_default();
        let (method, content_type) = (line(), str::from_utf8(line()).ok());
        let all = profile::all();
        Self {
            profile: profile::builtin(network).unwrap_or(&all[network.len() % all.len()]),
            is_post: method == b"POST",
            is_pulled: method == b"PULL",
            content_type: content_type.filter(|told| !told.is_empty()),
            query: line(),
            body: line(),
        }
    }

    fn record(&self) -> RawRecord<'_> {
        RawRecord {
            id: Uuid::from_u128(7),
            source: "fuzz".into(),
            key: None,
            received_at: Timestamp::UNIX_EPOCH,
            method: if self.is_post { "POST" } else { "GET" }.into(),
            query: Payload::of(self.query),
            content_type: self.content_type.map(Into::into),
            body: Some(Payload::of(self.body)),
            remote: None,
            headers: Vec::new(),
            via: if self.is_pulled {
                Via::Backfill
            } else {
                Via::Http
            },
        }
    }

    /// Every parameter; JSON is read by other means than the normaliser's.
    fn parameters(&self) -> Vec<(String, String)> {
        let mut parameters = of_query(self.query);
        if self.is_pulled {
            parameters.extend(members(self.body).unwrap_or_default());
            return parameters;
        }
        let told = self.content_type.unwrap_or_default();
        let told = told.split(';').next().unwrap_or_default().trim();
        let told = told.to_ascii_lowercase();
        let is_json = match told.split_once('/') {
            Some(("application", "x-www-form-urlencoded")) => {
                self.profile.payload.array && begins_as_object(self.body)
            }
            Some(("application" | "text", "json")) => true,
            _ => told.ends_with("+json") || begins_as_object(self.body),
        };
        if is_json {
            parameters.extend(members(self.body).unwrap_or_default());
            return parameters;
        }
        let held = self.profile.payload.json_field.as_deref();
        // Only the first field of that name is opened.
        let mut is_first = true;
        for (name, value) in of_query(self.body.trim_ascii_end()) {
            let is_held = held == Some(name.as_str()) && std::mem::take(&mut is_first);
            match members(value.as_bytes()).filter(|_| is_held) {
                Some(members) => parameters.extend(members),
                None => parameters.push((name, value)),
            }
        }
        parameters
    }
}

/// Reads `input` as a request and normalises it.
///
/// # Panics
/// When the outcome differs from one time to the next, a parameter is in no column and not in
/// `extra`, or an amount is none that was sent.
pub fn check(input: &[u8]) -> Seen {
    let request = Request::of(input);
    let record = request.record();
    for rules in rules_of(request.profile) {
        let outcome = normalise(&record, rules);
        assert_eq!(outcome, normalise(&record, rules));
    }
    let mut seen = Seen {
        was_accepted: false,
        had_a_body: false,
    };
    if let Outcome::Accepted(row) = normalise(&record, &rules_of(request.profile)[0]) {
        seen.was_accepted = true;
        if INCOMPLETE.iter().all(|flag| !row.flags.contains(flag)) {
            let parameters = request.parameters();
            seen.had_a_body = parameters.len() > of_query(request.query).len();
            check_parameters(&row, &parameters, request.profile);
        }
    }
    seen
}

/// Without identity, so that everything is accepted; and as the network's own names can serve it.
fn rules_of(profile: &Profile) -> &'static [SourceRules] {
    static RULES: LazyLock<BTreeMap<String, Vec<SourceRules>>> = LazyLock::new(|| {
        let rules = |profile: &Arc<Profile>| {
            let all = [Some((Identity::None, KeyDayRule::Bucket)), None];
            all.into_iter()
                .filter_map(|fixed| rules(profile, fixed))
                .collect()
        };
        let all = profile::all().iter();
        all.map(|profile| (profile.network.to_string(), rules(profile)))
            .collect()
    });
    let rules = RULES.get(profile.network.as_str());
    rules.map_or(&[], Vec::as_slice)
}

fn rules(profile: &Arc<Profile>, fixed: Option<(Identity, KeyDayRule)>) -> Option<SourceRules> {
    let description = SourceDescription {
        source: SourceName::new("fuzz").ok()?,
        account: AccountName::new("fuzz").ok()?,
        profile: Arc::clone(profile),
        currency: None,
        zone: None,
        publisher_id: None,
        templates: Vec::new(),
        identity: fixed.map(|(identity, _)| identity),
        key_day_rule: fixed.map(|(_, rule)| rule),
    };
    SourceRules::new(description).ok()
}

/// Split by the standard library, decoded by `percent-encoding` through the public decoder's own
/// test; here only whole parameters are wanted.
fn of_query(query: &[u8]) -> Vec<(String, String)> {
    let decoded = decode::decode(query).pairs.into_iter();
    let pairs = decoded.map(|pair| (pair.name.into_owned(), pair.value.into_owned()));
    pairs.collect()
}

fn begins_as_object(body: &[u8]) -> bool {
    without_mark(body).trim_ascii_start().starts_with(b"{")
}

/// Without the byte order mark that some senders put before JSON.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// The members of a JSON object, in their order; `None` for anything else.
fn members(body: &[u8]) -> Option<Vec<(String, String)>> {
    let Members(members) = serde_json::from_slice(without_mark(body)).ok()?;
    let text = |value: &RawValue| match serde_json::from_str::<serde_json::Value>(value.get()) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Null) => String::new(),
        _ => value.get().to_owned(),
    };
    let members = members.iter();
    let members = members.map(|(name, value)| (name.trim().to_owned(), text(value)));
    Some(members.collect())
}

/// A map would keep one of two members of a name.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}

fn check_parameters(row: &Conversion<'_>, parameters: &[(String, String)], profile: &Profile) {
    for (name, value) in parameters {
        let column = profile.parameter(name).and_then(|known| known.column);
        let kept = row.extra.get(name);
        // A word that was understood is kept beside its column, without what stands around it.
        let is_word = matches!(
            column,
            Some(Field::Status | Field::Eligible | Field::Occurrence)
        );
        let is_sent = |kept: &str| kept == value || (is_word && kept == value.trim());
        let is_kept = kept.is_some_and(|values| values.iter().any(|kept| is_sent(kept)));
        let is_json = value
            .trim_start()
            .trim_start_matches('\u{feff}')
            .trim_start()
            .starts_with(['{', '[']);
        let is_masked = |kept: &str| is_json && kept.contains(HIDDEN);
        let is_hidden = kept.is_some_and(|values| {
            profile.is_secret(name) || values.iter().any(|kept| is_masked(kept))
        });
        let is_in_column = column.is_some_and(|column| is_in_column(row, column, value));
        assert!(
            is_kept || is_hidden || is_in_column,
            "{name}={value:?} is nowhere in {row:#?}"
        );
    }
    let amounts = [
        (Field::SaleAmount, row.sale_amount),
        (Field::Commission, row.commission),
        (Field::Quantity, row.quantity),
    ];
    for (column, amount) in amounts {
        let Some(amount) = amount else { continue };
        let of_column = |name: &str| {
            let known = profile.parameter(name);
            known.is_some_and(|known| known.column == Some(column))
        };
        let mut sent = parameters.iter().filter(|(name, _)| of_column(name));
        assert!(
            sent.any(|(_, value)| is_amount(value, amount)),
            "{column} is {amount} and was not sent: {parameters:?}"
        );
    }
}

fn is_in_column(row: &Conversion<'_>, column: Field, value: &str) -> bool {
    let sent = value.trim();
    let is = |text: &str| text == sent;
    let is_currency = |code: Option<postback_normalise::Currency>| {
        code.is_some_and(|code| code.as_str().eq_ignore_ascii_case(sent))
    };
    sent.is_empty()
        || match column {
            Field::TransactionId => is(&row.transaction_id),
            Field::OrderId => is(&row.order_id),
            Field::ClickId => is(&row.click_id),
            Field::SubId => row.sub_ids.iter().any(|(_, kept)| is(kept)),
            Field::AdvertiserId => is(&row.advertiser_id),
            Field::PublisherId => is(&row.publisher_id),
            Field::OfferId => is(&row.offer_id),
            Field::Sku => is(&row.sku),
            Field::ProductName => row.product_name == value.trim_end(),
            Field::Quantity => row.quantity.is_some_and(|amount| is_amount(sent, amount)),
            Field::SaleAmount => row
                .sale_amount
                .is_some_and(|amount| is_amount(sent, amount)),
            Field::Commission => row.commission.is_some_and(|amount| is_amount(sent, amount)),
            Field::Currency => is_currency(row.currency),
            Field::CommissionCurrency => is_currency(row.commission_currency),
            Field::OccurredAt => row.occurred_at.is_some(),
            Field::ProcessedAt => row.processed_at.is_some(),
            Field::Signal => row.kind.as_str() != "unknown",
            Field::Status => row.status.as_str().eq_ignore_ascii_case(sent),
            // Kept beside the columns alone.
            Field::Eligible | Field::Occurrence => false,
        }
}

/// As a number of ten-thousandths, by another way than the parser's: digits, and how many zeros
/// follow them.
fn is_amount(sent: &str, amount: Amount) -> bool {
    let sent = sent.trim();
    // Of JSON numbers alone; of a text with one no amount is read.
    let (number, exponent) = sent.split_once(['e', 'E']).unwrap_or((sent, "0"));
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{}{decimals}", whole.trim_start_matches(['+', '-']));
    let telling = digits.trim_end_matches('0');
    let passed = (digits.len() - telling.len()) as i128 - decimals.len() as i128;
    let zeros = exponent
        .parse::<i128>()
        .map(|exponent| 4 + exponent + passed);
    let value = format!("0{telling}").parse::<i128>().unwrap_or(i128::MAX);
    if value == 0 {
        return amount.is_zero();
    }
    let zeros = zeros.ok().and_then(|zeros| u32::try_from(zeros).ok());
    let power = zeros.and_then(|zeros| 10_i128.checked_pow(zeros));
    let units = power.and_then(|power| value.checked_mul(power));
    let units = units.map(|units| if sent.starts_with('-') { -units } else { units });
    units == Some(amount.units().into())
}
