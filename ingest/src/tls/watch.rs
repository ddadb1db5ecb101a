//! Notices when the certificate's files change.

use std::sync::Arc;
use std::time::Duration;

use postback_service::lifecycle::{Reloads, Shutdown};
use tracing::error;

use super::Tls;

/// How often the files are looked at. They are read, not watched: tools that renew certificates move
/// links and whole directories about, and network file systems tell nobody.
pub const EVERY: Duration = Duration::from_secs(10);

/// Looks at the files `every` so often, and at each SIGHUP, until `shutdown`.
pub async fn watch(tls: Arc<Tls>, every: Duration, mut reloads: Reloads, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(every) => {}
            () = reloads.next() => {}
        }
        let looking = Arc::clone(&tls);
        if let Err(error) = tokio::task::spawn_blocking(move || looking.look()).await {
            error!(%error, "the certificate was not looked at");
        }
    }
}
