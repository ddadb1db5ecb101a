//! Whether a URL is one that the configuration expects of its source.

use postback_common::config::{SourceSettings, TemplateSettings, TemplateUrl};
use postback_common::url_key::KeyHash;
use postback_normalise::MARKER;

use super::finding::Finding;
pub(crate) use postback_healing::registered::parameters;

/// The source whose key stands in a URL's path.
pub(crate) fn by_key<'s>(url: &str, sources: &'s [SourceSettings]) -> Option<&'s SourceSettings> {
    let hash = KeyHash::of_bytes(TemplateUrl::new(url).key()?.expose().as_bytes());
    let has = |source: &&SourceSettings| source.keys.iter().any(|key| key.sha256 == hash);
    sources.iter().find(has)
}

/// What the source does not expect of the URL. Never says the key.
pub(super) fn find(url: &str, source: &SourceSettings, sources: &[SourceSettings]) -> Vec<Finding> {
    let key = foreign_key(source, by_key(url, sources));
    key.into_iter().chain(unregistered(url, source)).collect()
}

fn foreign_key(source: &SourceSettings, owner: Option<&SourceSettings>) -> Option<Finding> {
    let name = &source.name;
    match owner {
        Some(owner) if owner.name == *name => None,
        Some(owner) => Some(Finding::error(
            format!(
                "the key in its path is of source {}, not of {name}",
                owner.name
            ),
            format!(
                "what comes by it would count for {0}: put in a key of {name}, or check it with --source {0}",
                owner.name
            ),
        )),
        // By no URL comes anything, as for statements: there is no key to put in.
        None if source.keys.is_empty() => None,
        None => Some(Finding::error(
            "the key in its path is none that is configured: ingest would answer 404",
            format!(
                "put in the key of source {name}; where it is lost, `postback source key new` makes another"
            ),
        )),
    }
}

fn unregistered(url: &str, source: &SourceSettings) -> Option<Finding> {
    let sent = parameters(url.split_once('?').map_or("", |(_, query)| query));
    let is_it =
        |template: &TemplateSettings| parameters(template.url.query().unwrap_or_default()) == sent;
    // An empty one is told of already.
    if sent.is_empty() || source.templates.is_empty() || source.templates.iter().any(is_it) {
        return None;
    }
    let name = &source.name;
    let holds = "what the network sends by it is read by the templates that are there, and what they do not name is kept in extra";
    let marker = if sent.iter().any(|(name, _)| name == MARKER) {
        ""
    } else {
        ", with a marker (pbt=2) or valid_from to tell them apart"
    };
    Some(Finding::warning(
        format!("this URL is in no [[source.template]] of source {name}: {holds}"),
        format!(
            "add [[source.template]] with it to source {name}{marker}; `postback url build` prints such a block"
        ),
    ))
}
