//! What is to be thought of a source: the configuration may explain what the numbers cannot.

use postback_common::config::SourceSettings;
use postback_store::reports::activity::{Names, Sender, State};

use crate::cmd::names;

/// What is said of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The configuration disables it: nothing is expected.
    Disabled,
    /// Nothing comes, and the configuration lacks it.
    NotConfigured,
    /// By the numbers.
    Seen(State),
}

impl Standing {
    pub(super) fn of(sender: &Sender, sources: &[SourceSettings]) -> Self {
        let state = sender.usual.state;
        let mut known = sources.iter();
        match known.find(|source| source.name.as_str() == sender.source) {
            Some(source) if !source.enabled => Self::Disabled,
            // A file without any source says nothing of them: it is one for reports alone.
            None if state == State::Silent && !sources.is_empty() => Self::NotConfigured,
            _ => Self::Seen(state),
        }
    }

    /// As people and programs read it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::NotConfigured => "not configured",
            Self::Seen(state) => state.as_str(),
        }
    }

    /// Whether somebody should look.
    pub(super) fn is_silent(self) -> bool {
        self == Self::Seen(State::Silent)
    }
}

/// The names that the sources had before.
pub(super) fn names(sources: &[SourceSettings]) -> Names {
    let older = names::older(sources).into_iter();
    let owned = older.map(|(older, now)| (older.to_owned(), now.to_owned()));
    owned.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_store::reports::activity::Usual;

    use super::*;

    fn sources() -> Vec<SourceSettings> {
        let source = |name: &str, rest: &str| {
            format!(
                "[[source]]\nname = \"{name}\"\nnetwork = \"rakuten\"\naccount = \"main\"\nenabled = false\n{rest}\n"
            )
        };
        let kafka = "[kafka]\nbrokers = \"a:1\"\n";
        let file = kafka.to_owned() + &source("store", "aliases = [\"shop\"]") + &source("off", "");
        let read = postback_common::config::read(Path::new("t"), &file, []);
        let mut sources = read.unwrap().sources;
        sources[0].enabled = true;
        sources
    }

    fn sender(source: &str, state: State) -> Sender {
        Sender {
            source: source.to_owned(),
            last: jiff::Timestamp::UNIX_EPOCH,
            hour: 0,
            day: 0,
            usual: Usual {
                mean: None,
                range: None,
                missing: 13.0,
                state,
            },
        }
    }

    #[test]
    fn silent_is_who_is_meant_to_send() {
        let sources = sources();
        for (source, state, expected) in [
            ("store", State::Silent, "silent"),
            ("store", State::Low, "low"),
            ("off", State::Silent, "disabled"),
            ("off", State::Usual, "disabled"),
            ("gone", State::Silent, "not configured"),
            ("gone", State::High, "high"),
        ] {
            let found = Standing::of(&sender(source, state), &sources);
            assert_eq!(found.as_str(), expected, "{source}");
            assert_eq!(found.is_silent(), expected == "silent", "{source}");
        }
        let unknown = Standing::of(&sender("gone", State::Silent), &[]);
        assert!(unknown.is_silent());
    }

    #[test]
    fn an_alias_is_a_name_of_the_source() {
        let expected = [("shop".to_owned(), "store".to_owned())];
        assert_eq!(names(&sources()), expected.into_iter().collect());
    }
}
