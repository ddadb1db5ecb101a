//! `[ingest.tls]`

use std::path::PathBuf;

use serde::Serialize;

use super::section::Section;

/// Where the certificate of the networks' listener stands. Whether the files hold what they should
/// is for the program to say that uses them: others run where they are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsSettings {
    /// The certificate and the chain to its root, PEM, the certificate first.
    pub cert_file: PathBuf,
    /// Its private key, PEM: PKCS#8, PKCS#1 (RSA) or SEC1 (EC), without a password.
    pub key_file: PathBuf,
}

impl TlsSettings {
    /// `None` where the section has no such table.
    pub(super) fn read(ingest: &mut Section<'_>) -> Option<Self> {
        let mut section = ingest.below("tls", "ingest__tls")?;
        let cert_file = section.text("cert_file");
        let key_file = section.text("key_file");
        if cert_file.is_none() {
            let remedy = "name the PEM file with the certificate and its chain";
            section.missing("cert_file", remedy);
        }
        if key_file.is_none() {
            section.missing("key_file", "name the PEM file with the private key");
        }
        Some(Self {
            cert_file: cert_file?.into(),
            key_file: key_file?.into(),
        })
    }
}
