//! How the topic is meant to be.

use std::collections::BTreeMap;

use postback_common::config::{Settings, record_bytes_max};

use super::Purpose;

const MILLIS_PER_DAY: u64 = 86_400_000;

/// Refusals are read from the table; what waits here outlasts a long outage of it.
const REFUSALS_KEPT_DAYS: u64 = 14;

/// Kafka's own default of `max.message.bytes` (1 MiB and the 12 bytes of a batch's old header).
const KAFKAS_MESSAGE_BYTES: usize = 1_048_588;

/// The topic as the configuration and the number of brokers want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) partitions: usize,
    pub(super) replication: usize,
    pub(super) min_insync: usize,
    pub(super) retention_ms: u64,
    pub(super) message_bytes: usize,
    /// Written through to the disk at each message: with a single replica nothing else survives a
    /// power cut.
    pub(super) flush_each: bool,
}

impl Wanted {
    pub(super) fn of(settings: &Settings, purpose: Purpose, brokers: usize) -> Self {
        let kafka = &settings.kafka;
        let given = kafka.replication_factor.map(usize::from);
        let replication = given.unwrap_or_else(|| brokers.clamp(1, 3));
        if purpose == Purpose::Refused {
            return Self {
                partitions: 1,
                replication,
                min_insync: 1,
                retention_ms: REFUSALS_KEPT_DAYS * MILLIS_PER_DAY,
                message_bytes: KAFKAS_MESSAGE_BYTES,
                flush_each: false,
            };
        }
        Self {
            partitions: usize::try_from(kafka.partitions).unwrap_or(usize::MAX),
            replication,
            min_insync: if replication >= 3 { 2 } else { 1 },
            retention_ms: u64::from(kafka.retention_days) * MILLIS_PER_DAY,
            message_bytes: record_bytes_max(&settings.ingest).max(KAFKAS_MESSAGE_BYTES),
            flush_each: replication == 1,
        }
    }

    /// The settings to make it with, under Kafka's names.
    pub(super) fn configs(&self) -> BTreeMap<&'static str, String> {
        let mut configs = BTreeMap::from([
            ("cleanup.policy", "delete".to_owned()),
            ("max.message.bytes", self.message_bytes.to_string()),
            // A producer's clock that runs ahead must not make the broker refuse its records.
            ("message.timestamp.type", "LogAppendTime".to_owned()),
            ("min.insync.replicas", self.min_insync.to_string()),
            ("retention.bytes", "-1".to_owned()),
            ("retention.ms", self.retention_ms.to_string()),
        ]);
        if self.flush_each {
            configs.insert("flush.messages", "1".to_owned());
        }
        configs
    }
}
