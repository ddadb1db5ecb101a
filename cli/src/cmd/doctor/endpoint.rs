//! Whether each source's network sends, and to which URL: as its own API says.

use std::time::Duration;

use futures_util::future::join_all;
use postback_common::config::{ApiSettings, SourceSettings};
use postback_network::{NetworkApi, Patience};

use super::check::{Check, within};
use crate::cmd::Loaded;
use crate::cmd::endpoint::{Address, explained};

const NAME: &str = "endpoint";

/// A token and an answer, each in less than half the time of a check.
const PATIENCE: Patience = Patience {
    attempts: 1,
    answer_within: Duration::from_secs(8),
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(1),
};

/// All sources at once.
pub(super) async fn check(loaded: &Loaded) -> Vec<Check> {
    let sources = &loaded.settings.sources;
    let with_api = sources
        .iter()
        .filter_map(|source| Some((source, source.api.as_ref()?)));
    let checks = with_api.map(|(source, api)| within(NAME, of_source(source, api, sources)));
    join_all(checks).await.into_iter().flatten().collect()
}

async fn of_source(
    source: &SourceSettings,
    settings: &ApiSettings,
    sources: &[SourceSettings],
) -> Vec<Check> {
    let name = &source.name;
    let broken = |what: &str, remedy: String| {
        vec![Check::broken(
            NAME,
            format!("source {name}: {what}"),
            remedy,
        )]
    };
    let asked = match NetworkApi::new(settings, PATIENCE) {
        Ok(api) => api.endpoint().await,
        Err(error) => Err(error),
    };
    let endpoint = match asked {
        Ok(Some(endpoint)) => endpoint,
        Ok(None) => {
            let what = format!(
                "none is registered for publisher id {}: the network sends nothing",
                settings.publisher_id
            );
            return broken(&what, format!("`postback endpoint set --source {name}`"));
        }
        Err(error) => {
            let trouble = explained(&error, settings);
            return broken(&trouble.what, trouble.remedy);
        }
    };
    let mut checks = Vec::new();
    if !endpoint.is_active {
        checks.extend(broken(
            "it is off: the network sends nothing",
            format!(
                "find out why (`postback send`), then `postback endpoint enable --source {name}`"
            ),
        ));
    }
    let address = Address::of(&endpoint.url, source, sources);
    if !address.is_as_expected() {
        let differences = address.differences.unwrap_or_default().join(", ");
        let what = format!(
            "source {name}: the registered URL is not the newest template's: {differences}"
        );
        let remedy = format!(
            "`postback endpoint set --source {name}`, or add the registered URL as [[source.template]]"
        );
        checks.push(Check::doubtful(NAME, what, remedy));
    }
    if checks.is_empty() {
        let what = format!("source {name}: on, and its URL is the newest template's");
        checks.push(Check::well(NAME, what));
    }
    checks.extend(in_the_clear(source, settings));
    checks
}

/// Client secret and token go over the network as they are.
fn in_the_clear(source: &SourceSettings, settings: &ApiSettings) -> Option<Check> {
    let host = settings.base_url.strip_prefix("http://")?;
    let is_here = ["127.0.0.1", "localhost", "[::1]"].iter().any(|here| {
        host.strip_prefix(here)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    if is_here {
        return None;
    }
    let what = format!(
        "source {}: the API is asked without TLS, and whoever is on the way reads the client secret",
        source.name
    );
    Some(Check::doubtful(
        NAME,
        what,
        "write https:// in base_url of [source.api]",
    ))
}
