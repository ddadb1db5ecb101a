//! Columns by their type: how values are added, and how they are written.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use uuid::Uuid;

use crate::rows::Decimal4;

/// Values of one column, or of one part of a column.
pub(crate) trait Column: Default + fmt::Debug + Send {
    /// The type's name, as the server knows it.
    fn kind() -> String;

    /// What stands once before all values.
    fn write_prefix(_head: &mut Vec<u8>) {}

    /// Takes the values out.
    fn take(&mut self, block: &mut Written<'_>);
}

/// A column for values of this kind.
pub(crate) trait Takes<V: ?Sized>: Column {
    /// Adds a row's value.
    fn push(&mut self, value: &V);
}

/// Writes a column with its name and type.
pub(crate) fn write<C: Column>(column: &mut C, name: &str, block: &mut Written<'_>) {
    push_text(&mut block.head, name);
    push_text(&mut block.head, &C::kind());
    C::write_prefix(&mut block.head);
    column.take(block);
}

/// Copying less than this is cheaper than a piece of its own.
const SMALL: usize = 64 * 1024;

/// A block that is being written: what is large becomes a piece of its own, behind what `head` has
/// until then.
pub(crate) struct Written<'a> {
    pub(super) head: Vec<u8>,
    pub(super) pieces: &'a mut Vec<Bytes>,
    /// Another one follows, which will be about as large: its room stays reserved. With many
    /// partitions most blocks are the last of their part.
    pub(super) goes_on: bool,
}

impl Written<'_> {
    fn append(&mut self, bytes: &mut Vec<u8>) {
        if bytes.len() < SMALL {
            self.copy(bytes);
        } else {
            let piece = self.taken(bytes);
            self.add(piece);
        }
    }

    /// Copies them behind the head.
    fn copy(&mut self, bytes: &mut Vec<u8>) {
        self.head.extend_from_slice(bytes);
        if self.goes_on {
            bytes.clear();
        } else {
            *bytes = Vec::new();
        }
    }

    fn taken(&self, bytes: &mut Vec<u8>) -> Bytes {
        let next = if self.goes_on {
            Vec::with_capacity(bytes.len() + bytes.len() / 16)
        } else {
            Vec::new()
        };
        std::mem::replace(bytes, next).into()
    }

    fn add(&mut self, piece: Bytes) {
        self.pieces.push(std::mem::take(&mut self.head).into());
        self.pieces.push(piece);
    }
}

/// A value of always the same length, little-endian.
pub(crate) trait Fixed: fmt::Debug + Send {
    const KIND: &'static str;
    const WIDTH: usize;
    fn write(&self, bytes: &mut Vec<u8>);
}

macro_rules! fixed {
    ($type:ty, $kind:literal, $width:literal, |$value:ident| $bytes:expr) => {
        impl Fixed for $type {
            const KIND: &'static str = $kind;
            const WIDTH: usize = $width;

            fn write(&self, bytes: &mut Vec<u8>) {
                let $value = self;
                let written: [u8; $width] = $bytes;
                bytes.extend_from_slice(&written);
            }
        }
    };
}

fixed!(u16, "UInt16", 2, |number| number.to_le_bytes());
fixed!(u32, "UInt32", 4, |number| number.to_le_bytes());
fixed!(u64, "UInt64", 8, |number| number.to_le_bytes());
fixed!(u128, "UInt128", 16, |number| number.to_le_bytes());
fixed!(Decimal4, "Decimal(18, 4)", 8, |amount| amount
    .0
    .to_le_bytes());
fixed!(Timestamp, "DateTime64(6, 'UTC')", 8, |time| time
    .as_microsecond()
    .to_le_bytes());
fixed!(Date, "Date", 2, |day| days_since_1970(*day).to_le_bytes());
// Two numbers of 64 bits, the higher one first.
fixed!(Uuid, "UUID", 16, |id| {
    let (high, low) = id.as_u64_pair();
    (u128::from(low) << 64 | u128::from(high)).to_le_bytes()
});

/// ClickHouse's `Date` goes from 1970-01-01 to 2149-06-06. Days of conversions lie between 2000 and
/// 2100, or are buckets of January 1970: the bounds are never met.
fn days_since_1970(day: Date) -> u16 {
    const SECONDS: i64 = 24 * 60 * 60;
    let midnight = Offset::UTC.to_timestamp(day.to_datetime(Time::midnight()));
    let days = midnight.map_or(0, |midnight| midnight.as_second().div_euclid(SECONDS));
    u16::try_from(days.max(0)).unwrap_or(u16::MAX)
}

/// `UUID`, `UInt64`, `Decimal`, …
#[derive(Debug)]
pub(crate) struct Plain<T> {
    bytes: Vec<u8>,
    values: PhantomData<T>,
}

impl<T> Default for Plain<T> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            values: PhantomData,
        }
    }
}

impl<T: Fixed> Column for Plain<T> {
    fn kind() -> String {
        T::KIND.to_owned()
    }

    fn take(&mut self, block: &mut Written<'_>) {
        block.append(&mut self.bytes);
    }
}

impl<T: Fixed> Takes<T> for Plain<T> {
    fn push(&mut self, value: &T) {
        value.write(&mut self.bytes);
    }
}

/// `Nullable` of a plain type.
#[derive(Debug)]
pub(crate) struct Nullable<T> {
    is_null: Vec<u8>,
    values: Plain<T>,
}

impl<T> Default for Nullable<T> {
    fn default() -> Self {
        Self {
            is_null: Vec::new(),
            values: Plain::default(),
        }
    }
}

impl<T: Fixed> Column for Nullable<T> {
    fn kind() -> String {
        format!("Nullable({})", T::KIND)
    }

    fn take(&mut self, block: &mut Written<'_>) {
        block.append(&mut self.is_null);
        self.values.take(block);
    }
}

impl<T: Fixed> Takes<Option<T>> for Nullable<T> {
    fn push(&mut self, value: &Option<T>) {
        self.is_null.push(u8::from(value.is_none()));
        match value {
            Some(value) => self.values.push(value),
            None => {
                let end = self.values.bytes.len() + T::WIDTH;
                self.values.bytes.resize(end, 0);
            }
        }
    }
}

/// `String`.
#[derive(Debug, Default)]
pub(crate) struct Text(Vec<u8>);

impl Column for Text {
    fn kind() -> String {
        "String".to_owned()
    }

    fn take(&mut self, block: &mut Written<'_>) {
        block.append(&mut self.0);
    }
}

impl<T: AsRef<str>> Takes<T> for Text {
    fn push(&mut self, value: &T) {
        push_text(&mut self.0, value.as_ref());
    }
}

/// `String`, long ones: they can be read again after they were written, and are never copied.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    written: Vec<Bytes>,
}

impl Kept {
    /// All texts of blocks that were taken, in their order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.written.iter().flat_map(|piece| Texts { rest: piece })
    }
}

impl Column for Kept {
    fn kind() -> String {
        Text::kind()
    }

    fn take(&mut self, block: &mut Written<'_>) {
        let bytes = block.taken(&mut self.bytes);
        self.written.push(bytes.clone());
        block.add(bytes);
    }
}

impl<T: AsRef<str>> Takes<T> for Kept {
    fn push(&mut self, value: &T) {
        push_text(&mut self.bytes, value.as_ref());
    }
}

/// Texts as [`push_text`] has written them.
struct Texts<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (mut length, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 {
                break;
            }
        }
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        str::from_utf8(text).ok()
    }
}

/// `LowCardinality(String)`: every text once, and for each row which one.
#[derive(Debug)]
pub(crate) struct Dictionary {
    texts: Vec<u8>,
    /// Where each of them stands.
    places: Vec<Range<usize>>,
    numbers: HashMap<Box<str>, u32>,
    /// The last text of each [`slot`]: most columns have few texts, which are found here.
    recent: [Option<u32>; SLOTS],
    rows: Vec<u8>,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            texts: Vec::new(),
            places: Vec::new(),
            numbers: HashMap::new(),
            recent: [None; SLOTS],
            rows: Vec::new(),
        }
    }
}

const SLOTS: usize = 32;

/// Texts of one column mostly differ in their length, their last byte, or the one in the middle.
fn slot(text: &[u8]) -> usize {
    let at = |place: usize| text.get(place).copied().map_or(0, usize::from);
    (text.len() + at(text.len().saturating_sub(1)) * 5 + at(text.len() / 2) * 11) % SLOTS
}

impl Dictionary {
    fn number(&mut self, text: &str) -> u32 {
        let recent = &mut self.recent[slot(text.as_bytes())];
        if let Some(number) = *recent {
            let place = self.places[number as usize].clone();
            if self.texts[place] == *text.as_bytes() {
                return number;
            }
        }
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                // Rows of a block are far fewer than 2^32.
                let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
                push_text(&mut self.texts, text);
                self.places
                    .push(self.texts.len() - text.len()..self.texts.len());
                self.numbers.insert(text.into(), next);
                next
            }
        };
        *recent = Some(number);
        number
    }
}

impl Column for Dictionary {
    fn kind() -> String {
        "LowCardinality(String)".to_owned()
    }

    fn write_prefix(head: &mut Vec<u8>) {
        /// Version of how dictionaries are written.
        const DICTIONARY: u64 = 1;
        head.extend_from_slice(&DICTIONARY.to_le_bytes());
    }

    /// Kind of the numbers (2: 32 bits), flagged as coming with texts of their own; how many texts;
    /// the texts; how many rows; their numbers. Nothing at all without rows.
    fn take(&mut self, block: &mut Written<'_>) {
        const NUMBERS_OF_32_BITS: u64 = 2;
        const OWN_TEXTS: u64 = 1 << 9;
        const NEW_TEXTS: u64 = 1 << 10;
        if self.rows.is_empty() {
            return;
        }
        let flags = NUMBERS_OF_32_BITS | OWN_TEXTS | NEW_TEXTS;
        let rows = self.rows.len() as u64 / 4;
        let head = &mut block.head;
        head.extend_from_slice(&flags.to_le_bytes());
        head.extend_from_slice(&(self.numbers.len() as u64).to_le_bytes());
        block.copy(&mut self.texts);
        block.head.extend_from_slice(&rows.to_le_bytes());
        block.copy(&mut self.rows);
        if block.goes_on {
            self.places.clear();
            self.numbers.clear();
            self.recent = [None; SLOTS];
        } else {
            *self = Self::default();
        }
    }
}

impl<T: AsRef<str>> Takes<T> for Dictionary {
    fn push(&mut self, value: &T) {
        let number = self.number(value.as_ref());
        self.rows.extend_from_slice(&number.to_le_bytes());
    }
}

/// Where each row's elements end among those of all rows.
#[derive(Debug, Default)]
struct Ends {
    elements: u64,
    bytes: Vec<u8>,
}

impl Ends {
    /// The next row has so many.
    fn add(&mut self, elements: usize) {
        self.elements += elements as u64;
        self.bytes.extend_from_slice(&self.elements.to_le_bytes());
    }

    fn take(&mut self, block: &mut Written<'_>) {
        self.elements = 0;
        block.append(&mut self.bytes);
    }
}

/// `Array`.
#[derive(Debug, Default)]
pub(crate) struct List<C> {
    ends: Ends,
    values: C,
}

impl<C: Column> Column for List<C> {
    fn kind() -> String {
        format!("Array({})", C::kind())
    }

    fn write_prefix(head: &mut Vec<u8>) {
        C::write_prefix(head);
    }

    fn take(&mut self, block: &mut Written<'_>) {
        self.ends.take(block);
        self.values.take(block);
    }
}

impl<V, C: Takes<V>> Takes<Vec<V>> for List<C> {
    fn push(&mut self, values: &Vec<V>) {
        self.push(values.as_slice());
    }
}

impl<V, C: Takes<V>> Takes<&[V]> for List<C> {
    fn push(&mut self, values: &&[V]) {
        self.push(*values);
    }
}

impl<V, C: Takes<V>> Takes<[V]> for List<C> {
    fn push(&mut self, values: &[V]) {
        for value in values {
            self.values.push(value);
        }
        self.ends.add(values.len());
    }
}

/// `Map`.
#[derive(Debug, Default)]
pub(crate) struct Map<K, V> {
    ends: Ends,
    keys: K,
    values: V,
}

impl<K: Column, V: Column> Column for Map<K, V> {
    fn kind() -> String {
        format!("Map({}, {})", K::kind(), V::kind())
    }

    fn write_prefix(head: &mut Vec<u8>) {
        K::write_prefix(head);
        V::write_prefix(head);
    }

    fn take(&mut self, block: &mut Written<'_>) {
        self.ends.take(block);
        self.keys.take(block);
        self.values.take(block);
    }
}

impl<A, B, K: Takes<A>, V: Takes<B>> Takes<Vec<(A, B)>> for Map<K, V> {
    fn push(&mut self, pairs: &Vec<(A, B)>) {
        for (key, value) in pairs {
            self.keys.push(key);
            self.values.push(value);
        }
        self.ends.add(pairs.len());
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

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_varint(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_count_from_1970() {
        assert_eq!(days_since_1970(date(1970, 1, 1)), 0);
        assert_eq!(days_since_1970(date(1970, 1, 16)), 15);
        // 2000-01-01 is day 10,957: 30 years and 7 leap days.
        assert_eq!(days_since_1970(date(2000, 1, 1)), 10_957);
        assert_eq!(days_since_1970(date(2149, 6, 6)), u16::MAX);
    }

    #[test]
    fn kept_texts_can_be_read_again() {
        let long = "x".repeat(20_000);
        let (mut column, mut pieces) = (Kept::default(), Vec::new());
        let mut block = Written {
            head: Vec::new(),
            pieces: &mut pieces,
            goes_on: true,
        };
        column.push(&"");
        column.push(&long);
        column.take(&mut block);
        column.push(&"é");
        block.goes_on = false;
        column.take(&mut block);
        assert_eq!(column.texts().collect::<Vec<_>>(), ["", &long, "é"]);
    }

    #[test]
    fn lengths_take_seven_bits_a_byte() {
        for (number, expected) in [
            (0, &b"\x00"[..]),
            (127, b"\x7f"),
            (128, b"\x80\x01"),
            (16_384, b"\x80\x80\x01"),
        ] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, number);
            assert_eq!(bytes, expected, "{number}");
        }
    }
}
