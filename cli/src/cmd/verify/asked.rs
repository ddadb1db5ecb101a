//! `--source`: as rows name it, and as records do.

use std::collections::BTreeSet;

use postback_common::config::Settings;
use postback_common::name::SourceName;
use postback_normalise::RecordedRules;

use crate::cmd::source;
use crate::ending::Failure;

/// A source that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// As rows name it.
    pub(super) source: String,
    /// As records name it: under its name, and under those that it had before.
    pub(super) names: BTreeSet<String>,
}

impl Asked {
    /// By the rules of the generation that is compared, as a loader goes by them: a name that a source
    /// still has comes before one that another had.
    pub(super) fn of(
        name: &str,
        rules: &RecordedRules,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let source = match now(name, rules) {
            Some(source) => source,
            // New in the file; or rejected so far, under the name that it came with.
            None => source::find(name, settings)?.name.as_str(),
        };
        let known = (rules.sources.iter()).find(|known| known.source.as_str() == source);
        let aliases = known.map_or(&[][..], |known| &known.aliases);
        let aliases = aliases
            .iter()
            .map(SourceName::as_str)
            .filter(|alias| now(alias, rules) == Some(source));
        Ok(Self {
            source: source.to_owned(),
            names: (aliases.chain([source])).map(str::to_owned).collect(),
        })
    }
}

/// The source that records of this name belong to.
fn now<'r>(name: &str, rules: &'r RecordedRules) -> Option<&'r str> {
    let mut sources = rules.sources.iter();
    let of_that_name = sources.find(|known| known.source.as_str() == name);
    let found = of_that_name.or_else(|| {
        let mut latest_first = rules.sources.iter().rev();
        latest_first.find(|known| known.aliases.iter().any(|alias| alias.as_str() == name))
    });
    found.map(|known| known.source.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use postback_common::config;
    use postback_normalise::Configured;

    use super::*;

    fn settings(sources: &[(&str, &str)]) -> Settings {
        let mut text = "[kafka]\nbrokers = \"a:1\"\n".to_owned();
        for (name, aliases) in sources {
            text.push_str(&format!(
                "[[source]]\nname = \"{name}\"\nnetwork = \"rakuten\"\naccount = \"main\"\naliases = [{aliases}]\nenabled = false\n"
            ));
        }
        config::read(Path::new("t.toml"), &text, []).unwrap()
    }

    fn rules(sources: &[(&str, &str)]) -> RecordedRules {
        let settings = settings(sources);
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        configured.recorded().clone()
    }

    fn asked(name: &str, rules: &RecordedRules, file: &Settings) -> Option<(String, Vec<String>)> {
        let asked = Asked::of(name, rules, file).ok()?;
        Some((asked.source, asked.names.into_iter().collect()))
    }

    fn found(source: &str, names: &[&str]) -> (String, Vec<String>) {
        let names = names.iter().map(|name| (*name).to_owned());
        (source.to_owned(), names.collect())
    }

    #[test]
    fn a_renamed_source_has_the_records_of_its_old_names() {
        let renamed = [("b2", "\"b\", \"older\""), ("c", "")];
        let (file, replayed) = (settings(&renamed), rules(&renamed));
        let all = Some(found("b2", &["b", "b2", "older"]));
        assert_eq!(asked("b2", &replayed, &file), all);
        assert_eq!(asked("b", &replayed, &file), all, "by its old name, too");
        assert_eq!(asked("c", &replayed, &file), Some(found("c", &["c"])));
        assert_eq!(asked("nobody", &replayed, &file), None);
    }

    #[test]
    fn before_the_replay_rows_have_the_old_name() {
        let file = settings(&[("b2", "\"b\"")]);
        let mut rules = rules(&[("b", "")]);
        rules
            .sources
            .extend(self::rules(&[("b2", "\"b\"")]).sources);
        assert_eq!(asked("b", &rules, &file), Some(found("b", &["b"])));
        assert_eq!(asked("b2", &rules, &file), Some(found("b2", &["b2"])));
    }

    #[test]
    fn a_source_that_the_generation_does_not_have_is_that_of_the_file() {
        let file = settings(&[("new", "")]);
        assert_eq!(
            asked("new", &rules(&[]), &file),
            Some(found("new", &["new"]))
        );
    }
}
