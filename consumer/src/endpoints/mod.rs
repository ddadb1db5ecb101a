//! What looks after the endpoints at the networks, once for all: the coordinator's process does it.
//!
//! - `poller`: asks each network's API whether the source's endpoint is on, and notes the answer.
//! - `switch`: switches a disabled one on again, once it answers.
//! - `healer`: fetches what was missed; `retry`: and when again where that fails.
//!
//! All that is remembered stands in tables, so that another process goes on where this one was.

mod healer;
mod metrics;
mod poller;
mod retry;
mod switch;

use std::collections::BTreeMap;
use std::sync::Arc;

use clickhouse::Client;
use futures_util::future::join_all;
use postback_common::config::{ApiSettings, Settings, SourceSettings};
use postback_healing::status;
use postback_network::{ApiError, NetworkApi};
use postback_normalise::{Configured, SourceRules};
use postback_store::endpoints;
use tokio::sync::watch;
use tracing::{debug, error};

pub(crate) use metrics::EndpointMetrics;

/// Looks after the endpoints of all sources that have `[source.api]`.
#[derive(Clone)]
pub(crate) struct Endpoints {
    /// Of everything but the sources.
    pub(crate) settings: Settings,
    /// As the file says now.
    pub(crate) sources: watch::Receiver<Vec<SourceSettings>>,
    /// For questions and statements, not for loads.
    pub(crate) client: Client,
    pub(crate) metrics: EndpointMetrics,
}

/// One source's.
struct Watched {
    source: SourceSettings,
    rules: Arc<SourceRules>,
    settings: ApiSettings,
    /// Of everything but the source.
    others: Settings,
    api: NetworkApi,
    client: Client,
    metrics: EndpointMetrics,
}

impl Endpoints {
    /// Works until it is dropped; with other sources as soon as the file has others.
    pub(crate) async fn run(mut self) {
        let shown = Shown(self.metrics.clone());
        loop {
            let sources = self.sources.borrow_and_update().clone();
            let watched = self.watched(&sources);
            self.show_known(&watched).await;
            let all = async {
                join_all(watched.iter().map(Watched::look_after)).await;
                // Without any source there is nothing to do until there is one.
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = all => {}
                changed = self.sources.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    shown.0.forget();
                }
            }
        }
    }

    fn watched(&self, sources: &[SourceSettings]) -> Vec<Watched> {
        let configured = match Configured::new(sources, &BTreeMap::new()) {
            Ok(configured) => configured,
            Err(faults) => {
                // The file was checked when it was read.
                error!(
                    faults = faults.len(),
                    "no endpoint is looked after: the sources are wrong"
                );
                return Vec::new();
            }
        };
        let watched = sources.iter().filter(|source| source.enabled);
        watched
            .filter_map(|source| self.one(source, &configured))
            .collect()
    }

    fn one(&self, source: &SourceSettings, configured: &Configured) -> Option<Watched> {
        let settings = source.api.as_ref()?;
        let rules = configured.source(source.name.as_str())?;
        let api = NetworkApi::new(settings, status::patience());
        let api = api.map_err(|error| tell_setup(source, &error)).ok()?;
        Some(Watched {
            source: source.clone(),
            rules: Arc::clone(rules),
            settings: settings.clone(),
            others: self.settings.clone(),
            api,
            client: self.client.clone(),
            metrics: self.metrics.clone(),
        })
    }

    /// A new coordinator has asked nobody yet; the tables know when another one did.
    async fn show_known(&self, watched: &[Watched]) {
        let latest = match endpoints::latest(&self.client).await {
            Ok(latest) => latest,
            Err(error) => {
                debug!(%error, "what is known of the endpoints was not read");
                return;
            }
        };
        for one in watched
            .iter()
            .filter(|one| one.settings.poll_every.is_some())
        {
            let known = latest.iter().filter(|known| {
                let mut names = one.source.names();
                names.any(|name| name == known.source)
            });
            let known_at = known.filter_map(|known| known.known_at).max();
            self.metrics.known_at(one.name(), known_at);
        }
    }
}

impl Watched {
    fn name(&self) -> &str {
        self.source.name.as_str()
    }

    /// What was noted before the source was renamed holds.
    fn names(&self) -> Vec<&str> {
        self.source.names().collect()
    }

    async fn look_after(&self) {
        tokio::join!(self.poll(), self.heal());
    }
}

fn tell_setup(source: &SourceSettings, error: &ApiError) {
    error!(source = %source.name, %error, remedy = error.remedy(), "the network's API cannot be asked");
}

/// What is shown of the sources ends with the work: another process may show it now.
struct Shown(EndpointMetrics);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.forget();
    }
}
