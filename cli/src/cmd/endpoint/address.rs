//! A registered URL, and how it differs from what is expected. Nothing here shows a key.

use postback_common::config::{SourceSettings, holds_key};
use postback_common::secret::{HIDDEN, Secret, sounds_secret};
use postback_common::url_key::KeyHash;
use postback_healing::registered::{Difference, Parts, Registered};

use crate::cmd::url::{by_key, parameters};

/// The parts of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cmd) struct Address {
    /// Scheme, host and path, the key hidden.
    pub(super) place: String,
    /// Whose key it has, in words.
    pub(super) key: String,
    /// The query's parameters as they stand, secrets hidden.
    pub(super) parameters: Vec<(String, String)>,
    /// In how far it is not the newest template's; `None` where the source has no template.
    pub(in crate::cmd) differences: Option<Vec<&'static str>>,
}

impl Address {
    /// Of what `source` has registered.
    pub(in crate::cmd) fn of(
        url: &Secret,
        source: &SourceSettings,
        sources: &[SourceSettings],
    ) -> Self {
        let registered = Registered::of(url, source);
        let (parts, is_ours) = (registered.parts, registered.has_own_key);
        let key = match by_key(url.expose(), sources) {
            _ if is_ours => format!("{} of this source", key_name(&parts, source)),
            Some(owner) => format!("{} of source {}", key_name(&parts, owner), owner.name),
            None => "none that is configured".to_owned(),
        };
        let differences = registered.differences.map(|differences| {
            let differences = differences.into_iter();
            differences.map(Difference::as_str).collect()
        });
        Self {
            place: place(&parts, is_ours),
            key,
            parameters: masked(parts.query, sources),
            differences,
        }
    }

    /// Whether it is what is expected, as far as that is known.
    pub(in crate::cmd) fn is_as_expected(&self) -> bool {
        self.differences.as_ref().is_none_or(Vec::is_empty)
    }
}

fn key_name(parts: &Parts<'_>, owner: &SourceSettings) -> String {
    let hash = KeyHash::of_bytes(parts.key.as_bytes());
    let key = owner.keys.iter().find(|key| key.sha256 == hash);
    key.map_or_else(String::new, |key| key.name.to_string())
}

/// The path of a URL that is not ours may have a secret anywhere.
fn place(parts: &Parts<'_>, is_ours: bool) -> String {
    if parts.host.is_empty() {
        return HIDDEN.to_owned();
    }
    let folder = if is_ours || parts.folder == "/postback/" {
        parts.folder
    } else {
        "/"
    };
    format!("{}://{}{folder}{HIDDEN}", parts.scheme, parts.host)
}

/// A query's parameters as they stand, secrets hidden.
fn masked(query: &str, sources: &[SourceSettings]) -> Vec<(String, String)> {
    let is_key = |hash: KeyHash| {
        let mut keys = sources.iter().flat_map(|source| &source.keys);
        keys.any(|known| known.sha256 == hash)
    };
    // What is escaped is no less secret.
    let is_secret = |part: &str| {
        let mut read = parameters(part).into_iter();
        holds_key(part, &is_key) || read.any(|(name, _)| sounds_secret(&name))
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = if holds_key(name, &is_key) {
                HIDDEN
            } else {
                name
            };
            let value = if is_secret(part) { HIDDEN } else { value };
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sources() -> Vec<SourceSettings> {
        let text = "[kafka]\nbrokers = \"b:1\"\n\
            [[source]]\nname = \"us\"\nnetwork = \"rakuten\"\n\
            [[source.key]]\nname = \"old\"\nkey = \"CANARY-0123456789abcdef\"\n\
            [[source.template]]\nurl = \"https://pb.example.com/postback/KEY?is_event=<is_event>&tid=<etransaction_id>\"\n\
            [[source]]\nname = \"eu\"\nnetwork = \"rakuten\"\n\
            [[source.key]]\nkey = \"CANARY-fedcba9876543210\"\n";
        let settings = postback_common::config::read(Path::new("t.toml"), text, []).unwrap();
        settings.sources
    }

    fn address(url: &str) -> Address {
        let sources = sources();
        let address = Address::of(&Secret::new(url), &sources[0], &sources);
        assert!(!format!("{address:?}").contains("CANARY"), "{address:?}");
        address
    }

    const QUERY: &str = "tid=%3Cetransaction_id%3E&is_event=<is_event>";

    #[test]
    fn the_templates_url_with_any_key_of_the_source_is_as_expected() {
        let same = format!("HTTPS://PB.example.com/postback/CANARY-0123456789abcdef?{QUERY}");
        let same = address(&same);
        assert_eq!(same.differences, Some(Vec::new()));
        assert_eq!(same.place, "HTTPS://PB.example.com/postback/[hidden]");
        assert_eq!(same.key, "old of this source");
        let [tid, is_event] = &same.parameters[..] else {
            panic!("{same:?}");
        };
        assert_eq!(tid, &("tid".to_owned(), "%3Cetransaction_id%3E".to_owned()));
        assert_eq!(is_event, &("is_event".to_owned(), "<is_event>".to_owned()));
    }

    #[test]
    fn what_differs_is_named_and_no_secret_of_it_shown() {
        let host = "another host or path";
        let key = "a key that is not this source's";
        let query = "other parameters";
        for (url, differences, place, whose) in [
            (
                format!("http://pb.example.com/postback/CANARY-0123456789abcdef?{QUERY}"),
                vec![host],
                "http://pb.example.com/postback/[hidden]",
                "old of this source",
            ),
            (
                format!("https://pb.example.com/postback/CANARY-fedcba9876543210?{QUERY}"),
                vec![key],
                "https://pb.example.com/postback/[hidden]",
                "k1 of source eu",
            ),
            (
                "https://u:CANARY@tracker.example/CANARY/in?s%69g=CANARY&x=CANARY%2Dfedcba9876543210"
                    .to_owned(),
                vec![host, key, query],
                "https://tracker.example/[hidden]",
                "none that is configured",
            ),
            (
                "CANARY".to_owned(),
                vec![host, key, query],
                "[hidden]",
                "none that is configured",
            ),
        ] {
            let found = address(&url);
            assert_eq!(found.differences, Some(differences), "{url}");
            assert_eq!((found.place.as_str(), found.key.as_str()), (place, whose));
            assert!(!found.is_as_expected());
        }
    }

    #[test]
    fn a_key_in_a_parameter_is_hidden() {
        let found = address(
            "https://pb.example.com/postback/CANARY-0123456789abcdef?cid=7\
             &fwd=https%3A%2F%2Fy%2Fpostback%2FCANARY-of-another&a=x%2FCANARY-fedcba9876543210\
             &CANARY%2Dfedcba9876543210=1&b=<u1>",
        );
        let hidden = |name: &str| (name.to_owned(), HIDDEN.to_owned());
        let shown = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            shown("cid", "7"),
            hidden("fwd"),
            hidden("a"),
            hidden(HIDDEN),
            shown("b", "<u1>"),
        ];
        assert_eq!(found.parameters, expected);
    }

    #[test]
    fn without_a_template_there_is_nothing_to_differ_from() {
        let sources = sources();
        let url = Secret::new("https://pb.example.com/postback/CANARY-fedcba9876543210");
        let address = Address::of(&url, &sources[1], &sources);
        assert_eq!(address.differences, None);
        assert!(address.is_as_expected());
    }
}
