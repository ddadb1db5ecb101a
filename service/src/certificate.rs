//! A certificate chain and its private key, as they stand in files: what ingest listens with, and
//! `doctor` looks at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use postback_common::config::{Fault, FaultCode, TlsSettings};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ProducesTickets;
use rustls::{ConfigBuilder, ServerConfig};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Tells what was read before from what was not.
pub type Print = [u8; 32];

/// What the two files hold. No `Debug`: it holds the key.
pub struct Pair {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    print: Print,
}

/// Why a certificate cannot be used. No text quotes a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// A file cannot be read.
    #[error("{problem}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's words.
        problem: String,
    },
    /// No PEM block of a certificate, or one that is broken.
    #[error("no certificate in PEM form: {0}")]
    NoCertificate(String),
    /// No PEM block of a private key, or one that is broken.
    #[error("no private key in PEM form: {0}")]
    NoKey(String),
    /// The first certificate is not the key's.
    #[error("the key is not that of the first certificate")]
    Mismatch,
    /// TLS cannot work with them.
    #[error("cannot be used: {0}")]
    Unusable(String),
}

impl PairError {
    /// What tells this error from others: the same error prints alike, so that it is told once.
    pub fn print(&self) -> Print {
        Sha256::digest(format!("{self:?}")).into()
    }

    /// As the configuration's own faults are told.
    #[must_use]
    pub fn fault(&self, settings: &TlsSettings) -> Fault {
        let (is_key, code, remedy) = match self {
            Self::Unreadable { file, .. } => (
                *file == settings.key_file,
                FaultCode::UnreadableFile,
                "make the file readable for the user that this program runs as",
            ),
            Self::NoCertificate(_) => (
                false,
                FaultCode::BadValue,
                "name the file with `-----BEGIN CERTIFICATE-----`, the certificate first, then its chain",
            ),
            Self::NoKey(_) => (
                true,
                FaultCode::BadValue,
                "name the file with `-----BEGIN PRIVATE KEY-----` (or RSA, or EC), without a password",
            ),
            Self::Mismatch => (
                true,
                FaultCode::Contradiction,
                "give the key that the certificate was made for; the chain comes behind the certificate",
            ),
            Self::Unusable(_) => (
                false,
                FaultCode::BadValue,
                "give an X.509 certificate with an RSA (2,048 bits or more), ECDSA P-256 or P-384, or Ed25519 key",
            ),
        };
        let (key, file) = if is_key {
            ("ingest.tls.key_file", &settings.key_file)
        } else {
            ("ingest.tls.cert_file", &settings.cert_file)
        };
        let fault = Fault::new(code, key, self.to_string(), remedy);
        fault.with_value(format_args!("{:?}", file.display().to_string()))
    }
}

impl Pair {
    /// Reads both files.
    ///
    /// # Errors
    /// [`PairError`] when one cannot be read, or does not hold what it should.
    pub fn read(settings: &TlsSettings) -> Result<Self, PairError> {
        let cert = read(&settings.cert_file)?;
        let key = read(&settings.key_file)?;
        let mut print = Sha256::new();
        print.update(Sha256::digest(&cert));
        print.update(Sha256::digest(&key));
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&cert).collect();
        let chain = chain.map_err(|error| PairError::NoCertificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(PairError::NoCertificate("the file has none".to_owned()));
        }
        // Its errors may quote the file.
        let key = PrivateKeyDer::from_pem_slice(&key);
        let key = key.map_err(|_| PairError::NoKey("the file has none".to_owned()))?;
        Ok(Self {
            chain,
            key,
            print: print.finalize().into(),
        })
    }

    /// What tells these files from others.
    #[must_use]
    pub const fn print(&self) -> Print {
        self.print
    }

    /// End of the certificate's validity.
    ///
    /// # Errors
    /// [`PairError::Unusable`] when it is no X.509 certificate.
    pub fn expiry(&self) -> Result<Timestamp, PairError> {
        let unusable = |problem: String| PairError::Unusable(problem);
        let first = self.chain.first().map_or(&[][..], |first| first);
        let (_, certificate) =
            X509Certificate::from_der(first).map_err(|error| unusable(error.to_string()))?;
        let seconds = certificate.validity().not_after.timestamp();
        Timestamp::from_second(seconds).map_err(|error| unusable(error.to_string()))
    }

    /// The same, if it can be used.
    ///
    /// # Errors
    /// [`PairError::Mismatch`], [`PairError::Unusable`].
    pub fn checked(self) -> Result<Self, PairError> {
        self.expiry()?;
        self.builder().map(|_| self)
    }

    /// Everything that a handshake needs.
    ///
    /// # Errors
    /// [`PairError::Mismatch`], [`PairError::Unusable`].
    pub fn server_config(
        &self,
        tickets: Arc<dyn ProducesTickets>,
    ) -> Result<Arc<ServerConfig>, PairError> {
        let mut config = self.builder()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer = tickets;
        Ok(Arc::new(config))
    }

    fn builder(&self) -> Result<ServerConfig, PairError> {
        // Named, because another crate may bring rustls a second provider.
        let provider = Arc::new(ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(ConfigBuilder::<ServerConfig, _>::with_no_client_auth)
            .and_then(|builder| builder.with_single_cert(self.chain.clone(), self.key.clone_key()))
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => PairError::Mismatch,
                other => PairError::Unusable(other.to_string()),
            })
    }
}

fn read(file: &Path) -> Result<Vec<u8>, PairError> {
    std::fs::read(file).map_err(|error| PairError::Unreadable {
        file: file.to_owned(),
        problem: error.to_string(),
    })
}
