//! Which cells of time are asked for one after another, and how wide they are.
//!
//! A cell is half open, in whole seconds. What the API is asked for reaches a second further on either
//! side: times have parts of seconds, and whether ends are included is nowhere written.

use jiff::Timestamp;
use postback_network::Window;

use super::standing::Through;

/// Asked for beyond a cell on either side, in seconds.
pub(super) const OVERLAP: i64 = 1;

/// Asked for beyond the range on either side, in seconds: the network's clock may differ from that
/// by which an outage was timed, and what is late has an earlier time.
pub(super) const MARGIN: i64 = 600;

/// What was processed so long ago, in seconds, is read in several cells at once. What is younger is read
/// last and in order: a transaction that changes meanwhile gets a new process date, and is met there.
const SETTLED: i64 = 900;

/// Width of the first cell, and of the widest, in seconds.
const FIRST: i64 = 600;
const WIDEST: i64 = 86_400;

/// A cell is at most so many times as wide as the one before.
const GROWTH: i64 = 4;

/// Seconds since 1970: `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Cell {
    /// What the API is asked for.
    pub(super) fn window(self) -> Window {
        Window {
            from: instant(self.from - OVERLAP),
            through: instant(self.to + OVERLAP),
        }
    }

    /// Two cells in its place; `None` for one second.
    pub(super) const fn halves(self) -> Option<[Self; 2]> {
        let width = self.to - self.from;
        if width < 2 {
            return None;
        }
        let middle = self.from + width / 2;
        let first = Self {
            from: self.from,
            to: middle,
        };
        let second = Self {
            from: middle,
            to: self.to,
        };
        Some([first, second])
    }

    /// Up to where it is done with when reading it began at `begun_at`: not where it reaches into the
    /// present, since what comes or moves after that was not read.
    pub(super) fn through(self, begun_at: i64) -> Through {
        let second = self.to.min(settled(begun_at));
        Through {
            second,
            is_all: second == self.to,
        }
    }

    pub(super) const fn width(self) -> i64 {
        self.to - self.from
    }
}

/// Gives out the cells of a range.
#[derive(Debug, Clone)]
pub(super) struct Planner {
    next: i64,
    end: i64,
    /// It ends where things still move: up to the present, then, so that what moved is met.
    reaches_present: bool,
    width: i64,
    /// Transactions that a cell is meant to have.
    aim: u64,
    is_over: bool,
}

impl Planner {
    /// Of a range in seconds since 1970, from `from` on, at `now`; a page has `page_size` transactions.
    pub(super) fn new(from: i64, to: i64, now: i64, page_size: u32) -> Self {
        Self {
            next: from,
            end: to,
            reaches_present: to >= settled(now),
            width: FIRST,
            // Most cells then need one page, although they are not alike.
            aim: (u64::from(page_size) * 3 / 5).max(1),
            is_over: from >= to,
        }
    }

    /// Where the range ends at `now`: nothing was processed in the future, clocks apart.
    pub(super) const fn end(&self, now: i64) -> i64 {
        if self.reaches_present {
            now + MARGIN
        } else {
            self.end
        }
    }

    /// The next cell; `None` when there is none, or none yet: what may still move is given out only
    /// while nothing else is being read.
    pub(super) fn next(&mut self, now: i64, is_idle: bool) -> Option<Cell> {
        if self.is_over {
            return None;
        }
        let end = self.end(now);
        let mut to = (self.next + self.width).min(end);
        if self.next < settled(now) {
            to = to.min(settled(now));
        } else if !is_idle {
            return None;
        }
        let cell = Cell {
            from: self.next,
            to,
        };
        self.next = to;
        self.is_over = to >= end;
        (cell.width() > 0).then_some(cell)
    }

    /// Learns from a cell that was read how wide the next ones may be.
    pub(super) fn learn(&mut self, cell: Cell, transactions: u64) {
        let width = cell.width().max(1);
        let fitting = match i64::try_from(self.aim)
            .unwrap_or(i64::MAX)
            .saturating_mul(width)
        {
            all if transactions == 0 => all,
            all => all / i64::try_from(transactions).unwrap_or(i64::MAX),
        };
        self.width = fitting.clamp(1, width.saturating_mul(GROWTH)).min(WIDEST);
    }

    /// Learns that a cell was too much.
    pub(super) fn learn_too_much(&mut self, cell: Cell) {
        self.width = self.width.min((cell.width() / 2).max(1));
    }
}

/// Before then nothing moves while it is read.
pub(super) const fn settled(now: i64) -> i64 {
    now - SETTLED
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
