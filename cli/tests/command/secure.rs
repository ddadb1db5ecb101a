//! The network's API and ClickHouse by TLS: `SSL_CERT_FILE` says whom the command trusts.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::endpoint::{Site, configured};
use crate::installed::{Installed, load};

/// Takes TLS off for a server behind it.
struct Front {
    address: SocketAddr,
    /// Of the certificate, which it signed itself.
    pem: String,
}

impl Front {
    async fn before(server: SocketAddr) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust the certificate leaves here.
                    let Ok(mut client) = acceptor.accept(client).await else {
                        return;
                    };
                    let mut server = TcpStream::connect(server).await.unwrap();
                    // Who closes first, and how, is not what is asked.
                    tokio::io::copy_bidirectional(&mut client, &mut server)
                        .await
                        .ok();
                });
            }
        });
        Self {
            address,
            pem: certificate.pem(),
        }
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    fn write(&self, folder: &Path) {
        std::fs::write(folder.join("trusted.pem"), &self.pem).unwrap();
    }
}

/// Another certificate than any that a server here has.
fn write_a_stranger(folder: &Path) {
    let stranger = rcgen::generate_simple_self_signed(["stranger.example".to_owned()]).unwrap();
    std::fs::write(folder.join("stranger.pem"), stranger.cert.pem()).unwrap();
}

const TRUSTED: (&str, &str) = ("SSL_CERT_FILE", "trusted.pem");
const STRANGER: (&str, &str) = ("SSL_CERT_FILE", "stranger.pem");
const NOBODY: (&str, &str) = ("SSL_CERT_FILE", "nowhere.pem");

fn snapshot(name: &str, text: &[String]) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"https://127\.0\.0\.1:\d{4,5}", "https://SERVER");
    settings.add_filter(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "[time]");
    settings.add_filter(r"cli_tls_\d+", "cli_tls_PID");
    settings.bind(|| insta::assert_snapshot!(name, text.join("\n")));
}

#[test]
fn the_api_is_asked_by_tls() {
    let site = Site::open();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let front = runtime.block_on(Front::before(site.address));
    let place = configured(&format!("base_url = \"{}\"", front.url()));
    front.write(place.path());
    write_a_stranger(place.path());
    let get = |trust| place.run_with(&[trust], &["endpoint", "get", "--source", "rakuten-us"]);
    snapshot(
        "the_api_is_asked_by_tls",
        &[get(TRUSTED), get(STRANGER), get(NOBODY)],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_is_asked_by_tls() {
    let installed = Installed::new("tls").await;
    load(&installed).await;
    let server = installed.settings.clickhouse.url.strip_prefix("http://");
    let server = server.unwrap().trim_end_matches('/').parse().unwrap();
    let front = Front::before(server).await;
    let place = &installed.place;
    front.write(place.path());
    write_a_stranger(place.path());
    let url = front.url();
    let ask = |trust| {
        let environment = [("POSTBACK__CLICKHOUSE__URL", url.as_str()), trust];
        let question = "SELECT count() > 0 AS has_rows FROM conversions";
        place.run_with(&environment, &["query", question])
    };
    snapshot(
        "clickhouse_is_asked_by_tls",
        &[ask(TRUSTED), ask(STRANGER), ask(NOBODY)],
    );
    installed.remove().await;
}
