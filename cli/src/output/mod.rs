//! Data in the form that `--output` names: a table for people, JSON, JSON lines or CSV.
//!
//! JSON is `{"meta": …, "rows": […]}`. JSON lines and CSV have rows only; what `meta` would say goes
//! to stderr. A table's totals and notes are for people and stand only there; `meta` carries the
//! notes' facts.

mod amount;
mod cell;
mod machine;
mod money;
mod table;

use std::borrow::Cow;

use postback_common::terminal::steers;
use serde_json::{Map, Value};

pub(crate) use amount::{age, size, span};
pub(crate) use cell::Cell;
pub(crate) use machine::unsteering;
pub(crate) use money::money;

use crate::arguments::{Form, Options};
use crate::console::Console;
use crate::ending::Failure;

/// Writes a sheet as a table for people.
pub(crate) fn write_table(sheet: &Sheet, out: &mut impl std::io::Write) -> std::io::Result<()> {
    table::write(sheet, false, out)
}

/// `1 postback`, `2 postbacks`.
pub(crate) fn plural(count: impl TryInto<u64>, what: &str) -> String {
    // Counts of more than 64 bits do not occur.
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Senders choose some texts: no character of them must steer the terminal, or show an order that
/// is another than the one that is there.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if steers(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// Of a long text so many characters are quoted.
const EXCERPT: usize = 200;

/// A text of somebody else inside a sentence: printable, and no more of it than anybody reads.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => printable(&text[..end]) + "…",
        None => printable(text),
    }
}

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// In JSON and CSV.
    pub(crate) name: Cow<'static, str>,
    /// Over a table.
    pub(crate) heading: Cow<'static, str>,
    /// Numbers stand right.
    pub(crate) right: bool,
}

impl Column {
    /// The heading in one line.
    pub(crate) fn title(&self) -> String {
        // A word that is cut in two ends in a hyphen.
        self.heading.replace("-\n", "").replace('\n', " ")
    }
}

/// A column of texts.
pub(crate) const fn text(name: &'static str, heading: &'static str) -> Column {
    Column {
        name: Cow::Borrowed(name),
        heading: Cow::Borrowed(heading),
        right: false,
    }
}

/// A column of numbers.
pub(crate) const fn number(name: &'static str, heading: &'static str) -> Column {
    Column {
        name: Cow::Borrowed(name),
        heading: Cow::Borrowed(heading),
        right: true,
    }
}

impl Column {
    /// A column of texts that stands under its own name.
    pub(crate) fn named(name: String) -> Self {
        let mut heading = name.replace('_', " ");
        if let Some(first) = heading.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Self {
            name: name.into(),
            heading: heading.into(),
            right: false,
        }
    }
}

/// Rows under columns, with what belongs to them.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Under a table, apart; one cell per column.
    pub(crate) totals: Vec<Vec<Cell>>,
    /// About all rows, for programs.
    pub(crate) meta: Map<String, Value>,
    /// About all rows, for people: one line each.
    pub(crate) notes: Vec<String>,
}

impl Sheet {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            ..Self::default()
        }
    }

    /// Adds a fact about all rows.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.meta.insert(name.to_owned(), value.into());
    }

    /// Writes it in the form that was asked for.
    pub(crate) fn write(&self, options: &Options, console: &mut Console) -> Result<(), Failure> {
        match options.output {
            Form::Table => {
                let dynamic = console.is_terminal();
                table::write(self, dynamic, &mut console.page())?;
            }
            Form::Json => machine::json(self, console.out())?,
            Form::Jsonl => {
                machine::json_lines(self, console.out())?;
                self.tell_meta(console);
            }
            Form::Csv => {
                machine::csv(self, console.is_terminal(), console.out())?;
                self.tell_meta(console);
            }
        }
        Ok(())
    }

    /// Writes further rows under those that were written before.
    pub(crate) fn write_on(&self, options: &Options, console: &mut Console) -> Result<(), Failure> {
        match options.output {
            Form::Table => table::write_on(self, &mut console.page())?,
            Form::Json | Form::Jsonl => machine::json_lines(self, console.out())?,
            Form::Csv => machine::csv_rows(self, console.is_terminal(), console.out())?,
        }
        Ok(())
    }

    fn tell_meta(&self, console: &mut Console) {
        for note in &self.notes {
            console.note(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_or_hides_in_a_text() {
        assert_eq!(
            printable("a\u{1b}[2J\u{9b}\u{7f}"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}"
        );
        for hidden in
            "\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2069}\u{feff}".chars()
        {
            assert_eq!(
                printable(&format!("1{hidden}2")),
                "1\u{fffd}2",
                "{hidden:?}"
            );
        }
        let words = "Große Größen, 鞋, می\u{200c}خواهم, 👩\u{200d}🚀 … 12.50";
        assert_eq!(printable(words), words);
    }

    #[test]
    fn of_a_long_text_the_beginning_is_quoted() {
        assert_eq!(excerpt("a\u{2028}b"), "a\u{fffd}b");
        assert_eq!(excerpt(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(excerpt(&"é".repeat(400_000)), "é".repeat(200) + "…");
    }
}
