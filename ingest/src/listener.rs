//! The networks' side: connections, their bounds, and their end.

pub mod connection;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postback_service::lifecycle::Shutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::server::Server;

/// Pause after the operating system refused a connection (no more files, no memory).
const PAUSE: Duration = Duration::from_millis(50);

/// Answers connections until `shutdown`; then stops accepting, lets what is being answered end
/// (`Connection: close`), and returns once all connections are closed or their time is up.
pub async fn serve(listener: TcpListener, server: Arc<Server>, shutdown: Shutdown) {
    let most = server.limits().connections.min(Semaphore::MAX_PERMITS);
    let permits = Arc::new(Semaphore::new(most));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%error, "TCP_NODELAY");
                }
                let (server, shutdown) = (Arc::clone(&server), shutdown.clone());
                tokio::spawn(async move {
                    connection::answer(stream, peer.ip(), server, shutdown).await;
                    drop(permit);
                });
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                warn!(%error, "a connection cannot be accepted");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    all_closed(&permits, most, server.limits().answers_within).await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await;
    let permit = permit.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// The other side had gone before it was accepted: nothing that a pause would mend.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Each connection holds a permit, so all are closed when all permits can be had.
async fn all_closed(permits: &Semaphore, most: usize, within: Duration) {
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    if timeout(within, permits.acquire_many(all)).await.is_err() {
        let open = most - permits.available_permits();
        warn!(open, "connections were still open at the end");
    }
}
