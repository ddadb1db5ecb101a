//! The calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Method;
use postback_common::config::ApiSettings;
use postback_common::secret::Secret;

use crate::call::Call;
use crate::endpoint::{Change, Endpoint};
use crate::error::ApiError;
use crate::exchange::{Asked, Exchange};
use crate::page::{Page, Window};
use crate::patience::Patience;
use crate::request::escaped;

/// Of every answer but a page, in bytes.
const LONGEST: usize = 1024 * 1024;

/// What one transaction may take of a page, in bytes: usually it has about 600.
const LONGEST_TRANSACTION: usize = 16 * 1024;

/// Of a page, whatever its size, in bytes.
const LONGEST_PAGE: usize = 64 * 1024 * 1024;

/// The API of one source's network. Cloning shares its token, its connections and the bound on
/// calls at once.
#[derive(Clone)]
pub struct NetworkApi {
    inner: Arc<Inner>,
}

struct Inner {
    exchange: Exchange,
    settings: ApiSettings,
    /// Transactions of the longest page so far. A network may give fewer at once than it is asked
    /// for: only a page that is shorter than another one was is certainly the last.
    longest_page: AtomicUsize,
}

impl NetworkApi {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// Where this machine has no root certificates for an `https` URL.
    pub fn new(settings: &ApiSettings, patience: Patience) -> Result<Self, ApiError> {
        Ok(Self {
            inner: Arc::new(Inner {
                exchange: Exchange::new(settings, patience)?,
                settings: settings.clone(),
                longest_page: AtomicUsize::new(0),
            }),
        })
    }

    /// The endpoint; `None` where none is registered.
    ///
    /// # Errors
    /// [`ApiError`], with what to do.
    pub async fn endpoint(&self) -> Result<Option<Endpoint>, ApiError> {
        let path = self.own_endpoint();
        let read = |answer: &[u8]| Endpoint::read(answer, &self.inner.settings.fields);
        let asked = asked(Call::GetEndpoint, Method::GET, &path, None);
        match self.inner.exchange.ask(asked, read).await {
            Ok(endpoint) => Ok(Some(endpoint)),
            Err(error) if error.is_not_found_by(Call::GetEndpoint) => Ok(None),
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
        let path = self.inner.settings.endpoint_path.as_str();
        let body = self.body(&wanted);
        let asked = asked(Call::SetUp, Method::POST, path, Some(&body));
        self.inner.exchange.ask(asked, |_| Ok(())).await
    }

    /// Changes the endpoint's URL, or switches it on or off.
    ///
    /// # Errors
    /// [`ApiError`]; after a time-out it may be changed all the same.
    pub async fn change(&self, change: &Change) -> Result<(), ApiError> {
        let (path, body) = (self.own_endpoint(), self.body(change));
        let asked = asked(Call::Change, Method::PUT, &path, Some(&body));
        self.inner.exchange.ask(asked, |_| Ok(())).await
    }

    /// Deletes the endpoint: the network sends nothing any more.
    ///
    /// # Errors
    /// [`ApiError`]; after a time-out it may be gone all the same.
    pub async fn delete(&self) -> Result<(), ApiError> {
        let path = self.own_endpoint();
        let asked = asked(Call::Delete, Method::DELETE, &path, None);
        match self.inner.exchange.ask(asked, |_| Ok(())).await {
            // An attempt without an answer has deleted it already.
            Err(error) if error.is_not_found_by(Call::Delete) && error.attempts > 1 => Ok(()),
            deleted => deleted,
        }
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
        let size = usize::try_from(*page_size).unwrap_or(usize::MAX);
        let longest = size.saturating_mul(LONGEST_TRANSACTION);
        let asked = Asked {
            longest: longest.clamp(LONGEST, LONGEST_PAGE),
            ..asked(Call::Transactions, Method::GET, &path, None)
        };
        let full = size.min(self.inner.longest_page.load(Ordering::Relaxed));
        let read = |answer: &[u8]| Page::read(answer, full);
        let page = self.inner.exchange.ask(asked, read).await?;
        let length = page.transactions.len();
        self.inner.longest_page.fetch_max(length, Ordering::Relaxed);
        Ok(page)
    }

    fn own_endpoint(&self) -> String {
        let ApiSettings {
            endpoint_path,
            publisher_id,
            ..
        } = &self.inner.settings;
        format!("{endpoint_path}/{}", escaped(publisher_id))
    }

    fn body(&self, change: &Change) -> Secret {
        let settings = &self.inner.settings;
        change.to_json(&settings.publisher_id, &settings.fields)
    }
}

fn asked<'a>(call: Call, method: Method, path: &'a str, body: Option<&'a Secret>) -> Asked<'a> {
    Asked {
        call,
        method,
        path,
        body,
        longest: LONGEST,
    }
}
