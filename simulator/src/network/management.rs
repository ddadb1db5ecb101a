//! `/v1/postback`: the endpoint as its owner sets it up, asks for it, changes and removes it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::State;
use super::endpoint::EndpointError;
use crate::ledger::line::ChangeKind;

/// `POST /v1/postback`
#[derive(Deserialize)]
pub(super) struct SetUp {
    sid: Number,
    url: String,
    #[serde(rename = "isActive", default = "active")]
    is_active: bool,
}

/// `PUT /v1/postback/{sid}`
#[derive(Deserialize)]
pub(super) struct Update {
    url: Option<String>,
    #[serde(rename = "isActive")]
    is_active: Option<bool>,
}

/// A publisher id, which clients write as a number or as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

const fn active() -> bool {
    true
}

impl State {
    /// Whether the path or body speaks of the publisher of this network.
    pub(super) fn is_ours(&self, sid: &str) -> bool {
        sid.parse() == Ok(self.terms.publisher_id)
    }

    /// # Errors
    /// When it is another publisher's, exists already, or is no URL to send to.
    pub(super) fn create(
        &mut self,
        wanted: &SetUp,
        now: Timestamp,
    ) -> Result<Value, EndpointError> {
        let sid = match &wanted.sid {
            Number::Number(sid) => sid.to_string(),
            Number::Text(sid) => sid.clone(),
        };
        if !self.is_ours(&sid) {
            return Err(EndpointError::Missing);
        }
        self.set_up(&wanted.url, wanted.is_active, now)?;
        self.show().ok_or(EndpointError::Missing)
    }

    /// The endpoint with all that its owner is ever told: that it is off, but neither since when nor
    /// why.
    pub(super) fn show(&self) -> Option<Value> {
        let endpoint = self.endpoint.as_ref()?;
        Some(json!({
            "sid": self.terms.publisher_id,
            "url": endpoint.url,
            "isActive": endpoint.is_active,
            "createdAt": endpoint.created_at.to_string(),
            "updatedAt": endpoint.updated_at.to_string(),
        }))
    }

    /// # Errors
    /// When there is none, or the URL is none to send to; then nothing is changed.
    pub(super) fn change(
        &mut self,
        wanted: &Update,
        now: Timestamp,
    ) -> Result<Value, EndpointError> {
        let endpoint = self.endpoint.as_mut().ok_or(EndpointError::Missing)?;
        if let Some(url) = &wanted.url {
            endpoint.replace_url(url, &self.terms, now)?;
            self.note(ChangeKind::Updated, now);
        }
        if let (Some(is_active), Some(endpoint)) = (wanted.is_active, &mut self.endpoint)
            && endpoint.switch(is_active, now)
        {
            let change = if is_active {
                ChangeKind::Enabled
            } else {
                ChangeKind::Disabled
            };
            self.note(change, now);
        }
        self.show().ok_or(EndpointError::Missing)
    }

    /// # Errors
    /// When there is none.
    pub(super) fn delete(&mut self, now: Timestamp) -> Result<(), EndpointError> {
        self.endpoint.take().ok_or(EndpointError::Missing)?;
        self.note(ChangeKind::Deleted, now);
        Ok(())
    }
}
