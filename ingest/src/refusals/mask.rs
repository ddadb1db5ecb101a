//! Takes out of a stranger's text everything in which a URL key could stand. Pure.
//!
//! A key has at least [`MIN_KEY_CHARS`] characters of a small alphabet, so it always stands in a *run*
//! of that many. Keys are known by their hashes only, and a misspelt key is as good as a secret: so
//! every such run goes, whether it is a key or not.
//!
//! In place of what is masked stand its length and, from 16 bytes on, the first 32 bits of its
//! SHA-256: the same wrong key is recognised when it comes again, and a configured key by the
//! beginning of its `sha256`. Of a key with 128 bits or more that leaves nothing to be guessed;
//! shorter pieces could be found by trying, and get no hash.

use std::borrow::Cow;

use memchr::memmem;
use postback_common::url_key::{KeyHash, MIN_KEY_CHARS};

/// The segment of the path before the key.
const BEFORE_KEY: &[u8] = b"postback";

/// Segments of a path from this length on are masked: shorter than a key, which may be cut off.
const LONG_SEGMENT: usize = 16;

/// Pieces from this length on show the beginning of their hash.
const HASHED_BYTES: usize = 16;

/// A text without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// At most as many bytes as were asked for.
    pub text: String,
    /// It is not all of it.
    pub is_cut: bool,
}

/// A path, at most `most` bytes of it. Masked are the segment behind `postback` however short, long
/// segments, those that may hold a password (`user:password@host`), and the last one where the path
/// itself `is_cut`.
#[must_use]
pub fn path(path: &[u8], is_cut: bool, most: usize) -> Masked {
    let mut out = Cutter::new(is_cut, most);
    let mut segments = path.split(|b| *b == b'/').peekable();
    let mut is_key_next = false;
    let mut separator = "";
    while let Some(segment) = segments.next() {
        if out.is_full() {
            out.masked.is_cut = true;
            break;
        }
        out.push(separator);
        separator = "/";
        let is_cut_off = is_cut && segments.peek().is_none();
        let is_long = segment.len() >= LONG_SEGMENT || segment.contains(&b'@');
        if (is_key_next || is_cut_off || is_long) && !segment.is_empty() {
            out.push(&replacement(segment));
        } else {
            out.push(&String::from_utf8_lossy(segment));
        }
        // `/postback//KEY` is a careless sender's way to write it.
        is_key_next &= segment.is_empty();
        is_key_next |= segment.eq_ignore_ascii_case(BEFORE_KEY);
    }
    out.masked
}

/// Any other text, at most `most` bytes of it. Masked is every run in which a key could stand, and the
/// last one where the text itself `is_cut`.
#[must_use]
pub fn text(bytes: &[u8], is_cut: bool, most: usize) -> Masked {
    let mut out = Cutter::new(is_cut, most);
    let mut rest = bytes;
    while !rest.is_empty() && !out.is_full() {
        let run = Run::at(rest);
        // `%30…` is either `0…` or, behind a stray sign, the beginning of a key with one character more.
        if run.characters == MIN_KEY_CHARS - 1 && rest.starts_with(b"%") {
            out.push("%");
            rest = &rest[1..];
            continue;
        }
        let (piece, behind) = rest.split_at(run.bytes);
        if run.characters >= MIN_KEY_CHARS || (is_cut && behind.is_empty() && !piece.is_empty()) {
            out.push(&replacement(piece));
        } else {
            out.push(&String::from_utf8_lossy(piece));
        }
        let (between, behind) = behind.split_at(gap(behind));
        out.push(&String::from_utf8_lossy(between));
        rest = behind;
    }
    out.masked.is_cut |= !rest.is_empty();
    out.masked
}

/// A text that has a key that is known, without it; the rest stays as it is. `None` if it has not.
#[must_use]
pub fn without_key(text: &str, key: &[u8]) -> Option<String> {
    if key.is_empty() {
        return None;
    }
    memmem::find(text.as_bytes(), key)?;
    let key_text = std::str::from_utf8(key).ok()?;
    Some(text.replace(key_text, &replacement(key)))
}

/// What stands in place of a piece.
fn replacement(piece: &[u8]) -> Cow<'static, str> {
    let length = piece.len();
    if length < HASHED_BYTES {
        return format!("[{length} characters]").into();
    }
    let hash = KeyHash::of_bytes(piece).to_string();
    let start = hash.get(..8).unwrap_or_default();
    format!("[{length} characters, sha256 {start}]").into()
}

/// Characters that a key may have, one behind the other, percent-encoded or not.
struct Run {
    bytes: usize,
    characters: usize,
}

impl Run {
    fn at(bytes: &[u8]) -> Self {
        let mut run = Self {
            bytes: 0,
            characters: 0,
        };
        while let Some(length) = key_character(&bytes[run.bytes..]) {
            run.bytes += length;
            run.characters += 1;
        }
        run
    }
}

/// Bytes before the next run.
fn gap(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() && key_character(&bytes[at..]).is_none() {
        at += separator(&bytes[at..]);
    }
    at
}

/// Bytes of what stands between runs. `%2F` is one separator as a whole, unless a key may begin with
/// its digits: a `%` may as well stand before a key.
fn separator(bytes: &[u8]) -> usize {
    const ENCODED: usize = 3;
    let holds_key = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        Run::at(rest).characters >= MIN_KEY_CHARS
    };
    let joins = decoded(bytes).is_some() && (holds_key(ENCODED) || !holds_key(1));
    if joins { ENCODED } else { 1 }
}

/// How many bytes the character of a key takes that stands first; `None` if none does.
fn key_character(bytes: &[u8]) -> Option<usize> {
    let is_of_keys = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    match *bytes.first()? {
        b'%' => decoded(bytes).filter(|b| is_of_keys(*b)).map(|_| 3),
        b => is_of_keys(b).then_some(1),
    }
}

/// The byte that is percent-encoded at the beginning (RFC 3986, section 2.1).
fn decoded(bytes: &[u8]) -> Option<u8> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    match *bytes {
        [b'%', high, low, ..] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

/// Takes text up to a number of bytes.
struct Cutter {
    masked: Masked,
    most: usize,
}

impl Cutter {
    const fn new(is_cut: bool, most: usize) -> Self {
        let masked = Masked {
            text: String::new(),
            is_cut,
        };
        Self { masked, most }
    }

    fn push(&mut self, piece: &str) {
        let room = self.most - self.masked.text.len();
        let fits = piece.floor_char_boundary(room);
        self.masked.text.push_str(&piece[..fits]);
        self.masked.is_cut |= fits < piece.len();
    }

    fn is_full(&self) -> bool {
        self.masked.text.len() >= self.most
    }
}
