//! Whether a registered URL leads to the source itself.

use postback_common::config::SourceSettings;
use postback_common::secret::Secret;

use super::{Parts, has_key};

/// A registered URL that leads to the source itself: to a host and path that the configuration names,
/// with one of the source's keys. Nothing else is asked with the source's password, or switched on.
#[derive(Debug, Clone, Copy)]
pub struct Own<'u>(&'u Secret);

/// Why a registered URL is not the source's own. Never shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// Nothing to compare with.
    #[error(
        "neither ingest.public_url nor a [[source.template]] says at which host the source is reached"
    )]
    NoPlace,
    /// Another scheme, host, port or path.
    #[error(
        "the registered URL has another host or path than ingest.public_url and the source's templates"
    )]
    Place,
    /// The place is right.
    #[error("the registered URL has a key that is not this source's")]
    Key,
}

impl Foreign {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoPlace => "no_place",
            Self::Place => "another_place",
            Self::Key => "another_key",
        }
    }

    /// What to do.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NoPlace => {
                "set ingest.public_url to scheme and host as the network reaches ingest, for the consumer too"
            }
            Self::Place => {
                "see it with `postback endpoint get`; register the source's own with `postback endpoint set`, or correct ingest.public_url"
            }
            Self::Key => {
                "see it with `postback endpoint get`; register the source's own with `postback endpoint set`"
            }
        }
    }
}

impl<'u> Own<'u> {
    /// Holds it against `public_url` and every template of the source.
    ///
    /// # Errors
    /// [`Foreign`] says what is not the source's.
    pub fn of(
        registered: &'u Secret,
        source: &SourceSettings,
        public_url: Option<&str>,
    ) -> Result<Self, Foreign> {
        let places = places(source, public_url);
        let places: Vec<Parts<'_>> = places.iter().map(|url| Parts::of(url.expose())).collect();
        let mut named = places.iter().filter(|place| !place.host.is_empty());
        let parts = Parts::of(registered.expose());
        if named.clone().next().is_none() {
            Err(Foreign::NoPlace)
        } else if !named.any(|place| parts.leads_where(place)) {
            Err(Foreign::Place)
        } else if !has_key(source, parts.key) {
            Err(Foreign::Key)
        } else {
            Ok(Self(registered))
        }
    }

    /// The whole URL.
    #[must_use]
    pub const fn url(self) -> &'u Secret {
        self.0
    }
}

/// Where the source is reached, as URLs with anything in the key's place.
fn places(source: &SourceSettings, public_url: Option<&str>) -> Vec<Secret> {
    let base = public_url.map(|base| base.trim_end_matches('/'));
    let ingest = base.map(|base| Secret::new(format!("{base}/postback/KEY")));
    let templates = source.templates.iter().filter_map(|template| {
        let url = template.url.secret();
        if url.expose().starts_with('/') {
            base.map(|base| Secret::new(format!("{base}{}", url.expose())))
        } else {
            Some(url.clone())
        }
    });
    ingest.into_iter().chain(templates).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    const KEY: &str = "CANARY-0123456789abcdef";
    const QUERY: &str = "u1=<u1>&is_event=<is_event>";

    fn template(place: &str) -> String {
        format!("[[source.template]]\nurl = \"{place}?{QUERY}\"\n")
    }

    fn judged(templates: &str, public_url: Option<&str>, url: &str) -> Result<(), Foreign> {
        let url = Secret::new(url);
        Own::of(&url, &source(templates), public_url).map(|own| assert_eq!(own.url(), &url))
    }

    #[test]
    fn host_path_and_key_are_the_sources() {
        let at = |place: &str| format!("{place}/{KEY}?{QUERY}");
        let (ours, other) = (Some("https://pb.example.com"), Some("https://pb.example"));
        let with_host = template("https://pb.example.com/postback/KEY");
        let old = format!(
            "{}{}valid_from = \"2026-01-01\"\n",
            template("https://old.example/in/KEY"),
            template("/x/KEY")
        );
        let good = at("https://pb.example.com/postback");
        for (templates, public_url, url, expected) in [
            (&*with_host, None, &good, Ok(())),
            // Other parameters come to the same source.
            (&with_host, None, &format!("{good}&more=1"), Ok(())),
            ("", ours, &good, Ok(())),
            ("", Some("https://PB.example.com/"), &good, Ok(())),
            ("", None, &good, Err(Foreign::NoPlace)),
            (
                &template("/postback/KEY"),
                None,
                &good,
                Err(Foreign::NoPlace),
            ),
            (&template("/postback/KEY"), ours, &good, Ok(())),
            (&old, ours, &at("https://pb.example.com/x"), Ok(())),
            (&old, ours, &at("https://old.example/in"), Ok(())),
            (
                &old,
                ours,
                &at("https://old.example/postback"),
                Err(Foreign::Place),
            ),
            ("", other, &good, Err(Foreign::Place)),
            (
                "",
                ours,
                &at("http://pb.example.com/postback"),
                Err(Foreign::Place),
            ),
            (
                "",
                ours,
                &at("https://pb.example.com:8443/postback"),
                Err(Foreign::Place),
            ),
            (
                "",
                ours,
                &at("https://tracker.example#@pb.example.com/postback"),
                Err(Foreign::Place),
            ),
            ("", ours, &"anything".to_owned(), Err(Foreign::Place)),
            (
                &with_host,
                ours,
                &good.replace(KEY, "CANARY-fedcba9876543210"),
                Err(Foreign::Key),
            ),
            // The placeholder is nobody's key, although the template has it.
            (
                &with_host,
                ours,
                &good.replace(KEY, "KEY"),
                Err(Foreign::Key),
            ),
        ] {
            let found = judged(templates, public_url, url);
            assert_eq!(found, expected, "{templates} {public_url:?} {url}");
        }
    }

    #[test]
    fn no_word_of_a_foreign_one_shows_it() {
        let url = Secret::new("https://tracker.example/CANARY-path/CANARY?token=CANARY");
        let own = Own::of(&url, &source(""), Some("https://pb.example.com"));
        assert!(!format!("{own:?}").contains("CANARY"));
    }
}
