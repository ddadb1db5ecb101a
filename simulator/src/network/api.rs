//! The HTTP API: `POST /token`, `/v1/postback`, `GET /events/1.0/transactions`.
//!
//! Paths and names are those that third parties describe; docs/simulator.md says which.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::conduct::ApiTrouble;
use super::endpoint::EndpointError;
use super::transactions::Question;
use super::visit::{Sent, Visit};
use super::{Network, State};

/// No request of this API is longer.
const LONGEST_BODY: usize = 64 * 1024;

/// Where they are asked for.
const TRANSACTIONS: &str = "/events/1.0/transactions";

/// The network's API, listening.
#[derive(Debug)]
pub struct Api {
    listener: TcpListener,
}

/// A status, and the JSON or nothing that goes with it.
type Reply = (StatusCode, Option<Value>);

impl Api {
    /// Listens at `address`; port 0 takes any.
    ///
    /// # Errors
    /// When the address is not to be had.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Api { listener })
    }

    /// Its socket, to be served on another runtime.
    ///
    /// # Errors
    /// When the runtime does not let go of it.
    pub fn into_std(self) -> std::io::Result<std::net::TcpListener> {
        self.listener.into_std()
    }

    /// The reverse of [`Api::into_std`].
    ///
    /// # Errors
    /// When the runtime does not take it.
    pub fn from_std(listener: std::net::TcpListener) -> std::io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        Ok(Api { listener })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is dropped.
    pub async fn serve(self, network: Network) {
        loop {
            // A client that has gone before it was accepted is no fault of ours.
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            };
            let network = network.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| answer(request, network.clone()));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // However it ends, the client knows.
                drop(connection.await);
            });
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    network: Network,
) -> Result<Response<Sent>, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let visit = Visit::begin(&network, path == TRANSACTIONS);
    let body = Limited::new(body, LONGEST_BODY).collect().await;
    visit.pause().await;
    let reply = match (visit.refusal(), body) {
        (Some(status), _) => fault(status, "not now"),
        (None, Ok(body)) => {
            let asked = Asked {
                method: &parts.method,
                path,
                query: parts.uri.query().unwrap_or_default(),
                headers: &parts.headers,
                body: &body.to_bytes(),
                trouble: visit.trouble(),
            };
            asked.answer(&mut network.state())
        }
        (None, Err(_)) => fault(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too long or was cut off",
        ),
    };
    Ok(response(reply, visit.trouble()))
}

fn response((status, value): Reply, trouble: Option<ApiTrouble>) -> Response<Sent> {
    let text = value.map(|value| value.to_string()).unwrap_or_default();
    let body = match trouble {
        Some(ApiTrouble::Invalid) => Sent::whole("<html><body>Service busy</body></html>".into()),
        Some(ApiTrouble::Truncated) => Sent::half(text.into()),
        _ => Sent::whole(text.into()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// A whole request.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
    trouble: Option<ApiTrouble>,
}

impl Asked<'_> {
    fn answer(&self, state: &mut State) -> Reply {
        if self.path == "/token" {
            return self.token(state);
        }
        if let (Some(ApiTrouble::Unauthorized), Some(token)) = (self.trouble, self.token_sent()) {
            state.tokens.revoke(token);
        }
        if !self.is_authorised(state) {
            return fault(
                StatusCode::UNAUTHORIZED,
                "no valid bearer token: get one from POST /token",
            );
        }
        match (self.path, self.path.strip_prefix("/v1/postback/")) {
            ("/v1/postback", _) => self.set_up(state),
            (TRANSACTIONS, _) => self.transactions(state),
            (_, Some(sid)) if state.is_ours(sid) => self.endpoint(state),
            (_, Some(_)) => fault(
                StatusCode::NOT_FOUND,
                "no publisher of this network has this sid",
            ),
            _ => fault(StatusCode::NOT_FOUND, "there is nothing at this path"),
        }
    }

    fn token(&self, state: &mut State) -> Reply {
        if self.method != Method::POST {
            return not_allowed();
        }
        let credentials = &state.terms.credentials;
        let expected = format!("{}:{}", credentials.client_id, credentials.client_secret);
        if self.authorization("Basic ") != Some(STANDARD.encode(expected).as_str()) {
            return fault(
                StatusCode::UNAUTHORIZED,
                "client_id or client_secret is wrong",
            );
        }
        let form = String::from_utf8_lossy(self.body);
        let has = |name: &str, value: &str| {
            form.split('&')
                .any(|part| part.split_once('=') == Some((name, value)))
        };
        let scope = state.terms.publisher_id.to_string();
        if !has("grant_type", "client_credentials") || !has("scope", &scope) {
            return fault(
                StatusCode::BAD_REQUEST,
                "the form wants grant_type=client_credentials&scope=SID",
            );
        }
        let holds = state.moods.conduct.token_holds;
        match state.tokens.issue(holds, Instant::now()) {
            Ok(token) => (
                StatusCode::OK,
                Some(json!({
                    "access_token": token,
                    "token_type": "bearer",
                    "expires_in": holds.as_secs(),
                })),
            ),
            Err(error) => fault(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn set_up(&self, state: &mut State) -> Reply {
        if self.method != Method::POST {
            return not_allowed();
        }
        match self.json() {
            Ok(wanted) => told(StatusCode::CREATED, state.create(&wanted, Timestamp::now())),
            Err(reply) => reply,
        }
    }

    fn endpoint(&self, state: &mut State) -> Reply {
        let now = Timestamp::now();
        match *self.method {
            Method::GET => told(StatusCode::OK, state.show().ok_or(EndpointError::Missing)),
            Method::PUT => match self.json() {
                Ok(wanted) => told(StatusCode::OK, state.change(&wanted, now)),
                Err(reply) => reply,
            },
            Method::DELETE => match state.delete(now) {
                Ok(()) => (StatusCode::NO_CONTENT, None),
                Err(error) => told(StatusCode::OK, Err(error)),
            },
            _ => not_allowed(),
        }
    }

    fn transactions(&self, state: &mut State) -> Reply {
        if self.method != Method::GET {
            return not_allowed();
        }
        match Question::parse(self.query) {
            Ok(mut question) => {
                match self.trouble {
                    Some(ApiTrouble::SamePage) => question.begin_again(),
                    Some(ApiTrouble::Late) => {
                        question.leave_out(state.moods.choose(question.reach()));
                    }
                    _ => {}
                }
                (StatusCode::OK, Some(state.transactions.page(&question)))
            }
            Err(name) => fault(
                StatusCode::BAD_REQUEST,
                &format!("parameter {name} cannot be read"),
            ),
        }
    }

    fn is_authorised(&self, state: &State) -> bool {
        self.token_sent()
            .is_some_and(|token| state.tokens.is_valid(token, Instant::now()))
    }

    fn token_sent(&self) -> Option<&str> {
        self.authorization("Bearer ")
    }

    fn authorization(&self, scheme: &str) -> Option<&str> {
        self.headers
            .get(AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix(scheme)
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        serde_json::from_slice(self.body).map_err(|error| {
            fault(
                StatusCode::BAD_REQUEST,
                &format!("the body is not as expected: {error}"),
            )
        })
    }
}

fn told(status: StatusCode, result: Result<Value, EndpointError>) -> Reply {
    match result {
        Ok(value) => (status, Some(value)),
        Err(error) => {
            let status = match error {
                EndpointError::Exists => StatusCode::CONFLICT,
                EndpointError::Missing => StatusCode::NOT_FOUND,
                EndpointError::Template(_) | EndpointError::NoHost | EndpointError::Tls => {
                    StatusCode::BAD_REQUEST
                }
            };
            fault(status, &error.to_string())
        }
    }
}

fn not_allowed() -> Reply {
    fault(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path has no such method",
    )
}

fn fault(status: StatusCode, message: &str) -> Reply {
    (status, Some(json!({ "error": message })))
}
