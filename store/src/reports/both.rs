//! A range, and the one before it where both are asked about: by one query, for most of its price is
//! what it reads whatever its range is.

use super::question::{Along, Question};

/// What a report tells of its range, and of the range before ([`Question::before`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Both<T> {
    /// Of the range.
    pub now: T,
    /// Of the range before, where it was asked about.
    pub before: Option<T>,
}

impl<T> Both<T> {
    /// A report of each, made of its rows.
    pub(super) fn of<Row>(
        rows: Vec<Row>,
        asked: &Question,
        before: Option<&Question>,
        is_now: impl Fn(&Row) -> bool,
        report: impl Fn(Vec<Row>, &Question) -> T,
    ) -> Self {
        let (now, then) = rows.into_iter().partition(is_now);
        Self {
            now: report(now, asked),
            before: before.map(|before| report(then, before)),
        }
    }
}

impl<'a> From<Option<&'a Question>> for Along<'a> {
    fn from(before: Option<&'a Question>) -> Self {
        before.map_or(Self::Nothing, Self::Before)
    }
}
