//! The URL as a publisher registers it with the network, and how the network fills it.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::event::{Event, Value};
use crate::field::Field;

/// What a careful sender encodes in a value: all but RFC 3986's unreserved characters.
const IN_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What has to be encoded in static text so that the URL is one: what RFC 3986 forbids in a query.
const IN_STATIC_TEXT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A registered URL such as `https://example.com/postback/KEY?unique_id=<u1>&is_event=<is_event>&cid=7`:
/// any subset of the network's fields, in any order, renamed at will, with static values between.
///
/// A macro fills a whole value. A macro that the network does not have is left as it stands,
/// percent-encoded, as a network does with a misspelt one. The path holds the URL's secret key:
/// `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    path: String,
    parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Parameter {
    /// `name=<field>`
    Filled { name: String, field: Field },
    /// Anything else, encoded and sent as it is.
    Static(String),
}

/// Why a text is no URL template. The text itself is not shown, since it holds the URL's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Neither `http://host/path?query`, `https://…` nor `/path?query`.
    #[error("not a URL template: expected http://HOST/PATH?NAME=<field>&… or /PATH?NAME=<field>&…")]
    NotAUrl,
    /// A `#` would cut off what follows it.
    #[error("a URL template holds a raw `#`, which cuts off the rest: write it as %23")]
    Fragment,
}

impl Template {
    /// Reads a URL template, with or without scheme and host (the sender is told where to connect).
    ///
    /// # Errors
    /// When the text is no http URL or has a fragment.
    pub fn parse(url: &str) -> Result<Self, TemplateError> {
        if url.contains('#') {
            return Err(TemplateError::Fragment);
        }
        let target = without_authority(url).ok_or(TemplateError::NotAUrl)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parameters = query
            .split('&')
            .filter(|text| !text.is_empty())
            .map(parameter)
            .collect();
        let path = if path.is_empty() { "/" } else { path };
        Ok(Template {
            path: utf8_percent_encode(path, IN_STATIC_TEXT).to_string(),
            parameters,
        })
    }

    /// Every field under the network's own name, in the documents' order.
    ///
    /// # Errors
    /// When `base` (scheme, host and path) is no http URL.
    pub fn with_all_fields(base: &str) -> Result<Self, TemplateError> {
        let parameters: Vec<String> = Field::ALL
            .iter()
            .map(|field| format!("{field}=<{field}>"))
            .collect();
        Template::parse(&format!("{base}?{}", parameters.join("&")))
    }

    /// Whether some parameter carries `field`.
    #[must_use]
    pub fn carries(&self, field: Field) -> bool {
        self.parameters.iter().any(
            |parameter| matches!(parameter, Parameter::Filled { field: other, .. } if *other == field),
        )
    }

    /// The same URL without its query.
    pub(crate) fn without_parameters(&self) -> Self {
        Template {
            path: self.path.clone(),
            parameters: Vec::new(),
        }
    }

    /// The path, which holds the secret key.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The query for `event`: each macro replaced by its percent-encoded value, a missing value by
    /// nothing.
    #[must_use]
    pub fn query(&self, event: &Event) -> String {
        let written: Vec<String> = self
            .parameters
            .iter()
            .filter_map(|parameter| parameter.write(event))
            .collect();
        written.join("&")
    }
}

impl Parameter {
    fn write(&self, event: &Event) -> Option<String> {
        match self {
            Parameter::Static(text) => Some(text.clone()),
            Parameter::Filled { name, field } => match event.value(*field) {
                Value::Text(text) => Some(format!("{name}={}", encode(&text))),
                Value::RawPlus(text) => {
                    Some(format!("{name}={}", encode(&text).replace("%2B", "+")))
                }
                Value::Absent => None,
            },
        }
    }
}

fn encode(value: &str) -> String {
    utf8_percent_encode(value, IN_VALUE).to_string()
}

fn parameter(text: &str) -> Parameter {
    let filled = text.split_once('=').and_then(|(name, value)| {
        let field = Field::named(value.strip_prefix('<')?.strip_suffix('>')?)?;
        Some((name, field))
    });
    let encoded = |text: &str| utf8_percent_encode(text, IN_STATIC_TEXT).to_string();
    match filled {
        Some((name, field)) => Parameter::Filled {
            name: encoded(name),
            field,
        },
        None => Parameter::Static(encoded(text)),
    }
}

fn without_authority(url: &str) -> Option<&str> {
    if url.starts_with('/') {
        return Some(url);
    }
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let end = rest.find(['/', '?'])?;
    (end > 0).then(|| &rest[end..])
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Click, DateForm, DateValue, Kind};

    fn event() -> Event {
        Event {
            product_name: "Crème brûlée & tea #4 100% ".to_owned(),
            ..Event::example("2020-03-14T18:28:18Z".parse().unwrap())
        }
    }

    #[test]
    fn replaces_renames_reorders_and_keeps_static_values() {
        let template = Template::parse(
            "https://example.com/postback/k?unique_id=<u1>&cid=7&is_event=<is_event>&flag&amount=<sale_amount>",
        )
        .unwrap();
        assert_eq!(
            template.query(&event()),
            "unique_id=clk0001&cid=7&is_event=N&flag&amount=180"
        );
        assert_eq!(template.path(), "/postback/k");
        assert!(template.carries(Field::U1));
        assert!(!template.carries(Field::EtransactionId));
    }

    #[test]
    fn encodes_as_a_careful_sender_does() {
        let template = Template::parse("/p?name=<product_name>&date=<transaction_date>").unwrap();
        let expected = "name=Cr%C3%A8me%20br%C3%BBl%C3%A9e%20%26%20tea%20%234%20100%25%20\
            &date=Sat%20Mar%2014%202020%2018%3A28%3A18%20GMT%2B0000%20%28UTC%29";
        assert_eq!(template.query(&event()), expected);

        let at = "2020-03-14T18:28:18Z".parse().unwrap();
        let careless = Event {
            transaction_date: DateValue::At(at, DateForm::LongRawPlus),
            product_name: "C++".to_owned(),
            ..event()
        };
        let expected =
            "name=C%2B%2B&date=Sat%20Mar%2014%202020%2018%3A28%3A18%20GMT+0000%20%28UTC%29";
        assert_eq!(template.query(&careless), expected);
    }

    #[test]
    fn missing_values_are_empty_or_absent() {
        let template = Template::parse("/p?a=<u1>&b=<sku_number>&c=<is_event>").unwrap();
        let with = |click: Click| Event {
            click,
            sku: None,
            ..event()
        };
        assert_eq!(template.query(&with(Click::Empty)), "a=&b=&c=N");
        assert_eq!(template.query(&with(Click::Absent)), "b=&c=N");
        assert_eq!(template.query(&with(Click::Macro)), "a=%3Cu1%3E&b=&c=N");
        let unknown = Event {
            kind: Kind::Unknown,
            ..with(Click::Empty)
        };
        assert_eq!(template.query(&unknown), "a=&b=");
    }

    #[test]
    fn a_misspelt_macro_is_left_as_it_stands() {
        let template = Template::parse("/p?a=<u2>&b=x y").unwrap();
        assert_eq!(template.query(&event()), "a=%3Cu2%3E&b=x%20y");
    }

    #[test]
    fn refuses_what_is_no_url_and_never_shows_the_key() {
        for (url, error) in [
            ("example.com/p?a=<u1>", TemplateError::NotAUrl),
            ("http:///p", TemplateError::NotAUrl),
            ("/p#a?b=<u1>", TemplateError::Fragment),
        ] {
            assert_eq!(Template::parse(url), Err(error), "{url}");
        }
        let template = Template::parse("/postback/canary?a=<u1>").unwrap();
        assert!(!format!("{template:?}").contains("canary"));
    }
}
