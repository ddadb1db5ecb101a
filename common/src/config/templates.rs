//! `[[source.template]]`: the URLs as registered with a network, one after the other.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::Value;

use super::fault::{Fault, FaultCode};
use super::section::Section;
use super::source::{TemplateSettings, TemplateUrl};

/// What `valid_from` wants.
const WHEN: &str = "give a date, or a time with its offset, such as 2026-09-01T00:00:00Z";

pub(super) fn read_all(section: &mut Section<'_>) -> Vec<TemplateSettings> {
    let tables = section.tables("template");
    let several = tables.len() > 1;
    let mut templates = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let name = if several {
            section.key(&format!("template[{}]", index + 1))
        } else {
            section.key("template")
        };
        let mut template = Section::nested(name, table, section.faults());
        template.require("url", "give the URL as registered with the network");
        let url = template.text_unseen("url");
        let valid_from = valid_from(&mut template);
        templates.extend(url.map(|url| TemplateSettings {
            valid_from,
            url: TemplateUrl::new(&url),
        }));
    }
    templates
}

/// TOML's own dates and texts alike.
fn valid_from(section: &mut Section<'_>) -> Option<Timestamp> {
    let found = section.find("valid_from")?;
    let text = match &found.value {
        Value::String(text) => text.trim().to_owned(),
        Value::Datetime(datetime) => datetime.to_string(),
        _ => String::new(),
    };
    let instant = instant(&text);
    if instant.is_none() {
        let fault = Fault::new(
            FaultCode::BadValue,
            &found.key,
            "is no date, and no time with an offset",
            WHEN,
        );
        section.refuse(fault.with_value(found.value));
    }
    instant
}

/// A date alone is its midnight, UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let midnight = || {
        let date: Date = text.parse().ok()?;
        date.to_zoned(TimeZone::UTC).ok()
    };
    // A time without an offset is read as a date by the library: it must not be cut in silence.
    let is_date = text.len() == "2026-09-01".len();
    let at_midnight = is_date
        .then(midnight)
        .flatten()
        .map(|zoned| zoned.timestamp());
    at_midnight.or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn dates_and_times_with_an_offset_are_instants_and_nothing_else_is() {
        let cases = [
            ("2026-09-01", Some("2026-09-01T00:00:00Z")),
            ("2026-09-01T12:00:00Z", Some("2026-09-01T12:00:00Z")),
            ("2026-09-01 12:00:00+02:00", Some("2026-09-01T10:00:00Z")),
            ("2026-09-01T12:00:00", None),
            ("2026-09-31", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = instant(text).map(|instant| instant.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
