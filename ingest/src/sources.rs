//! The URL keys that open a way in, by their hashes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use postback_common::addresses::Addresses;
use postback_common::basic_auth::BasicAuth;
use postback_common::config::{Reply, SourceSettings};
use postback_common::name::{KeyName, SourceName};
use postback_common::url_key::KeyHash;

use crate::metrics::{IngestMetrics, KeyMetrics};

/// All URL keys. Immutable: a reload makes a new one.
#[derive(Debug, Default)]
pub struct Sources {
    /// Of enabled sources.
    open: HashMap<KeyHash, Arc<UrlKey>>,
    /// Of disabled sources, which nobody comes in by.
    closed: HashMap<KeyHash, (SourceName, KeyName)>,
}

/// One URL key, and everything about it that a request needs.
#[derive(Debug)]
pub struct UrlKey {
    /// The source whose postbacks come by this key.
    pub source: SourceName,
    /// What the key is called.
    pub name: KeyName,
    /// Who may send.
    pub allow_from: Option<Addresses>,
    /// What every request must carry.
    pub basic_auth: Option<BasicAuth>,
    /// The answer to an accepted postback.
    pub reply: PreparedReply,
    /// Counters of its own.
    pub metrics: KeyMetrics,
}

/// A source's reply in the form in which it is sent.
#[derive(Debug)]
pub struct PreparedReply {
    /// 200 to 299.
    pub status: StatusCode,
    /// The text; empty where the status has none.
    pub body: Bytes,
    /// Its `content-type`.
    pub content_type: Option<HeaderValue>,
}

impl Sources {
    /// Keeps the keys of all sources; only those of enabled ones open a way in.
    #[must_use]
    pub fn new(sources: &[SourceSettings], metrics: &IngestMetrics) -> Self {
        let mut all = Self::default();
        for source in sources {
            for key in &source.keys {
                if !source.enabled {
                    let names = (source.name.clone(), key.name.clone());
                    all.closed.insert(key.sha256, names);
                    continue;
                }
                let url_key = UrlKey {
                    source: source.name.clone(),
                    name: key.name.clone(),
                    allow_from: source.allow_from.clone(),
                    basic_auth: source.basic_auth.clone(),
                    reply: PreparedReply::new(&source.reply),
                    metrics: metrics.key(&source.name, &key.name, source.reply.status),
                };
                all.open.insert(key.sha256, Arc::new(url_key));
            }
        }
        all
    }

    /// The key with this hash, if its source is enabled.
    #[must_use]
    pub fn get(&self, hash: &KeyHash) -> Option<&Arc<UrlKey>> {
        self.open.get(hash)
    }

    /// The names of source and key with this hash, disabled or not.
    #[must_use]
    pub fn names(&self, hash: &KeyHash) -> Option<(&str, &str)> {
        let open = self.open.get(hash).map(|key| (&key.source, &key.name));
        let closed = || self.closed.get(hash).map(|(source, key)| (source, key));
        let (source, key) = open.or_else(closed)?;
        Some((source.as_str(), key.as_str()))
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.open.len())
    }
}

impl PreparedReply {
    /// The configuration admits no status and no content type that HTTP would refuse; should one
    /// come all the same, what everybody understands takes its place.
    fn new(reply: &Reply) -> Self {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        let content = reply.content.as_ref();
        let body = content.map(|content| Bytes::copy_from_slice(content.body.as_bytes()));
        let named = content.map(|content| HeaderValue::from_str(&content.content_type));
        Self {
            status: StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK),
            body: body.unwrap_or_default(),
            content_type: named.map(|named| named.unwrap_or(plain)),
        }
    }
}
