//! Asks the configured brokers again when a client has none left.
//!
//! A client forgets every broker that an answer to its Metadata request does not name. Where the only
//! broker of a cluster was frozen or cut off for longer than its session lasts, it is registered anew,
//! and until then names topics and no brokers: librdkafka (2.10 and later; seen in 2.12.1, and open in
//! 2.13 as its issue 5301) then has nobody left to ask, and never asks `bootstrap.servers` again.

use std::convert::Infallible;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use postback_common::config::KafkaSettings;
use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::statistics::Statistics;
use tracing::{error, warn};

use super::librdkafka::add_brokers;

/// How often [`Bootstrap::keep`] looks.
const LOOK: Duration = Duration::from_secs(1);

/// Held by the context of a client that lives long. The context hands it the client's statistics, and
/// whoever has the client calls [`Bootstrap::mend`] now and then.
#[derive(Debug)]
pub struct Bootstrap {
    client: &'static str,
    brokers: String,
    is_lost: AtomicBool,
}

impl Bootstrap {
    /// For the client of this name.
    #[must_use]
    pub fn new(client: &'static str, settings: &KafkaSettings) -> Self {
        Self {
            client,
            brokers: settings.brokers.join(","),
            is_lost: AtomicBool::new(false),
        }
    }

    /// Sees whether the client has a broker to ask, whatever state that one is in.
    pub fn see(&self, statistics: &Statistics) {
        self.is_lost.store(!has_broker(statistics), Relaxed);
    }

    /// Tells the client of the configured brokers where it has none left.
    pub fn mend<C: ClientContext>(&self, client: &Client<C>) {
        // Once: what it adds is in the next statistics.
        if !self.is_lost.swap(false, Relaxed) {
            return;
        }
        let brokers = self.brokers.as_str();
        let added = CString::new(brokers).map_or(0, |list| add_brokers(client, &list));
        let client = self.client;
        if added > 0 {
            warn!(client, "Kafka named no brokers: {brokers} are asked again");
        } else {
            error!(
                client,
                "Kafka named no brokers, and {brokers} cannot be asked: start this process again"
            );
        }
    }

    /// The same, for ever.
    pub async fn keep<C: ClientContext>(&self, client: &Client<C>) -> Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            self.mend(client);
        }
    }
}

/// Logical ones, such as the group's coordinator, lead to others and know no address themselves.
fn has_broker(statistics: &Statistics) -> bool {
    let mut brokers = statistics.brokers.values();
    brokers.any(|broker| matches!(broker.source.as_str(), "configured" | "learned"))
}
