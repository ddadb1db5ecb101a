//! A source, checked.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize, Serializer};

use super::api::ApiSettings;
use super::shown::shown_query;
use crate::addresses::Addresses;
use crate::basic_auth::BasicAuth;
use crate::name::{AccountName, KeyName, NetworkName, SourceName};
use crate::secret::{HIDDEN, Secret};
use crate::url_key::KeyHash;

/// One `[[source]]`.
#[derive(Debug, Clone, Serialize)]
pub struct SourceSettings {
    /// Unique. Required.
    pub name: SourceName,
    /// The network whose profile reads its postbacks. Required.
    pub network: NetworkName,
    /// What is known of the network, in place of the profile that is built in: `profile_file`.
    #[serde(rename = "profile_file", skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileFile>,
    /// Whose conversions these are. Default: the source's name.
    pub account: AccountName,
    /// ISO 4217 code taken where a postback has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// IANA time zone of dates without an offset. Default: what the network's profile says.
    #[serde(serialize_with = "zone_name", skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// The account's own id at the network: a postback with another one is flagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher_id: Option<String>,
    /// Names that it had before: records in Kafka name them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<SourceName>,
    /// Accounts whose conversions its orders, or the lines of its statement, are compared with.
    /// Default: all accounts, or those of the network whose statement it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compare_with: Vec<AccountName>,
    /// False: ingest answers 404; what is in Kafka is still loaded. Default true.
    pub enabled: bool,
    /// What makes a conversion of this account the same one. Default: the best that the template
    /// can serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Who may send; anyone who knows a key without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_from: Option<Addresses>,
    /// User and password that every request must carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// The answer to an accepted postback. Default 200 `OK`.
    pub reply: Reply,
    /// `[[source.key]]`: at least one unless disabled.
    #[serde(rename = "key")]
    pub keys: Vec<SourceKey>,
    /// `[[source.template]]`: the URLs as registered with the network, one after the other. Without
    /// one, the network's own parameter names hold.
    #[serde(rename = "template", skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateSettings>,
    /// `[source.api]`: the network's own API; `None`: it is not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSettings>,
}

impl SourceSettings {
    /// Its name, then those that it had before: what was noted under them is its own, too.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let all = std::iter::once(&self.name).chain(&self.aliases);
        all.map(SourceName::as_str)
    }

    /// The template that was registered last: by it the network sends now.
    #[must_use]
    pub fn newest_template(&self) -> Option<&TemplateSettings> {
        let templates = self.templates.iter();
        templates.max_by_key(|template| template.valid_from)
    }

    /// What stands behind the `?` of its URL.
    #[must_use]
    pub fn newest_query(&self) -> Option<&str> {
        self.newest_template()?.url.query()
    }
}

/// One `[[source.template]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateSettings {
    /// When it was registered: what is received from then on is read by it, unless the request
    /// names another by its marker. `None`: from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// The URL.
    pub url: TemplateUrl,
}

/// A network's profile that is not built in. Prints as its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileFile {
    /// Where it was read from.
    pub path: String,
    /// Its TOML.
    pub text: String,
}

impl Serialize for ProfileFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.path)
    }
}

/// What makes two postbacks of an account one conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The network's transaction id.
    TransactionId,
    /// A hash over order id, advertiser, SKU, dates and amounts.
    Order,
    /// Nothing: each postback is a conversion of its own.
    None,
}

impl Identity {
    /// From best to weakest.
    pub const ALL: [Self; 3] = [Self::TransactionId, Self::Order, Self::None];

    /// As it stands in the configuration and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransactionId => "transaction_id",
            Self::Order => "order",
            Self::None => "none",
        }
    }

    /// The recipe of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|identity| identity.as_str() == name)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer to an accepted postback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// 200 to 299: networks count everything else as a failure.
    pub status: u16,
    /// What it says; `None` where HTTP has no room for it.
    #[serde(flatten)]
    pub content: Option<ReplyContent>,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplyContent {
    /// Text of the answer.
    pub body: String,
    /// Its `content-type`.
    pub content_type: String,
}

impl Reply {
    /// Whether an answer of this status has a body (RFC 9110, sections 15.3.5 and 15.3.6).
    #[must_use]
    pub const fn has_content(status: u16) -> bool {
        !matches!(status, 204 | 205)
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 200,
            content: Some(ReplyContent::default()),
        }
    }
}

impl Default for ReplyContent {
    fn default() -> Self {
        Self {
            body: "OK".to_owned(),
            content_type: "text/plain; charset=utf-8".to_owned(),
        }
    }
}

/// One key of a source's URL, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceKey {
    /// How people, metrics and records call it. Default `k1`, `k2`, … by position.
    pub name: KeyName,
    /// SHA-256 of the key.
    pub sha256: KeyHash,
}

/// A URL as registered with a network. Its path holds the URL key, so it prints only its query, and
/// that without what sounds secret or holds a key.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateUrl {
    url: Secret,
    shown: Option<String>,
}

impl TemplateUrl {
    /// Wraps a URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let mut wrapped = Self {
            url: Secret::new(url),
            shown: None,
        };
        wrapped.hide(&|_| false);
        wrapped
    }

    /// Never shows these keys, wherever in the query they stand.
    pub(super) fn hide(&mut self, is_key: &dyn Fn(KeyHash) -> bool) {
        self.shown = self.query().map(|query| shown_query(query, is_key));
    }

    /// All of it, the URL key included.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.url
    }

    /// What stands behind the first `?`; `None` without one. A static value may be a secret of the
    /// network's: show [`TemplateUrl::shown_query`].
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.url.expose().split_once('?').map(|(_, query)| query)
    }

    /// The same without the values of parameters whose name sounds like a secret, or which hold a URL
    /// key. Which of them are macros only the network's profile knows, so those are hidden as well.
    #[must_use]
    pub fn shown_query(&self) -> Option<&str> {
        self.shown.as_deref()
    }

    /// The last segment of its path: the URL key, or what stands in its place in the configuration.
    #[must_use]
    pub fn key(&self) -> Option<Secret> {
        let url = self.url.expose();
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        path.rsplit_once('/').map(|(_, key)| Secret::new(key))
    }

    /// The URL with this key in place of the last segment of its path.
    #[must_use]
    pub fn with_key(&self, key: &Secret) -> Secret {
        let url = self.url.expose();
        let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
        let place = path.rfind('/').map_or("", |slash| &path[..=slash]);
        Secret::new(format!("{place}{}{query}", key.expose()))
    }
}

/// The query as it is shown, the path hidden.
impl Serialize for TemplateUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for TemplateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HIDDEN}?{}", self.shown_query().unwrap_or_default())
    }
}

impl fmt::Debug for TemplateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn zone_name<S: Serializer>(zone: &Option<TimeZone>, serializer: S) -> Result<S::Ok, S::Error> {
    let name = zone.as_ref().and_then(TimeZone::iana_name);
    serializer.serialize_str(name.unwrap_or("UTC"))
}
