//! The networks' side: connections, their bounds, and their end.

pub mod connection;
mod overflow;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postback_service::lifecycle::Shutdown;
use postback_service::listen::Listening;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::server::Server;
use crate::tls::Tls;
use overflow::Overflow;

/// Pause after the operating system refused a connection (no more files, no memory).
const PAUSE: Duration = Duration::from_millis(50);

/// Where the networks come in.
#[derive(Debug)]
pub struct Door {
    /// The socket.
    pub socket: Listening,
    /// TLS, if the whole listener speaks it.
    pub tls: Option<Arc<Tls>>,
}

/// Answers connections until `shutdown`. From then on every answer is the last of its connection
/// (`Connection: close`), and new connections are accepted for the lame-duck time. Then lets what is
/// being answered end, and returns once all connections are closed or their time is up.
///
/// What waits in the queue of a socket of our own by then is answered too; that of a socket that
/// was handed over is left to the successor.
pub async fn serve(door: Door, server: Arc<Server>, shutdown: Shutdown) {
    let most = server.limits().connections.min(Semaphore::MAX_PERMITS);
    let permits = Arc::new(Semaphore::new(most));
    let stop = Shutdown::new();
    let Door { socket, tls } = door;
    let reception = Reception {
        tls,
        permits: Arc::clone(&permits),
        overflow: Overflow::default(),
        server: Arc::clone(&server),
        stop: stop.clone(),
    };
    accept(&socket.listener, &reception, &shutdown).await;
    if !socket.handed_over
        && let Err(error) = empty_queue(socket.listener, &reception)
    {
        debug!(%error, "the queue of connections");
    }
    stop.cancel();
    all_closed(&permits, most, server.limits().answers_within).await;
}

async fn accept(listener: &TcpListener, reception: &Reception, shutdown: &Shutdown) {
    let server = &reception.server;
    let ending = async {
        shutdown.cancelled().await;
        server.begin_end();
        let lame_duck = server.limits().lame_duck;
        if !lame_duck.is_zero() {
            info!(?lame_duck, "connections are still accepted");
            sleep(lame_duck).await;
        }
    };
    tokio::pin!(ending);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut ending => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => reception.receive(stream, peer),
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                warn!(%error, "a connection cannot be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Receives what the operating system has accepted by now; closing the socket would reset it.
fn empty_queue(listener: TcpListener, reception: &Reception) -> io::Result<()> {
    let listener = listener.into_std()?;
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true)?;
                reception.receive(TcpStream::from_std(stream)?, peer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_the_peers(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// What becomes of an accepted connection.
struct Reception {
    tls: Option<Arc<Tls>>,
    /// One for each connection that may be open.
    permits: Arc<Semaphore>,
    overflow: Overflow,
    server: Arc<Server>,
    /// Ends the connections.
    stop: Shutdown,
}

impl Reception {
    fn receive(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "TCP_NODELAY");
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            let is_tls = self.tls.is_some();
            self.overflow
                .turn_away(stream, peer.ip(), is_tls, &self.server);
            return;
        };
        let (server, stop) = (Arc::clone(&self.server), self.stop.clone());
        match self.tls.clone() {
            None => drop(tokio::spawn(async move {
                connection::answer(stream, peer.ip(), server, stop).await;
                drop(permit);
            })),
            Some(tls) => drop(tokio::spawn(async move {
                if let Some(stream) = tls.accept(stream, server.limits().head_within).await {
                    connection::answer(stream, peer.ip(), server, stop).await;
                }
                drop(permit);
            })),
        }
    }
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
