//! The order in which rows of the bookkeeping were recorded.
//!
//! The server's block numbers say it: they are given at the commit, so that no row comes to stand
//! before one that another process has read already. A restored table has others: `RESTORE` and
//! `ATTACH` number parts as they come, and only what was merged before keeps its old numbers. There
//! the times say it, each of which is made later than all before it.

/// Inserts that run at once may be committed in another order than their times are made, by as much;
/// a row that stands behind one that is later by more was numbered anew. In seconds.
const AT_ONCE: u8 = 2;

/// What to sort the rows of `table` by, for `ORDER BY`. `time` is the column that says when a row was
/// recorded; only rows of the same `of` are compared with each other. Restored rows can have one
/// number.
pub(crate) fn order(table: &str, time: &str, of: &str) -> String {
    format!(
        "if((SELECT countIf(before > at + toIntervalSecond({AT_ONCE})) FROM (SELECT {time} AS at, \
         max({time}) OVER (PARTITION BY {of} ORDER BY _block_number, {time} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before \
         FROM {table})) > 0, {time}, fromUnixTimestamp64Micro(0, 'UTC')), _block_number, {time}"
    )
}

/// The time of a row that is recorded now: later than all in `table`, whatever the server's clock did.
pub(crate) fn time(table: &str, time: &str) -> String {
    format!(
        "(SELECT greatest(now64(6, 'UTC'), max({time}) + toIntervalMicrosecond(1)) FROM {table})"
    )
}
