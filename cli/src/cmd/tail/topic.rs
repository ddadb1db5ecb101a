//! The end of the topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use postback_common::record::{Message, RawRecord};
use postback_normalise::Configured;
use postback_service::kafka::{Amount, LogError, LogReader, Span, next_to_load};
use postback_store::reports::Reader;

use super::{Out, Outcome, PAUSE, Tail, sent};
use crate::cmd::Loaded;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, text};
use crate::range::shown_exactly;
use crate::record::Record;
use crate::servers::Trouble;

/// What stands at one offset.
struct Found {
    received_at: Timestamp,
    partition: i32,
    offset: i64,
    /// The record's text; `None` where the bytes are none.
    raw: Option<String>,
    source: String,
    id: String,
    /// Whether it is loaded; `None` where nobody knows.
    is_loaded: Option<bool>,
}

/// One batch: what was found, and where the next one begins.
type Batch = (Vec<Found>, BTreeMap<i32, i64>);

pub(super) async fn run(
    tail: &Tail,
    loaded: &Loaded,
    out: &mut Out<'_>,
) -> Result<Ending, Failure> {
    // Which group loads is the active generation's; without ClickHouse nobody knows.
    let generation = Reader::of_active(&loaded.settings.clickhouse).await;
    let group = generation.ok().map(|reader| {
        reader
            .generation()
            .consumer_group(&loaded.settings.consumer.group)
    });
    if group.is_none() {
        out.console
            .warn("ClickHouse does not answer: what is loaded is not known");
    }
    let kafka = &loaded.settings.kafka;
    let name = group.as_deref().unwrap_or("postback-tail");
    let reader = LogReader::of_group(
        kafka,
        &kafka.topic,
        "postback-tail",
        name,
        Amount::Stretches,
    );
    let reader = Arc::new(reader.map_err(|error| trouble(&error))?);
    let stop = Stop::default();
    let (found, mut ends) = look(&reader, group.is_some(), None, tail.lines, &stop).await?;
    let mut first = sheet(&found, tail, loaded, out);
    let most = usize::try_from(tail.lines).unwrap_or(usize::MAX);
    let surplus = first.rows.len().saturating_sub(most);
    first.rows.drain(..surplus);
    if first.rows.is_empty() && tail.lines > 0 {
        first.notes = vec![format!(
            "Nothing of that kind among the last {} records of each partition of {}: `postback doctor` says whether all is well.",
            tail.lines, kafka.topic
        )];
    }
    out.write(&first)?;
    if !tail.follow {
        return Ok(Ending::Done);
    }
    loop {
        tokio::time::sleep(PAUSE).await;
        let found;
        (found, ends) = look(&reader, group.is_some(), Some(ends), tail.lines, &stop).await?;
        out.write(&sheet(&found, tail, loaded, out))?;
    }
}

fn trouble(error: &LogError) -> Trouble {
    Trouble::new(error.to_string(), error.remedy())
}

/// Ends a blocking reader when the command ends.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn look(
    reader: &Arc<LogReader>,
    is_group: bool,
    from: Option<BTreeMap<i32, i64>>,
    lines: u32,
    stop: &Stop,
) -> Result<Batch, Failure> {
    let (reader, stop) = (Arc::clone(reader), Arc::clone(&stop.0));
    let read = move || read(&reader, is_group, from.as_ref(), lines, &stop);
    let found = tokio::task::spawn_blocking(read)
        .await
        .map_err(Failure::failed)?;
    found.map_err(|error| trouble(&error).into())
}

/// From these offsets on, or so many of each partition. Blocks.
fn read(
    reader: &LogReader,
    is_group: bool,
    from: Option<&BTreeMap<i32, i64>>,
    lines: u32,
    stop: &AtomicBool,
) -> Result<Batch, LogError> {
    let partitions = reader.partitions()?;
    let committed = match is_group {
        true => Some(reader.committed(&partitions)?),
        false => None,
    };
    let (mut spans, mut ends, mut next) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for partition in partitions {
        let (low, high) = reader.bounds(partition)?;
        let begin = from.and_then(|from| from.get(&partition).copied());
        let begin = begin.unwrap_or_else(|| (high - i64::from(lines)).max(low));
        ends.insert(partition, high);
        if let Some(committed) = &committed {
            let committed = committed.get(&partition).copied();
            next.insert(partition, next_to_load(committed, low, high));
        }
        spans.push(Span {
            partition,
            from: begin.min(high),
            to: high,
        });
    }
    let mut found = Vec::new();
    reader.read(&spans, stop, |message| {
        let is_loaded = next
            .get(&message.partition)
            .map(|next| message.offset < *next);
        found.push(seen(&message, is_loaded));
    })?;
    found.sort_by_key(|found| (found.received_at, found.partition, found.offset));
    Ok((found, ends))
}

fn seen(message: &Message<'_>, is_loaded: Option<bool>) -> Found {
    let (partition, offset) = (message.partition, message.offset);
    let record = RawRecord::decode(message.bytes);
    let known = record.ok().map(|record| {
        (
            record.received_at,
            record.source.as_str().to_owned(),
            record.id.to_string(),
        )
    });
    let raw = known
        .is_some()
        .then(|| String::from_utf8_lossy(message.bytes).into_owned());
    let (received_at, source, id) = known.unwrap_or_else(|| {
        (
            message.broker_time(),
            String::new(),
            message.id_of_bytes().to_string(),
        )
    });
    Found {
        received_at,
        partition,
        offset,
        raw,
        source,
        id,
        is_loaded,
    }
}

fn sheet(found: &[Found], tail: &Tail, loaded: &Loaded, out: &Out<'_>) -> Sheet {
    let form = out.options.output;
    let columns = [
        text("received_at", "Received"),
        text("source", "Source"),
        text("state", "State"),
        text("place", "Partition:offset"),
        text("id", "Id"),
    ];
    let mut sheet = Sheet::new(&[&columns[..], &sent::columns(form)].concat());
    let is_asked = |found: &&Found| {
        let is_of = |asked: &String| is_of_source(found, asked, &loaded.configured);
        tail.source.as_ref().is_none_or(is_of)
            && (tail.outcome != Some(Outcome::Waiting) || found.is_loaded == Some(false))
    };
    let row = |found: &Found| {
        let rules = loaded.configured.source(&found.source);
        let network = rules.map_or("", |rules| rules.profile().network.as_str());
        let record = found
            .raw
            .as_deref()
            .map(|raw| Record::of(raw, &found.source, network, &loaded.configured));
        let state = match (found.raw.is_some(), found.is_loaded) {
            (_, Some(true)) => "loaded",
            (true, Some(false)) => "waiting",
            (false, _) => "no record",
            (true, None) => "not known",
        };
        let mut cells = vec![
            Cell::Text(shown_exactly(found.received_at, &out.options.time_zone)),
            Cell::text(name_of(found, &loaded.configured)),
            Cell::text(state),
            Cell::Text(format!("{}:{}", found.partition, found.offset)),
            Cell::text(&found.id),
        ];
        cells.extend(sent::cells(record, form));
        cells
    };
    sheet.rows = found.iter().filter(is_asked).map(row).collect();
    sheet
}

/// What the source is called by now: a record has the name that it was received under.
fn name_of<'a>(found: &'a Found, configured: &'a Configured) -> &'a str {
    let rules = configured.source(&found.source);
    rules.map_or(&found.source, |rules| rules.source().as_str())
}

/// By either name.
fn is_of_source(found: &Found, asked: &str, configured: &Configured) -> bool {
    asked == found.source || asked == name_of(found, configured)
}
