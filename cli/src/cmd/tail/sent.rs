//! What was sent: the query, and the body where there is one.

use crate::arguments::Form;
use crate::output::{Cell, Column, text};
use crate::record::Record;

/// Characters of a body that a table shows.
const LONGEST_BODY: usize = 400;

/// One column for people, in which a line of either fits; one for each for programs.
pub(super) fn columns(form: Form) -> Vec<Column> {
    match form {
        Form::Table => vec![text("query", "Query or body")],
        _ => vec![text("query", "Query"), text("body", "Body")],
    }
}

/// Under [`columns`]; of bytes that are no record there is nothing.
pub(super) fn cells(record: Option<Record>, form: Form) -> Vec<Cell> {
    let (query, body) = record.map_or((None, None), |record| (record.query, record.body));
    let cell = |text: Option<String>| text.map_or(Cell::Missing, Cell::Text);
    match form {
        Form::Table => vec![cell(in_one_line(query, body))],
        _ => vec![cell(query), cell(body)],
    }
}

fn in_one_line(query: Option<String>, body: Option<String>) -> Option<String> {
    let Some(body) = body else {
        return query;
    };
    let lines: Vec<&str> = body.lines().map(str::trim).collect();
    let body = cut(&lines.join(" "));
    match query {
        Some(query) if !query.is_empty() => Some(format!("{query} {body}")),
        _ => Some(body),
    }
}

/// What a person reads of a body; programs get all of it.
fn cut(body: &str) -> String {
    let Some((end, _)) = body.char_indices().nth(LONGEST_BODY) else {
        return body.to_owned();
    };
    let length = body.chars().count();
    format!(
        "{}… ({length} characters; -o jsonl shows all)",
        &body[..end]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str, body: Option<&str>) -> Record {
        Record {
            query: Some(query.to_owned()),
            body: body.map(str::to_owned),
            ..Record::default()
        }
    }

    fn text_of(record: Record) -> Cell {
        let mut cells = cells(Some(record), Form::Table);
        assert_eq!(cells.len(), columns(Form::Table).len());
        cells.remove(0)
    }

    #[test]
    fn a_table_has_the_query_or_the_body_or_both_in_one_line() {
        assert_eq!(text_of(of("a=1", None)), Cell::text("a=1"));
        let laid_out = "{\r\n  \"a\": 1\n}\n";
        assert_eq!(text_of(of("", Some(laid_out))), Cell::text("{ \"a\": 1 }"));
        let both = Cell::text("a=1 b=2");
        assert_eq!(text_of(of("a=1", Some("b=2"))), both);
        let (fits, long) = ("é".repeat(400), "é".repeat(401));
        assert_eq!(text_of(of("", Some(&fits))), Cell::Text(fits.clone()));
        let told = format!("{fits}… (401 characters; -o jsonl shows all)");
        assert_eq!(text_of(of("", Some(&long))), Cell::Text(told));
        assert_eq!(cells(None, Form::Table), [Cell::Missing]);
    }

    #[test]
    fn programs_have_both_whole() {
        let long = "{\n}".repeat(1_000);
        for form in [Form::Json, Form::Jsonl, Form::Csv] {
            let names: Vec<_> = columns(form).into_iter().map(|one| one.name).collect();
            assert_eq!(names, ["query", "body"]);
            let both = cells(Some(of("", Some(&long))), form);
            assert_eq!(both, [Cell::text(""), Cell::Text(long.clone())]);
            let no_body = cells(Some(of("a=1", None)), form);
            assert_eq!(no_body, [Cell::text("a=1"), Cell::Missing]);
            assert_eq!(cells(None, form), [Cell::Missing, Cell::Missing]);
        }
    }
}
