//! The raw record behind a postback, fit to be shown.

mod mask;

use postback_common::record::{Payload, RawRecord};
use postback_common::secret::sounds_secret;
use postback_normalise::{Configured, profile};

use mask::Secrets;

/// What the table of postbacks has no column for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The URL key's name.
    pub(crate) key: Option<String>,
    pub(crate) method: Option<String>,
    /// As received, undecoded, secret values masked, and JSON in which something had to be, written
    /// anew; bytes that are not UTF-8 as U+FFFD.
    pub(crate) query: Option<String>,
    /// What the body says it is.
    pub(crate) content_type: Option<String>,
    /// As the query; `None` without one. What cannot be taken apart and names a secret, and what holds
    /// a NUL (UTF-16), is hidden whole.
    pub(crate) body: Option<String>,
}

impl Record {
    /// Empty where the bytes in Kafka are no record.
    pub(crate) fn of(raw: &str, source: &str, network: &str, configured: &Configured) -> Self {
        let Ok(record) = RawRecord::decode(raw.as_bytes()) else {
            return Self::default();
        };
        let query = String::from_utf8_lossy(record.query.as_bytes());
        let content_type = record.content_type.as_deref().unwrap_or_default();
        let bytes = record.body.as_ref().map(Payload::as_bytes);
        let bytes = bytes.filter(|body| !body.is_empty());
        let (query, body) = with_secrets(source, network, configured, |secrets| {
            let body =
                bytes.map(|body| mask::body(&String::from_utf8_lossy(body), content_type, secrets));
            (mask::query(&query, secrets), body)
        });
        Self {
            key: record.key.as_ref().map(|key| key.as_str().to_owned()),
            method: Some(record.method.as_str().to_owned()),
            query: Some(query),
            content_type: body.is_some().then(|| content_type.to_owned()),
            body,
        }
    }
}

/// The query of a refused request, secret values masked. Of an unknown source those that sound so.
pub(crate) fn refused_query(query: &str, source: &str, configured: &Configured) -> String {
    let rules = configured.source(source);
    let network = rules.map_or("", |rules| rules.profile().network.as_str());
    with_secrets(source, network, configured, |secrets| {
        mask::query(query, secrets)
    })
}

/// What a conversion keeps in `extra`, masked as its query is: those that only sound secret are loaded
/// as they came.
pub(crate) fn kept<'a>(
    extra: &'a [(String, Vec<String>)],
    source: &str,
    network: &str,
    configured: &Configured,
) -> Vec<(&'a str, Vec<String>)> {
    with_secrets(source, network, configured, |secrets| {
        let shown = |(name, values): &'a (String, Vec<String>)| {
            let values = values.iter().map(|value| mask::value(name, value, secrets));
            (name.as_str(), values.collect())
        };
        extra.iter().map(shown).collect()
    })
}

/// Shows something of a source and its network.
fn with_secrets<T>(
    source: &str,
    network: &str,
    configured: &Configured,
    show: impl FnOnce(Secrets<'_>) -> T,
) -> T {
    show(Secrets {
        told: &|name| is_secret(name, source, network, configured),
        guessed: &|name| sounds_secret(name) && !has_column(name, source, network, configured),
    })
}

/// By the source's own mapping, and by its network's profile where the source is configured no more.
fn is_secret(name: &str, source: &str, network: &str, configured: &Configured) -> bool {
    let by_source = configured.source(source);
    let by_source = by_source.is_some_and(|rules| rules.is_secret(name));
    let profile = profile::builtin(network);
    let by_network = profile.is_some_and(|known| known.is_secret(name));
    by_source || by_network
}

/// True for what carries a field, whatever its name sounds like: that is shown anyway.
fn has_column(name: &str, source: &str, network: &str, configured: &Configured) -> bool {
    let by_source = configured.source(source).is_some_and(|rules| {
        let mut readings = rules.readings().iter();
        readings.any(|reading| {
            let mut carriers = reading.mapping.carriers().iter();
            carriers.any(|carrier| carrier.column.is_some() && *carrier.parameter == *name)
        })
    });
    let by_network = profile::builtin(network).is_some_and(|known| {
        let mut parameters = known.parameters.iter();
        parameters.any(|own| own.column.is_some() && own.names().any(|own| own == name))
    });
    by_source || by_network
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use postback_common::config;

    use super::*;

    const CONFIGURED: &str = r#"
[kafka]
brokers = ["a:1"]
[[source]]
name = "shop"
network = "orders"
currency = "USD"
[[source.key]]
sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
[[source.template]]
url = "https://x/postback/k?order_key={order_id}&advertiser_id={advertiser_id}&amount={amount}&time={ordered_at}"
"#;

    fn configured() -> Configured {
        let read = config::read(Path::new("t.toml"), CONFIGURED, []).unwrap();
        Configured::new(&read.sources, &BTreeMap::new()).unwrap()
    }

    fn shown(query: &str, source: &str) -> Option<String> {
        let raw = serde_json::json!({
            "v": 1, "id": "01a05a43-fc00-7f54-8d8e-0023af5570aa", "source": source, "key": "k1",
            "received_at": "2026-09-01T10:08:00.000001Z", "method": "POST",
            "query": {"utf8": query}, "content_type": "text/plain", "body": {"utf8": "x"},
            "remote": "203.0.113.7", "headers": {}, "via": "http",
        });
        let record = Record::of(&raw.to_string(), source, "orders", &configured());
        record.query
    }

    #[test]
    fn what_sounds_secret_is_masked_unless_it_carries_a_field() {
        let sent =
            "order_key=A-7&api_key=CANARY&Password=CANARY&keyword=shoes&design=7&u2=gift+pass";
        let expected =
            "order_key=A-7&api_key=[hidden]&Password=[hidden]&keyword=shoes&design=7&u2=gift+pass";
        assert_eq!(shown(sent, "shop").as_deref(), Some(expected));
        let elsewhere = "order_key=[hidden]&signature=[hidden]&click_id=c-1";
        let sent = "order_key=CANARY&signature=CANARY&click_id=c-1";
        assert_eq!(shown(sent, "nobody").as_deref(), Some(elsewhere));
    }

    #[test]
    fn a_refused_query_is_masked_though_its_source_may_be_unknown() {
        let configured = configured();
        let shown = |query: &str, source: &str| refused_query(query, source, &configured);
        let sent = "order_key=A-7&token=CANARY&pass%77ord=CANARY&u1=c-1";
        assert_eq!(
            shown(sent, "shop"),
            "order_key=A-7&token=[hidden]&pass%77ord=[hidden]&u1=c-1"
        );
        assert_eq!(
            shown(sent, ""),
            "order_key=[hidden]&token=[hidden]&pass%77ord=[hidden]&u1=c-1"
        );
        let json = "x=%7B%22user%22%3A%7B%22password%22%3A%22CANARY%22%7D%7D";
        assert_eq!(shown(json, ""), r#"x={"user":{"password":"[hidden]"}}"#);
    }

    #[test]
    fn what_is_kept_is_masked_as_its_query_is() {
        let extra = |name: &str, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned());
            (name.to_owned(), values.collect::<Vec<_>>())
        };
        let extra = [
            extra("api_key", &["CANARY", "CANARY"]),
            extra("user[token]", &["CANARY"]),
            extra(
                "cart",
                &[r#"{"sku":"7","auth":{"pwd":"CANARY"}}"#, "a+b%25"],
            ),
            extra("next", &["https://x/?sig=CANARY"]),
            extra("nested", &["%7B%22token%22%3A%22CANARY%22%7D"]),
            extra("order_key", &["A 7"]),
            extra("keyword", &["gift token"]),
        ];
        let shown = kept(&extra, "shop", "orders", &configured());
        let expected: [(&str, &[&str]); 7] = [
            ("api_key", &["[hidden]", "[hidden]"]),
            ("user[token]", &["[hidden]"]),
            ("cart", &[r#"{"sku":"7","auth":"[hidden]"}"#, "a+b%25"]),
            ("next", &["[hidden]"]),
            ("nested", &[r#"{"token":"[hidden]"}"#]),
            ("order_key", &["A 7"]),
            ("keyword", &["gift token"]),
        ];
        for ((name, values), (expected_name, expected)) in shown.iter().zip(expected) {
            assert_eq!(
                (*name, values.as_slice()),
                (expected_name, &*to_owned(expected))
            );
        }
        assert_eq!(shown.len(), expected.len());
    }

    fn to_owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
