//! `[source.api]`: the network's own API, where the endpoint is managed and missed postbacks are
//! fetched.
//!
//! Only third parties describe Rakuten's API, so whatever they may have wrong can be set: paths,
//! names of fields, and how a token is asked for. Alone of a source's settings these can come from
//! the environment as well: `POSTBACK__SOURCE__RAKUTEN_US__API__CLIENT_SECRET`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use toml::Table;

use super::environment::Environment;
use super::fault::{Fault, FaultCode};
use super::section::Section;
use super::web::plain_url;
use crate::secret::Secret;

/// What a source's network is asked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiSettings {
    /// Scheme, host and, where there is one, a path before all others; without a slash at its end.
    /// Required.
    pub base_url: String,
    /// From `client_id` or `client_id_file`. Required.
    pub client_id: Secret,
    /// From `client_secret` or `client_secret_file`. Required.
    pub client_secret: Secret,
    /// The account's own id at the network ("SID"). Default: the source's `publisher_id`.
    pub publisher_id: String,
    /// Where client id and secret stand in the request for a token. Default `basic`.
    pub token_auth: TokenAuth,
    /// `scope` of that request. Default: the publisher id.
    pub scope: String,
    /// Where a token is to be had. Default `/token`.
    pub token_path: String,
    /// Where the endpoint is managed. Default `/v1/postback`.
    pub endpoint_path: String,
    /// Where transactions are fetched. Default `/events/1.0/transactions`.
    pub events_path: String,
    /// How the fields of an endpoint are called.
    pub fields: FieldNames,
    /// Transactions asked for at once. Default 1,000.
    pub page_size: u32,
    /// Requests to the network at once, 1 to 3: from the fourth on it answers 429.
    pub max_calls: u8,
    /// Pause between two questions whether the endpoint is on; `None` (0): it is not asked.
    /// Default 300 s.
    #[serde(rename = "poll_seconds", serialize_with = "as_seconds")]
    pub poll_every: Option<Duration>,
    /// Switch a disabled endpoint on again once it answers in time. Default false.
    pub reenable: bool,
    /// Fetch by itself what was missed. Default false.
    pub heal: bool,
    /// How long the network keeps transactions for those who fetch them. Default 7 days: Rakuten
    /// keeps one to two weeks.
    pub keeps_days: u16,
}

/// How a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenAuth {
    /// HTTP Basic, RFC 6749, section 2.3.1.
    Basic,
    /// `client_id` and `client_secret` in the form.
    Form,
}

/// Names in the JSON of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldNames {
    /// The publisher's id. Default `sid`.
    pub publisher_id: String,
    /// The URL. Default `url`.
    pub url: String,
    /// Whether it is on. Default `isActive`.
    pub is_active: String,
    /// When it was set up. Default `createdAt`.
    pub created_at: String,
    /// When it was changed last. Default `updatedAt`.
    pub updated_at: String,
}

impl ApiSettings {
    /// `None` where the source has no such table, or one that is wrong.
    ///
    /// `called` is the source's name.
    pub(super) fn read(
        source: &mut Section<'_>,
        environment: &mut Environment,
        called: &str,
        publisher_id: Option<&str>,
    ) -> Option<Self> {
        let name = source.key("api");
        let mut tables = source.tables("api");
        if tables.len() > 1 {
            let problem = "a source has one API only";
            source.refuse(Fault::new(
                FaultCode::Contradiction,
                &name,
                problem,
                "keep one of them",
            ));
        }
        let variables = variables(called);
        let table = match tables.pop() {
            Some(table) => table,
            None if environment.has_section(&variables) => Table::new(),
            None => return None,
        };
        let faults = source.faults();
        let mut api = Section::overridable(name, table, (&variables, environment), faults);
        let base_url = base_url(&mut api);
        let client_id = credential(&mut api, "client_id", "client_id_file");
        let client_secret = credential(&mut api, "client_secret", "client_secret_file");
        let own = api.checked("publisher_id", "give the id as the network knows it", word);
        let publisher_id = own.or(publisher_id.map(str::to_owned));
        if publisher_id.is_none() {
            let remedy = "give your id at the network, here or as publisher_id of the source";
            api.missing("publisher_id", remedy);
        }
        let token_auth = api.checked("token_auth", "use \"basic\" or \"form\"", TokenAuth::parse);
        let scope = api.text("scope");
        let token_path = path(&mut api, "token_path", "/token");
        let endpoint_path = path(&mut api, "endpoint_path", "/v1/postback");
        let events_path = path(&mut api, "events_path", "/events/1.0/transactions");
        let fields = FieldNames::read(&mut api);
        let page_size = api.number("page_size", 1_000, 1..=100_000);
        let max_calls = api.number("max_calls", 3, 1..=3);
        let poll = match api.number("poll_seconds", 300, 0..=86_400) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        };
        let reenable = api.flag("reenable", false);
        let heal = api.flag("heal", false);
        if poll.is_none() && (reenable || heal) {
            let key = api.key("poll_seconds");
            let fault = Fault::new(
                FaultCode::Contradiction,
                &key,
                "reenable and heal need to know when the endpoint is off",
                "give a pause in seconds, or remove reenable and heal",
            );
            api.refuse(fault.with_value("0"));
        }
        let keeps_days = api.number("keeps_days", 7, 1..=366);
        let publisher_id = publisher_id?;
        Some(Self {
            base_url: base_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            token_auth: token_auth.unwrap_or(TokenAuth::Basic),
            scope: scope.unwrap_or_else(|| publisher_id.clone()),
            publisher_id,
            token_path,
            endpoint_path,
            events_path,
            fields,
            page_size,
            max_calls,
            poll_every: poll,
            reenable,
            heal,
            keeps_days,
        })
    }
}

/// The section of the variables that set a source's API. A variable's name has no `-`.
fn variables(source: &str) -> String {
    format!("source__{}__api", source.replace('-', "_"))
}

/// Refuses sources of which a variable could mean either; only the first one of them would get it.
pub(super) fn refuse_shared_variables(
    tables: &[Table],
    environment: &Environment,
    faults: &mut Vec<Fault>,
) {
    let names = tables
        .iter()
        .filter_map(|table| table.get("name")?.as_str());
    let mut first = BTreeMap::new();
    for name in names {
        let section = variables(name);
        if !environment.has_section(&section) {
            continue;
        }
        // Two of one name are refused for that.
        let taken = *first.entry(section).or_insert(name);
        if taken != name {
            let shared = taken.replace('-', "_").to_uppercase();
            let problem = format!(
                "POSTBACK__SOURCE__{shared}__API__… could mean source {taken} as well as source {name}"
            );
            let remedy = "set [source.api] of both in the file, with secrets in files of their own";
            let key = format!("source[{name}].api");
            faults.push(Fault::new(FaultCode::Contradiction, &key, problem, remedy));
        }
    }
}

impl TokenAuth {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "basic" => Ok(Self::Basic),
            "form" => Ok(Self::Form),
            _ => Err("is no way to ask for a token"),
        }
    }
}

impl FieldNames {
    fn read(api: &mut Section<'_>) -> Self {
        let table = api.tables("fields").pop().unwrap_or_default();
        let name = api.key("fields");
        let mut fields = Section::nested(name, table, api.faults());
        let mut named = |key, default: &str| {
            let given = fields.checked(key, "give the name in the network's JSON", word);
            given.unwrap_or_else(|| default.to_owned())
        };
        Self {
            publisher_id: named("publisher_id", "sid"),
            url: named("url", "url"),
            is_active: named("is_active", "isActive"),
            created_at: named("created_at", "createdAt"),
            updated_at: named("updated_at", "updatedAt"),
        }
    }
}

fn base_url(api: &mut Section<'_>) -> Option<String> {
    let remedy = "give scheme and host, such as https://api.example.com";
    let before = api.faults().len();
    let url = api.checked_unseen("base_url", remedy, |text| match text.contains('?') {
        true => Err("must not have a query"),
        false => plain_url(text).map(|()| text.trim_end_matches('/').to_owned()),
    });
    if url.is_none() && api.faults().len() == before {
        api.missing("base_url", remedy);
    }
    url
}

fn credential(api: &mut Section<'_>, key: &'static str, file: &'static str) -> Option<Secret> {
    let before = api.faults().len();
    let found = api.secret(key, file);
    let found = found.map(|secret| Secret::new(secret.expose().trim()));
    let found = found.filter(|secret| !secret.expose().is_empty());
    if found.is_none() && api.faults().len() == before {
        let remedy = format!("give {key} or {file}, as the network gave it");
        api.missing(key, &remedy);
    }
    found
}

fn path(api: &mut Section<'_>, key: &'static str, default: &str) -> String {
    let given = api.checked_unseen(key, "write /path/of/it", |text| {
        let is_plain = |c: char| c.is_ascii_graphic() && !"?#\"<>".contains(c);
        if text.len() > 1 && text.starts_with('/') && text.chars().all(is_plain) {
            Ok(text.trim_end_matches('/').to_owned())
        } else {
            Err("is no path")
        }
    });
    given.unwrap_or_else(|| default.to_owned())
}

/// A part of a path or the name of a field.
fn word(text: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.trim() {
        "" => Err("must not be empty"),
        text if text.chars().all(is_plain) => Ok(text.to_owned()),
        _ => Err("must consist of letters, digits, -, _ and ."),
    }
}

fn as_seconds<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.map_or(0, |duration| duration.as_secs()))
}
