//! Reads own orders and statements as they stand against conversions.

use jiff::tz::TimeZone;
use postback_common::config::SourceSettings;
use postback_detect::Delays;
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::gap::Comparison;
use postback_store::reports::question::{DateBy, Question};

use super::HISTORY_DAYS;
use crate::cmd::Loaded;
use crate::cmd::report::Sides;
use crate::cmd::watch::book::Book;
use crate::cmd::watch::history::{WIDTH, days, start_of};

/// Delays are learned from orders that are at least so many days old: younger ones have only those
/// that came soon.
const SETTLED_DAYS: u32 = 3;

/// From orders of so many days.
const DELAY_DAYS: u32 = 14;

/// Every book, or that one, that has an order before bin `end`, behind which orders are immature. One
/// that takes nothing by HTTP, so a disabled source, is filled from files.
pub(super) async fn read(
    reader: &Reader,
    loaded: &Loaded,
    end: u32,
    only: Option<&str>,
) -> Result<Vec<Book>, StoreError> {
    let mut books = Vec::new();
    for source in &loaded.settings.sources {
        let name = source.name.as_str();
        let Some(sides) = sides(name, loaded, only) else {
            continue;
        };
        let networks = networks(&sides, &loaded.settings.sources);
        let book = one(reader, name, sides, networks, end).await?;
        if book.first().is_some() {
            books.push(book);
        }
    }
    Ok(books)
}

/// What a source is compared with; none where it is not wanted, or is no book.
pub(super) fn sides(name: &str, loaded: &Loaded, only: Option<&str>) -> Option<Sides> {
    if only.is_some_and(|only| only != name) {
        return None;
    }
    // Other sources have no sides, and neither has a book without a network.
    Sides::of(Some(name), loaded).ok()
}

async fn one(
    reader: &Reader,
    name: &str,
    sides: Sides,
    networks: Vec<String>,
    end: u32,
) -> Result<Book, StoreError> {
    let history = end.saturating_sub(days(HISTORY_DAYS));
    let settled = end.saturating_sub(days(SETTLED_DAYS));
    let own = sides.own;
    let asked = |first: u32, end: u32| Comparison {
        question: Question::new(
            start_of(first),
            start_of(end),
            DateBy::Occurred,
            TimeZone::UTC,
        ),
        own: sides.own,
        sources: sides.sources.clone(),
        accounts: sides.accounts.clone(),
        mature_until: start_of(end),
    };
    let rows = reader.gap_series(&asked(history, end), WIDTH).await?;
    let delays = asked(settled.saturating_sub(days(DELAY_DAYS)), settled);
    let delays = reader.gap_delays(&delays).await?;
    Ok(Book {
        source: name.to_owned(),
        own,
        networks,
        end,
        rows,
        delays: Delays::learn(delays),
    })
}

/// The sources of the accounts.
fn networks(sides: &Sides, sources: &[SourceSettings]) -> Vec<String> {
    let fitting = sources.iter().filter(|source| {
        let mut accounts = sides.accounts.iter();
        accounts.any(|account| account == source.account.as_str())
    });
    fitting.map(|source| source.name.to_string()).collect()
}
