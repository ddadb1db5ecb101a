//! What a test postback consists of, as its network sends it.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postback_normalise::decode;
use postback_normalise::profile::{BodyForm, Method};

use super::values::Values;

/// A request without its path.
#[derive(Debug)]
pub struct Content {
    /// How it is sent.
    pub method: Method,
    /// Everything behind the `?`; empty: no `?` either.
    pub query: String,
    /// None with a GET.
    pub body: Option<Body>,
}

/// What a request carries.
#[derive(Debug)]
pub struct Body {
    /// Its media type.
    pub content_type: &'static str,
    /// In its form.
    pub text: String,
}

impl Content {
    /// A GET where the network sends some, as it would fill the registered URL. Otherwise a POST:
    /// with a body as the network writes it, unless the URL's macros stand in its query.
    #[must_use]
    pub fn of(values: &Values<'_>) -> Self {
        let registered = values.registered;
        let has_macros = registered.is_some_and(|query| has_macros(query, values));
        let profile = values.profile;
        if profile.methods.contains(&Method::Get) {
            return Self {
                method: Method::Get,
                query: values.query(),
                body: None,
            };
        }
        if !profile.reads_bodies() || has_macros {
            return Self {
                method: Method::Post,
                query: values.query(),
                body: Some(Body {
                    content_type: FORM,
                    text: String::new(),
                }),
            };
        }
        Self {
            method: Method::Post,
            query: registered.unwrap_or_default().to_owned(),
            body: Some(body(values)),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn has_macros(query: &str, values: &Values<'_>) -> bool {
    let decoded = decode::decode(query.as_bytes());
    let mut sent = decoded.pairs.iter();
    sent.any(|pair| values.profile.macro_style.name_in(&pair.value).is_some())
}

/// Every field under the network's own name.
fn body(values: &Values<'_>) -> Body {
    let rules = &values.profile.payload;
    let names = values.profile.parameters.iter().map(|known| &known.name);
    let fields = names.map(|name| (name, values.value(name)));
    let json = || {
        let member = |(name, value): (&String, String)| (name.clone(), value.into());
        serde_json::Value::Object(fields.clone().map(member).collect()).to_string()
    };
    let pair = |name: &str, value: &str| {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        format!("{}={}", encode(name), encode(value))
    };
    match (rules.bodies.first(), &rules.json_field) {
        (Some(BodyForm::Json), _) => Body {
            content_type: "application/json",
            text: json(),
        },
        (_, Some(field)) => Body {
            content_type: FORM,
            text: pair(field, &json()),
        },
        (_, None) => Body {
            content_type: FORM,
            text: (fields.clone().map(|(name, value)| pair(name, &value)))
                .collect::<Vec<_>>()
                .join("&"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use postback_common::config;
    use postback_common::record::{Payload, RawRecord, Via};
    use postback_normalise::profile::{self, Profile};
    use postback_normalise::{Outcome, SourceDescription, SourceRules, normalise};
    use uuid::Uuid;

    use super::*;

    /// The test of a source of that network, with these lines, and what becomes of it.
    fn sent(profile: &Profile, lines: &str) -> (Content, String) {
        let text = format!(
            "[kafka]\nbrokers = \"h:1\"\n[[source]]\nname = \"s\"\nnetwork = \"{}\"\npublisher_id = \"P-7\"\n\
             [[source.key]]\nkey = \"CANARY-0123456789abcdef\"\n{lines}",
            profile.network
        );
        let settings = config::read(Path::new("t"), &text, []).unwrap();
        let source = &settings.sources[0];
        let values = Values {
            source,
            profile,
            registered: source.newest_query(),
            mark: "0123abcd",
            now: "2026-03-01T12:30:00Z".parse().unwrap(),
            is_transaction: false,
            chosen: &BTreeMap::new(),
        };
        let content = Content::of(&values);
        let body = content.body.as_ref();
        let record = RawRecord {
            id: Uuid::from_u128(1),
            source: "s".into(),
            key: None,
            received_at: values.now,
            method: content.method.as_str().into(),
            query: Payload::of(content.query.as_bytes()),
            content_type: body.map(|body| body.content_type.into()),
            body: body.map(|body| Payload::of(body.text.as_bytes())),
            remote: None,
            headers: Vec::new(),
            via: Via::Http,
        };
        let templates = source
            .newest_query()
            .map(|query| postback_normalise::Template::of_query(query, profile));
        let rules = SourceRules::new(SourceDescription {
            source: source.name.clone(),
            account: source.account.clone(),
            profile: profile.clone().into(),
            currency: None,
            zone: None,
            publisher_id: source.publisher_id.clone(),
            templates: templates
                .into_iter()
                .map(|read| read.unwrap().into())
                .collect(),
            identity: None,
            key_day_rule: None,
        });
        let understood = match normalise(&record, &rules.unwrap()) {
            Outcome::Accepted(conversion) => format!(
                "{} of {} by {}",
                conversion.click_id, conversion.transaction_id, conversion.publisher_id
            ),
            other => format!("{other:?}"),
        };
        (content, understood)
    }

    fn by_post(network: &str, bodies: &[BodyForm]) -> Profile {
        let mut profile = (**profile::builtin(network).unwrap()).clone();
        profile.methods = vec![Method::Post];
        profile.payload.bodies = bodies.to_vec();
        profile
    }

    const UNDERSTOOD: &str = "test0123abcd of 7e577e577e577e577e577e570123abcd by P-7";

    #[test]
    fn a_network_that_posts_is_played_by_a_post_that_is_understood() {
        let form = by_post("impact", &[BodyForm::Form, BodyForm::Json]);
        let held = by_post("awin", &[BodyForm::Form]);
        let json = by_post("impact", &[BodyForm::Json]);
        for (profile, begin) in [
            (&form, "&"),
            (&held, "AwinTransactionPush=%7B%22"),
            (&json, "{\""),
        ] {
            let (content, understood) = sent(profile, "");
            let body = content.body.unwrap();
            assert_eq!((content.method, &*content.query), (Method::Post, ""));
            assert!(body.text.contains(begin), "{begin}: {}", body.text);
            assert_eq!(understood, UNDERSTOOD, "{begin}");
        }
    }

    #[test]
    fn macros_in_the_query_are_filled_there() {
        let template =
            |query: &str| format!("[[source.template]]\nurl = \"https://h/postback/K?{query}\"\n");
        let macros = template("c={SubId1}&t={ActionId}&p={MediaPartnerId}");
        let json = || by_post("impact", &[BodyForm::Json]);
        let (content, understood) = sent(&json(), &macros);
        assert!(
            content.query.starts_with("c=test0123abcd&t=7e57"),
            "{content:?}"
        );
        assert_eq!(
            (content.body.unwrap().text.as_str(), &*understood),
            ("", UNDERSTOOD)
        );

        // Static ones go with a body.
        let (content, understood) = sent(&json(), &template("cid=7"));
        assert_eq!((&*content.query, &*understood), ("cid=7", UNDERSTOOD));
        assert!(content.body.unwrap().text.starts_with('{'));

        let both = (**profile::builtin("impact").unwrap()).clone();
        let (content, understood) = sent(&both, &macros);
        assert_eq!((content.method, &*understood), (Method::Get, UNDERSTOOD));
        assert!(content.body.is_none());
    }
}
