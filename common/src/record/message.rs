//! A message of the topic: who it is, whether its bytes are a record or not.

use jiff::Timestamp;
use uuid::Uuid;

use super::{RawRecord, RecordError};

/// A message as it came from Kafka.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Topic that it was read from.
    pub topic: &'a str,
    /// Partition that it was read from.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When the broker took it, in milliseconds since 1970; -1 where it does not say.
    pub broker_millis: i64,
    /// Its value; empty where it has none.
    pub bytes: &'a [u8],
}

/// Under what a message stands in the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The record's own id, or [`Message::id_of_bytes`].
    pub id: Uuid,
    /// The record's own time, or the broker's.
    pub received_at: Timestamp,
    /// Name of the source; empty where the bytes are no record.
    pub source: Box<str>,
}

impl Message<'_> {
    /// Under what it stands in the tables.
    ///
    /// # Errors
    /// The version of a record that this program does not read.
    pub fn identity(&self) -> Result<Identity, u64> {
        match RawRecord::decode(self.bytes) {
            Ok(record) => Ok(Identity {
                id: record.id,
                received_at: record.received_at,
                source: (*record.source).into(),
            }),
            Err(RecordError::UnknownVersion(version)) => Err(version),
            Err(RecordError::NotARecord(_)) => Ok(Identity {
                id: self.id_of_bytes(),
                received_at: self.broker_time(),
                source: "".into(),
            }),
        }
    }

    /// When the broker took it; 1970 where it does not say.
    #[must_use]
    pub fn broker_time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.broker_millis.max(0)).unwrap_or_default()
    }

    /// An id for bytes that have none, the same whenever they are read: the leading 128 bits of
    /// BLAKE3 over topic, partition, offset, the broker's time and the bytes, each behind its length
    /// as 8 bytes; all numbers little-endian.
    #[must_use]
    pub fn id_of_bytes(&self) -> Uuid {
        let mut hasher = blake3::Hasher::new();
        let mut push = |value: &[u8]| {
            hasher.update(&(value.len() as u64).to_le_bytes());
            hasher.update(value);
        };
        push(self.topic.as_bytes());
        push(&self.partition.to_le_bytes());
        push(&self.offset.to_le_bytes());
        push(&self.broker_millis.to_le_bytes());
        push(self.bytes);
        let mut leading = [0; 16];
        hasher.finalize_xof().fill(&mut leading);
        Uuid::from_bytes(leading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = br#"{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","source":"rakuten-us","key":"k1","received_at":"2026-09-01T00:00:00.000001Z","method":"GET","query":{"utf8":"a=1"},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{},"via":"http"}"#;

    fn message(bytes: &[u8]) -> Message<'_> {
        Message {
            topic: "postbacks.raw",
            partition: 3,
            offset: 42,
            broker_millis: 1_788_220_800_123,
            bytes,
        }
    }

    #[test]
    fn a_record_is_known_by_what_it_says_of_itself() {
        let identity = message(RECORD).identity().unwrap();
        assert_eq!(
            identity.id.to_string(),
            "01a05a43-fc00-7f54-8d8e-0023af5570ee"
        );
        let received_at = identity.received_at.to_string();
        assert_eq!(
            (&*received_at, &*identity.source),
            ("2026-09-01T00:00:00.000001Z", "rakuten-us")
        );
    }

    #[test]
    fn other_bytes_are_known_by_their_place_and_the_brokers_time() {
        let identity = message(b"\xffno record").identity().unwrap();
        // b3sum over the bytes written out by hand: each value behind its length.
        let mut written = Vec::new();
        written.extend_from_slice(b"\x0d\0\0\0\0\0\0\0postbacks.raw");
        written.extend_from_slice(b"\x04\0\0\0\0\0\0\0\x03\0\0\0");
        written.extend_from_slice(b"\x08\0\0\0\0\0\0\0\x2a\0\0\0\0\0\0\0");
        written.extend_from_slice(b"\x08\0\0\0\0\0\0\0");
        written.extend_from_slice(&1_788_220_800_123_i64.to_le_bytes());
        written.extend_from_slice(b"\x0a\0\0\0\0\0\0\0\xffno record");
        assert_eq!(
            identity.id.as_bytes()[..],
            blake3::hash(&written).as_bytes()[..16]
        );
        assert_eq!(identity.received_at.to_string(), "2026-09-01T00:00:00.123Z");
        assert_eq!(&*identity.source, "");

        let elsewhere = Message {
            offset: 43,
            ..message(b"\xffno record")
        };
        assert_ne!(elsewhere.identity().unwrap().id, identity.id);
        let timeless = Message {
            broker_millis: -1,
            ..message(b"")
        };
        assert_eq!(timeless.identity().unwrap().received_at.as_second(), 0);
    }

    #[test]
    fn a_later_version_is_not_guessed_at() {
        let later = String::from_utf8_lossy(RECORD).replace("\"v\":1", "\"v\":2");
        assert_eq!(message(later.as_bytes()).identity(), Err(2));
    }
}
