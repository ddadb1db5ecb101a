//! Alerts to another program: JSON by POST, tried again, and only to where it may lead.

mod address;

use std::net::SocketAddr;
use std::time::Duration;

use postback_common::addresses::Addresses;
use postback_common::config::WatchSettings;
use postback_common::secret::Secret;
use postback_simulator::Authority;
use postback_simulator::exchange::status;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;

use super::metrics::Deliveries;
use crate::ending::Failure;
use crate::tls::encrypt;

/// How long one attempt may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Pauses between the attempts; when they are over, the alert is given up.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(180),
];

/// Alerts that may wait while the receiver is away.
const WAITING: usize = 256;

/// Where alerts go. Its URL is a secret.
pub(super) struct Webhook {
    authority: Authority,
    target: Secret,
    allowed: Addresses,
}

/// Hands alerts over without waiting for them.
#[derive(Clone)]
pub(super) struct Sender(mpsc::Sender<String>);

/// Why an attempt failed.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// Another attempt may succeed.
    Passing(String),
    /// None will.
    Final(String),
}

impl Webhook {
    /// The configured one.
    pub(super) fn of(settings: &WatchSettings) -> Result<Option<Self>, Failure> {
        let Some(url) = &settings.webhook_url else {
            return Ok(None);
        };
        let refused =
            || Failure::Usage("watch.webhook_url is no URL: write https://host/path".to_owned());
        let (authority, target) = Authority::of_url(url.expose()).map_err(|_| refused())?;
        Ok(Some(Self {
            authority,
            target: Secret::new(target),
            allowed: settings.webhook_allow.clone(),
        }))
    }

    /// Starts to deliver in the background. What is told of it goes to `tell`.
    pub(super) fn start(
        self,
        deliveries: Deliveries,
        tell: impl Fn(String) + Send + 'static,
    ) -> Sender {
        let (sender, mut alerts) = mpsc::channel::<String>(WAITING);
        tokio::spawn(async move {
            while let Some(body) = alerts.recv().await {
                match self.deliver(&body).await {
                    Ok(()) => deliveries.delivered(),
                    Err(words) => {
                        deliveries.failed();
                        tell(format!("the webhook did not take an alert: {words}"));
                    }
                }
            }
        });
        Sender(sender)
    }

    async fn deliver(&self, body: &str) -> Result<(), String> {
        let mut pauses = PAUSES.iter();
        loop {
            let attempt = tokio::time::timeout(WITHIN, self.attempt(body)).await;
            let attempt = attempt.unwrap_or_else(|_| {
                Err(Trouble::Passing(format!(
                    "no answer within {} s",
                    WITHIN.as_secs()
                )))
            });
            let words = match attempt {
                Ok(()) => return Ok(()),
                Err(Trouble::Final(words)) => return Err(words),
                Err(Trouble::Passing(words)) => words,
            };
            let Some(pause) = pauses.next() else {
                return Err(format!(
                    "{words}; given up after {} attempts",
                    PAUSES.len() + 1
                ));
            };
            tokio::time::sleep(*pause).await;
        }
    }

    async fn attempt(&self, body: &str) -> Result<(), Trouble> {
        let passing = |error: &dyn std::fmt::Display| Trouble::Passing(error.to_string());
        let address = self.address().await?;
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| passing(&error))?;
        let request = self.request(body);
        let request = request.expose().as_bytes();
        // A long body, or one that is broken off, must not have the alert delivered again.
        let status = if self.authority.is_secure {
            let stream = encrypt(&self.authority.host, stream).await;
            let mut stream = stream.map_err(|error| passing(&error))?;
            status(&mut stream, request).await
        } else {
            let mut stream = stream;
            status(&mut stream, request).await
        };
        judge(status.map_err(|error| passing(&error))?)
    }

    /// An address of the host that the webhook may lead to. The connection goes to this very
    /// address, so that no second answer of a name server can lead elsewhere.
    async fn address(&self) -> Result<SocketAddr, Trouble> {
        let place = (self.authority.host.as_str(), self.authority.port);
        let found = lookup_host(place).await;
        let found: Vec<SocketAddr> = found
            .map_err(|error| Trouble::Passing(error.to_string()))?
            .collect();
        let may = |address: &SocketAddr| {
            address::is_public(address.ip()) || self.allowed.contain(address.ip())
        };
        if let Some(address) = found.iter().find(|address| may(address)) {
            return Ok(*address);
        }
        let Some(address) = found.first() else {
            return Err(Trouble::Passing("the host has no address".to_owned()));
        };
        Err(Trouble::Final(format!(
            "it leads to {}, which is no public address; allow it with watch.webhook_allow = [\"{}\"]",
            address.ip(),
            address.ip()
        )))
    }

    fn request(&self, body: &str) -> Secret {
        Secret::new(format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nuser-agent: postback\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.target.expose(),
            self.authority.host_field(),
            body.len()
        ))
    }
}

impl Sender {
    /// Takes an alert to be delivered; false where too many wait.
    pub(super) fn send(&self, body: String) -> bool {
        self.0.try_send(body).is_ok()
    }
}

fn judge(status: u16) -> Result<(), Trouble> {
    match status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err(Trouble::Passing(format!("it answered {status}"))),
        // A redirect could lead to where the first address was not allowed to.
        status => Err(Trouble::Final(format!("it answered {status}"))),
    }
}

#[cfg(test)]
mod tests;
