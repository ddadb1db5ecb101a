//! How raw records are produced, whoever does it.

use postback_common::config::{Settings, record_bytes_max};
use rdkafka::ClientConfig;

use super::{client_config, set_unless_given};

/// librdkafka's settings for the promise, and the measured ones for its price. `client_id` as in
/// [`client_config`].
#[must_use]
pub fn producer_config(settings: &Settings, client_id: &str) -> ClientConfig {
    let mut config = client_config(&settings.kafka, client_id);
    let promised = [
        // Confirmed means: every in-sync replica has it, once.
        ("acks", "all"),
        ("enable.idempotence", "true"),
        // The most that idempotence allows.
        ("max.in.flight", "5"),
        ("message.timeout.ms", message_timeout_ms(settings)),
        // Bounds the memory of an outage; beyond it a record is not taken.
        ("queue.buffering.max.messages", "50000"),
        ("queue.buffering.max.kbytes", "65536"),
    ];
    let measured = [
        // 0 and 1 make the broker thread spin when five requests are in flight.
        ("linger.ms", "2"),
        ("compression.type", "lz4"),
        ("statistics.interval.ms", "1000"),
    ];
    let largest = record_bytes_max(&settings.ingest).to_string();
    let largest = [("message.max.bytes", largest.as_str())];
    let all = promised.into_iter().chain(measured).chain(largest);
    set_unless_given(&mut config, all);
    config
}

/// When librdkafka gives a record up.
///
/// With a spool the record is on disk long before, and giving up early is how a connection that
/// leads nowhere is noticed. Without one, librdkafka's memory is the last place where the record is:
/// 503 was said, but the sender may not send again, and whatever Kafka still takes lands there.
fn message_timeout_ms(settings: &Settings) -> &'static str {
    match settings.ingest.spool {
        Some(_) => "5000",
        None => "60000",
    }
}
