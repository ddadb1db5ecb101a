//! Rows that nothing tells apart: lines of a statement that has no ids of its own.
//!
//! A line is known by what its key is made of. Several of one file that agree in all of that, whatever
//! else stands in them, are sales of their own: the second is numbered 2, and so on, which makes keys of
//! their own. The numbers follow from the lines before, so the same file gives the same numbers whenever
//! it is read, and a report that overlaps with it repeats them. Which of them has which number moves no
//! money: amounts are part of the key.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use postback_normalise::{Conversion, Field, SourceRules};
use uuid::Uuid;

/// What a line is known by, without its number.
type Known = (Uuid, Date);

/// Counts them.
#[derive(Debug)]
pub(super) struct Numbers<'r> {
    /// The parameter that says which of several a line is.
    parameter: &'r str,
    /// Most come once: what they are known by, and a count for the others.
    seen: HashSet<Known>,
    again: HashMap<Known, u32>,
}

impl<'r> Numbers<'r> {
    /// `None` where lines have ids of their own.
    pub(super) fn of(rules: &'r SourceRules) -> Option<Self> {
        Some(Self {
            parameter: rules.profile().parameter_for(Field::Occurrence)?,
            seen: HashSet::new(),
            again: HashMap::new(),
        })
    }

    /// The line with its number; `None` where it is the first of its kind.
    pub(super) fn numbered(&mut self, row: &Conversion<'_>, object: &str) -> Option<String> {
        let known = (row.conversion_key, row.key_day);
        if self.seen.insert(known) {
            return None;
        }
        let times = self.again.entry(known).or_insert(1);
        *times += 1;
        let name = serde_json::Value::from(self.parameter);
        // In front: of a row with very many columns the last are not read. What has a key has one.
        let members = object.trim_ascii_start().strip_prefix('{')?;
        Some(format!("{{{name}:\"{times}\",{members}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;
    use std::sync::Arc;

    use postback_common::config;
    use postback_normalise::{Amount, Configured, Outcome, SourceRules, normalise};

    use super::super::judge::Judge;
    use super::super::judge::tests::{origin, rules};
    use super::*;

    /// The sales of each order once all lines are loaded, in ten-thousandths, and the numbers that
    /// were given.
    fn sales(rules: &SourceRules, lines: &[String]) -> (BTreeMap<String, i64>, Vec<bool>) {
        let origin = origin(rules);
        let mut judge = Judge::new(rules);
        let mut counting = BTreeMap::new();
        let mut numbered = Vec::new();
        for (number, line) in (1..).zip(lines) {
            let with_number = judge.numbered(&origin.record(number, line), line);
            numbered.push(with_number.is_some());
            let line = with_number.as_ref().unwrap_or(line);
            let record = origin.record(number, line);
            let Outcome::Accepted(row) = normalise(&record, rules) else {
                panic!("{line} is rejected");
            };
            let key = (row.conversion_key, row.key_day);
            counting.insert(key, (row.order_id.to_string(), row.sale_amount));
        }
        let mut sums = BTreeMap::new();
        for (order, amount) in counting.into_values() {
            *sums.entry(order).or_default() += amount.map_or(0, Amount::units);
        }
        (sums, numbered)
    }

    fn line(order: &str, amount: &str, more: &str) -> String {
        format!(
            "{{\"Order ID\":\"{order}\",\"Transaction Date\":\"8/31/2026\",\"Sales\":\"{amount}\",\"Process Date\":\"9/1/2026\"{more}}}"
        )
    }

    #[test]
    fn lines_that_differ_only_outside_their_key_count_each() {
        let rules = rules("rakuten-item-report");
        let lines = [
            line("M1", "10.00", ",\"Process Time\":\"01:00:00\""),
            line("M1", "-10.00", ",\"Process Time\":\"02:00:00\""),
            line("M1", "10.00", ",\"Process Time\":\"03:00:00\""),
            line("M2", "25.00", ",\"Member ID\":\"m\""),
            line("M2", "25.0", ",\"Member ID\":\"n\""),
            line("M2", "25.00", ",\"Member ID\":\"m\"") + " ",
            line("M3", "1.00", ",\"Sku Number\":\"S-1\""),
            line("M3", "1.00", ",\"Sku Number\":\"S-2\""),
        ];
        let expected = [("M1", 100_000), ("M2", 750_000), ("M3", 20_000)]
            .map(|(order, units)| (order.to_owned(), units));
        let numbered = [false, false, true, false, true, true, false, true];
        let read = sales(&rules, &lines);
        assert_eq!(read, (BTreeMap::from(expected), numbered.to_vec()));
        // The same once more, and in another order: the same keys.
        let keys = |lines: &[String]| keys(&rules, lines);
        let all = keys(&lines);
        let turned: Vec<String> = lines.iter().rev().cloned().collect();
        assert_eq!(all.len(), lines.len());
        assert_eq!((keys(&lines), keys(&turned)), (all.clone(), all));
    }

    fn keys(rules: &SourceRules, lines: &[String]) -> BTreeSet<Known> {
        let origin = origin(rules);
        let mut judge = Judge::new(rules);
        let keys = (1..).zip(lines).map(|(number, line)| {
            let numbered = judge.numbered(&origin.record(number, line), line);
            let line = numbered.as_ref().unwrap_or(line);
            match normalise(&origin.record(number, line), rules) {
                Outcome::Accepted(row) => (row.conversion_key, row.key_day),
                other => panic!("{line}: {other:?}"),
            }
        });
        keys.collect()
    }

    #[test]
    fn lines_under_a_template_and_of_others_are_numbered_alike() {
        let text = "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"s\"\nnetwork = \"rakuten-item-report\"\n\
                    enabled = false\npublisher_id = \"7\"\n[[source.template]]\n\
                    url = \"https://x/postback/KEY?Nr=<order_id>&Tag=<transaction_date>&Umsatz=<sale_amount>&Konto=<sid>\"\n";
        let settings = config::read(Path::new("t.toml"), text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        let rules = Arc::clone(configured.source("s").unwrap());
        let line = |account: u32| {
            format!(
                "{{\"Nr\":\"M1\",\"Tag\":\"8/31/2026\",\"Umsatz\":\"2.00\",\"Konto\":\"{account}\"}}"
            )
        };
        // Lines that are refused have no number.
        let (sums, numbered) = sales(&rules, &[line(8), line(7), line(7)]);
        assert_eq!(numbered, [false, false, true]);
        assert_eq!(sums, BTreeMap::from([("M1".to_owned(), 40_000)]));
    }

    #[test]
    fn rows_with_ids_of_their_own_have_no_number() {
        for network in ["orders", "rakuten-signature-feed"] {
            assert!(Numbers::of(&rules(network)).is_none(), "{network}");
        }
    }
}
