//! The raw record behind a postback, fit to be shown.

mod mask;

use postback_common::record::{Payload, RawRecord};
use postback_normalise::{Configured, profile};

/// What the table of postbacks has no column for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The URL key's name.
    pub(crate) key: Option<String>,
    pub(crate) method: Option<String>,
    /// As received, undecoded, secret values masked; bytes that are not UTF-8 as U+FFFD.
    pub(crate) query: Option<String>,
    /// What the body says it is.
    pub(crate) content_type: Option<String>,
    /// As the query; `None` without one. JSON in which something had to be masked is written anew.
    pub(crate) body: Option<String>,
}

impl Record {
    /// Empty where the bytes in Kafka are no record.
    pub(crate) fn of(raw: &str, source: &str, network: &str, configured: &Configured) -> Self {
        let Ok(record) = RawRecord::decode(raw.as_bytes()) else {
            return Self::default();
        };
        let query = String::from_utf8_lossy(record.query.as_bytes());
        let is_secret = |name: &str| is_secret(name, source, network, configured);
        let content_type = record.content_type.as_deref().unwrap_or_default();
        let body = record.body.as_ref().map(Payload::as_bytes);
        let body = body
            .filter(|body| !body.is_empty())
            .map(|body| mask::body(&String::from_utf8_lossy(body), content_type, &is_secret));
        Self {
            key: record.key.as_ref().map(|key| key.as_str().to_owned()),
            method: Some(record.method.as_str().to_owned()),
            query: Some(mask::query(&query, &is_secret)),
            content_type: body.is_some().then(|| content_type.to_owned()),
            body,
        }
    }
}

/// By the source's own mapping, and by its network's profile where the source is configured no more.
fn is_secret(name: &str, source: &str, network: &str, configured: &Configured) -> bool {
    let by_source = configured.source(source);
    let by_source = by_source.is_some_and(|rules| rules.is_secret(name));
    let profile = profile::builtin(network);
    let by_network = profile.is_some_and(|known| known.is_secret(name));
    by_source || by_network
}
