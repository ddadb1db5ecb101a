//! The raw record behind a postback, fit to be shown.

use postback_common::record::RawRecord;
use postback_common::secret::HIDDEN;
use postback_normalise::{Configured, decode, profile};

/// What the table of postbacks has no column for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The URL key's name.
    pub(crate) key: Option<String>,
    pub(crate) method: Option<String>,
    /// As received, undecoded, secret values masked; bytes that are not UTF-8 as U+FFFD.
    pub(crate) query: Option<String>,
}

impl Record {
    /// Empty where the bytes in Kafka are no record.
    pub(crate) fn of(raw: &str, source: &str, network: &str, configured: &Configured) -> Self {
        let Ok(record) = RawRecord::decode(raw.as_bytes()) else {
            return Self::default();
        };
        let query = String::from_utf8_lossy(record.query.as_bytes());
        Self {
            key: record.key.as_ref().map(|key| key.as_str().to_owned()),
            method: Some(record.method.as_str().to_owned()),
            query: Some(masked(&query, |name| {
                is_secret(name, source, network, configured)
            })),
        }
    }
}

/// By the source's own mapping, and by its network's profile where the source is configured no more.
fn is_secret(name: &str, source: &str, network: &str, configured: &Configured) -> bool {
    let by_source = configured.source(source);
    let by_source = by_source.is_some_and(|rules| rules.is_secret(name));
    let profile = profile::builtin(network);
    let by_network =
        profile.is_some_and(|known| known.secret_params.iter().any(|secret| secret == name));
    by_source || by_network
}

/// `a=1&token=x` → `a=1&token=[hidden]`.
fn masked(query: &str, is_secret: impl Fn(&str) -> bool) -> String {
    let part = |part: &str| {
        let decoded = decode::decode(part.as_bytes());
        let name = decoded.pairs.first().map(|pair| pair.name.as_ref());
        match (name.is_some_and(&is_secret), part.split_once('=')) {
            (true, Some((name, _))) => format!("{name}={HIDDEN}"),
            _ => part.to_owned(),
        }
    };
    query.split('&').map(part).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_values_are_masked_however_their_names_are_written() {
        let shown = masked("a=1&token=x%26y&&b& to%6ben=z=z&token&tokens=1", |name| {
            name == "token"
        });
        let expected = format!("a=1&token={HIDDEN}&&b& to%6ben={HIDDEN}&token&tokens=1");
        assert_eq!(shown, expected);
        assert_eq!(masked("", |_| true), "");
    }
}
