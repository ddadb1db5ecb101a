//! How bytes become a connection: the first ones say how it goes, the others are sent.

/// A sender and what it meets.
///
/// ```text
/// byte 0          bits 0 and 1: what Kafka says; 2: pauses between pieces; 3: ingest is told to stop
///                 half-way; 6: the sender takes few bytes at once
/// byte 1          bits 0 to 3: how many bytes of cuts follow; 0 for none: all comes in one piece
/// bytes of cuts   sizes of the pieces, in turn: `0` is 1 byte, `1` is 2, and so on, modulo 256
/// the rest        what is sent
/// ```
///
/// So an input can be written by hand: `00GET / …` in one piece, `410GET / …` byte by byte with
/// pauses.
#[derive(Debug)]
pub struct Input<'a> {
    /// What Kafka says.
    pub kafka: Kafka,
    /// Between two pieces the sender has nothing to say for a moment.
    pub pauses: bool,
    /// Ingest is told to stop when half of the bytes are read.
    pub stops: bool,
    /// The sender takes few bytes at once, with pauses between them.
    pub reads_slowly: bool,
    cuts: &'a [u8],
    /// All that is sent.
    pub sent: &'a [u8],
}

/// What Kafka says to each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kafka {
    /// That it has it.
    Confirms,
    /// That it does not have it.
    SaysNo,
    /// That it will never take such a record.
    Refuses,
    /// Nothing: the client's queue is full.
    QueueFull,
}

impl<'a> Input<'a> {
    /// Any bytes are an input.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let (mode, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let (count, rest) = rest.split_first().unwrap_or((&0, &[]));
        let count = usize::from(count & 15).min(rest.len());
        let (cuts, sent) = rest.split_at(count);
        Self {
            kafka: match mode & 3 {
                1 => Kafka::SaysNo,
                2 => Kafka::QueueFull,
                3 => Kafka::Refuses,
                _ => Kafka::Confirms,
            },
            pauses: mode & 4 != 0,
            stops: mode & 8 != 0,
            reads_slowly: mode & 64 != 0,
            cuts,
            sent,
        }
    }

    /// Sizes of the pieces, without end.
    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        let size = |cut: &u8| usize::from(cut.wrapping_sub(b'0')) + 1;
        let whole = self.cuts.is_empty().then_some(usize::MAX);
        whole
            .into_iter()
            .cycle()
            .chain(self.cuts.iter().map(size).cycle())
    }
}
