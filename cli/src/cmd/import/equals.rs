//! Rows that are told apart by their place in the file alone.
//!
//! Which revision counts is said by the network's own time, then by when it was received, in
//! milliseconds. Rows of one file are received within a few of them, so of two with the same own time
//! (a date without a time of day) either could count. Each is therefore received one millisecond
//! after the one before it. Rows of other orders are not held up by that: a file of a million would
//! else end sixteen minutes in the future, where no correction reaches it.

use std::collections::{HashMap, HashSet};

use postback_normalise::Conversion;

/// Counts them. What it says of a row follows from the rows before it, so an import that goes on
/// makes the same records as one that was never stopped.
#[derive(Debug, Default)]
pub(super) struct Equals {
    /// By a hash of what they are revisions of, and their own time. Most come once: eight bytes for
    /// each, and a count for the others.
    seen: HashSet<u64>,
    again: HashMap<u64, u32>,
}

impl Equals {
    /// How many came before this one.
    pub(super) fn before(&mut self, row: &Conversion<'_>) -> u32 {
        let Some(hash) = hash(row) else {
            return 0;
        };
        if self.seen.insert(hash) {
            return 0;
        }
        let times = self.again.entry(hash).or_default();
        *times += 1;
        *times
    }
}

/// `None` where the row says no time of its own: it goes by when it was received, in microseconds.
fn hash(row: &Conversion<'_>) -> Option<u64> {
    let own = u64::try_from(row.revision >> 64).unwrap_or(0);
    let received = u64::try_from(row.received_at.as_microsecond()).unwrap_or(0);
    // Inverted where the first of several counts.
    if own == received || own == !received {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(row.conversion_key.as_bytes())
        .update(&own.to_le_bytes());
    let hash = hasher.finalize();
    Some(u64::from_le_bytes(std::array::from_fn(|at| {
        hash.as_bytes()[at]
    })))
}

#[cfg(test)]
mod tests {
    use postback_normalise::{Outcome, normalise};

    use super::super::judge::tests::{origin, rules};
    use super::super::judge::{Judge, Verdict};

    /// Which row of each order counts once all are loaded, and how far behind the first the last
    /// was received.
    fn newest(network: &str, rows: &[String]) -> (Vec<u64>, i64) {
        let rules = rules(network);
        let origin = origin(&rules);
        let mut judge = Judge::new(&rules);
        let mut newest = std::collections::BTreeMap::new();
        let mut last = origin.started_at;
        for (number, row) in (1..).zip(rows) {
            let mut record = origin.record(number, row);
            let Verdict::Fit { equals } = judge.judge(&record, number) else {
                panic!("{row} is refused");
            };
            record.received_at = origin.received_at(number, equals);
            last = last.max(record.received_at);
            let Outcome::Accepted(conversion) = normalise(&record, &rules) else {
                panic!("{row} is rejected");
            };
            let key = (conversion.conversion_key, conversion.key_day);
            let counts = newest.entry(key).or_insert((conversion.revision, number));
            *counts = (*counts).max((conversion.revision, number));
        }
        let mut counting: Vec<u64> = newest.into_values().map(|(_, number)| number).collect();
        counting.sort_unstable();
        let span = last.as_microsecond() - origin.started_at.as_microsecond();
        (counting, span)
    }

    fn order(name: &str, more: &str) -> String {
        format!("{{\"order_id\":\"{name}\",\"ordered_at\":\"2026-08-01\"{more}}}")
    }

    #[test]
    fn of_rows_that_say_the_same_time_the_last_counts() {
        let same = ",\"updated_at\":\"2026-08-20\"";
        let each = |name: usize| order(&format!("N{name}"), same);
        // Two rows of each, right behind each other; then three, with all others between.
        let pairs: Vec<String> = (0..200).flat_map(|name| [each(name), each(name)]).collect();
        let (counting, span) = newest("orders", &pairs);
        assert_eq!(counting, (1..=200).map(|name| name * 2).collect::<Vec<_>>());
        assert_eq!(span, 400 + 1_000);
        let rounds: Vec<String> = (0..600).map(|row| each(row % 200)).collect();
        let (counting, span) = newest("orders", &rounds);
        assert_eq!(counting, (401..=600).collect::<Vec<_>>());
        assert_eq!(span, 600 + 2_000);
    }

    #[test]
    fn a_time_of_its_own_goes_before_the_place_in_the_file() {
        let rows = [
            order("A", ",\"updated_at\":\"2026-08-21\""),
            order("A", ",\"updated_at\":\"2026-08-20\""),
            order("A", ",\"updated_at\":\"2026-08-20\""),
            order("B", ""),
            order("B", ""),
            order("B", ""),
        ];
        let (counting, span) = newest("orders", &rows);
        assert_eq!(counting, [1, 6]);
        // Without times of their own, rows are as close as before.
        assert_eq!(span, 3 + 1_000);
    }

    #[test]
    fn transactions_of_a_statement_are_revisions_too() {
        let row = |sale: u32| {
            format!(
                "{{\"TID\":\"T1\",\"OrderID\":\"M1\",\"TransactionDate\":\"2026-08-01\",\"ProcessDate\":\"2026-08-02\",\"SaleAmount\":\"{sale}.00\"}}"
            )
        };
        let rows: Vec<String> = (0..50).map(row).collect();
        assert_eq!(newest("rakuten-signature-feed", &rows).0, [50]);
    }
}
