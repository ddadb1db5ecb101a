//! Planned requests: what is sent where, and what the ledger expects of it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::{Fate, Identity};
use crate::event::{Event, Spelling};
use crate::facts::Facts;
use crate::template::{Template, TemplateError};

/// A URL registered with the network for one source of the receiver.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The receiver's name of the source, as its reports show it.
    pub source: String,
    /// The registered URL.
    pub template: Template,
    /// ISO 4217 code that the receiver takes where the template carries no currency.
    pub currency: String,
    /// What the receiver wants beside the URL.
    pub authorization: Option<Authorization>,
}

/// The value of a header `authorization`: a secret, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(Arc<str>);

impl Authorization {
    /// Wraps it.
    #[must_use]
    pub fn new(value: &str) -> Self {
        Authorization(value.into())
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(..)")
    }
}

/// The request's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The network's only method.
    Get,
    /// Not a postback: for garbage.
    Put,
}

/// One planned request. Its path may hold a secret key, so it is neither shown by `Debug` nor kept
/// in the ledger; all else is in [`Planned`].
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    path: String,
    authorization: Option<Authorization>,
    /// What the ledger holds of it.
    pub planned: Planned,
}

/// A planned request as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The receiver's name of the source that it is sent to.
    pub source: String,
    /// What is wrong with it, for garbage; `None` for an ordinary postback.
    pub label: Option<String>,
    /// The request's method.
    pub method: Method,
    /// The query as sent, without `?`.
    pub query: String,
    /// How its characters are sent.
    #[serde(default, skip_serializing_if = "Charset::is_utf8")]
    pub charset: Charset,
    /// What must become of it.
    #[serde(flatten)]
    pub fate: Fate,
    /// Postbacks of one source that share this are one conversion; without it, each is its own.
    pub conversion: Option<String>,
    /// Its contents, where the receiver takes it as a postback.
    pub facts: Option<Facts>,
}

/// How the characters of a query are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charset {
    /// In UTF-8.
    #[default]
    Utf8,
    /// One byte each, of ISO 8859-1.
    Latin1,
}

impl Charset {
    fn of(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Careful | Spelling::Raw => Charset::Utf8,
            Spelling::RawLatin1 => Charset::Latin1,
        }
    }

    fn is_utf8(&self) -> bool {
        *self == Charset::Utf8
    }
}

impl Planned {
    /// The query to the byte.
    #[must_use]
    pub fn query_bytes(&self) -> Vec<u8> {
        match self.charset {
            Charset::Utf8 => self.query.clone().into_bytes(),
            // Beyond Latin-1 there is nothing in such a query.
            Charset::Latin1 => self
                .query
                .chars()
                .filter_map(|c| u8::try_from(c).ok())
                .collect(),
        }
    }
}

impl Registration {
    /// A URL that carries nothing and leads nowhere.
    pub(crate) fn empty(source: &str, currency: &str) -> Self {
        Registration {
            source: source.to_owned(),
            template: Template::default(),
            currency: currency.to_owned(),
            authorization: None,
        }
    }

    /// Registers `url` (see [`Template::parse`]) for `source`; `currency` stands in where the
    /// template carries none.
    ///
    /// # Errors
    /// When `url` is no URL template.
    pub fn new(source: &str, url: &str, currency: &str) -> Result<Self, TemplateError> {
        let template = Template::parse(url)?;
        Ok(Registration {
            source: source.to_owned(),
            template,
            currency: currency.to_owned(),
            authorization: None,
        })
    }
}

/// The deliveries of `events` to one registered URL, in their order.
#[must_use]
pub fn plan(events: &[Event], registration: &Registration) -> Vec<Delivery> {
    events
        .iter()
        .map(|event| Delivery::of(event, registration))
        .collect()
}

impl Delivery {
    /// The delivery of one event.
    #[must_use]
    pub fn of(event: &Event, registration: &Registration) -> Self {
        let Registration {
            source,
            template,
            currency,
            authorization,
        } = registration;
        let facts = Facts::of(event, template, currency);
        Delivery {
            path: template.path().to_owned(),
            authorization: authorization.clone(),
            planned: Planned {
                source: source.clone(),
                label: None,
                method: Method::Get,
                query: template.query(event),
                charset: Charset::of(event.spelling),
                fate: Fate::of_accepted(&facts, template),
                conversion: Identity::of(template).conversion(&facts),
                facts: Some(facts),
            },
        }
    }

    /// Sends it to another path.
    pub(crate) fn with_path(mut self, path: String) -> Self {
        self.path = path;
        self
    }

    /// The value of its header `authorization`.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.authorization.as_ref().map(|value| &*value.0)
    }

    /// The request target. It may hold a secret key: never log it.
    #[must_use]
    pub fn target(&self) -> Vec<u8> {
        let mut target = self.path.clone().into_bytes();
        target.push(b'?');
        target.extend(self.planned.query_bytes());
        target
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("planned", &self.planned)
            .finish_non_exhaustive()
    }
}
