//! Where a request's parameters stand: in its query, and in a body that its network sends.
//!
//! The query comes first, then the body, each in its own order; of a parameter that comes in both
//! the query's counts, and the body's is kept as a repeat. The members of a JSON object that a form
//! field holds take the field's place; of several such fields those of the first, and the others are
//! kept as they came.

use std::borrow::Cow;

use postback_common::reason::Flag;
use postback_common::record::{Payload, RawRecord};

use serde_json::value::RawValue;

use crate::decode::{self, Decoded, shown_lossily};
use crate::json::{self, NoObject};
use crate::profile::{BodyForm, PayloadRules};

/// All parameters of a request, and what was wrong with them.
pub(crate) fn read<'a>(record: &'a RawRecord<'_>, rules: &PayloadRules) -> Decoded<'a> {
    let mut decoded = decode::decode_payload(&record.query);
    let body = record.body.as_ref().map(Payload::as_bytes);
    let Some(body) = body.filter(|body| !body.is_empty()) else {
        return decoded;
    };
    match form_of(record, body, rules) {
        Some(BodyForm::Form) => read_form(body, rules, &mut decoded),
        Some(BodyForm::Json) => read_json(body, &mut decoded),
        None => decoded.faults.push(Flag::UnreadBody),
    }
    decoded
}

/// What the network's API said of one transaction: a JSON object, whatever its pushes look like.
pub(crate) fn read_pulled<'a>(record: &'a RawRecord<'_>) -> Decoded<'a> {
    let mut decoded = decode::decode_payload(&record.query);
    if let Some(body) = &record.body {
        read_json(body.as_bytes(), &mut decoded);
    }
    decoded
}

/// The objects of a body that is an array of them; `None` for any other body, and for one that is said
/// to be something else.
pub(crate) fn elements<'a>(
    record: &'a RawRecord<'_>,
    rules: &PayloadRules,
) -> Option<Vec<&'a RawValue>> {
    let body = record.body.as_ref().filter(|_| rules.array)?.as_bytes();
    let text = str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.trim_ascii_start().starts_with('[') {
        return None;
    }
    if told(record) == Told::Another {
        return None;
    }
    serde_json::from_str(text)
        .ok()
        .filter(|elements: &Vec<_>| !elements.is_empty())
}

/// All parameters of one element of a body, behind those of the query.
pub(crate) fn read_element<'a>(record: &'a RawRecord<'_>, element: &'a RawValue) -> Decoded<'a> {
    let mut decoded = decode::decode_payload(&record.query);
    if json::read(element.get(), &mut decoded) == Err(NoObject) {
        decoded.faults.push(Flag::UnreadableBody);
    }
    decoded
}

/// What the content type says, and only where it says nothing what the body looks like. `None` where
/// the network sends no such body.
fn form_of(record: &RawRecord<'_>, body: &[u8], rules: &PayloadRules) -> Option<BodyForm> {
    let form = match told(record) {
        // Whose JSON may be an array is a program of one's own, and as [`elements`] are, an object
        // is JSON whatever its library says: curl says form, and no form begins so.
        Told::One(BodyForm::Form) if rules.array && beginning(body) == Some(b'{') => BodyForm::Json,
        Told::One(form) => form,
        Told::Nothing => looks_like(body, rules)?,
        Told::Another => return None,
    };
    rules.bodies.contains(&form).then_some(form)
}

/// The first byte that says something.
fn beginning(body: &[u8]) -> Option<u8> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    text.trim_ascii_start().first().copied()
}

fn looks_like(body: &[u8], rules: &PayloadRules) -> Option<BodyForm> {
    match beginning(body) {
        Some(b'{') => Some(BodyForm::Json),
        Some(b'[') if rules.array => Some(BodyForm::Json),
        // XML, HTML: what stands in one of its links is no form.
        Some(b'<') => None,
        _ => Some(BodyForm::Form),
    }
}

/// What a content type says of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    One(BodyForm),
    /// None, one that says nothing, or no content type at all.
    Nothing,
    /// Something that is neither of the two.
    Another,
}

/// Content types that senders put where they have none.
const VAGUE: [&str; 6] = [
    "text/plain",
    "application/octet-stream",
    "application/x-octet-stream",
    "binary/octet-stream",
    "application/unknown",
    "content/unknown",
];

fn told(record: &RawRecord<'_>) -> Told {
    let sent = record.content_type.as_deref().unwrap_or_default().trim();
    // Senders forget the semicolon before `charset`, and proxies join two headers by a comma.
    let ends = |c: char| c == ';' || c == ',' || c.is_whitespace();
    let essence = sent.split(ends).next().unwrap_or_default();
    let is = |known: &str| essence.eq_ignore_ascii_case(known);
    if is("application/x-www-form-urlencoded") {
        return Told::One(BodyForm::Form);
    }
    if is("application/json") {
        return Told::One(BodyForm::Json);
    }
    let essence = essence.to_ascii_lowercase();
    match essence.as_str() {
        "text/json" | "application/x-json" | "text/x-json" => Told::One(BodyForm::Json),
        other if other.ends_with("+json") => Told::One(BodyForm::Json),
        other if VAGUE.contains(&other) || !is_content_type(other) => Told::Nothing,
        // A form by a misspelt name.
        other if other.ends_with("urlencoded") => Told::Nothing,
        _ => Told::Another,
    }
}

/// `type/subtype`, and no wildcard. A word alone (`json`, `utf-8`) is none.
fn is_content_type(text: &str) -> bool {
    let is_name = |name: &str| {
        let can_stand = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !name.is_empty() && name.bytes().all(can_stand)
    };
    let parts = text.split_once('/');
    parts.is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

fn read_form<'a>(body: &'a [u8], rules: &PayloadRules, decoded: &mut Decoded<'a>) {
    let of_query = decoded.pairs.len();
    // Forms end with a line break where a person wrote them.
    decoded.read(body.trim_ascii_end());
    let Some(field) = &rules.json_field else {
        return;
    };
    let mut fields = decoded.pairs[of_query..].iter();
    let Some(at) = fields.position(|pair| pair.name == *field) else {
        return;
    };
    let held = decoded.pairs.remove(of_query + at);
    let behind = decoded.pairs.split_off(of_query + at);
    if behind.iter().any(|pair| pair.name == *field) {
        decoded.faults.push(Flag::RepeatedParameter);
    }
    let read = match &held.value {
        Cow::Borrowed(text) => json::read(text, decoded),
        Cow::Owned(text) => json::read_copied(text, decoded),
    };
    if read == Err(NoObject) {
        decoded.faults.push(Flag::UnreadableBody);
        decoded.pairs.push(held);
    }
    decoded.pairs.extend(behind);
}

fn read_json<'a>(body: &'a [u8], decoded: &mut Decoded<'a>) {
    let read = match str::from_utf8(body) {
        Ok(text) => json::read(text, decoded),
        Err(_) => {
            decoded.faults.push(Flag::InvalidUtf8);
            json::read_copied(&shown_lossily(body), decoded)
        }
    };
    if read == Err(NoObject) {
        decoded.faults.push(Flag::UnreadableBody);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use postback_common::record::Via;
    use uuid::Uuid;

    use super::*;
    use crate::profile;

    fn posted<'a>(content_type: Option<&'a str>, body: &'a [u8]) -> RawRecord<'a> {
        RawRecord {
            id: Uuid::from_u128(7),
            source: "s".into(),
            key: None,
            received_at: Timestamp::UNIX_EPOCH,
            method: "POST".into(),
            query: Payload::of(b"pbt=1"),
            content_type: content_type.map(Into::into),
            body: Some(Payload::of(body)),
            remote: None,
            headers: Vec::new(),
            via: Via::Http,
        }
    }

    /// The value of `a`, or nothing where the body is left unread.
    fn read_of(content_type: Option<&str>, body: &str) -> Option<String> {
        let rules = &profile::builtin("impact").unwrap().payload;
        let record = posted(content_type, body.as_bytes());
        let decoded = read(&record, rules);
        let value = decoded.pairs.iter().find(|pair| pair.name == "a");
        let value = value.map(|pair| pair.value.to_string());
        let is_unread = decoded.faults == [Flag::UnreadBody];
        assert_eq!(value.is_none(), is_unread, "{content_type:?} {body}");
        value
    }

    #[test]
    fn the_content_type_decides_and_only_without_one_the_look_of_the_body() {
        const FORM: &str = "a=form&b=1";
        const JSON: &str = " {\"a\": \"json\"}";
        let form = [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
            "application/x-www-form-urlencoded charset=utf-8",
        ];
        for told in form {
            assert_eq!(read_of(Some(told), FORM).as_deref(), Some("form"), "{told}");
        }
        let json = [
            "application/json",
            "APPLICATION/JSON;charset=utf-8",
            "application/json, application/json",
            "text/json",
            "application/x-json",
            "application/vnd.network.v2+json; q=1",
        ];
        for told in json {
            assert_eq!(read_of(Some(told), JSON).as_deref(), Some("json"), "{told}");
        }
        let vague = [
            "",
            " ",
            "text/plain",
            "Text/Plain; charset=us-ascii",
            "application/octet-stream",
            "binary/octet-stream",
            "*/*",
            "application/*",
            "json",
            "utf-8",
            "/",
            "application/",
            "; charset=utf-8",
            "Content-Type: application/json",
            "\"application/json\"",
            "application/form-urlencoded",
        ];
        for told in vague.map(Some).into_iter().chain([None]) {
            let read = |body| read_of(told, body);
            assert_eq!(read(FORM).as_deref(), Some("form"), "{told:?}");
            assert_eq!(read(JSON).as_deref(), Some("json"), "{told:?}");
            let xml = "<?xml version=\"1.0\"?><a href=\"x?q=1&a=2&SubId1=c\">t</a>";
            assert_eq!(read(xml), None, "{told:?}");
        }
        let others = [
            "application/xml",
            "text/xml; charset=utf-8",
            "text/html",
            "text/csv",
            "image/png",
            "application/pdf",
            "application/x-ndjson",
            "application/javascript",
            "application/soap+xml",
            "multipart/form-data; boundary=x",
        ];
        for told in others {
            assert_eq!(read_of(Some(told), FORM), None, "{told}");
            assert_eq!(read_of(Some(told), JSON), None, "{told}");
            let xml = "<?xml version=\"1.0\"?><a href=\"x?q=1&a=2&SubId1=c\">t</a>";
            assert_eq!(read_of(Some(told), xml), None, "{told}");
        }
    }

    #[test]
    fn an_object_where_an_array_may_come_is_json_though_it_is_said_to_be_a_form() {
        let of = |network: &str, told: Option<&str>, body: &str| {
            let rules = &profile::builtin(network).unwrap().payload;
            form_of(&posted(told, b""), body.as_bytes(), rules)
        };
        let form = Some("application/x-www-form-urlencoded");
        let (json, mark) = (" {\"a\":1}", "\u{feff}{\"a\":1}");
        for told in [None, Some("text/plain"), Some("application/json"), form] {
            for body in [json, mark] {
                assert_eq!(of("orders", told, body), Some(BodyForm::Json), "{told:?}");
            }
        }
        for told in [None, form] {
            assert_eq!(of("orders", told, "a=1&b={}"), Some(BodyForm::Form));
        }
        // A network says what it sends.
        assert_eq!(of("impact", form, json), Some(BodyForm::Form));
        assert_eq!(of("impact", None, mark), Some(BodyForm::Json));
        assert_eq!(of("impact", None, "\u{feff}<a>"), None);
        assert_eq!(of("orders", Some("application/xml"), json), None);
    }

    #[test]
    fn an_array_that_is_said_to_be_something_else_is_none() {
        let rules = &profile::builtin("orders").unwrap().payload;
        let found = |told: Option<&str>| {
            let record = posted(told, b"[{\"a\":1},{\"a\":2}]");
            elements(&record, rules).map_or(0, |elements| elements.len())
        };
        // Programs of the shop's own that say nothing are told to be a form by their libraries.
        for told in [
            None,
            Some("application/json"),
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
        ] {
            assert_eq!(found(told), 2, "{told:?}");
        }
        for told in ["application/xml", "image/png", "multipart/form-data"] {
            assert_eq!(found(Some(told)), 0, "{told}");
        }
    }
}
