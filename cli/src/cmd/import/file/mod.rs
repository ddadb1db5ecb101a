//! Rows of a file, whatever its form: each as the JSON object that its raw record holds.

mod csv;
mod encoding;
mod jsonl;
mod lines;
mod records;
mod xml;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use encoding::{Encoding, Latin};
use postback_normalise::SourceRules;

/// What a file begins with is looked for in as many bytes.
const LOOKED_AT: u64 = 4_096;

/// The longest row that is taken: a raw record of it fits into one message of Kafka.
const MOST_BYTES: usize = 512 * 1024;

/// A row, or why a place of the file is none.
pub(super) struct Row {
    /// Where it begins, from 1.
    pub(super) line: u64,
    /// A JSON object, or the reason against it for people.
    pub(super) object: Result<String, String>,
}

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) enum FileFault {
    /// The operating system's words.
    Io(io::Error),
    /// It is in no form that is known, or broken from here on: what, and what to do.
    Form { what: String, remedy: String },
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) trait Rows {
    /// The next row; `None` at the end.
    fn next(&mut self) -> Result<Option<Row>, FileFault>;

    /// What is said of a file without any.
    fn nothing(&self) -> &'static str {
        "the file has a heading and no row"
    }
}

/// What is known of a file before its rows are read.
pub(super) struct Glance {
    /// BLAKE3 of all of it, in hex.
    pub(super) digest: String,
    /// Line breaks.
    pub(super) lines: u64,
}

/// Why a file was not even looked at.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is a pipe or a device: what is read of it is gone.
    Pipe,
    Io(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads all of a file once.
pub(super) fn glance(path: &Path) -> Result<Glance, Unread> {
    // Before it is opened, which waits at a pipe until somebody writes.
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(Unread::Pipe);
    }
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut hasher, mut lines) = (blake3::Hasher::new(), 0);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let read = bytes.len();
        file.consume(read);
    }
    Ok(Glance {
        digest: hasher.finalize().to_hex().to_string(),
        lines,
    })
}

/// Begins to read the rows; the form is what the file looks like, whatever its name.
pub(super) fn open(path: &Path, rules: &SourceRules) -> Result<Box<dyn Rows + Send>, FileFault> {
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    (&mut file).take(LOOKED_AT).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    if let Some(fault) = packed(&start) {
        return Err(fault);
    }
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Err(FileFault::Form {
            what: "the file is UTF-16".to_owned(),
            remedy: "save it as UTF-8 (in Excel: CSV UTF-8)".to_owned(),
        });
    }
    let text = start.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&start);
    let bom = start.len() - text.len();
    file.seek(SeekFrom::Start(bom as u64))?;
    let file = BufReader::with_capacity(1 << 16, file);
    match text.trim_ascii_start().first() {
        None => Err(FileFault::Form {
            what: "the file is empty".to_owned(),
            remedy: "name a CSV file with a heading, JSON lines, or XML".to_owned(),
        }),
        Some(b'<') => Ok(match encoding::declared(text)? {
            Encoding::Utf8 => Box::new(xml::Xml::new(file)),
            Encoding::Latin => Box::new(xml::Xml::new(Latin::new(file))),
        }),
        Some(b'{') if jsonl::is_in_several_lines(text) => Err(FileFault::Form {
            what: "the file is JSON in several lines".to_owned(),
            remedy: "write one object on each line: jq -c . FILE > FILE.jsonl".to_owned(),
        }),
        Some(b'{') => Ok(Box::new(jsonl::JsonLines::new(file))),
        Some(b'[') => Err(FileFault::Form {
            what: "the file is one JSON array".to_owned(),
            remedy: "write one object on each line: jq -c '.[]' FILE > FILE.jsonl".to_owned(),
        }),
        Some(_) => Ok(Box::new(csv::Csv::open(file, text, rules)?)),
    }
}

/// What a file begins with that is no text, its name for people, and how it becomes one.
const PACKED: [(&[u8], &str, &str); 5] = [
    (
        &[0x1f, 0x8b],
        "packed with gzip",
        "unpack it: gunzip -k FILE",
    ),
    (
        b"PK\x03\x04",
        "a spreadsheet (.xlsx, .ods) or packed with zip",
        "save the spreadsheet as CSV (in Excel: CSV UTF-8), or unpack it: unzip FILE",
    ),
    (
        &[0xd0, 0xcf, 0x11, 0xe0],
        "a spreadsheet (.xls)",
        "save it as CSV (in Excel: CSV UTF-8)",
    ),
    (
        &[0x28, 0xb5, 0x2f, 0xfd],
        "packed with zstd",
        "unpack it: unzstd FILE",
    ),
    (
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        "packed with xz",
        "unpack it: unxz -k FILE",
    ),
];

/// Whether it is no text that could have rows.
fn packed(start: &[u8]) -> Option<FileFault> {
    let (_, what, remedy) = PACKED.iter().find(|(magic, ..)| start.starts_with(magic))?;
    Some(FileFault::Form {
        what: format!("the file is {what}"),
        remedy: (*remedy).to_owned(),
    })
}

/// A JSON object of texts, in their order.
fn object<'t>(fields: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let mut object = String::from("{");
    for (name, value) in fields {
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(&quoted(name));
        object.push(':');
        object.push_str(&quoted(value));
    }
    object.push('}');
    object
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A row as it is, unless it is too long for a record.
fn bounded(line: u64, object: String) -> Row {
    let object = if object.len() > MOST_BYTES {
        Err(format!("the row has more than {} KiB", MOST_BYTES / 1024))
    } else {
        Ok(object)
    };
    Row { line, object }
}

#[cfg(test)]
mod tests;
