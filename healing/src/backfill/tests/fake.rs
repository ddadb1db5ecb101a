//! Transactions in memory, given page by page, and made to move between two pages.

use std::sync::{Arc, Mutex};

use postback_network::{ApiError, Page, Window};
use serde_json::value::RawValue;

use super::super::error::BackfillError;
use super::super::planner::Planner;
use super::super::reader::Reader;
use super::super::reading::Pages;
use super::super::recent::{Recent, content};

/// A transaction: when it was processed, in seconds, and its JSON.
pub(super) type Row = (i64, String);

/// Changes what there is before a page is given: which call it is, from 1.
type Change = Box<dyn FnMut(u32, &mut Vec<Row>) + Send>;

/// Gives another page than the one asked for: which call it is, and which page, from 1.
type Fault = Box<dyn FnMut(u32, u32) -> u32 + Send>;

#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<State>>);

struct State {
    rows: Vec<Row>,
    page_size: usize,
    /// More than this is never given at once.
    cap: usize,
    /// Of each call where its window begins, in seconds since 1970, and which page it asked for.
    asked: Vec<(i64, u32)>,
    change: Change,
    fault: Fault,
}

impl Fake {
    pub(super) fn new(rows: Vec<Row>, page_size: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            rows,
            page_size,
            cap: usize::MAX,
            asked: Vec::new(),
            change: Box::new(|_, _| {}),
            fault: Box::new(|_, page| page),
        })))
    }

    pub(super) fn changing(self, change: impl FnMut(u32, &mut Vec<Row>) + Send + 'static) -> Self {
        self.0.lock().unwrap().change = Box::new(change);
        self
    }

    pub(super) fn giving(self, fault: impl FnMut(u32, u32) -> u32 + Send + 'static) -> Self {
        self.0.lock().unwrap().fault = Box::new(fault);
        self
    }

    pub(super) fn capped(self, cap: usize) -> Self {
        self.0.lock().unwrap().cap = cap;
        self
    }

    pub(super) fn calls(&self) -> u32 {
        u32::try_from(self.asked().len()).unwrap()
    }

    /// Of each call where its window begins, and which page it asked for.
    pub(super) fn asked(&self) -> Vec<(i64, u32)> {
        self.0.lock().unwrap().asked.clone()
    }

    /// Reads a range, seen at `now`.
    pub(super) fn reader(&self, (from, to): (i64, i64), now: i64, at_once: u8) -> Reader<Self> {
        let page_size = self.0.lock().unwrap().page_size;
        let planner = Planner::new(from, to, now, u32::try_from(page_size).unwrap());
        Reader::new(self.clone(), planner, at_once)
    }

    pub(super) fn rows(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        state.rows.iter().map(|(_, json)| json.clone()).collect()
    }

    /// Everything that is read of a range, at `now`, in its order.
    pub(super) async fn read(
        &self,
        range: (i64, i64),
        now: i64,
        at_once: u8,
    ) -> Result<Vec<String>, BackfillError> {
        let mut reader = self.reader(range, now, at_once);
        let (mut recent, mut all) = (Recent::default(), Vec::new());
        while let Some(read) = reader.next().await? {
            recent.turn();
            let new = read.transactions.into_iter();
            let new = new.filter(|transaction| recent.is_new(content(transaction.get())));
            all.extend(new.map(|transaction| transaction.get().to_owned()));
        }
        Ok(all)
    }
}

impl Pages for Fake {
    async fn page(&self, window: Window, number: u32) -> Result<Page, ApiError> {
        // Others get their turn between two pages.
        tokio::task::yield_now().await;
        let state = &mut *self.0.lock().unwrap();
        state.asked.push((window.from.as_second(), number));
        let call = u32::try_from(state.asked.len()).unwrap();
        (state.change)(call, &mut state.rows);
        let number = (state.fault)(call, number);
        let (from, through) = (window.from.as_second(), window.through.as_second());
        let size = state.page_size.min(state.cap);
        let wanted = state.rows.iter();
        let wanted = wanted.filter(|(at, _)| from <= *at && *at <= through);
        let transactions: Vec<_> = wanted
            .skip(size * (number as usize - 1))
            .take(size)
            .map(|(_, json)| RawValue::from_string(json.clone()).unwrap())
            .collect();
        Ok(Page {
            is_last: transactions.len() < state.page_size,
            transactions,
        })
    }
}

/// Tells one from all others.
pub(super) fn json(number: usize, version: u32) -> String {
    format!("{{\"id\":{number},\"version\":{version}}}")
}

/// Which one it is.
pub(super) fn number(json: &str) -> usize {
    let digits = json.trim_start_matches("{\"id\":").split(',').next();
    digits.unwrap().parse().unwrap()
}
