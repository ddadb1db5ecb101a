//! The calls.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postback_common::config::{ApiSettings, TokenAuth};
use postback_common::secret::Secret;
use tokio::sync::{Mutex, Semaphore};

use crate::call::Call;
use crate::endpoint::{Change, Endpoint};
use crate::error::{ApiError, Trouble};
use crate::http::Http;
use crate::page::{Page, Window};
use crate::patience::Patience;
use crate::token::Token;

/// What need not be escaped in a form or query (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The API of one source's network. Cloning shares its token, its connections and the bound on
/// calls at once.
#[derive(Clone)]
pub struct NetworkApi {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ApiSettings,
    patience: Patience,
    http: Http,
    calls: Semaphore,
    token: Mutex<Option<Token>>,
}

impl NetworkApi {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// Where this machine has no root certificates for an `https` URL.
    pub fn new(settings: &ApiSettings, patience: Patience) -> Result<Self, ApiError> {
        let http = Http::new(settings.base_url.starts_with("https:"));
        let http = http.map_err(|trouble| ApiError {
            call: Call::Token,
            trouble,
            attempts: 0,
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                settings: settings.clone(),
                patience,
                http,
                calls: Semaphore::new(usize::from(settings.max_calls.max(1))),
                token: Mutex::new(None),
            }),
        })
    }

    /// The endpoint; `None` where none is registered.
    ///
    /// # Errors
    /// [`ApiError`], with what to do.
    pub async fn endpoint(&self) -> Result<Option<Endpoint>, ApiError> {
        let path = self.inner.own_endpoint();
        let read = |answer: &[u8]| Endpoint::read(answer, &self.inner.settings.fields);
        let asked = self.call(Call::GetEndpoint, Method::GET, &path, None, read);
        match asked.await {
            Ok(endpoint) => Ok(Some(endpoint)),
            Err(error) if error.trouble == Trouble::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Registers an endpoint where there is none.
    ///
    /// # Errors
    /// [`ApiError`]; after a time-out it may be there all the same.
    pub async fn set_up(&self, url: &Secret, is_active: bool) -> Result<(), ApiError> {
        let wanted = Change {
            url: Some(url.clone()),
            is_active: Some(is_active),
        };
        let path = self.inner.settings.endpoint_path.clone();
        let body = wanted.to_json(
            &self.inner.settings.publisher_id,
            &self.inner.settings.fields,
        );
        self.call(Call::SetUp, Method::POST, &path, Some(body), |_| Ok(()))
            .await
    }

    /// Changes the endpoint's URL, or switches it on or off.
    ///
    /// # Errors
    /// [`ApiError`]; after a time-out it may be changed all the same.
    pub async fn change(&self, change: &Change) -> Result<(), ApiError> {
        let path = self.inner.own_endpoint();
        let body = change.to_json(
            &self.inner.settings.publisher_id,
            &self.inner.settings.fields,
        );
        self.call(Call::Change, Method::PUT, &path, Some(body), |_| Ok(()))
            .await
    }

    /// Deletes the endpoint: the network sends nothing any more.
    ///
    /// # Errors
    /// [`ApiError`]; after a time-out it may be gone all the same.
    pub async fn delete(&self) -> Result<(), ApiError> {
        let path = self.inner.own_endpoint();
        self.call(Call::Delete, Method::DELETE, &path, None, |_| Ok(()))
            .await
    }

    /// One page of a window; pages count from 1.
    ///
    /// # Errors
    /// [`ApiError`], with what to do.
    pub async fn page(&self, window: Window, page: u32) -> Result<Page, ApiError> {
        let ApiSettings {
            events_path,
            page_size,
            ..
        } = &self.inner.settings;
        let (from, through) = window.ends();
        let (from, through) = (escaped(&from), escaped(&through));
        let path = format!(
            "{events_path}?process_date_start={from}&process_date_end={through}&limit={page_size}&page={page}"
        );
        let read = |answer: &[u8]| Page::read(answer, *page_size);
        self.call(Call::Transactions, Method::GET, &path, None, read)
            .await
    }

    /// Asks until there is an answer, or the patience is at its end. A token that is not accepted
    /// is replaced once.
    async fn call<T>(
        &self,
        call: Call,
        method: Method,
        path: &str,
        body: Option<Secret>,
        read: impl Fn(&[u8]) -> Result<T, Trouble>,
    ) -> Result<T, ApiError> {
        let inner = &self.inner;
        let mut attempt = 0;
        let mut refused: Option<Secret> = None;
        loop {
            attempt += 1;
            // No more at once than the network allows, requests for tokens included.
            let permit = inner.calls.acquire().await;
            let token = inner.token(refused.as_ref()).await?;
            let request = inner.request(&method, path, body.as_ref(), &token);
            let answered = match request {
                Ok(request) => inner.http.ask(request, inner.patience.answer_within).await,
                Err(trouble) => Err(trouble),
            };
            drop(permit);
            let trouble = match answered.and_then(|answer| read(&answer)) {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            if trouble == Trouble::Unauthorized && refused.is_none() {
                // It may have been revoked, or have expired by the network's clock.
                refused = Some(token);
                continue;
            }
            let pause = inner.patience.pause(call, &trouble, attempt, random());
            let Some(pause) = pause else {
                return Err(ApiError {
                    call,
                    trouble,
                    attempts: attempt,
                });
            };
            tokio::time::sleep(pause).await;
        }
    }
}

impl Inner {
    fn own_endpoint(&self) -> String {
        let ApiSettings {
            endpoint_path,
            publisher_id,
            ..
        } = &self.settings;
        format!("{endpoint_path}/{}", escaped(publisher_id))
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Secret>,
        token: &Secret,
    ) -> Result<Request<Full<Bytes>>, Trouble> {
        let bearer = format!("Bearer {}", token.expose());
        let json = body.map(|body| ("application/json", body.expose()));
        self.any_request(method, path, json, &bearer)
    }

    fn any_request(
        &self,
        method: &Method,
        path: &str,
        body: Option<(&'static str, &str)>,
        authorization: &str,
    ) -> Result<Request<Full<Bytes>>, Trouble> {
        let setup = |what: &str| Trouble::Setup(format!("{what} cannot be part of a request"));
        let mut authorization = HeaderValue::from_str(authorization)
            .map_err(|_| setup("client_id, client_secret or a token"))?;
        authorization.set_sensitive(true);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.settings.base_url))
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("postback/", env!("CARGO_PKG_VERSION")));
        if let Some((content_type, _)) = body {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let text = body.map_or("", |(_, text)| text).to_owned();
        request
            .body(Full::from(text))
            .map_err(|_| setup("base_url or a path of [source.api]"))
    }

    /// The token in hand, unless it is the one that was refused; otherwise a new one, which only
    /// one caller asks for while the others wait.
    async fn token(&self, refused: Option<&Secret>) -> Result<Secret, ApiError> {
        let mut held = self.token.lock().await;
        if let Some(token) = &*held
            && token.holds(Instant::now())
            && Some(&token.text) != refused
        {
            return Ok(token.text.clone());
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            let trouble = match self.ask_for_token().await {
                Ok(token) => return Ok(held.insert(token).text.clone()),
                Err(trouble) => trouble,
            };
            let pause = self
                .patience
                .pause(Call::Token, &trouble, attempt, random());
            let Some(pause) = pause else {
                *held = None;
                return Err(ApiError {
                    call: Call::Token,
                    trouble,
                    attempts: attempt,
                });
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask_for_token(&self) -> Result<Token, Trouble> {
        let asked_at = Instant::now();
        let ApiSettings {
            client_id,
            client_secret,
            scope,
            token_auth,
            token_path,
            ..
        } = &self.settings;
        let (id, secret) = (client_id.expose(), client_secret.expose());
        let mut form = format!("grant_type=client_credentials&scope={}", escaped(scope));
        if *token_auth == TokenAuth::Form {
            form = format!(
                "{form}&client_id={}&client_secret={}",
                escaped(id),
                escaped(secret)
            );
        }
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let form = ("application/x-www-form-urlencoded", form.as_str());
        let mut request = self.any_request(&Method::POST, token_path, Some(form), &basic)?;
        if *token_auth == TokenAuth::Form {
            request.headers_mut().remove(AUTHORIZATION);
        }
        let answer = self.http.ask(request, self.patience.answer_within).await?;
        Token::read(&answer, asked_at)
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// From 0 to below 1; a half where the system gives no random bytes.
fn random() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / 4_294_967_296.0)
}
