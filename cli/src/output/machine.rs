//! JSON, JSON lines and CSV.

use std::io::{self, Write};

use postback_common::terminal::steers;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

use super::{Cell, Column, Sheet, printable};

/// One object: `{"meta": …, "rows": […]}`, one row a line.
pub(super) fn json(sheet: &Sheet, out: &mut impl Write) -> io::Result<()> {
    let meta = unsteering(Value::Object(sheet.meta.clone()).to_string());
    writeln!(out, "{{\"meta\":{meta},")?;
    write!(out, "\"rows\":[")?;
    for (index, row) in sheet.rows.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}\n{}", Object(&sheet.columns, row).to_json()?)?;
    }
    writeln!(out, "\n]}}")
}

/// One object a line.
pub(super) fn json_lines(sheet: &Sheet, out: &mut impl Write) -> io::Result<()> {
    for row in &sheet.rows {
        writeln!(out, "{}", Object(&sheet.columns, row).to_json()?)?;
    }
    Ok(())
}

/// RFC 4180 with a heading; lines end with CRLF, as it wants. On a terminal no value steers it.
pub(super) fn csv(sheet: &Sheet, is_terminal: bool, out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv_writer(out);
    writer
        .write_record(sheet.columns.iter().map(|column| &*column.name))
        .map_err(io_error)?;
    write_rows(sheet, is_terminal, writer)
}

/// The same without the heading.
pub(super) fn csv_rows(sheet: &Sheet, is_terminal: bool, out: &mut impl Write) -> io::Result<()> {
    write_rows(sheet, is_terminal, csv_writer(out))
}

fn csv_writer<W: Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(out)
}

fn write_rows<W: Write>(
    sheet: &Sheet,
    is_terminal: bool,
    mut writer: csv::Writer<W>,
) -> io::Result<()> {
    for row in &sheet.rows {
        let cells = row.iter().map(Cell::for_csv);
        if is_terminal {
            writer.write_record(cells.map(|cell| printable(&cell)))
        } else {
            writer.write_record(cells)
        }
        .map_err(io_error)?;
    }
    writer.flush()
}

/// Keeps the kind: a closed pipe must be recognised.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A row with the names of its columns, in their order.
struct Object<'a>(&'a [Column], &'a [Cell]);

impl Object<'_> {
    fn to_json(&self) -> io::Result<String> {
        let json = serde_json::to_string(self).map_err(io::Error::other)?;
        Ok(unsteering(json))
    }
}

/// JSON of the same value that steers no terminal: of control characters, JSON's rules want only
/// those below U+0020 escaped. Such characters stand in its strings and nowhere else.
pub(crate) fn unsteering(json: String) -> String {
    use std::fmt::Write as _;
    if !json.contains(steers) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if steers(character) {
            // All of them are of four digits.
            write!(escaped, "\\u{:04x}", u32::from(character)).ok();
        } else {
            escaped.push(character);
        }
    }
    escaped
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (column, cell) in self.0.iter().zip(self.1) {
            object.serialize_entry(&column.name, &cell.for_json())?;
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{number, text};
    use super::*;

    fn sheet() -> Sheet {
        let mut sheet = Sheet::new(&[text("advertiser", "Advertiser"), number("net", "Net")]);
        sheet.rows = vec![
            vec![Cell::text("Shoes, \"best\"\nof all"), Cell::Money(-54_000)],
            vec![Cell::Missing, Cell::Money(12_345)],
        ];
        sheet.fact("generation", 1);
        sheet
    }

    fn written(form: impl Fn(&Sheet, &mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        form(&sheet(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_quotes_as_rfc_4180_says() {
        let expected = "advertiser,net\r\n\"Shoes, \"\"best\"\"\nof all\",-5.40\r\n,1.2345\r\n";
        assert_eq!(written(|sheet, out| csv(sheet, false, out)), expected);
    }

    #[test]
    fn a_sender_s_control_characters_are_data_in_a_file_and_shown_on_a_terminal() {
        let mut sheet = Sheet::new(&[text("order_id", "Order")]);
        sheet.rows = vec![vec![Cell::text("a\u{1b}]0;x\u{7f}")], vec![Cell::text("b")]];
        let written = |is_terminal| {
            let mut out = Vec::new();
            csv(&sheet, is_terminal, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(false), "order_id\r\na\u{1b}]0;x\u{7f}\r\nb\r\n");
        assert_eq!(written(true), "order_id\r\na\u{fffd}]0;x\u{fffd}\r\nb\r\n");
    }

    #[test]
    fn json_has_meta_and_rows_and_money_as_strings() {
        let read: Value = serde_json::from_str(&written(json)).unwrap();
        let expected = serde_json::json!({
            "meta": {"generation": 1},
            "rows": [
                {"advertiser": "Shoes, \"best\"\nof all", "net": "-5.40"},
                {"advertiser": null, "net": "1.2345"},
            ],
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn json_steers_no_terminal_and_means_the_same() {
        let text = "a\u{1b}\u{7f}\u{9b}2J\u{a0}\u{202e}é\\";
        let mut sheet = Sheet::new(&[super::super::text("order_id", "Order")]);
        sheet.rows = vec![vec![Cell::text(text)]];
        sheet.fact("value", text);
        let mut out = Vec::new();
        super::json(&sheet, &mut out).unwrap();
        let written = String::from_utf8(out).unwrap();
        let escaped = "\"a\\u001b\\u007f\\u009b2J\u{a0}\\u202eé\\\\\"";
        assert_eq!(
            written,
            format!(
                "{{\"meta\":{{\"value\":{escaped}}},\n\"rows\":[\n{{\"order_id\":{escaped}}}\n]}}\n"
            )
        );
        let read: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read["rows"][0]["order_id"], text);
        assert_eq!(read["meta"]["value"], text);
    }

    #[test]
    fn json_without_rows_is_json() {
        let mut out = Vec::new();
        super::json(&Sheet::default(), &mut out).unwrap();
        let read: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read, serde_json::json!({"meta": {}, "rows": []}));
    }

    #[test]
    fn json_lines_are_one_row_each() {
        let text = written(json_lines);
        let rows: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1]["net"], "1.2345");
    }
}
