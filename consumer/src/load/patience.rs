//! Pauses before an attempt is repeated.

use std::time::Duration;

use postback_service::lifecycle::Shutdown;
use postback_store::Kind;

/// The first pause; it doubles up to [`longest`].
const FIRST: Duration = Duration::from_millis(100);

/// Loading must go on within 5 s of an outage's end; to connect in vain may take 3 s of them. A
/// server under pressure is given more time.
const fn longest(kind: Kind) -> Duration {
    match kind {
        Kind::Pressure | Kind::TooLarge => Duration::from_secs(5),
        _ => Duration::from_millis(1_500),
    }
}

/// How long the next pause is.
#[derive(Debug)]
pub(super) struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Patience {
    /// Waits, or until shutdown.
    pub(super) async fn wait(&mut self, kind: Kind, shutdown: &Shutdown) {
        let pause = self.0.min(longest(kind));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
        self.0 = (pause * 2).min(longest(kind));
    }
}
