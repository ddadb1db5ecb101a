//! `[ingest]`

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::access;
use super::fault::{Fault, FaultCode};
use super::section::Section;
use super::spool::SpoolSettings;
use super::tls::TlsSettings;
use crate::addresses::Addresses;
use crate::place::{self, WrongPlace};

/// What `postback-ingest` listens on, accepts and promises.
#[derive(Debug, Clone, Serialize)]
pub struct IngestSettings {
    /// Address and port for the networks. Default `0.0.0.0:8080`.
    pub listen: SocketAddr,
    /// Address and port for `/healthz`, `/readyz`, `/metrics`. Default `127.0.0.1:9100`.
    pub admin_listen: SocketAddr,
    /// Scheme and host under which the networks reach ingest; used to print URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Longest time from the last byte of a request to its answer. Default 250 ms: networks give
    /// 400 ms, round trips included.
    #[serde(rename = "answer_within_ms", serialize_with = "as_millis")]
    pub answer_within: Duration,
    /// How long a record may wait for Kafka before it also goes to the spool. Default 100 ms, or
    /// less where the answer is due sooner.
    #[serde(rename = "kafka_wait_ms", serialize_with = "as_millis")]
    pub kafka_wait: Duration,
    /// `spool_dir` and `spool_max_bytes`; without them there is no spool.
    #[serde(flatten)]
    pub spool: Option<SpoolSettings>,
    /// Longest query in bytes, as it came. Default 16,384, at most 61,440.
    pub max_query_bytes: usize,
    /// Longest body in bytes. Default 65,536.
    pub max_body_bytes: usize,
    /// Headers kept in the raw record, in lower case. Default `["user-agent"]`.
    pub record_headers: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed. Default none.
    #[serde(skip_serializing_if = "Addresses::is_empty")]
    pub trusted_proxies: Addresses,
    /// Connections of the networks at once; a further one gets 503. Default 10,000, or fewer where
    /// the process may not open so many files.
    pub max_connections: usize,
    /// Requests being answered at once; a further one gets 503. Default 5,000.
    pub max_in_flight: usize,
    /// How long a connection may wait for its next request. Default 75 s, longer than a balancer
    /// keeps its side open (60 s is common).
    #[serde(rename = "idle_timeout_ms", serialize_with = "as_millis")]
    pub idle_timeout: Duration,
    /// How long connections are still accepted once the process is to end, for a balancer to notice.
    /// Default 0.
    #[serde(rename = "lame_duck_ms", serialize_with = "as_millis")]
    pub lame_duck: Duration,
    /// `[ingest.tls]`: the networks' listener speaks TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
}

/// Largest `max_query_bytes`. hyper takes request targets up to 65,534 bytes, path included.
const MAX_QUERY_BYTES: usize = 61_440;

/// Room in a record for everything but query and body: recorded headers, names, punctuation.
const ENVELOPE_BYTES: usize = 128 * 1024;

/// Most bytes that a raw record can have under these limits of ingest.
///
/// JSON writes a control character in six bytes (`\u0001`), and text of nothing else is valid UTF-8;
/// base64, for bytes that are none, takes only a third more.
#[must_use]
pub fn record_bytes_max(ingest: &IngestSettings) -> usize {
    6 * (ingest.max_query_bytes + ingest.max_body_bytes) + ENVELOPE_BYTES
}

/// Time that the spool has after Kafka's wait: for one sync of an ordinary disk, and for the one that
/// was under way. A tenth of the answer's time where that is less.
const SPOOL_WITHIN: Duration = Duration::from_millis(25);

/// Headers that carry credentials; a record must not.
const NEVER_RECORDED: &[&str] = &["authorization", "proxy-authorization", "cookie"];

impl IngestSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let remedy = "write address:port, such as 0.0.0.0:8080";
        let answer_within = section.number("answer_within_ms", 250, 10..=60_000);
        let settings = Self {
            listen: section
                .parsed("listen", remedy)
                .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8080))),
            admin_listen: section
                .parsed("admin_listen", remedy)
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9100))),
            public_url: section.checked_unseen(
                "public_url",
                "write https://host, as the network reaches it",
                origin,
            ),
            answer_within: Duration::from_millis(answer_within),
            kafka_wait: Duration::from_millis(section.number(
                "kafka_wait_ms",
                100.min(answer_within / 2),
                1..=60_000,
            )),
            spool: SpoolSettings::read(section),
            max_query_bytes: section.number("max_query_bytes", 16_384, 256..=MAX_QUERY_BYTES),
            max_body_bytes: section.number("max_body_bytes", 65_536, 0..=524_288),
            record_headers: record_headers(section),
            trusted_proxies: access::trusted_proxies(section),
            max_connections: section.number("max_connections", 10_000, 1..=1_000_000),
            max_in_flight: section.number("max_in_flight", 5_000, 1..=1_000_000),
            idle_timeout: Duration::from_millis(section.number(
                "idle_timeout_ms",
                75_000,
                1_000..=3_600_000,
            )),
            lame_duck: Duration::from_millis(section.number("lame_duck_ms", 0, 0..=600_000)),
            tls: TlsSettings::read(section),
        };
        settings.check(section);
        settings
    }

    /// How long a record's storage is waited for: a little less than the answer may take, for the
    /// timer has whole milliseconds and the answer has to be written.
    #[must_use]
    pub fn store_within(&self) -> Duration {
        self.answer_within - self.answer_within / 25
    }

    /// The longest `kafka_wait` that leaves the spool time to take the record.
    fn kafka_wait_with_spool(&self) -> Duration {
        self.store_within() - SPOOL_WITHIN.min(self.answer_within / 10)
    }

    fn check_kafka_wait(&self, section: &mut Section<'_>) {
        let due = self.answer_within.as_millis();
        let most = self.kafka_wait_with_spool();
        let (problem, remedy) = if self.kafka_wait >= self.answer_within {
            (
                format!(
                    "Kafka would be waited for past the answer, which is due after answer_within_ms = {due}"
                ),
                "make it clearly shorter than answer_within_ms".to_owned(),
            )
        } else if self.spool.is_some() && self.kafka_wait > most {
            (
                format!(
                    "leaves the spool no time before the answer, which is due after answer_within_ms = {due}"
                ),
                format!("make it at most {}", most.as_millis()),
            )
        } else {
            return;
        };
        let code = FaultCode::Contradiction;
        let fault = Fault::new(code, "ingest.kafka_wait_ms", problem, remedy);
        section.refuse(fault.with_value(self.kafka_wait.as_millis()));
    }

    fn check(&self, section: &mut Section<'_>) {
        self.check_kafka_wait(section);
        if let Some(spool) = &self.spool {
            spool.check(self, section);
        }
        if let Some(problem) = overlap(self.listen, self.admin_listen) {
            let fault = Fault::new(
                FaultCode::Contradiction,
                "ingest.admin_listen",
                problem,
                "give it another port, best on 127.0.0.1",
            );
            section.refuse(fault.with_value(format_args!("\"{}\"", self.admin_listen)));
        }
    }
}

/// What is wrong with listening at both, if anything. Port 0 is a free one, each time another.
fn overlap(listen: SocketAddr, admin: SocketAddr) -> Option<&'static str> {
    if listen.port() != admin.port() || listen.port() == 0 {
        return None;
    }
    let (networks, operators) = (listen.ip().to_canonical(), admin.ip().to_canonical());
    if networks == operators {
        Some("the same as ingest.listen: the networks would see the metrics")
    } else if covers(networks, operators) || covers(operators, networks) {
        Some("the port of ingest.listen, at an address that includes the other")
    } else {
        None
    }
}

/// Whether listening at `all` takes the port at `one` too: `0.0.0.0` has every IPv4 address, and
/// `[::]` those of IPv6 as well.
fn covers(all: IpAddr, one: IpAddr) -> bool {
    all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
}

fn record_headers(section: &mut Section<'_>) -> Vec<String> {
    let names = section
        .list("record_headers")
        .unwrap_or_else(|| vec!["user-agent".to_owned()]);
    // Given twice, a header would stand twice in the record's JSON.
    let mut seen = BTreeSet::new();
    let names: Vec<String> = (names.iter().map(|name| name.to_ascii_lowercase()))
        .filter(|name| seen.insert(name.clone()))
        .collect();
    for name in &names {
        let token = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        let problem = if NEVER_RECORDED.contains(&name.as_str()) {
            "carries credentials, which a record must not"
        } else if !token {
            "is no header name (RFC 9110, section 5.1)"
        } else {
            continue;
        };
        let fault = Fault::new(
            FaultCode::BadValue,
            "ingest.record_headers",
            problem,
            "remove it from the list",
        );
        section.refuse(fault.with_value(format_args!("{name:?}")));
    }
    names
}

/// Scheme and host, and a port where it is not the scheme's own. Clients take the scheme in any case;
/// whatever reads it here finds it in lower case.
fn origin(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "must be scheme and host only";
    let (scheme, place) = text.trim_end_matches('/').split_once("://").ok_or(WRONG)?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(&*scheme, "https" | "http") || place.contains(['/', '?', '#', '@']) {
        return Err(WRONG);
    }
    match place::check(place) {
        Ok(()) => Ok(format!("{scheme}://{place}")),
        Err(WrongPlace::NoHost) => Err(WRONG),
        Err(wrong) => Err(wrong.words()),
    }
}

/// Milliseconds, as the file has them.
#[allow(clippy::cast_possible_truncation, reason = "the bounds are minutes")]
pub(super) fn as_millis<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_scheme_and_host() {
        for (text, expected) in [
            ("https://pb.example.com", "https://pb.example.com"),
            ("https://pb.example.com/", "https://pb.example.com"),
            ("HTTPS://PB.example.com:8443", "https://PB.example.com:8443"),
            ("Http://[2001:db8::7]", "http://[2001:db8::7]"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("pb.example.com", "scheme and host only"),
            ("ftp://pb.example.com", "scheme and host only"),
            ("https://", "scheme and host only"),
            ("https://pb.example.com/in", "scheme and host only"),
            ("https://pb.example.com?a", "scheme and host only"),
            ("https://me:secret@pb.example.com", "scheme and host only"),
            ("https://pb..example.com", "no client can look up"),
            ("https://[::1", "no client can look up"),
            ("https://pb example", "no client can look up"),
            ("https://h:99999", "a port that is no number"),
        ] {
            let why = origin(text).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        }
    }
}
