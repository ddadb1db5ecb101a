//! `[watch]`

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::access;
use super::fault::{Fault, FaultCode};
use super::section::Section;
use super::web::plain_url;
use crate::addresses::Addresses;
use crate::secret::Secret;

/// How `postback watch` looks at the numbers, and whom it tells.
#[derive(Debug, Clone, Serialize)]
pub struct WatchSettings {
    /// Pause between two looks. Default 60 s.
    #[serde(rename = "interval_seconds", serialize_with = "as_seconds")]
    pub interval: Duration,
    /// Address and port for `/healthz`, `/readyz`, `/metrics`; `None`: there is no listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_listen: Option<SocketAddr>,
    /// Where each alert and its end is posted as JSON, from `webhook_url` or `webhook_url_file`. A
    /// secret, because such URLs usually hold a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<Secret>,
    /// Addresses of the machine, of private networks and the like that the webhook may lead to;
    /// without it only public ones.
    #[serde(skip_serializing_if = "Addresses::is_empty")]
    pub webhook_allow: Addresses,
}

impl WatchSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let webhook_url = section.secret("webhook_url", "webhook_url_file");
        if let Some(Err(problem)) = webhook_url.as_ref().map(|url| plain_url(url.expose())) {
            // The value is not shown: it may hold a token.
            section.refuse(Fault::new(
                FaultCode::BadValue,
                "watch.webhook_url",
                problem,
                "write https://host/path, as the receiver gave it",
            ));
        }
        let admin = section.parsed("admin_listen", "write address:port, such as 127.0.0.1:9103");
        Self {
            interval: Duration::from_secs(section.number("interval_seconds", 60, 5..=3_600)),
            admin_listen: admin,
            webhook_url,
            webhook_allow: access::webhook_allow(section),
        }
    }
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}
