//! librdkafka's producer, heard by the runtime.

use std::sync::{Arc, Weak};
use std::time::Duration;

use postback_service::kafka::Bell;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::delivery::Reports;
use super::turns::Turns;

/// A producer whose deliveries, errors and statistics reach [`Reports`] on a worker of the runtime.
pub(super) struct Client {
    // Dropped in this order.
    bell: Bell,
    producer: BaseProducer<Reports, Turns>,
}

impl Client {
    /// Makes it, and has it heard on `runtime` until it is dropped.
    ///
    /// # Errors
    /// librdkafka's, when it refuses an option.
    pub(super) fn start(
        config: &ClientConfig,
        reports: Reports,
        runtime: &Handle,
    ) -> Result<Arc<Self>, KafkaError> {
        let producer = BaseProducer::from_config_and_context(config, reports)?;
        let rung = Arc::new(Notify::new());
        let bell = Bell::of(producer.client(), Arc::clone(&rung));
        let client = Arc::new(Self { bell, producer });
        // It may have said something before anybody listened.
        rung.notify_one();
        runtime.spawn(hear(Arc::downgrade(&client), rung));
        Ok(client)
    }

    /// The producer.
    pub(super) fn producer(&self) -> &BaseProducer<Reports, Turns> {
        &self.producer
    }

    /// What has been said since.
    fn hear(&self) {
        while self.bell.is_pending() {
            self.producer.poll(Duration::ZERO);
        }
        let client = self.producer.client();
        client.context().bootstrap.mend(client);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.bell.rung().notify_one();
    }
}

async fn hear(client: Weak<Client>, rung: Arc<Notify>) {
    loop {
        rung.notified().await;
        let Some(client) = client.upgrade() else {
            return;
        };
        client.hear();
    }
}
