//! The topic's side: which part of it is compared, and the sums of its ids.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use jiff::{SignedDuration, Timestamp};
use postback_common::record::{Identity, Message};
use postback_service::kafka::{LogError, LogReader, Span};
use postback_store::verify::{Block, Extent, Scope, Sum};

use crate::lag::{GroupLag, PartitionLag};
use crate::progress::Meter;

/// How much a clock of ingest may be ahead of the broker's: a record that was received at a time is
/// looked for from so much earlier on.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// Fewest offsets of a block, and most blocks: memory is bounded whatever the topic holds.
const BLOCK: u64 = 4_096;
const MOST_BLOCKS: u64 = 65_536;

/// A partition of the topic with what of it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) extent: Extent,
    /// Where reading begins: nothing before was received in the range, unless a clock was wrong.
    pub(super) start: u64,
}

/// The part of each partition that is loaded.
pub(super) fn extents(lag: &GroupLag) -> Vec<Extent> {
    let extent = |found: &PartitionLag| {
        let low = u64::try_from(found.low).unwrap_or(0);
        // An offset beyond the end belongs to an earlier log: nothing of this one is loaded yet.
        let committed = found.committed.filter(|committed| *committed <= found.high);
        let end = committed.map_or(low, |end| u64::try_from(end).unwrap_or(0));
        Extent {
            partition: u32::try_from(found.partition).unwrap_or(0),
            low,
            end: end.max(low),
        }
    };
    lag.partitions.iter().map(extent).collect()
}

/// Where reading begins in each partition.
pub(super) fn parts(
    reader: &LogReader,
    extents: &[Extent],
    from: Option<Timestamp>,
) -> Result<Vec<Part>, LogError> {
    let Some(from) = from.and_then(|from| from.checked_sub(SKEW).ok()) else {
        let start = |extent: &Extent| Part {
            extent: *extent,
            start: extent.low,
        };
        return Ok(extents.iter().map(start).collect());
    };
    let partitions: Vec<i32> = extents.iter().map(|e| e.partition.cast_signed()).collect();
    let starts = reader.offsets_since(&partitions, from)?;
    let part = |extent: &Extent| {
        let start = starts.get(&extent.partition.cast_signed());
        // None: everything there is older.
        let start = start.map_or(extent.end, |start| u64::try_from(*start).unwrap_or(0));
        Part {
            extent: *extent,
            start: start.clamp(extent.low, extent.end),
        }
    };
    Ok(extents.iter().map(part).collect())
}

/// Offsets of a block, so that there are not too many.
pub(super) fn block_size(parts: &[Part]) -> u64 {
    let offsets: u64 = parts.iter().map(|part| part.extent.end - part.start).sum();
    let mut size = BLOCK;
    while offsets.div_ceil(size) > MOST_BLOCKS {
        size *= 2;
    }
    size
}

/// What the topic holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) blocks: BTreeMap<Block, Sum>,
    /// Records of later versions: their ids cannot be read.
    pub(super) unreadable: u64,
}

impl Topic {
    /// Records in the scope.
    pub(super) fn records(&self) -> u64 {
        self.blocks.values().map(|sum| sum.count).sum()
    }
}

/// Whether a record is in the scope.
pub(super) fn is_asked(identity: &Identity, scope: &Scope) -> bool {
    scope.from.is_none_or(|from| identity.received_at >= from)
        && scope.to.is_none_or(|to| identity.received_at < to)
        && (scope.source.is_none() || scope.names.contains(&*identity.source))
}

/// Reads everything from each part's start to its end. Blocks.
pub(super) fn sum_up(
    reader: &LogReader,
    parts: &[Part],
    size: u64,
    scope: &Scope,
    meter: &Meter,
    stop: &AtomicBool,
) -> Result<Topic, LogError> {
    // Whole blocks, so that those at the start are whole on both sides.
    let spans: Vec<Span> = parts
        .iter()
        .map(|part| span(&part.extent, part.start / size * size, part.extent.end))
        .collect();
    let mut topic = Topic::default();
    reader.read(&spans, stop, |message| {
        meter.advance(1);
        match message.identity() {
            Ok(identity) if is_asked(&identity, scope) => {
                let block = block_of(&message, size);
                topic.blocks.entry(block).or_default().add(identity.id);
            }
            Ok(_) => {}
            Err(_) => topic.unreadable += 1,
        }
    })?;
    Ok(topic)
}

/// Offsets `from` to `to` of a partition, as far as they are in its extent.
pub(super) fn span(extent: &Extent, from: u64, to: u64) -> Span {
    let offset = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
    Span {
        partition: extent.partition.cast_signed(),
        from: offset(from.max(extent.low)),
        to: offset(to.min(extent.end)),
    }
}

pub(super) fn block_of(message: &Message<'_>, size: u64) -> Block {
    Block {
        partition: message.partition.cast_unsigned(),
        number: message.offset.cast_unsigned() / size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(committed: Option<i64>, low: i64, high: i64) -> (u64, u64) {
        let lag = GroupLag {
            group: "g".to_owned(),
            members: 1,
            partitions: vec![PartitionLag {
                partition: 3,
                committed,
                low,
                high,
            }],
        };
        let extent = extents(&lag)[0];
        (extent.low, extent.end)
    }

    #[test]
    fn only_what_is_loaded_is_compared() {
        assert_eq!(extent(Some(7), 2, 10), (2, 7));
        assert_eq!(extent(None, 2, 10), (2, 2));
        // The group's offset belongs to an earlier log of that name.
        assert_eq!(extent(Some(11), 0, 10), (0, 0));
        // Kafka gave up what was not loaded.
        assert_eq!(extent(Some(1), 4, 10), (4, 4));
    }

    #[test]
    fn blocks_grow_with_the_topic_and_not_their_number() {
        let part = |end| Part {
            extent: Extent {
                partition: 0,
                low: 0,
                end,
            },
            start: 0,
        };
        assert_eq!(block_size(&[]), 4_096);
        assert_eq!(block_size(&[part(4_096 * 65_536)]), 4_096);
        assert_eq!(block_size(&[part(4_096 * 65_536), part(1)]), 8_192);
        assert_eq!(block_size(&[part(10_000_000_000)]), 262_144);
    }

    #[test]
    fn the_scope_is_by_time_of_receipt_and_source() {
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let scope = Scope {
            from: Some(moment("2026-09-01T00:00:00Z")),
            to: Some(moment("2026-09-02T00:00:00Z")),
            source: Some("a".to_owned()),
            names: ["a", "earlier"].map(str::to_owned).into(),
            ..Scope::default()
        };
        for (source, received_at, expected) in [
            ("a", "2026-09-01T00:00:00Z", true),
            ("a", "2026-09-01T23:59:59.999999Z", true),
            ("a", "2026-09-02T00:00:00Z", false),
            ("a", "2026-08-31T23:59:59.999999Z", false),
            ("earlier", "2026-09-01T12:00:00Z", true),
            ("b", "2026-09-01T12:00:00Z", false),
        ] {
            let identity = Identity {
                id: uuid::Uuid::nil(),
                received_at: moment(received_at),
                source: source.into(),
            };
            assert_eq!(
                is_asked(&identity, &scope),
                expected,
                "{source} {received_at}"
            );
        }
    }
}
