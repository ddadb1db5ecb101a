//! A source, its network's API, and what that answers in words.

use postback_common::config::{ApiSettings, SourceSettings};
use postback_network::{ApiError, Call, NetworkApi, Patience, Trouble as ApiTrouble};

use crate::arguments::Options;
use crate::cmd::{Loaded, load, source};
use crate::console::Console;
use crate::ending::Failure;
use crate::servers::Trouble;

/// Everything that is needed to ask.
pub(super) struct Site {
    pub(super) loaded: Loaded,
    pub(super) source: SourceSettings,
    pub(super) settings: ApiSettings,
    pub(super) api: NetworkApi,
}

impl Site {
    pub(super) fn open(
        name: &str,
        options: &Options,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        let loaded = load(options, console)?;
        let source = source::find(name, &loaded.settings)?.clone();
        let Some(settings) = source.api.clone() else {
            return Err(without_api(&source));
        };
        let api = NetworkApi::new(&settings, Patience::of_a_person());
        let api = api.map_err(|error| explained(&error, &settings))?;
        Ok(Self {
            loaded,
            source,
            settings,
            api,
        })
    }

    /// What an error means here.
    pub(super) fn trouble(&self, error: &ApiError) -> Trouble {
        explained(error, &self.settings)
    }
}

/// An error with the place, what it says of the account, and what to do.
pub(in crate::cmd) fn explained(error: &ApiError, settings: &ApiSettings) -> Trouble {
    let ApiSettings {
        publisher_id,
        scope,
        ..
    } = settings;
    let meaning = match (&error.trouble, error.call) {
        (ApiTrouble::Refused(_), Call::Token) => format!(
            "; no token for scope {scope}: the account is not associated with publisher id {publisher_id}, or the scope is meant otherwise"
        ),
        (ApiTrouble::Forbidden, Call::Token) => {
            "; the account may not use the API at all".to_owned()
        }
        (ApiTrouble::Forbidden, _) => format!(
            "; there is a token, but this account is not associated with publisher id {publisher_id}, or may not do that"
        ),
        (ApiTrouble::NotFound, Call::SetUp) => format!(
            "; there is a token, but the network knows no publisher id {publisher_id}, or nothing is at that path"
        ),
        _ => String::new(),
    };
    let what = format!("the network's API at {}: {error}{meaning}", host(settings));
    Trouble::new(what, error.remedy())
}

/// Scheme and host: a path might hold a token.
fn host(settings: &ApiSettings) -> String {
    let url = &settings.base_url;
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

fn without_api(source: &SourceSettings) -> Failure {
    let publisher_id = match &source.publisher_id {
        Some(_) => "",
        None => "\n  publisher_id = \"…\"         # your id at the network",
    };
    Failure::Usage(format!(
        "source {} has no [source.api]: nothing says where its network's API is\n  \
         add this below its [[source]], as docs/endpoint.md explains:\n\n  \
         [source.api]\n  \
         base_url = \"https://…\"     # as the network's description of its API says\n  \
         client_id = \"…\"\n  \
         client_secret_file = \"…\"   # a file that holds the secret alone{publisher_id}",
        source.name
    ))
}
