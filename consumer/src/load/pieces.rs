//! How a batch is divided when ClickHouse does not take it whole.
//!
//! - Too large: halved, and so is what follows, until it fits; see [`AtOnce`].
//! - A refused value: halved until the record is alone. Of one bad record among 100,000 that takes 17
//!   steps, at each of which one half is stored: no more than 17 inserts that would not have been.

use std::ops::Range;

/// So many pieces in a row must fit before larger ones are tried again.
const FITTING: u32 = 8;

/// A part of a batch: the numbers of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    records: Range<usize>,
    doubt: Doubt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// Nothing is known of it.
    None,
    /// One of it and the piece before it holds a record that is refused.
    IfTheOtherIsTaken,
    /// It holds a record that is refused.
    Sure,
}

/// How many records ClickHouse takes at once, as experience tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtOnce {
    most: usize,
    fitted: u32,
}

impl Default for AtOnce {
    fn default() -> Self {
        Self {
            most: usize::MAX,
            fitted: 0,
        }
    }
}

impl AtOnce {
    /// So many are taken at once, as far as is known.
    pub(super) fn has_room_for(self, records: usize) -> bool {
        records <= self.most
    }

    fn too_large(&mut self, records: usize) {
        self.most = records.div_ceil(2);
        self.fitted = 0;
    }

    /// After a while of peace larger pieces are tried.
    fn fitted(&mut self, records: usize, largest: usize) {
        if self.most == usize::MAX || records < self.most {
            return;
        }
        self.fitted += 1;
        if self.fitted >= FITTING {
            self.fitted = 0;
            self.most = self.most.saturating_mul(2);
            if self.most >= largest {
                self.most = usize::MAX;
            }
        }
    }
}

/// What is left of a batch for one table, the first records on top.
#[derive(Debug)]
pub(super) struct Pieces {
    stack: Vec<Piece>,
    records: usize,
    at_once: AtOnce,
    /// The server took some of it.
    has_taken: bool,
    /// Was refused alone while nothing had been taken yet; comes again at the end.
    deferred: Option<usize>,
}

/// What to do about a refused piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Go on with smaller ones.
    Divided,
    /// It is this record.
    Alone(usize),
    /// The server refuses one record as well as another: it is not for the rows.
    Everything,
}

impl Pieces {
    pub(super) fn of(records: usize, at_once: AtOnce) -> Self {
        let mut pieces = Self {
            stack: Vec::new(),
            records,
            at_once,
            has_taken: false,
            deferred: None,
        };
        pieces.push(0..records, Doubt::None);
        pieces
    }

    fn push(&mut self, records: Range<usize>, doubt: Doubt) {
        if !records.is_empty() {
            self.stack.push(Piece { records, doubt });
        }
    }

    /// What is to be tried now; the same until something is said of it. `None` at the end.
    pub(super) fn next(&mut self) -> Option<Range<usize>> {
        if self.stack.is_empty()
            && let Some(record) = self.deferred.take()
        {
            self.push(record..record + 1, Doubt::None);
        }
        loop {
            let piece = self.stack.last()?;
            let many = piece.records.len();
            if many > self.at_once.most {
                let Range { start, end } = piece.records.clone();
                let middle = start + self.at_once.most;
                self.stack.pop();
                self.push(middle..end, Doubt::None);
                self.push(start..middle, Doubt::None);
            } else if piece.doubt == Doubt::Sure && many > 1 {
                self.divide();
            } else {
                return Some(piece.records.clone());
            }
        }
    }

    /// Puts the halves of the uppermost, which is refused, in its place.
    fn divide(&mut self) {
        if let Some(Piece { records, .. }) = self.pop_refused() {
            let middle = records.start + records.len().div_ceil(2);
            self.push(middle..records.end, Doubt::IfTheOtherIsTaken);
            self.push(records.start..middle, Doubt::None);
        }
    }

    /// It is stored, or need not be.
    pub(super) fn taken(&mut self, is_stored: bool) {
        let Some(piece) = self.stack.pop() else {
            return;
        };
        self.has_taken |= is_stored;
        if is_stored {
            self.at_once.fitted(piece.records.len(), self.records);
        }
        if let Some(next) = self.stack.last_mut()
            && next.doubt == Doubt::IfTheOtherIsTaken
        {
            next.doubt = Doubt::Sure;
        }
    }

    /// It is too large. False where it cannot be smaller.
    pub(super) fn too_large(&mut self) -> bool {
        let Some(piece) = self.stack.last().filter(|piece| piece.records.len() > 1) else {
            return false;
        };
        self.at_once.too_large(piece.records.len());
        true
    }

    /// The server refuses it. Without `is_sure` that may be for another reason than the rows: then a
    /// record is blamed only where the server took others.
    pub(super) fn refused(&mut self, is_sure: bool) -> Refused {
        let Some(piece) = self.stack.last() else {
            return Refused::Divided;
        };
        if piece.records.len() > 1 {
            self.divide();
            return Refused::Divided;
        }
        let record = piece.records.start;
        if is_sure || self.has_taken {
            self.pop_refused();
            return Refused::Alone(record);
        }
        if self.deferred.is_none() && self.stack.len() > 1 {
            self.pop_refused();
            self.deferred = Some(record);
            return Refused::Divided;
        }
        self.stack.clear();
        self.deferred = None;
        self.push(0..self.records, Doubt::None);
        Refused::Everything
    }

    /// Nothing follows from it for the piece behind it.
    fn pop_refused(&mut self) -> Option<Piece> {
        let piece = self.stack.pop();
        if let Some(next) = self.stack.last_mut() {
            next.doubt = Doubt::None;
        }
        piece
    }

    /// A record is to be tried once more, by itself.
    pub(super) fn again(&mut self, record: usize) {
        if let Some(next) = self.stack.last_mut() {
            next.doubt = Doubt::None;
        }
        self.push(record..record + 1, Doubt::None);
    }

    pub(super) fn at_once(&self) -> AtOnce {
        self.at_once
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A server that takes at most `most` records and refuses some.
    struct Server {
        most: usize,
        bad: BTreeSet<usize>,
        stored: Vec<usize>,
        inserts: usize,
        failures: usize,
    }

    impl Server {
        fn new(most: usize, bad: &[usize]) -> Self {
            Self {
                most,
                bad: bad.iter().copied().collect(),
                stored: Vec::new(),
                inserts: 0,
                failures: 0,
            }
        }

        /// The records found to be bad.
        fn fill(&mut self, pieces: &mut Pieces, is_sure: bool) -> Vec<usize> {
            let mut alone = Vec::new();
            while let Some(piece) = pieces.next() {
                self.inserts += 1;
                if piece.len() > self.most {
                    self.failures += 1;
                    assert!(pieces.too_large());
                } else if self.bad.range(piece.clone()).next().is_some() {
                    self.failures += 1;
                    match pieces.refused(is_sure) {
                        Refused::Divided => {}
                        Refused::Alone(record) => alone.push(record),
                        Refused::Everything => panic!("it takes some"),
                    }
                } else {
                    self.stored.extend(piece);
                    pieces.taken(true);
                }
            }
            alone
        }
    }

    #[test]
    fn one_bad_record_of_a_hundred_thousand_is_found_in_17_halvings() {
        for bad in [0, 1, 49_999, 50_000, 77_777, 99_999] {
            for is_sure in [true, false] {
                let mut server = Server::new(usize::MAX, &[bad]);
                let mut pieces = Pieces::of(100_000, AtOnce::default());
                assert_eq!(server.fill(&mut pieces, is_sure), [bad]);
                let good: Vec<usize> = (0..100_000).filter(|record| *record != bad).collect();
                server.stored.sort_unstable();
                assert!(server.stored == good, "every other record, once");
                assert!(server.failures <= 19, "{bad}: {} failures", server.failures);
                let stores = server.inserts - server.failures;
                assert!(stores <= 17, "{bad}: {stores} inserts");
            }
        }
    }

    #[test]
    fn all_of_many_bad_records_are_found_whatever_fits() {
        let bad = [3, 4, 5, 99, 500, 501, 998, 999];
        for most in [1, 7, 64, usize::MAX] {
            let mut server = Server::new(most, &bad);
            let mut pieces = Pieces::of(1_000, AtOnce::default());
            let mut found = server.fill(&mut pieces, true);
            found.sort_unstable();
            assert_eq!(found, bad);
            server.stored.sort_unstable();
            let good: Vec<usize> = (0..1_000).filter(|r| !bad.contains(r)).collect();
            assert_eq!(server.stored, good);
        }
    }

    #[test]
    fn what_is_too_large_once_is_not_tried_at_every_piece() {
        let mut server = Server::new(1_000, &[]);
        let mut pieces = Pieces::of(100_000, AtOnce::default());
        assert_eq!(server.fill(&mut pieces, true), [0; 0]);
        assert_eq!(server.stored, (0..100_000).collect::<Vec<_>>());
        // 782 fit: 7 halvings of 100,000. One larger piece is tried after every 8.
        assert!(
            (128..=144).contains(&(server.inserts - server.failures)),
            "{}",
            server.inserts
        );
        assert!(server.failures <= 7 + 128 / 8, "{}", server.failures);
    }

    #[test]
    fn better_times_are_noticed() {
        let mut small = Server::new(10, &[]);
        let mut pieces = Pieces::of(1_000, AtOnce::default());
        small.fill(&mut pieces, true);
        let mut inserts = Vec::new();
        let mut at_once = pieces.at_once();
        for _ in 0..24 {
            let mut large = Server::new(usize::MAX, &[]);
            let mut pieces = Pieces::of(1_000, at_once);
            large.fill(&mut pieces, true);
            at_once = pieces.at_once();
            inserts.push(large.inserts);
        }
        assert!(
            inserts.is_sorted_by(|more, less| more >= less),
            "{inserts:?}"
        );
        assert_eq!(inserts[23], 1, "{inserts:?}");
    }

    #[test]
    fn a_server_that_refuses_everything_for_an_unknown_reason_has_no_bad_record() {
        for records in [1, 2, 100_000] {
            let mut pieces = Pieces::of(records, AtOnce::default());
            let mut tries = 0;
            let last = loop {
                assert!(pieces.next().is_some());
                tries += 1;
                match pieces.refused(false) {
                    Refused::Divided => {}
                    last => break last,
                }
            };
            assert_eq!(last, Refused::Everything);
            assert!(tries <= 20, "{records}: {tries}");
            assert_eq!(pieces.next(), Some(0..records), "from the beginning");
        }
    }

    #[test]
    fn a_single_record_cannot_be_smaller() {
        let mut pieces = Pieces::of(2, AtOnce::default());
        assert_eq!(pieces.next(), Some(0..2));
        assert!(pieces.too_large());
        assert_eq!(pieces.next(), Some(0..1));
        assert!(!pieces.too_large());
        assert_eq!(pieces.next(), Some(0..1), "it is tried again");
    }

    #[test]
    fn a_record_that_is_to_be_tried_again_comes_next() {
        let mut pieces = Pieces::of(4, AtOnce::default());
        pieces.next();
        assert_eq!(pieces.refused(true), Refused::Divided);
        assert_eq!(pieces.next(), Some(0..2));
        assert_eq!(pieces.refused(true), Refused::Divided);
        assert_eq!(pieces.next(), Some(0..1));
        assert_eq!(pieces.refused(true), Refused::Alone(0));
        pieces.again(0);
        assert_eq!(pieces.next(), Some(0..1));
        pieces.taken(true);
        assert_eq!(pieces.next(), Some(1..2));
        pieces.taken(true);
        assert_eq!(pieces.next(), Some(2..4));
    }

    #[test]
    fn so_many_as_fitted_have_room() {
        let mut at_once = AtOnce::default();
        assert!(at_once.has_room_for(usize::MAX));
        at_once.too_large(9);
        assert!(at_once.has_room_for(5) && !at_once.has_room_for(6));
    }
}
