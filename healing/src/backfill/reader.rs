//! Cells in their order, several of them being read at once.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::task::JoinHandle;

use super::error::BackfillError;
use super::planner::{Cell, Planner, settled};
use super::reading::{Pages, Read, read};
use super::standing::Through;

/// Cells with something in them in which a short first page is not believed to be the last one.
const DOUBTED: u32 = 3;

/// What was read of a cell.
#[derive(Debug)]
pub(super) struct CellRead {
    pub(super) cell: Cell,
    pub(super) through: Through,
    pub(super) transactions: Vec<Box<RawValue>>,
}

/// Reads the cells of a range.
pub(super) struct Reader<P> {
    pages: P,
    planner: Planner,
    /// The oldest first.
    under_way: VecDeque<UnderWay>,
    at_once: usize,
    doubted: u32,
}

struct UnderWay {
    cell: Cell,
    /// None before its turn.
    task: Option<Task>,
}

struct Task {
    handle: JoinHandle<Result<Read, BackfillError>>,
    begun_at: i64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.handle.abort();
        }
    }
}

impl<P: Pages> Reader<P> {
    pub(super) fn new(pages: P, planner: Planner, at_once: u8) -> Self {
        Self {
            pages,
            planner,
            under_way: VecDeque::new(),
            at_once: usize::from(at_once.max(1)),
            doubted: 0,
        }
    }

    /// Where the range ends, as seen now.
    pub(super) fn end(&self) -> Timestamp {
        let end = self.planner.end(now());
        Timestamp::from_second(end).unwrap_or(Timestamp::MAX)
    }

    /// The next cell; `None` behind the last one. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Option<CellRead>, BackfillError> {
        loop {
            self.begin_more();
            let looks_behind = self.doubted < DOUBTED;
            let Some(first) = self.under_way.front_mut() else {
                return Ok(None);
            };
            let cell = first.cell;
            let pages = &self.pages;
            let task = first
                .task
                .get_or_insert_with(|| begin(pages, cell, looks_behind));
            let through = cell.through(task.begun_at);
            let read = (&mut task.handle).await;
            self.under_way.pop_front();
            match read.map_err(|error| BackfillError::Internal(error.to_string()))?? {
                Read::Whole(transactions) => {
                    self.planner.learn(cell, transactions.len() as u64);
                    self.doubted += u32::from(!transactions.is_empty());
                    return Ok(Some(CellRead {
                        cell,
                        through,
                        transactions,
                    }));
                }
                Read::TooMuch => self.divide(cell),
            }
        }
    }

    fn begin_more(&mut self) {
        while self.under_way.len() < self.at_once {
            let Some(cell) = self.planner.next(now(), self.under_way.is_empty()) else {
                return;
            };
            let task = Some(begin(&self.pages, cell, self.doubted < DOUBTED));
            self.under_way.push_back(UnderWay { cell, task });
        }
    }

    /// The second half waits where things still move: what leaves the first one is met there.
    fn divide(&mut self, cell: Cell) {
        self.planner.learn_too_much(cell);
        let Some([first, second]) = cell.halves() else {
            return;
        };
        let is_settled = cell.to <= settled(now());
        let looks_behind = self.doubted < DOUBTED;
        let task = is_settled.then(|| begin(&self.pages, second, looks_behind));
        self.under_way.push_front(UnderWay { cell: second, task });
        let task = Some(begin(&self.pages, first, looks_behind));
        self.under_way.push_front(UnderWay { cell: first, task });
    }
}

fn begin(pages: &impl Pages, cell: Cell, looks_behind: bool) -> Task {
    let begun_at = now();
    Task {
        handle: tokio::spawn(read(pages.clone(), cell, looks_behind)),
        begun_at,
    }
}

fn now() -> i64 {
    Timestamp::now().as_second()
}
