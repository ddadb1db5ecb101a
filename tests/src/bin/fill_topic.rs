//! `postback-fill-topic`: raw records as ingest writes them, straight into a topic. `cargo xtask
//! bench load` and `bench reports` run it; the requests behind the records are the simulator's.
//!
//! Prints one line of JSON: how many records, of how many bytes.
#![allow(
    clippy::print_stdout,
    reason = "a command-line program: its result on standard output"
)]

use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use postback_common::record::{Payload, RawRecord, Via};
use postback_simulator::{Event, Scenario, Settings, Template};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use uuid::Builder;

/// Events that are played at once. Each such scenario has a seed of its own.
const AT_ONCE: u32 = 20_000;

/// Days that a scenario's orders and reversals are spread over.
const DAYS: u16 = 10;

/// Kafka may take so long for what is still on its way at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);

/// Fills a topic with the raw records of a simulated network
#[derive(Debug, Parser)]
#[command(name = "postback-fill-topic")]
struct Arguments {
    /// Kafka's bootstrap servers
    #[arg(long)]
    brokers: String,
    /// The topic; it must be there
    #[arg(long)]
    topic: String,
    /// How many records
    #[arg(long)]
    records: u64,
    /// Where the chance starts from; other seeds make other conversions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The last day, in UTC, of the month that the records are spread over, in order
    #[arg(long, value_name = "DATE")]
    last_day: Date,
    /// So many a second; as fast as it can without
    #[arg(long, value_name = "RECORDS")]
    rate: Option<u32>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &arguments.brokers)
        .set("linger.ms", "20")
        .set("compression.type", "lz4")
        // As ingest's are, which gathers for 2 ms: a fetch brings batches whole, or not at all.
        .set("batch.num.messages", "100")
        .set("queue.buffering.max.messages", "200000")
        .create()?;
    let mut topic = Topic {
        producer,
        name: arguments.topic.clone(),
        pace: arguments.rate.map(Pace::new),
        bytes: 0,
        records: 0,
    };
    let template = Template::with_all_fields("/postback/key")?;
    let scenarios = u32::try_from(arguments.records.div_ceil(AT_ONCE.into()))?;
    for scenario in 0..scenarios {
        let played = Scenario::generate(&Settings {
            seed: arguments.seed.wrapping_mul(1_000_003) + u64::from(scenario),
            postbacks: AT_ONCE,
            days: DAYS,
            ..Settings::ending(last_day(arguments.last_day, scenario, scenarios)?)
        })?;
        let left = usize::try_from(arguments.records - topic.records)?;
        for event in played.events.iter().take(left) {
            topic.publish(event, &template, arguments.seed)?;
        }
    }
    topic.producer.flush(FLUSH_WITHIN)?;
    println!(
        "{}",
        serde_json::json!({"records": topic.records, "bytes": topic.bytes})
    );
    Ok(())
}

/// The scenarios follow each other through the month: their last days are these.
fn last_day(last: Date, scenario: u32, of: u32) -> anyhow::Result<Date> {
    let span = 30 - u32::from(DAYS);
    let back = span - span * (scenario + 1) / of;
    Ok(last.checked_sub(i64::from(back).days())?)
}

struct Topic {
    producer: BaseProducer,
    name: String,
    pace: Option<Pace>,
    records: u64,
    bytes: u64,
}

impl Topic {
    fn publish(&mut self, event: &Event, template: &Template, seed: u64) -> anyhow::Result<()> {
        if let Some(pace) = &self.pace {
            pace.wait_for(self.records, &self.producer);
        }
        let received_at = event.sent_at + Duration::from_micros(self.records % 1_000_000);
        let value = record(event, template, received_at, seed, self.records)?;
        loop {
            let message = BaseRecord::<(), [u8]>::to(&self.name).payload(&value);
            match self.producer.send(message) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(error).context("Kafka's client takes no record"),
            }
        }
        self.records += 1;
        self.bytes += value.len() as u64;
        Ok(())
    }
}

/// The record that ingest would have made of the request.
fn record(
    event: &Event,
    template: &Template,
    received_at: Timestamp,
    seed: u64,
    number: u64,
) -> anyhow::Result<Vec<u8>> {
    let millis = u64::try_from(received_at.as_millisecond())?;
    let mut random = [0; 10];
    // Spread as random bits are, and the same in every run.
    let mixed = (u128::from(seed) << 64 | u128::from(number))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    random.copy_from_slice(&mixed.to_be_bytes()[..10]);
    let query = template.query(event);
    let record = RawRecord {
        id: Builder::from_unix_timestamp_millis(millis, &random).into_uuid(),
        source: "rakuten-us".into(),
        key: Some("k1".into()),
        received_at,
        method: "GET".into(),
        query: Payload::of(query.as_bytes()),
        content_type: None,
        body: None,
        remote: Some("203.0.113.7".into()),
        headers: vec![("user-agent".into(), "Java/17.0.12".into())],
        via: Via::Http,
    };
    let mut value = Vec::with_capacity(1024);
    record.encode_into(&mut value);
    Ok(value)
}

/// So many records a second, whatever became of those before.
struct Pace {
    began: Instant,
    each: Duration,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self {
            began: Instant::now(),
            each: Duration::from_secs(1) / rate.max(1),
        }
    }

    fn wait_for(&self, number: u64, producer: &BaseProducer) {
        let due = self.began
            + self
                .each
                .saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left < Duration::from_millis(1) {
                return;
            }
            producer.poll(left);
        }
    }
}
