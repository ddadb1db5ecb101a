//! Asking until there is an answer, or the patience is at its end.

use std::time::Instant;

use hyper::Method;
use postback_common::config::ApiSettings;
use postback_common::secret::Secret;
use tokio::sync::{Mutex, Semaphore};

use crate::call::Call;
use crate::error::{ApiError, Trouble};
use crate::http::{Bounds, Http};
use crate::patience::{Patience, random};
use crate::request;
use crate::token::Token;

/// Of the answer to a request for a token, in bytes.
const LONGEST_TOKEN: usize = 64 * 1024;

/// One token, one bound on calls at once, one set of connections.
pub(crate) struct Exchange {
    settings: ApiSettings,
    patience: Patience,
    http: Http,
    calls: Semaphore,
    token: Mutex<Option<Token>>,
}

/// What is asked.
pub(crate) struct Asked<'a> {
    pub(crate) call: Call,
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: &'a str,
    pub(crate) body: Option<&'a Secret>,
    /// Of the answer, in bytes.
    pub(crate) longest: usize,
}

impl Exchange {
    pub(crate) fn new(settings: &ApiSettings, patience: Patience) -> Result<Self, ApiError> {
        let http = Http::new(settings.base_url.starts_with("https:"));
        let http = http.map_err(|trouble| ApiError {
            call: Call::Token,
            trouble,
            attempts: 0,
        })?;
        Ok(Self {
            settings: settings.clone(),
            patience,
            http,
            calls: Semaphore::new(usize::from(settings.max_calls.max(1))),
            token: Mutex::new(None),
        })
    }

    /// Asks; a token that is not accepted is replaced once, and once more where it was accepted in
    /// between.
    pub(crate) async fn ask<T>(
        &self,
        asked: Asked<'_>,
        read: impl Fn(&[u8]) -> Result<T, Trouble>,
    ) -> Result<T, ApiError> {
        let call = asked.call;
        let mut attempts = 0;
        let mut refused: Option<Secret> = None;
        loop {
            attempts += 1;
            // No more at once than the network allows, requests for tokens included.
            let permit = self.calls.acquire().await;
            let token = self.token(refused.as_ref()).await?;
            let answered = self.ask_once(&asked, &token, &read).await;
            drop(permit);
            let trouble = match answered {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            if trouble == Trouble::Unauthorized && refused.is_none() {
                // It may have been revoked, or have expired by the network's clock.
                refused = Some(token);
                continue;
            }
            // One that gets another answer is accepted.
            refused = None;
            self.pause(call, trouble, attempts).await?;
        }
    }

    async fn ask_once<T>(
        &self,
        asked: &Asked<'_>,
        token: &Secret,
        read: impl Fn(&[u8]) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let to = (&asked.method, asked.path);
        let request = request::with_token(&self.settings, to, asked.body, token)?;
        let bounds = Bounds {
            within: self.patience.answer_within,
            longest: asked.longest,
        };
        read(&self.http.ask(request, bounds).await?)
    }

    /// Waits before another attempt.
    ///
    /// # Errors
    /// Where there is none.
    async fn pause(&self, call: Call, trouble: Trouble, attempts: u32) -> Result<(), ApiError> {
        match self.patience.pause(call, &trouble, attempts, random()) {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            None => Err(ApiError {
                call,
                trouble,
                attempts,
            }),
        }
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
        *held = None;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.ask_for_token().await {
                Ok(token) => return Ok(held.insert(token).text.clone()),
                Err(trouble) => self.pause(Call::Token, trouble, attempts).await?,
            }
        }
    }

    async fn ask_for_token(&self) -> Result<Token, Trouble> {
        let asked_at = Instant::now();
        let request = request::for_token(&self.settings)?;
        let bounds = Bounds {
            within: self.patience.answer_within,
            longest: LONGEST_TOKEN,
        };
        let answer = self.http.ask(request, bounds).await?;
        Token::read(&answer, asked_at)
    }
}
