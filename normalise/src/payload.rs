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
    let content_type = record.content_type.as_deref().unwrap_or_default();
    match form_of(content_type, body, rules) {
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

/// The objects of a body that is an array of them; `None` for any other body.
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

/// What the content type says where it says one of the two; otherwise what the body looks like.
/// `None` where the network sends no such body.
fn form_of(content_type: &str, body: &[u8], rules: &PayloadRules) -> Option<BodyForm> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let form = match essence.as_str() {
        "application/x-www-form-urlencoded" => BodyForm::Form,
        "application/json" | "text/json" => BodyForm::Json,
        other if other.ends_with("+json") => BodyForm::Json,
        other if other.starts_with("multipart/") => return None,
        _ if body.trim_ascii_start().starts_with(b"{") => BodyForm::Json,
        _ if rules.array && body.trim_ascii_start().starts_with(b"[") => BodyForm::Json,
        _ => BodyForm::Form,
    };
    rules.bodies.contains(&form).then_some(form)
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
