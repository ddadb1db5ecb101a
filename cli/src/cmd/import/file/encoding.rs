//! The encoding that an XML file says it has.

use std::io::{self, BufRead, Read};

use super::FileFault;

/// How its bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// ISO 8859-1, which everybody reads as Windows-1252: that has characters where the other has none.
    Latin,
}

/// By its first line; without one it is UTF-8.
pub(super) fn declared(start: &[u8]) -> Result<Encoding, FileFault> {
    let Some(name) = name_in(start) else {
        return Ok(Encoding::Utf8);
    };
    match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => Ok(Encoding::Utf8),
        // What is really UTF-16 has no such line that could be read: programs that write a text first
        // and its bytes later say so.
        "utf-16" | "unicode" => Ok(Encoding::Utf8),
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "windows-1252"
        | "cp1252" => Ok(Encoding::Latin),
        _ => Err(FileFault::Form {
            what: format!("the file is in {name}"),
            remedy: format!(
                "write it as UTF-8: iconv -f {name} -t UTF-8 FILE | sed '1s/{name}/UTF-8/' > FILE.utf8.xml"
            ),
        }),
    }
}

/// What stands behind `encoding=` of `<?xml version="1.0" encoding="ISO-8859-1"?>`.
fn name_in(start: &[u8]) -> Option<&str> {
    let rest = start.strip_prefix(b"<?xml")?;
    let end = rest.windows(2).position(|two| two == b"?>")?;
    let line = str::from_utf8(&rest[..end]).ok()?;
    let (_, said) = line.split_once("encoding")?;
    let said = said.trim_start().strip_prefix('=')?.trim_start();
    let quote = said.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, _) = said[1..].split_once(quote)?;
    let can_stand = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    (!name.is_empty() && name.bytes().all(can_stand)).then_some(name)
}

/// Reads [`Encoding::Latin`] as UTF-8.
pub(super) struct Latin<R> {
    inner: R,
    /// What was read, as UTF-8, and how much of it was taken.
    text: String,
    taken: usize,
}

impl<R> Latin<R> {
    pub(super) const fn new(inner: R) -> Self {
        Self {
            inner,
            text: String::new(),
            taken: 0,
        }
    }
}

impl<R: BufRead> Read for Latin<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Latin<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.text.len() {
            let bytes = self.inner.fill_buf()?;
            self.text.clear();
            self.text.extend(bytes.iter().copied().map(character));
            self.taken = 0;
            let read = bytes.len();
            self.inner.consume(read);
        }
        Ok(&self.text.as_bytes()[self.taken..])
    }

    fn consume(&mut self, amount: usize) {
        self.taken = self.text.len().min(self.taken + amount);
    }
}

/// Characters of Windows-1252 from 0x80 on; where it has none, the one of that number.
const FROM_80: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn character(byte: u8) -> char {
    match byte {
        0x80..=0x9f => FROM_80[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}
