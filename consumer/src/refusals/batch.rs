//! What is loaded at once.

use std::collections::BTreeMap;
use std::time::Duration;

use postback_common::record::{RecordError, Text};
use postback_common::refusal::RefusalRecord;
use postback_service::kafka::rdkafka::consumer::Consumer as _;
use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_service::kafka::rdkafka::message::Message as _;
use postback_store::rows::RefusalRow;
use tokio::time::{Instant, timeout_at};

use super::member::Member;
use crate::progress::{Offset, Partition};

/// A batch is loaded when it has so many records, …
const MOST_RECORDS: usize = 1_000;
/// … or when its first record has waited so long.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Records as they stand in Kafka, and where they end.
#[derive(Debug, Default)]
pub(super) struct Batch {
    values: Vec<Value>,
}

#[derive(Debug)]
struct Value {
    partition: Partition,
    offset: Offset,
    bytes: Vec<u8>,
}

impl Batch {
    /// Waits for a first record, and a little for more.
    ///
    /// # Errors
    /// Where librdkafka cannot go on.
    pub(super) async fn collect(member: &Member) -> Result<Self, KafkaError> {
        let mut batch = Self::default();
        batch.take(member).await?;
        let end = Instant::now() + LONGEST_WAIT;
        while batch.values.len() < MOST_RECORDS {
            match timeout_at(end, batch.take(member)).await {
                Ok(taken) => taken?,
                Err(_) => break,
            }
        }
        Ok(batch)
    }

    async fn take(&mut self, member: &Member) -> Result<(), KafkaError> {
        loop {
            let message = match member.recv().await {
                Ok(message) => message,
                Err(error) => {
                    complain(error, member)?;
                    continue;
                }
            };
            member.context().denials.read();
            self.values.push(Value {
                partition: message.partition(),
                offset: message.offset(),
                bytes: message.payload().unwrap_or_default().to_vec(),
            });
            return Ok(());
        }
    }

    /// What can be read; and of the rest, the first reason and how many there are.
    pub(super) fn records(&self) -> (Vec<RefusalRecord<'_>>, Option<(RecordError, u64)>) {
        let mut records = Vec::with_capacity(self.values.len());
        let mut unreadable: Option<(RecordError, u64)> = None;
        for value in &self.values {
            match RefusalRecord::decode(&value.bytes) {
                Ok(record) => records.push(record),
                Err(error) => unreadable.get_or_insert((error, 0)).1 += 1,
            }
        }
        (records, unreadable)
    }

    /// The next offset of each partition.
    pub(super) fn next(&self) -> Vec<(Partition, Offset)> {
        let mut next = BTreeMap::new();
        for value in &self.values {
            // In the order read: a log that began anew goes on from its lower offset.
            next.insert(value.partition, value.offset + 1);
        }
        next.into_iter().collect()
    }
}

/// The row of a record. What is not known is empty.
pub(super) fn row<'a>(record: &'a RefusalRecord<'_>) -> RefusalRow<'a> {
    fn text<'a>(text: &'a Option<Text<'_>>) -> &'a str {
        text.as_deref().unwrap_or_default()
    }
    RefusalRow {
        id: record.id,
        refused_at: record.refused_at,
        reason: &record.reason,
        status: record.status,
        source: text(&record.source),
        key: text(&record.key),
        method: text(&record.method),
        path: text(&record.path),
        query: text(&record.query),
        query_bytes: record.query_bytes,
        remote: &record.remote,
        user_agent: text(&record.user_agent),
        cut: record.cut.iter().map(Text::as_str).collect(),
        suppressed: record.suppressed,
    }
}

/// Only what librdkafka cannot mend itself is an error.
fn complain(error: KafkaError, member: &Member) -> Result<(), KafkaError> {
    let is_final = matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::Fatal)
    );
    if is_final || matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Err(error);
    }
    member.context().denials.hear(&error);
    Ok(())
}
