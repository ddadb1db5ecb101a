//! XML: each element that has attributes, or elements with texts, is a row; the root is none.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::lines::Counted;
use super::{FileFault, Row, Rows, bounded, object};

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
    text: String,
    has_elements: bool,
}

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
        FileFault::Form {
            what: format!("line {} is no XML: {words}", self.line()),
            remedy: "get the file again, it may be cut off; what is in Kafka already stays there and counts once"
                .to_owned(),
        }
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
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| self.broken(error))?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| self.broken(error))?;
            let name = attribute.key.local_name().as_ref().to_owned();
            // What declares namespaces says nothing.
            if attribute.key.as_namespace_binding().is_none() {
                fields.push((name, value.into_owned()));
            }
        }
        self.open.push(Element {
            name: start.local_name().as_ref().to_owned(),
            line: self.line(),
            fields,
            text: String::new(),
            has_elements: false,
        });
        Ok(())
    }

    /// A field of the element around it, or a row, or neither.
    fn end(&mut self) -> Option<Row> {
        let element = self.open.pop()?;
        let parent = self.open.last_mut()?;
        if !element.has_elements && element.fields.is_empty() {
            parent.fields.push((element.name, element.text));
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
            let event = event.map_err(|error| self.broken(error))?.into_owned();
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
                    let text =
                        resolved(&reference).ok_or_else(|| self.broken("an unknown entity"))?;
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
