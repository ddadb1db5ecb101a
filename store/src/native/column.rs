//! One column's values, as they are written.

use std::collections::HashMap;

use bytes::Bytes;

use super::kind::Kind;
use super::value::Refused;

/// Values of one column, or of one part of a column.
#[derive(Debug)]
pub(super) enum Column {
    Fixed {
        width: usize,
        bytes: Vec<u8>,
    },
    Text(Vec<u8>),
    Dictionary(Dictionary),
    Optional {
        is_null: Vec<u8>,
        values: Box<Column>,
    },
    List {
        ends: Ends,
        values: Box<Column>,
    },
    Map {
        ends: Ends,
        keys: Box<Column>,
        values: Box<Column>,
    },
}

/// Where each row's elements end among those of all rows.
#[derive(Debug, Default)]
pub(super) struct Ends {
    elements: u64,
    bytes: Vec<u8>,
}

impl Ends {
    /// The next row has so many.
    pub(super) fn add(&mut self, elements: usize) {
        self.elements += elements as u64;
        self.bytes.extend_from_slice(&self.elements.to_le_bytes());
    }

    fn take(&mut self) -> Vec<u8> {
        self.elements = 0;
        std::mem::take(&mut self.bytes)
    }
}

/// `LowCardinality(String)`: every text once, and for each row which one.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    texts: Vec<u8>,
    numbers: HashMap<Box<str>, u32>,
    /// The one before: most columns have long runs of one text.
    last: Option<(Box<str>, u32)>,
    rows: Vec<u8>,
}

impl Dictionary {
    pub(super) fn push(&mut self, text: &str) {
        let number = match &self.last {
            Some((last, number)) if **last == *text => *number,
            _ => self.number(text),
        };
        self.rows.extend_from_slice(&number.to_le_bytes());
    }

    fn number(&mut self, text: &str) -> u32 {
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                // Rows of a block are far fewer than 2^32.
                let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
                push_text(&mut self.texts, text);
                self.numbers.insert(text.into(), next);
                next
            }
        };
        self.last = Some((text.into(), number));
        number
    }

    /// Kind of the numbers (2: 32 bits), flagged as coming with texts of their own; how many texts;
    /// the texts; how many rows; their numbers. Nothing at all without rows.
    fn take(&mut self, head: &mut Vec<u8>) {
        const NUMBERS_OF_32_BITS: u64 = 2;
        const OWN_TEXTS: u64 = 1 << 9;
        const NEW_TEXTS: u64 = 1 << 10;
        let Self {
            texts,
            numbers,
            rows,
            ..
        } = std::mem::take(self);
        if rows.is_empty() {
            return;
        }
        let flags = NUMBERS_OF_32_BITS | OWN_TEXTS | NEW_TEXTS;
        head.extend_from_slice(&flags.to_le_bytes());
        head.extend_from_slice(&(numbers.len() as u64).to_le_bytes());
        head.extend_from_slice(&texts);
        head.extend_from_slice(&(rows.len() as u64 / 4).to_le_bytes());
        head.extend_from_slice(&rows);
    }
}

impl Column {
    /// An empty column of a type; `None` for a type that our tables do not have.
    pub(super) fn of(kind: &str) -> Option<Self> {
        Kind::named(kind).map(|kind| Self::new(&kind))
    }

    fn new(kind: &Kind) -> Self {
        let inner = |kind: &Kind| Box::new(Self::new(kind));
        match kind {
            Kind::Fixed(width) => Self::Fixed {
                width: *width,
                bytes: Vec::new(),
            },
            Kind::Text => Self::Text(Vec::new()),
            Kind::Dictionary => Self::Dictionary(Dictionary::default()),
            Kind::Optional(values) => Self::Optional {
                is_null: Vec::new(),
                values: inner(values),
            },
            Kind::List(values) => Self::List {
                ends: Ends::default(),
                values: inner(values),
            },
            Kind::Map(keys, values) => Self::Map {
                ends: Ends::default(),
                keys: inner(keys),
                values: inner(values),
            },
        }
    }

    /// What stands where there is no value.
    pub(super) fn push_default(&mut self) -> Result<(), Refused> {
        match self {
            Self::Fixed { width, bytes } => bytes.resize(bytes.len() + *width, 0),
            Self::Text(bytes) => bytes.push(0),
            _ => return Err(Refused::Type),
        }
        Ok(())
    }

    /// What stands once before all values.
    pub(super) fn write_prefix(&self, head: &mut Vec<u8>) {
        /// Version of how dictionaries are written.
        const DICTIONARY: u64 = 1;
        match self {
            Self::Dictionary(_) => head.extend_from_slice(&DICTIONARY.to_le_bytes()),
            Self::Fixed { .. } | Self::Text(_) => {}
            Self::Optional { values, .. } | Self::List { values, .. } => values.write_prefix(head),
            Self::Map { keys, values, .. } => {
                keys.write_prefix(head);
                values.write_prefix(head);
            }
        }
    }

    /// Takes the values out. What is large becomes a piece of its own, behind what `head` has until
    /// then.
    pub(super) fn take(&mut self, head: &mut Vec<u8>, pieces: &mut Vec<Bytes>) {
        match self {
            Self::Fixed { bytes, .. } | Self::Text(bytes) => {
                append(std::mem::take(bytes), head, pieces);
            }
            Self::Dictionary(dictionary) => dictionary.take(head),
            Self::Optional { is_null, values } => {
                append(std::mem::take(is_null), head, pieces);
                values.take(head, pieces);
            }
            Self::List { ends, values } => {
                append(ends.take(), head, pieces);
                values.take(head, pieces);
            }
            Self::Map { ends, keys, values } => {
                append(ends.take(), head, pieces);
                keys.take(head, pieces);
                values.take(head, pieces);
            }
        }
    }
}

/// Copying less than this is cheaper than a piece of its own.
const SMALL: usize = 16 * 1024;

fn append(bytes: Vec<u8>, head: &mut Vec<u8>, pieces: &mut Vec<Bytes>) {
    if bytes.len() < SMALL {
        head.extend_from_slice(&bytes);
    } else {
        pieces.push(std::mem::take(head).into());
        pieces.push(bytes.into());
    }
}

/// A length as ClickHouse writes it: seven bits a byte, the lowest first.
pub(super) fn push_varint(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let [low, ..] = (number & 0x7f).to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

pub(super) fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_varint(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}
