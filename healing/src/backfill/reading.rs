//! All transactions of a cell: pages until a short one, passes until one brings nothing new.
//!
//! While pages are read, transactions come, go and change places: what moves from a page that is yet to
//! be read onto one that was read would be missed. A cell that fits one page is read at one moment;
//! any other is read again until a whole pass brings nothing new. What does not come to an end is
//! divided.

use std::collections::HashSet;
use std::future::Future;

use postback_network::{ApiError, NetworkApi, Page, Window};
use serde_json::value::RawValue;

use super::error::BackfillError;
use super::planner::Cell;
use super::recent::content;

/// Passes over a cell of several pages.
const PASSES: u32 = 6;

/// Pages of a cell that can be divided, and of one that cannot.
const PAGES: u32 = 4;
const PAGES_OF_A_SECOND: u32 = 100;

/// Bytes of a cell's transactions, likewise.
const BYTES: usize = 8 << 20;
const BYTES_OF_A_SECOND: usize = 48 << 20;

/// Full pages without anything new, one after another, in a cell that cannot be divided: a page that
/// comes twice by mistake is passed over, and one that comes for ever ends.
const REPEATS: u32 = 3;

/// Where pages come from.
pub(super) trait Pages: Clone + Send + 'static {
    fn page(
        &self,
        window: Window,
        number: u32,
    ) -> impl Future<Output = Result<Page, ApiError>> + Send;
}

impl Pages for NetworkApi {
    async fn page(&self, window: Window, number: u32) -> Result<Page, ApiError> {
        NetworkApi::page(self, window, number).await
    }
}

/// What came of reading a cell.
#[derive(Debug)]
pub(super) enum Read {
    /// Each content once, in the order in which they were met first.
    Whole(Vec<Box<RawValue>>),
    /// It has to be divided.
    TooMuch,
}

/// Reads a cell. `looks_behind`: a short page is not believed to be the last; where another one follows,
/// the network gives fewer at once than it is asked for.
pub(super) async fn read(
    pages: impl Pages,
    cell: Cell,
    looks_behind: bool,
) -> Result<Read, BackfillError> {
    let mut found = Found::default();
    let is_divisible = cell.halves().is_some();
    let window = cell.window();
    for pass in 0..PASSES {
        let (mut number, mut new, mut repeats) = (1, 0, 0);
        loop {
            let page = pages.page(window, number).await?;
            let (given, is_last) = (page.transactions.len(), page.is_last);
            let brought = found.add(page.transactions);
            new += brought;
            if is_last {
                if looks_behind && given > 0 && pass == 0 && number == 1 {
                    let behind = pages.page(window, 2).await?;
                    if found.add(behind.transactions) > 0 {
                        return Err(BackfillError::PageSize { given });
                    }
                }
                break;
            }
            if brought == 0 && pass == 0 {
                repeats += 1;
                if is_divisible {
                    return Ok(Read::TooMuch);
                }
                if repeats >= REPEATS {
                    return Err(BackfillError::Endless { window });
                }
            } else {
                repeats = 0;
            }
            if found.is_too_much(number, is_divisible) {
                return match is_divisible {
                    true => Ok(Read::TooMuch),
                    false => Err(BackfillError::Endless { window }),
                };
            }
            number += 1;
        }
        if (pass == 0 && number == 1) || (pass > 0 && new == 0) {
            return Ok(Read::Whole(found.texts));
        }
    }
    match is_divisible {
        true => Ok(Read::TooMuch),
        false => Err(BackfillError::Restless { window }),
    }
}

#[derive(Default)]
struct Found {
    known: HashSet<u128>,
    texts: Vec<Box<RawValue>>,
    bytes: usize,
}

impl Found {
    /// How many of them are new.
    fn add(&mut self, transactions: Vec<Box<RawValue>>) -> u64 {
        let mut new = 0;
        for text in transactions {
            if self.known.insert(content(text.get())) {
                self.bytes += text.get().len();
                self.texts.push(text);
                new += 1;
            }
        }
        new
    }

    fn is_too_much(&self, pages: u32, is_divisible: bool) -> bool {
        let (most_pages, most_bytes) = match is_divisible {
            true => (PAGES, BYTES),
            false => (PAGES_OF_A_SECOND, BYTES_OF_A_SECOND),
        };
        pages >= most_pages || self.bytes > most_bytes
    }
}
