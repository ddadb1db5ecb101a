//! Any bytes as a raw record, and as the fields of one.

use std::borrow::Cow;

use arbitrary::{Arbitrary, Unstructured};
use jiff::Timestamp;
use postback_common::record::{Payload, RawRecord, Via};
use uuid::Uuid;

/// What came of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// They were a record as they stand.
    pub was_a_record: bool,
}

/// Reads `bytes` as a record, and makes a record out of them; both must survive being written and
/// read.
///
/// # Panics
/// When one does not.
pub fn check(bytes: &[u8]) -> Outcome {
    let decoded = RawRecord::decode(bytes);
    if let Ok(record) = &decoded {
        check_round_trip(record);
    }
    // Whatever the fields are made of, there are always enough bytes for some.
    if let Ok(fields) = Fields::arbitrary(&mut Unstructured::new(bytes)) {
        check_round_trip(&fields.record());
    }
    Outcome {
        was_a_record: decoded.is_ok(),
    }
}

fn check_round_trip(record: &RawRecord<'_>) {
    let mut written = b"before".to_vec();
    record.encode_into(&mut written);
    let Some(written) = written.strip_prefix(b"before") else {
        panic!("what stood in the buffer is changed");
    };
    let read = RawRecord::decode(written);
    let read = read.unwrap_or_else(|error| panic!("{error}: {}", written.escape_ascii()));
    // Only what others wrote has anything finer than a microsecond.
    let apart = (read.received_at.as_nanosecond() - record.received_at.as_nanosecond()).abs();
    assert!(
        apart < 1_000,
        "{} is read as {}",
        record.received_at,
        read.received_at
    );
    let expected = RawRecord {
        received_at: read.received_at,
        ..record.clone()
    };
    assert_eq!(read, expected);
}

/// The fields of a record.
#[derive(Debug, Arbitrary)]
struct Fields<'a> {
    id: u128,
    source: &'a str,
    key: Option<&'a str>,
    received_at_micros: i64,
    method: &'a str,
    query: &'a [u8],
    content_type: Option<&'a str>,
    body: Option<&'a [u8]>,
    remote: Option<&'a str>,
    headers: Vec<(&'a str, Cow<'a, str>)>,
    via: u8,
}

impl<'a> Fields<'a> {
    fn record(&'a self) -> RawRecord<'a> {
        let headers = self.headers.iter();
        RawRecord {
            id: Uuid::from_u128(self.id),
            source: self.source.into(),
            key: self.key.map(Into::into),
            received_at: instant(self.received_at_micros),
            method: self.method.into(),
            query: Payload::of(self.query),
            content_type: self.content_type.map(Into::into),
            body: self.body.map(Payload::of),
            remote: self.remote.map(Into::into),
            headers: headers
                .map(|(name, value)| ((*name).into(), (&**value).into()))
                .collect(),
            via: [Via::Http, Via::Import, Via::Backfill][usize::from(self.via % 3)],
        }
    }
}

/// Any instant that there is.
fn instant(micros: i64) -> Timestamp {
    let (first, last) = (
        Timestamp::MIN.as_microsecond(),
        Timestamp::MAX.as_microsecond(),
    );
    let bounded = first + micros.rem_euclid(last - first);
    Timestamp::from_microsecond(bounded).unwrap_or(Timestamp::UNIX_EPOCH)
}
