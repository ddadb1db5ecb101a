//! Every file in `schemas/examples/` gives the row, or the rejection, that it names.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use postback_common::name::{AccountName, SourceName};
use postback_common::reason::Flag;
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::{
    Amount, Conversion, Currency, Identity, Outcome, Profile, Registered, Rejected,
    SourceDescription, SourceRules, Template, normalise, profile,
};
use serde::Deserialize;
use uuid::Uuid;

/// Fewest examples that the folder holds: a loop over none would pass.
const FEWEST: usize = 100;

/// A folder's own profile, for networks that are invented.
const PROFILE: &str = "profile.toml";

/// Flags that no example of one row can show: `profiles.rs` has requests that are too long,
/// `orders.rs` one with several orders.
const RAISED_ELSEWHERE: [&str; 3] = ["repeated_order", "text_too_long", "too_many_parameters"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    purpose: String,
    template: Option<String>,
    #[serde(default)]
    templates: Vec<Registration>,
    #[serde(default)]
    source: Source,
    request: Request,
    row: Option<ExpectedRow>,
    rejected: Option<ExpectedRejection>,
}

/// A URL as registered, and since when.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    valid_from: Option<Timestamp>,
    url: String,
}

impl Registration {
    fn registered(&self, profile: &Profile) -> Registered {
        Registered {
            valid_from: self.valid_from,
            template: Template::parse(&self.url, profile).unwrap(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    currency: Option<String>,
    time_zone: Option<String>,
    identity: Option<String>,
    key_day_rule: Option<String>,
    publisher_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    id: Uuid,
    received_at: Timestamp,
    query: Option<String>,
    query_latin1: Option<String>,
    method: Option<String>,
    content_type: Option<String>,
    body: Option<String>,
    via: Option<Via>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExpectedRow {
    hashed: Option<Vec<String>>,
    conversion_key: Uuid,
    key_day: Date,
    revision: String,
    kind: String,
    status: String,
    transaction_id: String,
    order_id: String,
    click_id: String,
    sub_ids: BTreeMap<String, String>,
    advertiser_id: String,
    publisher_id: String,
    offer_id: String,
    sku: String,
    product_name: String,
    quantity: Option<String>,
    sale_amount: Option<String>,
    commission: Option<String>,
    currency: String,
    commission_currency: String,
    occurred_at: Option<Timestamp>,
    processed_at: Option<Timestamp>,
    flags: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExpectedRejection {
    reasons: Vec<String>,
    hashed: Option<Vec<String>>,
    conversion_key: Option<Uuid>,
    key_day: Option<Date>,
}

fn rules(profile: &Arc<Profile>, templates: &[Registration], source: &Source) -> SourceRules {
    let zone = source.time_zone.as_deref();
    let zone = zone.map(|name| TimeZone::get(name).unwrap());
    SourceRules::new(SourceDescription {
        source: SourceName::new("some-source").unwrap(),
        account: AccountName::new("some-account").unwrap(),
        profile: Arc::clone(profile),
        currency: source
            .currency
            .as_deref()
            .map(|code| code.parse::<Currency>().unwrap()),
        zone,
        publisher_id: source.publisher_id.clone(),
        templates: templates
            .iter()
            .map(|one| one.registered(profile))
            .collect(),
        identity: source
            .identity
            .as_deref()
            .map(|name| Identity::from_name(name).unwrap()),
        key_day_rule: source
            .key_day_rule
            .as_deref()
            .map(|name| name.parse().unwrap()),
    })
    .unwrap()
}

fn texts(values: &[Cow<'_, str>]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn outcome(example: &Example, rules: &SourceRules) -> Outcome<'static> {
    let request = &example.request;
    let query = match (&request.query, &request.query_latin1) {
        (Some(text), None) => text.clone().into_bytes(),
        (None, Some(text)) => text.chars().map(|c| u8::try_from(c).unwrap()).collect(),
        (None, None) if request.body.is_some() => Vec::new(),
        _ => panic!("an example has query, query_latin1 or a body"),
    };
    let record = RawRecord {
        id: request.id,
        source: "some-source".into(),
        key: Some("k1".into()),
        received_at: request.received_at,
        method: request.method.as_deref().unwrap_or("GET").into(),
        query: Payload::of(&query),
        content_type: request.content_type.as_deref().map(Into::into),
        body: request
            .body
            .as_ref()
            .map(|body| Payload::of(body.as_bytes())),
        remote: None,
        headers: Vec::new(),
        via: request.via.unwrap_or(Via::Http),
    };
    normalise(&record, rules).into_owned()
}

/// The row as examples write it. What an example does not name is compared here.
fn shown(
    row: &Conversion<'_>,
    example: &Example,
    network: &str,
    hashed: Option<Vec<String>>,
) -> ExpectedRow {
    assert_eq!(
        (row.source.as_str(), row.account.as_str()),
        ("some-source", "some-account")
    );
    assert_eq!(row.network.as_str(), network);
    assert_eq!(
        (row.postback_id, row.received_at),
        (example.request.id, example.request.received_at)
    );
    let amount = |amount: Option<Amount>| amount.map(|amount| amount.to_string());
    let code = |currency: Option<Currency>| {
        currency.map_or(String::new(), |currency| currency.to_string())
    };
    ExpectedRow {
        hashed,
        conversion_key: row.conversion_key,
        key_day: row.key_day,
        revision: format!("{:032x}", row.revision),
        kind: row.kind.as_str().to_owned(),
        status: row.status.as_str().to_owned(),
        transaction_id: row.transaction_id.to_string(),
        order_id: row.order_id.to_string(),
        click_id: row.click_id.to_string(),
        sub_ids: (row.sub_ids.iter())
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        advertiser_id: row.advertiser_id.to_string(),
        publisher_id: row.publisher_id.to_string(),
        offer_id: row.offer_id.to_string(),
        sku: row.sku.to_string(),
        product_name: row.product_name.to_string(),
        quantity: amount(row.quantity),
        sale_amount: amount(row.sale_amount),
        commission: amount(row.commission),
        currency: code(row.currency),
        commission_currency: code(row.commission_currency),
        occurred_at: row.occurred_at,
        processed_at: row.processed_at,
        flags: row
            .flags
            .iter()
            .map(|flag| flag.as_str().to_owned())
            .collect(),
        extra: (row.extra.iter())
            .map(|(name, values)| (name.to_string(), texts(values)))
            .collect(),
    }
}

fn shown_rejection(rejected: &Rejected, hashed: Option<Vec<String>>) -> ExpectedRejection {
    ExpectedRejection {
        reasons: rejected
            .reasons
            .iter()
            .map(|reason| reason.as_str().to_owned())
            .collect(),
        hashed,
        conversion_key: rejected.conversion_key,
        key_day: rejected.key_day,
    }
}

/// The key of the values that an example says are hashed, so that what it says is true.
fn key_of(hashed: &[String]) -> Uuid {
    let mut bytes = Vec::new();
    for value in hashed {
        bytes.extend((value.len() as u64).to_le_bytes());
        bytes.extend(value.as_bytes());
    }
    Uuid::from_slice(&blake3::hash(&bytes).as_bytes()[..16]).unwrap()
}

fn run(profile: &Arc<Profile>, file: &Path, flags: &mut BTreeSet<String>) {
    let name = file.display();
    let text = fs::read_to_string(file).unwrap();
    let mut example: Example =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(
        example.purpose.ends_with('.'),
        "{name}: the purpose is a sentence"
    );
    let hashed = (example
        .row
        .as_ref()
        .map(|row| (&row.hashed, Some(row.conversion_key))))
    .or(example
        .rejected
        .as_ref()
        .map(|rejected| (&rejected.hashed, rejected.conversion_key)));
    if let Some((Some(hashed), key)) = hashed {
        assert_eq!(
            Some(key_of(hashed)),
            key,
            "{name}: the key is not that of the values named"
        );
    }
    let only = example.template.take().map(|url| Registration {
        valid_from: None,
        url,
    });
    example.templates.extend(only);
    let rules = rules(profile, &example.templates, &example.source);
    let network = profile.network.as_str();
    match (outcome(&example, &rules), &example.row, &example.rejected) {
        (Outcome::Accepted(row), Some(expected), None) => {
            assert_eq!(
                shown(&row, &example, network, expected.hashed.clone()),
                *expected,
                "{name}"
            );
            flags.extend(expected.flags.iter().cloned());
        }
        (Outcome::Rejected(rejected), None, Some(expected)) => {
            assert_eq!(
                shown_rejection(&rejected, expected.hashed.clone()),
                *expected,
                "{name}"
            );
        }
        (outcome, ..) => panic!("{name}: {outcome:#?}"),
    }
}

/// The folder's own profile, or that of the network it is named after.
fn profile_of(folder: &Path) -> Arc<Profile> {
    match fs::read_to_string(folder.join(PROFILE)) {
        Ok(toml) => Arc::new(Profile::parse(&toml).unwrap()),
        Err(_) => {
            let network = folder.file_name().unwrap().to_str().unwrap();
            Arc::clone(profile::builtin(network).unwrap())
        }
    }
}

#[test]
fn every_example_gives_what_it_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/examples");
    let mut count = 0;
    let mut flags = BTreeSet::new();
    for network in fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
    {
        let profile = profile_of(&network);
        for file in fs::read_dir(network)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with(PROFILE))
        {
            run(&profile, &file, &mut flags);
            count += 1;
        }
    }
    assert!(count >= FEWEST, "only {count} examples were found");
    let all: BTreeSet<String> = Flag::ALL.iter().map(ToString::to_string).collect();
    let without: Vec<_> = all.difference(&flags).collect();
    assert_eq!(without, RAISED_ELSEWHERE, "flags without an example");
}
