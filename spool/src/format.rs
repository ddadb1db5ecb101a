//! Segment headers and frames as bytes, and back. No I/O; the layout is on the crate's page.

use std::fmt;
use std::ops::Range;

use twox_hash::XxHash3_64;

/// Bytes of a segment's header.
pub(crate) const HEADER_BYTES: usize = 40;
/// Bytes of a frame before its record.
pub(crate) const FRAME_BYTES: usize = 32;
/// The only version that this code reads and writes.
pub(crate) const VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"PBSPOOL\n";
/// The first byte occurs in no UTF-8 text.
pub(crate) const MARKER: [u8; 4] = [0xF5, b'P', b'B', 0x0D];

/// What a segment's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Waiting for Kafka.
    Queued,
    /// Refused by Kafka for themselves, each with its reason.
    Rejected,
}

/// Number and id of a segment: what its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    /// Grows within a directory.
    pub(crate) number: u64,
    /// Random; the seed of all checks in the file.
    pub(crate) id: u64,
}

impl SegmentName {
    /// The name of a file, without its extension, or `None` if it is none of ours.
    pub(crate) fn parse(stem: &str) -> Option<Self> {
        let (number, id) = stem.split_once('-')?;
        let hex = |text: &str| {
            let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            (text.len() == 16 && digits).then(|| u64::from_str_radix(text, 16).ok())?
        };
        Some(Self {
            number: hex(number)?,
            id: hex(id)?,
        })
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.number, self.id)
    }
}

/// What the first bytes of a segment say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// A header that this version understands.
    Known(SegmentName, Kind),
    /// A good header of another version: not ours to judge.
    Unknown(u16),
    /// No good header.
    Damaged,
}

/// The header of a new segment.
pub(crate) fn encode_header(name: SegmentName, kind: Kind) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[10] = match kind {
        Kind::Queued => 0,
        Kind::Rejected => 1,
    };
    bytes[16..24].copy_from_slice(&name.number.to_le_bytes());
    bytes[24..32].copy_from_slice(&name.id.to_le_bytes());
    let check = XxHash3_64::oneshot_with_seed(0, &bytes[..32]);
    bytes[32..].copy_from_slice(&check.to_le_bytes());
    bytes
}

/// Judges the first [`HEADER_BYTES`] of a file.
pub(crate) fn decode_header(bytes: &[u8]) -> Header {
    let Some(bytes) = bytes.get(..HEADER_BYTES) else {
        return Header::Damaged;
    };
    if bytes[..8] != MAGIC || u64_at(bytes, 32) != XxHash3_64::oneshot_with_seed(0, &bytes[..32]) {
        return Header::Damaged;
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    let kind = match (version, bytes[10]) {
        (VERSION, 0) => Kind::Queued,
        (VERSION, 1) => Kind::Rejected,
        _ => return Header::Unknown(version),
    };
    let name = SegmentName {
        number: u64_at(bytes, 16),
        id: u64_at(bytes, 24),
    };
    Header::Known(name, kind)
}

/// A frame's head, its record not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the record.
    pub(crate) length: u32,
    /// The record's time in µs since 1970.
    pub(crate) at_micros: u64,
    record_check: u64,
}

/// Fills in the head of a frame that lies at `frame` in `bytes` and at `offset` in its segment; the
/// record is in its place already.
pub(crate) fn seal_frame(bytes: &mut [u8], frame: Range<usize>, seed: u64, offset: u64, at: u64) {
    let (head, record) = bytes[frame].split_at_mut(FRAME_BYTES);
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    head[..4].copy_from_slice(&MARKER);
    head[4..8].copy_from_slice(&length.to_le_bytes());
    head[8..16].copy_from_slice(&at.to_le_bytes());
    let check = XxHash3_64::oneshot_with_seed(seed, record);
    head[16..24].copy_from_slice(&check.to_le_bytes());
    let check = head_check(head, seed, offset);
    head[24..32].copy_from_slice(&check.to_le_bytes());
}

/// The head of a frame at `offset` of its segment; `None` if these bytes are none.
pub(crate) fn decode_head(bytes: &[u8], seed: u64, offset: u64) -> Option<Head> {
    let bytes = bytes.get(..FRAME_BYTES)?;
    if bytes[..4] != MARKER || u64_at(bytes, 24) != head_check(bytes, seed, offset) {
        return None;
    }
    Some(Head {
        length: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        at_micros: u64_at(bytes, 8),
        record_check: u64_at(bytes, 16),
    })
}

impl Head {
    /// Whether this is the record that was written.
    pub(crate) fn matches(&self, record: &[u8], seed: u64) -> bool {
        XxHash3_64::oneshot_with_seed(seed, record) == self.record_check
    }
}

fn head_check(head: &[u8], seed: u64, offset: u64) -> u64 {
    let mut checked = [0; 28];
    checked[..8].copy_from_slice(&offset.to_le_bytes());
    checked[8..].copy_from_slice(&head[4..24]);
    XxHash3_64::oneshot_with_seed(seed, &checked)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: SegmentName = SegmentName {
        number: 3,
        id: 0x0123_4567_89ab_cdef,
    };

    #[test]
    fn a_name_comes_back_and_others_are_none_of_ours() {
        assert_eq!(NAME.to_string(), "0000000000000003-0123456789abcdef");
        assert_eq!(SegmentName::parse(&NAME.to_string()), Some(NAME));
        for other in [
            "",
            "x",
            "3-4",
            "0000000000000003-0123456789ABCDEF",
            "+000000000000003-0123456789abcdef",
        ] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_header_stands_as_documented() {
        let header = encode_header(NAME, Kind::Rejected);
        assert_eq!(&header[..8], b"PBSPOOL\n");
        assert_eq!(header[8..16], [1, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(header[16..24], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            header[24..32],
            [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]
        );
        assert_eq!(decode_header(&header), Header::Known(NAME, Kind::Rejected));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_found() {
        let header = encode_header(NAME, Kind::Queued);
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = header;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_header(&flipped), Header::Damaged, "bit {bit}");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_found() {
        let mut frame = vec![0; FRAME_BYTES];
        frame.extend_from_slice(b"a record");
        let end = frame.len();
        seal_frame(&mut frame, 0..end, 7, 40, 1_000);
        let whole = |bytes: &[u8], seed, offset| {
            decode_head(bytes, seed, offset)
                .is_some_and(|head| head.length == 8 && head.matches(&bytes[FRAME_BYTES..], seed))
        };
        assert!(whole(&frame, 7, 40));
        assert!(!whole(&frame, 8, 40), "another segment");
        assert!(!whole(&frame, 7, 41), "another place");
        for bit in 0..end * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!whole(&flipped, 7, 40), "bit {bit}");
        }
    }
}
