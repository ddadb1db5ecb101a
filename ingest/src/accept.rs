//! Wraps a postback in a raw record, and has it stored.

use std::cell::RefCell;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use jiff::Timestamp;
use postback_common::reason::Refusal;
use postback_common::record::{IdSource, Payload, RawRecord, Text, Via};
use tokio::time::Instant;
use uuid::Uuid;

use crate::refusals::mask;
use crate::sources::UrlKey;
use crate::storage::{Record, Storage, Way};

/// A buffer that grew beyond this for a large body is given back.
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    /// The record is copied into a queue, so each thread needs one buffer only.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes records and sees to their storage.
pub struct Acceptor {
    storage: Storage,
    ids: IdSource,
    record_headers: Vec<HeaderName>,
}

/// A postback that was read whole.
pub struct Postback<'a> {
    /// By which key it came.
    pub key: &'a UrlKey,
    /// That key, as it stood in the path: no record has it.
    pub secret: &'a [u8],
    /// The head of its request; hyper may have seen another target.
    pub head: &'a Parts,
    /// What stands behind the first `?` of its target, as it came.
    pub query: &'a [u8],
    /// Its body; empty without one.
    pub body: &'a Bytes,
    /// The sender's address without port.
    pub remote: &'a str,
}

impl Acceptor {
    /// `record_headers` in the order in which records show them; names that are none are passed
    /// over, and the configuration has refused them before.
    #[must_use]
    pub fn new(storage: Storage, ids: IdSource, record_headers: &[String]) -> Self {
        let names = record_headers.iter();
        Self {
            storage,
            ids,
            record_headers: names.filter_map(|name| name.parse().ok()).collect(),
        }
    }

    /// Makes the postback durable, which was read whole at `whole`, at most until `deadline`; says
    /// under which id, and where.
    ///
    /// # Errors
    /// As [`Storage::store`].
    pub async fn accept(
        &self,
        postback: &Postback<'_>,
        whole: Instant,
        deadline: Instant,
    ) -> Result<(Uuid, Way), Refusal> {
        let received_at = Timestamp::now();
        let wrapped = Wrapped {
            postback,
            id: self.ids.next(received_at),
            received_at,
            record_headers: &self.record_headers,
        };
        let way = self.storage.store(&wrapped, whole, deadline).await?;
        Ok((wrapped.id, way))
    }
}

/// What a record is made of. The record itself is made anew for each place: it comes out the same,
/// most go to one place only, and none takes up memory while its request waits.
struct Wrapped<'a> {
    postback: &'a Postback<'a>,
    id: Uuid,
    received_at: Timestamp,
    record_headers: &'a [HeaderName],
}

impl Wrapped<'_> {
    fn record(&self) -> RawRecord<'_> {
        let Postback {
            key,
            secret,
            head,
            query,
            body,
            remote,
        } = *self.postback;
        let bodied = !body.is_empty();
        let content_type = head.headers.get(CONTENT_TYPE).filter(|_| bodied);
        RawRecord {
            id: self.id,
            source: key.source.as_str().into(),
            key: Some(key.name.as_str().into()),
            received_at: whole_micros(self.received_at),
            method: head.method.as_str().into(),
            query: Payload::of(query),
            content_type: content_type.map(text),
            body: bodied.then(|| Payload::of(body)),
            remote: Some(remote.into()),
            headers: self.recorded(&head.headers, secret),
            via: Via::Http,
        }
    }

    /// The headers to record that the request has, each once. Proxies write the target into some.
    fn recorded<'a>(&'a self, headers: &'a HeaderMap, secret: &[u8]) -> Vec<(Text<'a>, Text<'a>)> {
        let names = self.record_headers.iter();
        let all = names.filter_map(|name| joined(headers, name));
        let masked = all.map(|(name, value)| match mask::without_key(&value, secret) {
            Some(masked) => (name, masked.into()),
            None => (name, value),
        });
        masked.collect()
    }
}

impl Record for Wrapped<'_> {
    fn lend<T>(&self, reads: impl FnOnce(&[u8]) -> T) -> T {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            self.record().encode_into(buffer);
            let read = reads(buffer);
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
            read
        })
    }

    fn at_micros(&self) -> u64 {
        u64::try_from(self.received_at.as_microsecond()).unwrap_or(0)
    }
}

/// A header's values, joined with `", "` when it came more than once.
fn joined<'a>(headers: &'a HeaderMap, name: &'a HeaderName) -> Option<(Text<'a>, Text<'a>)> {
    let mut values = headers.get_all(name).iter();
    let mut joined = text(values.next()?);
    for value in values {
        joined = format!("{joined}, {}", text(value)).into();
    }
    Some((name.as_str().into(), joined))
}

/// Bytes that are no UTF-8 show as U+FFFD.
fn text(value: &HeaderValue) -> Text<'_> {
    String::from_utf8_lossy(value.as_bytes()).into()
}

/// A record has nothing finer.
fn whole_micros(now: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}
