//! XML: each element that has attributes, or elements with texts, is a row; the root is none.
//!
//! An element with a text and no elements is a field of the one around it, whatever attributes it has:
//! these are fields of their own, `SaleAmount.currency`. Directly inside the root, whose fields nobody
//! reads, it is a row all the same. What a schema says of an element (`xsi:nil`) makes none.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::lines::Counted;
use super::{FileFault, Row, Rows, bounded, object};
use crate::output::excerpt;

/// Elements inside each other, at most.
const DEEPEST: usize = 64;

pub(super) struct Xml<R> {
    reader: Reader<Counted<R>>,
    open: Vec<Element>,
    buffer: Vec<u8>,
}

/// An element that has begun.
struct Element {
    name: String,
    line: u64,
    fields: Vec<(String, String)>,
    /// A schema says that it has no value.
    is_nil: bool,
    text: String,
    has_elements: bool,
}

impl Element {
    /// Whether it is a field of the element around it; otherwise it is a row, or neither.
    fn is_field(&self, is_inside_root: bool) -> bool {
        let is_value = self.is_nil || (!is_inside_root && !self.text.trim_ascii().is_empty());
        !self.has_elements && (is_value || self.fields.is_empty())
    }

    /// Takes one as a field, and its attributes as others.
    fn take(&mut self, field: Self) {
        let attributes = field.fields.into_iter();
        let attributes = attributes.map(|(name, value)| (format!("{}.{name}", field.name), value));
        self.fields.extend(attributes);
        self.fields.push((field.name, field.text));
    }
}

/// The prefix of attributes that a schema gives to elements, by which everybody calls it.
const SCHEMA: &str = "xsi";

impl<R: BufRead> Xml<R> {
    pub(super) fn new(file: R) -> Self {
        Self {
            reader: Reader::from_reader(Counted::new(file)),
            open: Vec::new(),
            buffer: Vec::new(),
        }
    }

    fn line(&self) -> u64 {
        self.reader.get_ref().line()
    }

    fn broken(&self, words: impl std::fmt::Display) -> FileFault {
        self.fault(words, "get the file again, it may be cut off")
    }

    /// Why it cannot be read on from here, and what to do first of all.
    fn fault(&self, words: impl std::fmt::Display, remedy: &str) -> FileFault {
        FileFault::Form {
            what: format!(
                "line {} is no XML: {}",
                self.line(),
                excerpt(&words.to_string())
            ),
            remedy: format!("{remedy}; what is in Kafka already stays there and counts once"),
        }
    }

    fn unread(&self, error: quick_xml::Error) -> FileFault {
        match error {
            quick_xml::Error::Encoding(_) => self.fault(
                "a character is not UTF-8, and the file names no other encoding",
                "write the file as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8 FILE > FILE.utf8.xml, if it is of that \
                 encoding)",
            ),
            quick_xml::Error::Escape(error) => self.unknown_entity(error),
            error => self.broken(error),
        }
    }

    fn unknown_entity(&self, words: impl std::fmt::Display) -> FileFault {
        self.fault(
            words,
            "write the character itself in its place, or its number (&#233; for é)",
        )
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), FileFault> {
        if self.open.len() >= DEEPEST {
            return Err(self.broken(format_args!(
                "more than {DEEPEST} elements inside each other"
            )));
        }
        if let Some(parent) = self.open.last_mut() {
            parent.has_elements = true;
        }
        let mut fields = Vec::new();
        let mut is_nil = false;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| self.broken(error))?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| self.unread(error))?;
            let name = attribute.key.local_name().as_ref().to_owned();
            // What declares namespaces says nothing.
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let prefix = attribute.key.prefix();
            if prefix.is_some_and(|prefix| prefix.into_inner() == SCHEMA) {
                is_nil |= name == "nil" && matches!(value.trim(), "true" | "1");
            } else {
                fields.push((name, value.into_owned()));
            }
        }
        self.open.push(Element {
            name: start.local_name().as_ref().to_owned(),
            line: self.line(),
            fields,
            is_nil,
            text: String::new(),
            has_elements: false,
        });
        Ok(())
    }

    /// A field of the element around it, or a row, or neither.
    fn end(&mut self) -> Option<Row> {
        let element = self.open.pop()?;
        let is_inside_root = self.open.len() == 1;
        let parent = self.open.last_mut()?;
        if element.is_field(is_inside_root) {
            parent.take(element);
            return None;
        }
        if element.fields.is_empty() {
            return None;
        }
        let fields = element.fields.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.trim()));
        Some(bounded(element.line, object(fields)))
    }

    fn text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }
}

impl<R: BufRead> Rows for Xml<R> {
    fn nothing(&self) -> &'static str {
        "the file has no transaction: no element inside its root has attributes, or elements with texts"
    }

    fn next(&mut self) -> Result<Option<Row>, FileFault> {
        loop {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            let event = self.reader.read_event_into(&mut buffer);
            let event = event.map_err(|error| self.unread(error))?.into_owned();
            self.buffer = buffer;
            let row = match event {
                Event::Start(start) => {
                    self.begin(&start)?;
                    None
                }
                Event::Empty(start) => {
                    self.begin(&start)?;
                    self.end()
                }
                Event::End(_) => self.end(),
                Event::Text(text) => {
                    self.text(&text);
                    None
                }
                Event::GeneralRef(reference) => {
                    let text = resolved(&reference).ok_or_else(|| {
                        self.unknown_entity(format_args!("unknown entity {}", &*reference))
                    })?;
                    self.text(&text);
                    None
                }
                Event::CData(text) => {
                    self.text(&text);
                    None
                }
                Event::Eof if self.open.is_empty() => return Ok(None),
                Event::Eof => return Err(self.broken("it ends in the middle of an element")),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => None,
            };
            if let Some(row) = row {
                return Ok(Some(row));
            }
        }
    }
}

/// `&amp;` and its four siblings, and characters by their number; nothing else is declared here.
fn resolved(reference: &quick_xml::events::BytesRef<'_>) -> Option<String> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Some(character.to_string());
    }
    quick_xml::escape::resolve_predefined_entity(reference).map(str::to_owned)
}
