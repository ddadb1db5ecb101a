//! How often each of some words stands in rows: reasons of postbacks, flags of conversions.

use std::collections::BTreeMap;

use clickhouse::Row;
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::decode::micros;
use super::question::{Column, Filter, Question, Table};
use super::share::Share;
use super::{Both, Reader};
use crate::error::StoreError;

#[derive(Row, Deserialize)]
struct Found {
    is_now: u8,
    dimension: Vec<String>,
    /// The words are of parts of a row that counts otherwise.
    is_partly: bool,
    /// Empty for all rows, with and without a word.
    word: String,
    rows: u64,
    chosen: u64,
    with_word: u64,
    #[serde(deserialize_with = "micros")]
    last: Timestamp,
    #[serde(with = "clickhouse::serde::uuid")]
    sample: Uuid,
}

/// One word in the rows of one value of the question's dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What the rows are of: a text for each of the question's names.
    pub dimension: Vec<String>,
    /// The word.
    pub word: String,
    /// Rows that have it, of all rows of the dimension, whatever words are asked for. A row can have
    /// several words.
    pub share: Share,
    /// When the newest of them was received.
    pub last: Timestamp,
    /// The postback of the newest of them.
    pub sample: Uuid,
}

/// All words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies {
    /// By dimension, then the most frequent first.
    pub rows: Vec<Tally>,
    /// The same of accepted postbacks that brought several things, some of which were refused: they are
    /// neither in `rows` nor in `total`, but of all.
    pub partly: Vec<Tally>,
    /// Rows with any word, of all rows.
    pub total: Share,
    /// Accepted postbacks of which a part was refused, of all rows.
    pub partly_total: Share,
    /// Rows that a condition on the words lets through; without one, all rows.
    pub chosen: u64,
}

impl Reader {
    /// Tells the words of an array of texts, a column of `table`, whose `id` names the postback.
    pub(super) async fn tally(
        &self,
        attempt: &str,
        (table, words, id): (Table, &str, &str),
        asked: &Question,
        before: Option<&Question>,
    ) -> Result<Both<Tallies>, StoreError> {
        let (from, partly, by_partly) = match table {
            Table::Conversions => ("{conversions}", "false".to_owned(), ""),
            // An array of orders is accepted with the reasons of those that were refused.
            Table::Postbacks => (
                "{postbacks}",
                format!("outcome = 'accepted' AND notEmpty({words})"),
                ", is_partly",
            ),
        };
        // Which words are asked for says nothing of how many rows there are.
        let only = asked.only.clone();
        let (of_words, others) = match Column::of(table, words) {
            Some(column) => only.split(&column),
            None => (Filter::default(), only),
        };
        let behind = others.conditions().len();
        let chosen = of_words.sql_behind(behind);
        let sql = format!(
            "WITH {{keys}} SELECT {{is_now}} AS is_now, {{dimension}} AS dimension, {partly} AS is_partly, \
               arrayJoin(arrayConcat([''], if({chosen}, arrayMap(word -> toString(word), {words}), []))) AS word, \
               count() AS rows, countIf({chosen}) AS chosen, countIf(notEmpty({words}) AND {chosen}) AS with_word, \
               max(received_at) AS last, argMax({id}, (received_at, {id})) AS sample \
             FROM {from} FINAL WHERE {{scope}} \
             GROUP BY is_now, {{by}}{by_partly}, word ORDER BY dimension, rows DESC, word"
        );
        let mut asked = asked.clone();
        asked.only = others;
        let query = self.asked_along(&sql, table, &asked, before.into());
        let query = of_words.bind_behind(behind, query);
        let found = self.all(attempt, query).await?;
        let is_now = |row: &Found| row.is_now == 1;
        Ok(Both::of(found, &asked, before, is_now, tallies))
    }
}

fn tallies(found: Vec<Found>, asked: &Question) -> Tallies {
    let (sums, words): (Vec<_>, Vec<_>) = found.into_iter().partition(|row| row.word.is_empty());
    let mut all = BTreeMap::<_, u64>::new();
    for sum in &sums {
        *all.entry(sum.dimension.clone()).or_default() += sum.rows;
    }
    let rows = all.values().sum();
    let with_word = |is_partly| {
        let of = sums.iter().filter(|sum| sum.is_partly == is_partly);
        Share::new(of.map(|sum| sum.with_word).sum(), rows)
    };
    let tally = |row: Found| Tally {
        share: Share::new(
            row.rows,
            all.get(&row.dimension).copied().unwrap_or(row.rows),
        ),
        dimension: asked.labels(&row.dimension),
        word: row.word,
        last: row.last,
        sample: row.sample,
    };
    let (partly, whole): (Vec<_>, Vec<_>) = words.into_iter().partition(|row| row.is_partly);
    Tallies {
        total: with_word(false),
        partly_total: with_word(true),
        chosen: sums.iter().map(|sum| sum.chosen).sum(),
        rows: whole.into_iter().map(tally).collect(),
        partly: partly.into_iter().map(tally).collect(),
    }
}
