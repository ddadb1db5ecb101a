//! One GET on a connection of its own, timed as the network times it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use postback_common::causes::with_causes;
use postback_common::secret::Secret;

use super::ProbeError;

/// Ingest answers with a few bytes, a proxy's page of an error with some thousand.
const LONGEST: usize = 64 * 1024;

/// Begins with connecting: a network has no connection open either, as far as is known. Whatever
/// address the name has is asked, a private one as well: it is one's own URL.
pub(super) async fn knock(
    url: &Secret,
    authorization: Option<&Secret>,
    within: Duration,
) -> Result<Duration, ProbeError> {
    let uri: Uri = url.expose().parse().map_err(|_| ProbeError::Url)?;
    let is_secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(ProbeError::Url),
    };
    let request = request(uri, authorization)?;
    // Reading the certificates is no part of the answer's time.
    let client = client(is_secure)?;
    let begun = Instant::now();
    let asked = async {
        let answer = client.request(request).await.map_err(|error| {
            let words = with_causes(&error);
            if error.is_connect() {
                ProbeError::Connect(words)
            } else {
                ProbeError::Lost(words)
            }
        })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        body.map_err(|error| ProbeError::Lost(error.to_string()))?;
        if status.is_success() {
            Ok(begun.elapsed())
        } else {
            Err(ProbeError::Status(status.as_u16()))
        }
    };
    let answered = tokio::time::timeout(within, asked).await;
    answered.unwrap_or(Err(ProbeError::Late(within)))
}

fn request(uri: Uri, authorization: Option<&Secret>) -> Result<Request<Empty<Bytes>>, ProbeError> {
    let agent = concat!("postback/", env!("CARGO_PKG_VERSION"));
    let mut request = Request::get(uri).header(USER_AGENT, agent);
    if let Some(authorization) = authorization {
        let value = HeaderValue::from_str(authorization.expose());
        let mut value = value.map_err(|_| ProbeError::Password)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Empty::new()).map_err(|_| ProbeError::Url)
}

type Https = hyper_rustls::HttpsConnector<HttpConnector>;

fn client(is_secure: bool) -> Result<Client<Https, Empty<Bytes>>, ProbeError> {
    let setup = |error: &dyn std::fmt::Display| ProbeError::Setup(error.to_string());
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let provider = rustls::crypto::ring::default_provider();
    let builder = HttpsConnectorBuilder::new();
    // Root certificates are read only where they are needed: a container may have none.
    let builder = if is_secure {
        let builder = builder.with_provider_and_native_roots(provider);
        builder.map_err(|error| setup(&error))?
    } else {
        let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(&error))?;
        let roots = rustls::RootCertStore::empty();
        builder.with_tls_config(config.with_root_certificates(roots).with_no_client_auth())
    };
    let connector = builder
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_max_idle_per_host(0);
    Ok(client.build(connector))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Far beyond what a busy machine takes.
    const GENEROUS: Duration = Duration::from_secs(60);

    /// Answers one request, and gives it back.
    async fn endpoint(answer: &'static str) -> (Secret, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        let url = format!("http://127.0.0.1:{port}/postback/CANARY?a=1");
        (Secret::new(url), served)
    }

    #[tokio::test]
    async fn a_2xx_is_an_answer_and_the_request_a_networks() {
        let (url, served) = endpoint("HTTP/1.1 204 No Content\r\n\r\n").await;
        let password = Secret::new("Basic dTpw");
        let took = knock(&url, Some(&password), GENEROUS).await.unwrap();
        assert!(took < GENEROUS);
        let request = served.await.unwrap();
        assert!(request.starts_with("GET /postback/CANARY?a=1 HTTP/1.1\r\n"));
        assert!(request.contains("authorization: Basic dTpw\r\n"));
    }

    #[tokio::test]
    async fn everything_else_is_none_and_no_word_shows_the_key() {
        for (answer, expected) in [
            (
                "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",
                "server_error",
            ),
            (
                "HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",
                "refused",
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nOK", "lost"),
            ("", "lost"),
        ] {
            let (url, served) = endpoint(answer).await;
            let error = knock(&url, None, GENEROUS).await.unwrap_err();
            assert_eq!(error.as_str(), expected, "{answer}");
            assert!(!format!("{error} {error:?}").contains("CANARY"));
            served.await.unwrap();
        }
        // A port that was free a moment ago.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        for (url, expected) in [
            (format!("http://127.0.0.1:{port}/CANARY"), "connect"),
            ("ftp://h/CANARY".to_owned(), "url"),
            ("CANARY".to_owned(), "url"),
            ("http://h/CANARY?a=<u1>".to_owned(), "url"),
        ] {
            let error = knock(&Secret::new(&url), None, GENEROUS).await.unwrap_err();
            assert_eq!(error.as_str(), expected, "{url}");
            assert!(!format!("{error:?}").contains("/CANARY"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_takes_its_time_is_late() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = Secret::new(format!("http://127.0.0.1:{port}/CANARY"));
        let within = Duration::from_millis(100);
        let error = knock(&url, None, within).await.unwrap_err();
        assert_eq!(error, ProbeError::Late(within));
    }
}
