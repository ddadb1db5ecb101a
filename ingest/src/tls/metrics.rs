//! What is counted of certificates and handshakes.

use postback_service::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// Registered only where the listener speaks TLS. Cloning shares them.
#[derive(Debug, Clone)]
pub struct TlsMetrics {
    /// End of the certificate's validity (`notAfter`), in seconds since 1970.
    pub expiry: Gauge,
    /// Handshakes that failed or took too long.
    pub handshake_failures: Counter,
    /// Changed certificates that were taken.
    pub taken: Counter,
    /// Changed certificates that were refused.
    pub refused: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl TlsMetrics {
    /// Registers them.
    pub fn register(metrics: &mut Metrics) -> Self {
        let part = metrics.part("ingest");
        let reloads = Family::<OutcomeLabel, Counter>::default();
        let by_outcome = |outcome| reloads.get_or_create_owned(&OutcomeLabel { outcome });
        let all = Self {
            expiry: Gauge::default(),
            handshake_failures: Counter::default(),
            taken: by_outcome("taken"),
            refused: by_outcome("refused"),
        };
        let help = "Changed certificates, by outcome";
        part.register("certificate_reloads", help, reloads);
        let help = "When the certificate in use expires";
        part.register(
            "certificate_expiry_timestamp_seconds",
            help,
            all.expiry.clone(),
        );
        let help = "TLS handshakes that failed or took too long";
        let failures = all.handshake_failures.clone();
        part.register("tls_handshake_failures", help, failures);
        all
    }
}
