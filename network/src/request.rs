//! Requests as the network wants them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postback_common::config::{ApiSettings, TokenAuth};
use postback_common::secret::Secret;

use crate::error::Trouble;

/// What need not be escaped in a form or query (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A request that carries a token.
pub(crate) fn with_token(
    settings: &ApiSettings,
    (method, path): (&Method, &str),
    body: Option<&Secret>,
    token: &Secret,
) -> Result<Request<Full<Bytes>>, Trouble> {
    let bearer = Secret::new(format!("Bearer {}", token.expose()));
    let body = body.map(|body| ("application/json", body));
    build(settings, (method, path), body, Some(&bearer))
}

/// The request for a token (RFC 6749, section 4.4).
pub(crate) fn for_token(settings: &ApiSettings) -> Result<Request<Full<Bytes>>, Trouble> {
    let (id, secret) = (settings.client_id.expose(), settings.client_secret.expose());
    let scope = escaped(&settings.scope);
    let form = format!("grant_type=client_credentials&scope={scope}");
    let (form, authorization) = match settings.token_auth {
        TokenAuth::Form => {
            let (id, secret) = (escaped(id), escaped(secret));
            let form = format!("{form}&client_id={id}&client_secret={secret}");
            (form, None)
        }
        TokenAuth::Basic => {
            let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
            (form, Some(Secret::new(basic)))
        }
    };
    let form = Secret::new(form);
    let body = Some(("application/x-www-form-urlencoded", &form));
    let to = (&Method::POST, settings.token_path.as_str());
    build(settings, to, body, authorization.as_ref())
}

fn build(
    settings: &ApiSettings,
    (method, path): (&Method, &str),
    body: Option<(&'static str, &Secret)>,
    authorization: Option<&Secret>,
) -> Result<Request<Full<Bytes>>, Trouble> {
    let cannot = |what: &str| Trouble::Setup(format!("{what} cannot be part of a request"));
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", settings.base_url))
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("postback/", env!("CARGO_PKG_VERSION")));
    if let Some(authorization) = authorization {
        let mut value = HeaderValue::from_str(authorization.expose())
            .map_err(|_| cannot("client_id, client_secret or a token"))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    if let Some((content_type, _)) = body {
        request = request.header(CONTENT_TYPE, content_type);
    }
    let text = body.map_or_else(String::new, |(_, text)| text.expose().to_owned());
    request
        .body(Full::from(text))
        .map_err(|_| cannot("base_url or a path of [source.api]"))
}
