//! One request and its whole answer, bounded in time and length.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use postback_common::causes::with_causes;

use crate::error::Trouble;

/// Bounds of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Connecting and the whole answer.
    pub(crate) within: Duration,
    /// Of its body, in bytes.
    pub(crate) longest: usize,
}

/// A host that is away may swallow packets; the operating system would wait two minutes.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// HTTP by TLS, or without it where the URL says so. Cloning shares its connections.
#[derive(Clone)]
pub(crate) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// Where `is_secure` and this machine has no root certificates.
    pub(crate) fn new(is_secure: bool) -> Result<Self, Trouble> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        connector.enforce_http(false);
        let provider = rustls::crypto::ring::default_provider();
        let builder = HttpsConnectorBuilder::new();
        // Root certificates are read only where they are needed: a container may have none.
        let builder = if is_secure {
            builder.with_provider_and_native_roots(provider)
        } else {
            let none = rustls::RootCertStore::empty();
            let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(provider))
                .with_safe_default_protocol_versions()
                .map_err(|error| Trouble::Setup(error.to_string()))?
                .with_root_certificates(none)
                .with_no_client_auth();
            Ok(builder.with_tls_config(config))
        };
        let builder = builder.map_err(|error| Trouble::Setup(error.to_string()))?;
        let connector = builder
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let mut client = Client::builder(TokioExecutor::new());
        client
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20));
        Ok(Self(client.build(connector)))
    }

    /// The whole answer of a 2xx.
    pub(crate) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        bounds: Bounds,
    ) -> Result<Bytes, Trouble> {
        let Bounds { within, longest } = bounds;
        let asked = async {
            let answer = self.0.request(request).await;
            let answer = answer.map_err(|error| Trouble::Unreachable(with_causes(&error)))?;
            read(answer, longest).await
        };
        let answered = tokio::time::timeout(within, asked).await;
        answered.unwrap_or(Err(Trouble::TimedOut(within)))
    }
}

async fn read(answer: Response<hyper::body::Incoming>, longest: usize) -> Result<Bytes, Trouble> {
    let (head, body) = answer.into_parts();
    if let Some(trouble) = judge(head.status, &head.headers, Timestamp::now()) {
        return Err(trouble);
    }
    match Limited::new(body, longest).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Trouble::TooLong(longest)),
        Err(error) => {
            let words = with_causes(error.as_ref());
            Err(Trouble::Unreadable(format!("it was cut off: {words}")))
        }
    }
}

/// What a status other than 2xx means.
fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Trouble> {
    Some(match status.as_u16() {
        200..=299 => return None,
        401 => Trouble::Unauthorized,
        403 => Trouble::Forbidden,
        404 => Trouble::NotFound,
        409 => Trouble::Conflict,
        429 => Trouble::TooManyRequests {
            retry_after: retry_after(headers, now),
        },
        // The request came too slowly, or too early: nothing of it was done.
        code @ (408 | 425 | 500..=599) => Trouble::Server {
            status: code,
            retry_after: retry_after(headers, now),
        },
        code @ 400..=499 => Trouble::Refused(code),
        other => Trouble::Redirected(other),
    })
}

/// Seconds, or a date (RFC 9110, section 10.2.3). A date in the past is now.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(now.duration_until(at).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now).map(|pause| pause.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Tue, 01 Sep 2026 10:00:30 GMT"), Some(30));
        assert_eq!(read("Tue, 01 Sep 2026 09:00:00 GMT"), Some(0));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn every_status_means_something() {
        let headers = HeaderMap::new();
        let means = |status| {
            judge(
                StatusCode::from_u16(status).unwrap(),
                &headers,
                Timestamp::UNIX_EPOCH,
            )
        };
        assert_eq!(means(204), None);
        assert_eq!(means(302), Some(Trouble::Redirected(302)));
        assert_eq!(means(400), Some(Trouble::Refused(400)));
        let server = |status| Trouble::Server {
            status,
            retry_after: None,
        };
        assert_eq!(means(408), Some(server(408)));
        assert_eq!(means(503), Some(server(503)));
        assert_eq!(
            means(429),
            Some(Trouble::TooManyRequests { retry_after: None })
        );
    }
}
