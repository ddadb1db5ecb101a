//! JSON lines: one object on each line.

use std::io::{BufRead, Read as _};

use serde_json::value::RawValue;

use super::{FileFault, MOST_BYTES, Row, Rows, bounded};

pub(super) struct JsonLines<R> {
    reader: R,
    line: u64,
}

impl<R> JsonLines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, line: 0 }
    }
}

impl<R: BufRead> Rows for JsonLines<R> {
    fn next(&mut self) -> Result<Option<Row>, FileFault> {
        loop {
            let mut bytes = Vec::new();
            // One more than is taken, and the line break.
            let most = MOST_BYTES as u64 + 3;
            (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut bytes)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            self.line += 1;
            if bytes.len() as u64 == most && bytes.last() != Some(&b'\n') {
                self.reader.skip_until(b'\n')?;
            }
            let text = bytes.trim_ascii();
            if !text.is_empty() {
                return Ok(Some(read(self.line, text)));
            }
        }
    }
}

/// Whether the file's beginning is an object that is laid out for people: not whole in its first line,
/// and the next one goes on with it. A line that is merely cut off has another object below it; behind
/// an opened array that is its first element.
pub(super) fn is_in_several_lines(start: &[u8]) -> bool {
    let lines = start.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty());
    let (Some(first), Some(next)) = (lines.next(), lines.next()) else {
        return false;
    };
    let whole = serde_json::from_slice::<&RawValue>(first);
    let goes_on = !next.starts_with(b"{") || first.ends_with(b"[");
    whole.is_err_and(|error| error.is_eof()) && goes_on
}

fn read(line: u64, text: &[u8]) -> Row {
    let refused = |reason: String| Row {
        line,
        object: Err(reason),
    };
    let Ok(text) = str::from_utf8(text) else {
        return refused("the line is not UTF-8".to_owned());
    };
    if text.len() > MOST_BYTES {
        return bounded(line, text.to_owned());
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) if value.get().starts_with('{') => bounded(line, text.to_owned()),
        Ok(_) => refused("the line is no JSON object".to_owned()),
        Err(error) => refused(format!("the line is no JSON: {error}")),
    }
}
