//! The URL as a publisher registers it with the network, and how the network fills it.

use std::fmt;

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

use crate::event::{Event, Spelling, Value};
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

/// What even a careless sender encodes in a value: what would make other parameters of it.
const IN_RAW_VALUE: &AsciiSet = &CONTROLS.add(b'%').add(b'&').add(b'+');

/// A registered URL such as `https://example.com/postback/KEY?unique_id=<u1>&is_event=<is_event>&cid=7`:
/// any subset of the network's fields, in any order, renamed at will, with static values between.
///
/// A macro fills a whole value. A macro that the network does not have is left as it stands,
/// percent-encoded, as a network does with a misspelt one. The path holds the URL's secret key:
/// `Debug` does not show it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Template {
    authority: Option<Authority>,
    path: String,
    parameters: Vec<Parameter>,
}

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// `https`
    pub is_secure: bool,
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port, 80 or 443 where the URL gives none.
    pub port: u16,
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
    /// The host or port in it is none.
    #[error("the URL template's host or port is none: expected HOST, HOST:PORT or [ADDRESS]:PORT")]
    Authority,
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
        let (authority, target) = split(url)?;
        if target.is_empty() {
            return Err(TemplateError::NotAUrl);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parameters = query
            .split('&')
            .filter(|text| !text.is_empty())
            .map(parameter)
            .collect();
        let path = if path.is_empty() { "/" } else { path };
        Ok(Template {
            authority,
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
            authority: self.authority.clone(),
            path: self.path.clone(),
            parameters: Vec::new(),
        }
    }

    /// Where it leads; `None` for a template that begins with its path.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The path, which holds the secret key.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The query for `event`: each macro replaced by its value as [`Event::spelling`] writes it, a
    /// missing value by nothing. With [`Spelling::RawLatin1`] each character is to be sent as one
    /// byte.
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
                Value::Text(text) => Some(format!("{name}={}", encode(&text, event.spelling))),
                Value::RawPlus(text) => {
                    let text = encode(&text, event.spelling);
                    Some(format!("{name}={}", text.replace("%2B", "+")))
                }
                Value::Absent => None,
            },
        }
    }
}

fn encode(value: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::Careful => utf8_percent_encode(value, IN_VALUE).to_string(),
        Spelling::Raw => value.chars().map(|c| raw(c, char::MAX)).collect(),
        Spelling::RawLatin1 => value.chars().map(|c| raw(c, '\u{ff}')).collect(),
    }
}

/// One character as a careless sender writes it; those above `last` are percent-encoded.
fn raw(character: char, last: char) -> String {
    let mut bytes = [0; 4];
    let text: &str = character.encode_utf8(&mut bytes);
    match (character.is_ascii(), character <= last) {
        (true, _) => utf8_percent_encode(text, IN_RAW_VALUE).to_string(),
        (false, true) => text.to_owned(),
        (false, false) => utf8_percent_encode(text, IN_VALUE).to_string(),
    }
}

fn parameter(text: &str) -> Parameter {
    let filled = text.split_once('=').and_then(|(name, value)| {
        // As copied out of a browser, or out of the network's own pages: `%3Cu1%3E`.
        let value = percent_decode_str(value).decode_utf8().ok()?;
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

/// Where a URL leads, and what stands behind it.
fn split(url: &str) -> Result<(Option<Authority>, &str), TemplateError> {
    if url.starts_with('/') {
        return Ok((None, url));
    }
    let (is_secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(TemplateError::NotAUrl),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    if end == 0 {
        return Err(TemplateError::NotAUrl);
    }
    let (authority, target) = rest.split_at(end);
    let default_port = if is_secure { 443 } else { 80 };
    let (host, port) = host_and_port(authority, default_port).ok_or(TemplateError::Authority)?;
    let authority = Authority {
        is_secure,
        host,
        port,
    };
    Ok((Some(authority), target))
}

fn host_and_port(authority: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (
                host,
                if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':')?)
                },
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    (!host.is_empty() && host.chars().all(fit)).then(|| (host.to_owned(), port))
}

impl Authority {
    /// Where a URL leads, and its target (path and query) as it stands there.
    ///
    /// # Errors
    /// When the text is no http URL with a host, or has a fragment.
    pub fn of_url(url: &str) -> Result<(Self, String), TemplateError> {
        if url.contains('#') {
            return Err(TemplateError::Fragment);
        }
        match split(url)? {
            (Some(authority), target) if target.starts_with('/') => {
                Ok((authority, target.to_owned()))
            }
            (Some(authority), query) => Ok((authority, format!("/{query}"))),
            (None, _) => Err(TemplateError::NotAUrl),
        }
    }

    /// As it stands in a request's `host`: without the port where that is the usual one.
    #[must_use]
    pub fn host_field(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.is_secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
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
    fn escaped_macros_are_filled_as_well() {
        let template =
            Template::parse("/p?id=%3Cu1%3E&a=%3csale%5Famount%3e&b=%3Cno_such%3E&c=%3Cu1&d=%FF")
                .unwrap();
        assert_eq!(
            template.query(&event()),
            "id=clk0001&a=180&b=%3Cno_such%3E&c=%3Cu1&d=%FF"
        );
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
    fn a_careless_sender_leaves_raw_what_makes_no_other_parameter() {
        let template = Template::parse("/p?a=<product_name>&b=<order_id>").unwrap();
        let spelt = |spelling, name: &str| {
            template.query(&Event {
                product_name: name.to_owned(),
                order_id: "7".to_owned(),
                spelling,
                ..event()
            })
        };
        let name = "Crème #4 \"C++\" 50% & 炊";
        let raw = "a=Crème #4 \"C%2B%2B\" 50%25 %26 炊&b=7";
        assert_eq!(spelt(Spelling::Raw, name), raw);
        let latin1 = raw.replace('炊', "%E7%82%8A");
        assert_eq!(spelt(Spelling::RawLatin1, name), latin1);
    }

    #[test]
    fn a_url_is_taken_apart() {
        let cases = [
            ("http://h", Ok("/")),
            ("http://h/p/q?a=b/c", Ok("/p/q?a=b/c")),
            ("http://h?a=b", Ok("/?a=b")),
            ("/p", Err(TemplateError::NotAUrl)),
            ("ftp://h/p", Err(TemplateError::NotAUrl)),
            ("http:///p", Err(TemplateError::NotAUrl)),
            ("http://h/p#q", Err(TemplateError::Fragment)),
        ];
        for (url, expected) in cases {
            let found = Authority::of_url(url).map(|(_, target)| target);
            assert_eq!(found, expected.map(str::to_owned), "{url}");
        }
    }

    #[test]
    fn knows_where_it_leads() {
        let cases = [
            ("http://h/p", Some((false, "h", 80, "h"))),
            (
                "https://pb.example.com?a=1",
                Some((true, "pb.example.com", 443, "pb.example.com")),
            ),
            (
                "http://127.0.0.1:8080/p",
                Some((false, "127.0.0.1", 8080, "127.0.0.1:8080")),
            ),
            ("https://[::1]:80/p", Some((true, "::1", 80, "[::1]:80"))),
            ("/p", None),
        ];
        for (url, expected) in cases {
            let template = Template::parse(url).unwrap();
            let found = template.authority();
            let field = found.map(Authority::host_field);
            let found = found.map(|a| (a.is_secure, a.host.as_str(), a.port));
            assert_eq!(found, expected.map(|(s, h, p, _)| (s, h, p)), "{url}");
            assert_eq!(field.as_deref(), expected.map(|e| e.3), "{url}");
        }
        for url in [
            "http://h:x/p",
            "http://h:70000/p",
            "http://a b/p",
            "http://[zz]/p",
            "http://u@h/p",
        ] {
            assert_eq!(Template::parse(url), Err(TemplateError::Authority), "{url}");
        }
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
