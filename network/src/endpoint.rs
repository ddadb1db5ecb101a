//! The endpoint as the network has it registered.

use jiff::Timestamp;
use postback_common::config::FieldNames;
use postback_common::secret::Secret;
use serde_json::{Map, Value};

use crate::error::Trouble;

/// What the network has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL. It holds the URL key.
    pub url: Secret,
    /// False: the network sends nothing.
    pub is_active: bool,
    /// When it was set up, UTC, where the network says so in a form that can be read.
    pub created_at: Option<Timestamp>,
    /// When it was changed last, by whomever, UTC; as above.
    pub updated_at: Option<Timestamp>,
}

/// What is to be changed of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Another URL.
    pub url: Option<Secret>,
    /// On or off.
    pub is_active: Option<bool>,
}

impl Endpoint {
    /// Reads the network's JSON. No value of it is in an error: the URL holds the key.
    pub(crate) fn read(answer: &[u8], names: &FieldNames) -> Result<Self, Trouble> {
        let object: Map<String, Value> = serde_json::from_slice(answer)
            .map_err(|_| Trouble::Unreadable("it is no JSON object".to_owned()))?;
        let missing = |name: &str| Trouble::Unreadable(format!("it has no {name} as expected"));
        let time = |name: &String| object.get(name).and_then(Value::as_str)?.parse().ok();
        let url = object.get(&names.url).and_then(Value::as_str);
        let is_active = object.get(&names.is_active).and_then(is_true);
        Ok(Self {
            url: Secret::new(url.ok_or_else(|| missing(&names.url))?),
            is_active: is_active.ok_or_else(|| missing(&names.is_active))?,
            created_at: time(&names.created_at),
            updated_at: time(&names.updated_at),
        })
    }
}

impl Change {
    /// The network's JSON.
    pub(crate) fn to_json(&self, publisher_id: &str, names: &FieldNames) -> Secret {
        let mut object = Map::new();
        // A number where it looks like one, as the descriptions have it.
        let id = publisher_id
            .parse::<u64>()
            .map_or_else(|_| Value::from(publisher_id), Value::from);
        object.insert(names.publisher_id.clone(), id);
        if let Some(url) = &self.url {
            object.insert(names.url.clone(), Value::from(url.expose()));
        }
        if let Some(is_active) = self.is_active {
            object.insert(names.is_active.clone(), Value::from(is_active));
        }
        Secret::new(Value::Object(object).to_string())
    }
}

/// Networks write it as a truth value, as 0 and 1, or as text.
fn is_true(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(is_true) => Some(*is_true),
        Value::Number(number) => match number.as_u64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "y" | "yes" | "active" | "enabled" => Some(true),
            "false" | "0" | "n" | "no" | "inactive" | "disabled" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> FieldNames {
        FieldNames {
            publisher_id: "sid".to_owned(),
            url: "url".to_owned(),
            is_active: "isActive".to_owned(),
            created_at: "createdAt".to_owned(),
            updated_at: "updatedAt".to_owned(),
        }
    }

    #[test]
    fn an_endpoint_is_read_in_any_spelling_of_on_and_off() {
        for (written, is_active) in [
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
            ("\"Y\"", true),
            ("\"Disabled\"", false),
        ] {
            let text = format!(
                r#"{{"sid":7,"url":"https://h/p/k","isActive":{written},"createdAt":"2026-03-14T18:28:18Z","updatedAt":"soon","more":[]}}"#
            );
            let read = Endpoint::read(text.as_bytes(), &names()).unwrap();
            let expected = Endpoint {
                url: Secret::new("https://h/p/k"),
                is_active,
                created_at: "2026-03-14T18:28:18Z".parse().ok(),
                updated_at: None,
            };
            assert_eq!(read, expected, "{written}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_without_showing_it() {
        for (text, expected) in [
            ("CANARY", "it is no JSON object"),
            (r#"["CANARY"]"#, "it is no JSON object"),
            (r#"{"url":"CANARY"}"#, "it has no isActive as expected"),
            (
                r#"{"url":"CANARY","isActive":"maybe"}"#,
                "it has no isActive as expected",
            ),
            (
                r#"{"url":["CANARY"],"isActive":true}"#,
                "it has no url as expected",
            ),
        ] {
            let refused = Endpoint::read(text.as_bytes(), &names()).err();
            assert_eq!(refused, Some(Trouble::Unreadable(expected.to_owned())));
        }
    }

    #[test]
    fn a_change_says_only_what_changes() {
        let json = |id, change: Change| change.to_json(id, &names()).expose().to_owned();
        let off = Change {
            is_active: Some(false),
            ..Change::default()
        };
        assert_eq!(json("3817122", off), r#"{"isActive":false,"sid":3817122}"#);
        let moved = Change {
            url: Some(Secret::new("https://h/p?a=<u1>")),
            ..Change::default()
        };
        assert_eq!(
            json("eu-7", moved),
            r#"{"sid":"eu-7","url":"https://h/p?a=<u1>"}"#
        );
    }
}
