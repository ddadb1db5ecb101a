//! Names that sources had before: rows keep the one under which they were loaded.

use std::collections::BTreeMap;

use postback_common::config::SourceSettings;

/// The name that the source has now which had this one before. A name that some source has is
/// nobody's older one.
pub(super) fn now<'s>(name: &str, sources: &'s [SourceSettings]) -> Option<&'s str> {
    if sources.iter().any(|source| source.name.as_str() == name) {
        return None;
    }
    let had = |source: &&SourceSettings| source.aliases.iter().any(|alias| alias.as_str() == name);
    let source = sources.iter().find(had);
    source.map(|source| source.name.as_str())
}

/// Every older name, with the one that [`now`] gives for it.
pub(super) fn older(sources: &[SourceSettings]) -> BTreeMap<&str, &str> {
    let aliases = sources.iter().flat_map(|source| &source.aliases);
    let named = aliases.filter_map(|alias| Some((alias.as_str(), now(alias.as_str(), sources)?)));
    named.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_common::name::SourceName;

    use super::*;

    #[test]
    fn an_older_name_is_that_of_the_source_unless_another_has_it() {
        let text = "[kafka]\nbrokers = [\"a:1\"]\n[[source]]\nname = \"shop\"\nnetwork = \"rakuten\"\naccount = \"shop\"\n\
                    enabled = false\naliases = [\"store\", \"boutique\"]\n\
                    [[source]]\nname = \"other\"\nnetwork = \"rakuten\"\nenabled = false\n";
        let settings = postback_common::config::read(Path::new("t.toml"), text, []);
        let mut sources = settings.unwrap().sources;
        sources[0].aliases.push(SourceName::new("other").unwrap());
        assert_eq!(now("store", &sources), Some("shop"));
        assert_eq!(now("boutique", &sources), Some("shop"));
        assert_eq!(now("shop", &sources), None);
        assert_eq!(now("other", &sources), None);
        assert_eq!(now("nobody", &sources), None);
        let older_names = [("boutique", "shop"), ("store", "shop")];
        assert_eq!(older(&sources), BTreeMap::from(older_names));
    }
}
