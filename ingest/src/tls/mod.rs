//! TLS for the networks' listener: the certificate, its reloading, and the handshake.
//!
//! TLS 1.2 and 1.3 by rustls, HTTP/1.1 as the only protocol (ALPN, RFC 7301), sessions resumed by
//! tickets that outlive a change of the certificate. No early data: it can be replayed (RFC 8446,
//! section 8).

mod metrics;
mod watch;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use postback_common::config::{Fault, TlsSettings};
pub use postback_service::certificate::PairError;
use postback_service::certificate::{Pair, Print};
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::server::ProducesTickets;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, error, info, warn};

pub use metrics::TlsMetrics;
pub use watch::{EVERY, watch};

/// A certificate that is exchanged when its files change. Connections that are open keep theirs.
pub struct Tls {
    settings: TlsSettings,
    config: ArcSwap<ServerConfig>,
    tickets: Arc<dyn ProducesTickets>,
    /// What the files held when they were last looked at, whether it was taken or not.
    seen: Mutex<Print>,
    metrics: TlsMetrics,
}

/// Why the certificate cannot be used, as a fault of the configuration.
pub(crate) fn fault(settings: &TlsSettings) -> Option<Fault> {
    let checked = Pair::read(settings).and_then(Pair::checked);
    checked.err().map(|error| error.fault(settings))
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// [`PairError`] when they cannot be read, or do not belong together.
    pub fn load(settings: &TlsSettings, metrics: TlsMetrics) -> Result<Self, PairError> {
        let pair = Pair::read(settings)?;
        let tickets = Ticketer::new().map_err(|error| PairError::Unusable(error.to_string()))?;
        let tls = Self {
            settings: settings.clone(),
            config: ArcSwap::new(pair.server_config(Arc::clone(&tickets))?),
            tickets,
            seen: Mutex::new(pair.print()),
            metrics,
        };
        tls.announce(&pair)?;
        Ok(tls)
    }

    /// The handshake; `None` when it fails or takes longer than `within`, which is counted. One that
    /// never begins is a balancer that looks whether the port is open.
    pub async fn accept<S>(&self, stream: S, within: Duration) -> Option<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.config.load_full());
        match timeout(within, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
            Ok(Err(error)) => debug!(%error, "TLS handshake"),
            Err(_) => debug!("TLS handshake takes too long"),
        }
        self.metrics.handshake_failures.inc();
        None
    }

    /// Looks whether the files hold something else than the last time, and takes it if it is good;
    /// otherwise says so, and what there was stays. Blocks on the disk.
    pub fn look(&self) {
        let read = Pair::read(&self.settings);
        let print = read.as_ref().map_or_else(PairError::print, Pair::print);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == print {
                return;
            }
            *seen = print;
        }
        match read.and_then(|pair| self.take(&pair)) {
            Ok(()) => self.metrics.taken.inc(),
            Err(problem) => {
                let problem = problem.fault(&self.settings);
                error!("certificate refused, the old one stays: {problem}");
                self.metrics.refused.inc()
            }
        };
    }

    fn take(&self, pair: &Pair) -> Result<(), PairError> {
        let config = pair.server_config(Arc::clone(&self.tickets))?;
        self.announce(pair)?;
        self.config.store(config);
        Ok(())
    }

    fn announce(&self, pair: &Pair) -> Result<(), PairError> {
        let expiry = pair.expiry()?;
        self.metrics.expiry.set(expiry.as_second());
        let file = self.settings.cert_file.display();
        if expiry < jiff::Timestamp::now() {
            warn!(%file, %expiry, "the certificate has expired: senders will refuse it");
        } else {
            info!(%file, %expiry, "certificate in use");
        }
        Ok(())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
