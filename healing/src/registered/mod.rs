//! The URL that a network has registered, against what the configuration says of the source.
//!
//! - [`Registered`]: how it differs from the newest template's.
//! - [`Own`]: one that leads to the source itself, and may be trusted with the source's password.

mod own;
mod parts;

use postback_common::config::SourceSettings;
use postback_common::secret::Secret;
use postback_common::url_key::KeyHash;
use postback_normalise::decode;

pub use own::{Foreign, Own};
pub use parts::Parts;

/// What of a registered URL is not as in the newest template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Scheme, host, port, or the path before the key.
    Place,
    /// The key is none of the source's.
    Key,
    /// The parameters.
    Parameters,
}

impl Difference {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Place => "another host or path",
            Self::Key => "a key that is not this source's",
            Self::Parameters => "other parameters",
        }
    }
}

/// A registered URL, compared.
#[derive(Clone)]
pub struct Registered<'u> {
    /// Its parts.
    pub parts: Parts<'u>,
    /// Its key is one of the source's.
    pub has_own_key: bool,
    /// In how far it is not the newest template's; `None` where the source has no template.
    pub differences: Option<Vec<Difference>>,
}

impl<'u> Registered<'u> {
    /// Compares what a network has with what its source expects. The template may have anything in the
    /// key's place, since keys are known by their hashes; parameters may stand in any order, and
    /// escaped or not: networks show `<u1>` as `%3Cu1%3E` or as it was given.
    #[must_use]
    pub fn of(url: &'u Secret, source: &SourceSettings) -> Self {
        let parts = Parts::of(url.expose());
        let has_own_key = has_key(source, parts.key);
        let differences = source.newest_template().map(|template| {
            let expected = Parts::of(template.url.secret().expose());
            let found = [
                // A template without a host says nothing of the place.
                (
                    !expected.host.is_empty() && !parts.leads_where(&expected),
                    Difference::Place,
                ),
                (!has_own_key, Difference::Key),
                (
                    parameters(parts.query) != parameters(expected.query),
                    Difference::Parameters,
                ),
            ];
            let found = found.into_iter().filter(|(is_found, _)| *is_found);
            found.map(|(_, difference)| difference).collect()
        });
        Self {
            parts,
            has_own_key,
            differences,
        }
    }

    /// Whether it is that of the newest template; `None` where the source has none.
    #[must_use]
    pub fn is_template(&self) -> Option<bool> {
        self.differences.as_ref().map(Vec::is_empty)
    }
}

fn has_key(source: &SourceSettings, key: &str) -> bool {
    let hash = KeyHash::of_bytes(key.as_bytes());
    source.keys.iter().any(|known| known.sha256 == hash)
}

/// Whether two URLs are the same but for the order and the escapes of their parameters: networks show
/// what they were given otherwise.
#[must_use]
pub fn are_the_same(one: &Secret, other: &Secret) -> bool {
    let parts = |url: &Secret| {
        let url = url.expose().trim();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        (Secret::new(path), parameters(query))
    };
    parts(one) == parts(other)
}

/// A query's parameters by name, decoded: their order means nothing.
#[must_use]
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let decoded = decode::decode(query.as_bytes());
    let pairs = decoded.pairs.into_iter();
    let mut pairs: Vec<_> = pairs
        .map(|pair| (pair.name.into_owned(), pair.value.into_owned()))
        .collect();
    pairs.sort();
    pairs
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_common::config;

    use super::*;

    /// A source with a key and these templates.
    pub(super) fn source(templates: &str) -> SourceSettings {
        let text = format!(
            "[kafka]\nbrokers = \"h:1\"\n[[source]]\nname = \"s\"\nnetwork = \"rakuten\"\n\
             [[source.key]]\nkey = \"CANARY-0123456789abcdef\"\n{templates}"
        );
        let settings = config::read(Path::new("t"), &text, []).unwrap();
        settings.sources[0].clone()
    }

    fn compared(templates: &str, url: &str) -> Option<Vec<Difference>> {
        let (source, url) = (source(templates), Secret::new(url));
        let registered = Registered::of(&url, &source);
        let is_template = registered.differences.as_ref().map(Vec::is_empty);
        assert_eq!(registered.is_template(), is_template);
        registered.differences
    }

    #[test]
    fn urls_are_the_same_however_their_parameters_are_written() {
        let given = "https://u:p@h/p/KEY?a=<u1>&b=x%20y";
        for (other, expected) in [
            (given, true),
            ("https://u:p@h/p/KEY?a=%3Cu1%3e&b=x+y", true),
            (" https://u:p@h/p/KEY?b=x%20y&a=%3Cu1%3E", true),
            ("https://u:p@h/p/KEY?a=<u2>&b=x%20y", false),
            ("https://u:p@h/p/KEY?a=%253Cu1%253E&b=x%20y", false),
            ("https://u:p@h/p/KEY?a=<u1>&a=<u1>&b=x%20y", false),
            ("https://u:p@h/p/OTHER?a=<u1>&b=x%20y", false),
            ("https://h/p/KEY?a=<u1>&b=x%20y", false),
            ("https://u:p@h/p/KEY", false),
        ] {
            let same = are_the_same(&Secret::new(given), &Secret::new(other));
            assert_eq!(same, expected, "{other}");
        }
    }

    #[test]
    fn the_newest_template_counts_however_it_is_written() {
        let older = "[[source.template]]\nurl = \"https://h/p/KEY?a=<u1>&is_event=<is_event>\"\n";
        let newer = "[[source.template]]\nurl = \"https://h/p/KEY?b=<u1>&is_event=<is_event>\"\n\
             valid_from = \"2026-01-01\"\n";
        let both = format!("{older}{newer}");
        let same = "https://h/p/CANARY-0123456789abcdef?b=<u1>&is_event=<is_event>";
        assert_eq!(compared("", same), None);
        use Difference::{Key, Parameters, Place};
        for (registered, expected) in [
            (same, vec![]),
            (
                " https://H:443/p/CANARY-0123456789abcdef?is_event=%3Cis_event%3E&b=%3Cu1%3e",
                vec![],
            ),
            (
                "https://h/p/CANARY-0123456789abcdef?a=<u1>&is_event=<is_event>",
                vec![Parameters],
            ),
            // The template's placeholder is no key.
            ("https://h/p/KEY?b=<u1>&is_event=<is_event>", vec![Key]),
            (
                "http://h/p/CANARY-0123456789abcdef?b=<u1>&is_event=<is_event>",
                vec![Place],
            ),
            ("anything", vec![Place, Key, Parameters]),
        ] {
            assert_eq!(compared(&both, registered), Some(expected), "{registered}");
        }
        // The key itself may stand there as well, and a host need not.
        for place in ["https://h/p/CANARY-0123456789abcdef", "/p/KEY"] {
            let template =
                format!("[[source.template]]\nurl = \"{place}?b=<u1>&is_event=<is_event>\"\n");
            assert_eq!(compared(&template, same), Some(vec![]), "{place}");
        }
    }
}
