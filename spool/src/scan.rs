//! Reads a segment frame by frame, whatever state it is in.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::disk::ReadFile;
use crate::format::{self, FRAME_BYTES, HEADER_BYTES, Header, Kind, MARKER, SegmentName};

/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// What may stand at the end of what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Everything up to the limit was synced: what is no record there is damage.
    Synced,
    /// Its writer died: the last append may be cut short.
    MayBeTorn,
}

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A whole record; its bytes are [`Scanner::record`].
    Record { end: u64, at_micros: u64 },
    /// Bytes that are no record any more.
    Damage(Range<u64>),
    /// An append that was cut short, at the end.
    Torn(Range<u64>),
    /// Nothing more up to the limit.
    End,
}

/// What the start of a segment says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Records follow.
    Good(Kind),
    /// The header is lost; records follow under the id in the name.
    HeaderDamaged,
    /// A segment of another version.
    Unknown(u16),
}

/// Reads one segment from its beginning.
#[derive(Debug)]
pub(crate) struct Scanner {
    file: Arc<dyn ReadFile>,
    seed: u64,
    /// Bytes of the file from `start`.
    buffer: Vec<u8>,
    start: u64,
    /// Where the next frame is expected.
    at: u64,
    record: Range<usize>,
}

impl Scanner {
    /// Reads the header, if `limit` reaches that far.
    pub(crate) fn open(
        file: Arc<dyn ReadFile>,
        name: SegmentName,
        limit: u64,
    ) -> io::Result<(Self, Start)> {
        let mut scanner = Self {
            file,
            seed: name.id,
            buffer: Vec::new(),
            start: 0,
            at: 0,
            record: 0..0,
        };
        let have = scanner.fill(HEADER_BYTES, limit)?;
        let start = match format::decode_header(&scanner.buffer[..have.min(HEADER_BYTES)]) {
            Header::Known(found, kind) => {
                scanner.seed = found.id;
                scanner.at = HEADER_BYTES as u64;
                Start::Good(kind)
            }
            Header::Unknown(version) => Start::Unknown(version),
            // `next` finds the damage, and the frames behind it.
            Header::Damaged => Start::HeaderDamaged,
        };
        Ok((scanner, start))
    }

    /// The record that [`Scanner::next`] found last.
    pub(crate) fn record(&self) -> &[u8] {
        &self.buffer[self.record.clone()]
    }

    /// The next thing before `limit`, which must not shrink between calls. After an error, the
    /// next call tries the same again.
    pub(crate) fn next(&mut self, limit: u64, tail: Tail) -> io::Result<Next> {
        let before = self.at;
        self.find(limit, tail).inspect_err(|_| self.at = before)
    }

    fn find(&mut self, limit: u64, tail: Tail) -> io::Result<Next> {
        if self.at >= limit {
            return Ok(Next::End);
        }
        if let Some(found) = self.frame(limit)? {
            return Ok(found);
        }
        let bad = self.at;
        let torn = tail == Tail::MayBeTorn && self.is_cut_short(limit)?;
        let mut zeroes = self.buffer_at().first() == Some(&0);
        self.at += 1;
        while self.at < limit {
            self.fill(1, limit)?;
            let (skipped, found) = {
                let window = self.buffer_at();
                let marker = window.iter().position(|byte| *byte == MARKER[0]);
                let skipped = marker.unwrap_or(window.len());
                zeroes &= window[..skipped].iter().all(|byte| *byte == 0);
                (skipped, marker.is_some())
            };
            self.at += skipped as u64;
            if !found {
                if skipped == 0 {
                    // The file ends before its limit.
                    break;
                }
                continue;
            }
            let here = self.at;
            if self.frame(limit)?.is_some() {
                // Found again by the next call.
                self.at = here;
                return Ok(Next::Damage(bad..here));
            }
            zeroes = false;
            self.at += 1;
        }
        self.at = limit;
        let zeroes = zeroes && tail == Tail::MayBeTorn;
        Ok(if torn || zeroes {
            Next::Torn(bad..limit)
        } else {
            Next::Damage(bad..limit)
        })
    }

    /// The whole frame at `self.at`, if there is one; moves behind it.
    fn frame(&mut self, limit: u64) -> io::Result<Option<Next>> {
        let rest = usize::try_from(limit.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if rest < FRAME_BYTES || self.fill(FRAME_BYTES, limit)? < FRAME_BYTES {
            return Ok(None);
        }
        let Some(head) = format::decode_head(self.buffer_at(), self.seed, self.at) else {
            return Ok(None);
        };
        let whole = FRAME_BYTES + head.length as usize;
        if rest < whole || self.fill(whole, limit)? < whole {
            return Ok(None);
        }
        if !head.matches(&self.buffer_at()[FRAME_BYTES..whole], self.seed) {
            return Ok(None);
        }
        let from = self.buffer.len() - self.buffer_at().len();
        self.record = from + FRAME_BYTES..from + whole;
        self.at += whole as u64;
        Ok(Some(Next::Record {
            end: self.at,
            at_micros: head.at_micros,
        }))
    }

    /// Whether what begins here looks like the beginning of an append, and ends with the file.
    fn is_cut_short(&mut self, limit: u64) -> io::Result<bool> {
        let have = self.fill(FRAME_BYTES.max(HEADER_BYTES), limit)?;
        let least = if self.at == 0 {
            HEADER_BYTES
        } else {
            FRAME_BYTES
        };
        if have < least {
            return Ok(true);
        }
        let head = format::decode_head(self.buffer_at(), self.seed, self.at);
        let end = head.map(|head| self.at + (FRAME_BYTES as u64) + u64::from(head.length));
        Ok(end.is_some_and(|end| end > limit))
    }

    fn buffer_at(&self) -> &[u8] {
        let from = self.at.checked_sub(self.start);
        let from = from.and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.buffer.get(from..)).unwrap_or(&[])
    }

    /// Sees to it that `wanted` bytes from `self.at` are in the buffer, or all up to `limit`; says
    /// how many are.
    fn fill(&mut self, wanted: usize, limit: u64) -> io::Result<usize> {
        let rest = usize::try_from(limit.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let have = self.buffer_at().len();
        if have >= wanted.min(rest) {
            return Ok(have.min(rest));
        }
        let drop = self.buffer.len() - have;
        self.buffer.drain(..drop);
        self.start = self.at;
        self.record = 0..0;
        let size = wanted.max(CHUNK).min(rest);
        self.buffer.resize(size, 0);
        let read = self
            .file
            .read_at(self.at + have as u64, &mut self.buffer[have..]);
        let read = read.inspect_err(|_| self.buffer.truncate(have))?;
        self.buffer.truncate(have + read);
        Ok(self.buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A file whose `fails`th read (from 0) fails, once.
    #[derive(Debug)]
    struct Flaky {
        bytes: Vec<u8>,
        reads: AtomicUsize,
        fails: usize,
    }

    impl ReadFile for Flaky {
        fn length(&self) -> io::Result<u64> {
            Ok(self.bytes.len() as u64)
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            if self.reads.fetch_add(1, Ordering::Relaxed) == self.fails {
                return Err(io::ErrorKind::Other.into());
            }
            let from = usize::try_from(offset).unwrap();
            let rest = &self.bytes[from.min(self.bytes.len())..];
            let read = rest.len().min(buffer.len());
            buffer[..read].copy_from_slice(&rest[..read]);
            Ok(read)
        }
    }

    const NAME: SegmentName = SegmentName { number: 1, id: 9 };

    fn frame(bytes: &mut Vec<u8>, record: &[u8]) {
        let start = bytes.len();
        bytes.resize(start + FRAME_BYTES, 0);
        bytes.extend_from_slice(record);
        let frame = start..bytes.len();
        format::seal_frame(bytes, frame, NAME.id, start as u64, 5);
    }

    /// A record, more damage than is read at once, a record longer than that, a last one.
    fn segment() -> (Vec<u8>, u64, u64) {
        let mut bytes = format::encode_header(NAME, Kind::Queued).to_vec();
        frame(&mut bytes, b"first");
        let from = bytes.len() as u64;
        for n in 0..CHUNK + 1_000 {
            bytes.push(if n % 100 == 0 { MARKER[0] } else { b'.' });
        }
        let to = bytes.len() as u64;
        frame(&mut bytes, &vec![b'x'; CHUNK + 1_000]);
        frame(&mut bytes, b"last");
        (bytes, from, to)
    }

    #[test]
    fn whichever_read_fails_nothing_is_passed_over_and_nothing_comes_twice() {
        let (bytes, from, to) = segment();
        let limit = bytes.len() as u64;
        for fails in 0..8 {
            let file = Arc::new(Flaky {
                bytes: bytes.clone(),
                reads: AtomicUsize::new(0),
                fails,
            });
            let opened = Scanner::open(file.clone(), NAME, limit);
            let opened = opened.or_else(|_| Scanner::open(file.clone(), NAME, limit));
            let (mut scanner, start) = opened.unwrap();
            assert_eq!(start, Start::Good(Kind::Queued));
            let mut found = Vec::new();
            loop {
                match scanner.next(limit, Tail::MayBeTorn) {
                    Ok(Next::End) => break,
                    Ok(Next::Record { .. }) => found.push(scanner.record().len() as u64),
                    Ok(other) => {
                        assert_eq!(other, Next::Damage(from..to));
                        found.push(0);
                    }
                    Err(_) => {}
                }
            }
            assert_eq!(found, [5, 0, CHUNK as u64 + 1_000, 4], "read {fails}");
        }
    }
}
