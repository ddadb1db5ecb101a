//! Records of CSV (RFC 4180, whatever ends its lines), and the lines that are none.
//!
//! A quote that is not closed would take the following lines into its field. So what is no record is
//! one line, and reading goes on behind it.

use std::io::{self, BufRead};

use csv::ByteRecord;

use super::MOST_BYTES;

/// Bytes that were read and passed, before they are let go.
const LET_GO: usize = 64 * 1024;

/// Where a record, or what should be one, begins, and why it is none.
pub(super) struct Found {
    pub(super) line: u64,
    pub(super) fault: Option<String>,
}

/// Whether there is a record, or the reason against it.
type Fields = Result<(), String>;

/// Records of a file, one after the other.
pub(super) struct Records<R> {
    reader: R,
    delimiter: u8,
    /// What was read and may have to be read again.
    held: Vec<u8>,
    /// Where in it the next record begins, and in which line.
    at: usize,
    line: u64,
    /// Where in it the second line of what was read last begins, if it has one.
    second: Option<usize>,
    /// The line that what was read last begins in.
    first_line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of the field was seen.
    Before,
    Plain,
    Quoted,
    /// Behind a quote in a quoted field: it closes the field, or the next one makes it a character.
    Closed,
}

impl<R: BufRead> Records<R> {
    pub(super) const fn new(reader: R, delimiter: u8) -> Self {
        Self {
            reader,
            delimiter,
            held: Vec::new(),
            at: 0,
            line: 1,
            second: None,
            first_line: 1,
        }
    }

    /// Reads the next record that is no empty line; of one that is none, the first line is passed.
    pub(super) fn read(&mut self, record: &mut ByteRecord) -> io::Result<Option<Found>> {
        loop {
            if self.at >= LET_GO {
                self.held.drain(..self.at);
                self.at = 0;
            }
            match self.byte(self.at)? {
                None => return Ok(None),
                Some(b'\n' | b'\r') => {
                    self.at = self.behind_line_end(self.at)?;
                    self.line += 1;
                }
                Some(_) => break,
            }
        }
        let line = self.line;
        self.first_line = line;
        self.second = None;
        let fault = self.fields(record)?.err();
        if fault.is_some() {
            self.read_on_behind_first_line()?;
        }
        Ok(Some(Found { line, fault }))
    }

    /// Whether what was read last stands in several lines. If so, all but the first are read again.
    pub(super) fn take_back_following_lines(&mut self) -> bool {
        let Some(second) = self.second else {
            return false;
        };
        (self.at, self.line) = (second, self.first_line + 1);
        true
    }

    fn fields(&mut self, record: &mut ByteRecord) -> io::Result<Fields> {
        record.clear();
        let (begin, mut at) = (self.at, self.at);
        let mut field = Vec::new();
        let mut state = State::Before;
        loop {
            if at - begin > MOST_BYTES {
                let most = MOST_BYTES / 1024;
                return Ok(Err(match state {
                    State::Quoted => format!("a quote is not closed within {most} KiB"),
                    _ => format!("the row has more than {most} KiB"),
                }));
            }
            let byte = self.byte(at)?;
            match (state, byte) {
                (State::Quoted, None) => return Ok(Err("a quote is not closed".to_owned())),
                (State::Quoted, Some(b'"')) => state = State::Closed,
                (State::Quoted, Some(b'\n' | b'\r')) => {
                    let next = self.behind_line_end(at)?;
                    field.extend_from_slice(&self.held[at..next]);
                    self.line += 1;
                    self.second.get_or_insert(next);
                    at = next;
                    continue;
                }
                (_, None | Some(b'\n' | b'\r')) => {
                    record.push_field(field.trim_ascii());
                    self.at = at;
                    if byte.is_some() {
                        self.at = self.behind_line_end(at)?;
                        self.line += 1;
                    }
                    return Ok(Ok(()));
                }
                (State::Before | State::Plain | State::Closed, Some(byte))
                    if byte == self.delimiter =>
                {
                    record.push_field(field.trim_ascii());
                    field.clear();
                    state = State::Before;
                }
                (State::Before, Some(b'"')) => state = State::Quoted,
                // Blanks before it are no more a part of the field than those behind it.
                (State::Plain, Some(b'"')) if field.iter().all(|byte| is_blank(*byte)) => {
                    field.clear();
                    state = State::Quoted;
                }
                (State::Closed, Some(b'"')) if self.held[at - 1] == b'"' => {
                    field.push(b'"');
                    state = State::Quoted;
                }
                // Blanks between a field and the next delimiter are no text.
                (State::Closed, Some(byte)) if is_blank(byte) => {}
                (State::Closed, Some(_)) => return Ok(Err(self.text_behind_quote())),
                (State::Before | State::Plain, Some(byte)) => {
                    field.push(byte);
                    state = State::Plain;
                }
                (State::Quoted, Some(byte)) => field.push(byte),
            }
            at += 1;
        }
    }

    fn text_behind_quote(&self) -> String {
        if self.second.is_none() {
            return "text stands behind a closing quote: a quote inside a quoted field is written twice".to_owned();
        }
        format!(
            "a quote is not closed, or text stands behind the one that closes it in line {}",
            self.line
        )
    }

    fn read_on_behind_first_line(&mut self) -> io::Result<()> {
        if self.take_back_following_lines() {
            return Ok(());
        }
        // As long as a line may be, no more of it is held than is read at once.
        loop {
            match self.byte(self.at)? {
                None => return Ok(()),
                Some(b'\n' | b'\r') => break,
                Some(_) => self.at += 1,
            }
            if self.at == self.held.len() {
                self.held.clear();
                self.at = 0;
            }
        }
        self.at = self.behind_line_end(self.at)?;
        self.line += 1;
        Ok(())
    }

    /// Behind a line break: a carriage return and a line feed are one.
    fn behind_line_end(&mut self, at: usize) -> io::Result<usize> {
        let is_two = self.held[at] == b'\r' && self.byte(at + 1)? == Some(b'\n');
        Ok(at + if is_two { 2 } else { 1 })
    }

    fn byte(&mut self, at: usize) -> io::Result<Option<u8>> {
        while at >= self.held.len() {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let read = bytes.len();
            self.held.extend_from_slice(bytes);
            self.reader.consume(read);
        }
        Ok(Some(self.held[at]))
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
