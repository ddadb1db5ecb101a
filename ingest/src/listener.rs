//! The networks' side: connections, their bounds, and their end.

pub mod connection;
mod crowd;
mod overflow;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postback_service::lifecycle::Shutdown;
use postback_service::listen::Listening;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use crate::server::Server;
use crate::tls::Tls;
use connection::{Ends, FIRST_WITHIN};
use crowd::Crowd;
use overflow::Overflow;

/// Pause after the operating system refused a connection (no more files, no memory).
const PAUSE: Duration = Duration::from_millis(50);

/// After the last connection was accepted, how long one may begin its first request while others wait
/// for the successor. Most come with it.
const BRIEFLY: Duration = Duration::from_millis(50);

/// Where the networks come in.
#[derive(Debug)]
pub struct Door {
    /// The socket.
    pub socket: Listening,
    /// TLS, if the whole listener speaks it.
    pub tls: Option<Arc<Tls>>,
}

/// Answers connections until `shutdown`. From then on every answer is the last of its connection
/// (`Connection: close`). New connections are still accepted: for the lame-duck time, then while those
/// that are open end and `meanwhile` is under way, and then until nobody is connected for a moment, as
/// far as there is one. Returns once the last ones are closed or their time is up.
///
/// So while the end takes its time, senders get their answers, and it is over within moments once
/// nobody accepts any more.
///
/// What waits in the queue of a socket of our own by then is answered too; that of a socket that
/// was handed over is left to the successor.
pub async fn serve(
    door: Door,
    server: Arc<Server>,
    shutdown: Shutdown,
    meanwhile: impl Future<Output = ()>,
) {
    let Door { socket, tls } = door;
    let reception = Reception::new(tls, server);
    let ending = reception.end(&shutdown, meanwhile);
    accept(&socket.listener, &reception, ending).await;
    let mut first_within = BRIEFLY;
    if !socket.handed_over {
        first_within = FIRST_WITHIN;
        if let Err(error) = empty_queue(socket.listener, &reception) {
            debug!(%error, "the queue of connections");
        }
    }
    reception.close(first_within).await;
}

/// Until `ending` is over.
async fn accept(listener: &TcpListener, reception: &Reception, ending: impl Future<Output = ()>) {
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
    ends: Ends,
    /// Open connections that were accepted before they were to stop.
    early: Crowd,
    /// And since.
    late: Crowd,
}

impl Reception {
    fn new(tls: Option<Arc<Tls>>, server: Arc<Server>) -> Self {
        let most = server.limits().connections.min(Semaphore::MAX_PERMITS);
        Self {
            tls,
            permits: Arc::new(Semaphore::new(most)),
            overflow: Overflow::default(),
            server,
            ends: Ends::default(),
            early: Crowd::default(),
            late: Crowd::default(),
        }
    }

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
        let crowd = if self.ends.stop().is_cancelled() {
            &self.late
        } else {
            &self.early
        };
        let open = (permit, crowd.enter());
        let (server, ends) = (Arc::clone(&self.server), self.ends.clone());
        match self.tls.clone() {
            None => drop(tokio::spawn(async move {
                connection::answer(stream, peer.ip(), server, ends).await;
                drop(open);
            })),
            Some(tls) => drop(tokio::spawn(async move {
                let stream = tokio::select! {
                    stream = tls.accept(stream, server.limits().head_within) => stream,
                    () = ends.give_up().cancelled() => None,
                };
                if let Some(stream) = stream {
                    connection::answer(stream, peer.ip(), server, ends).await;
                }
                drop(open);
            })),
        }
    }

    /// From `shutdown` on; over when no more connections are to be accepted.
    async fn end(&self, shutdown: &Shutdown, meanwhile: impl Future<Output = ()>) {
        shutdown.cancelled().await;
        self.server.begin_end();
        let limits = self.server.limits();
        let lame_duck = limits.lame_duck;
        if !lame_duck.is_zero() {
            info!(?lame_duck, "connections are still accepted");
            sleep(lame_duck).await;
        }
        self.ends.stop().cancel();
        let (open, ()) = tokio::join!(self.early.left(limits.answers_within), meanwhile);
        if open > 0 {
            warn!(open, "connections were still open at the end");
        }
        // Then nobody is cut short. Under steady traffic there may be no such moment.
        self.late.left(limits.quiet_within).await;
    }

    /// Lets the last ones end; who has not asked within `first_within` is given up.
    async fn close(&self, first_within: Duration) {
        let mut open = self.late.left(first_within).await;
        self.ends.give_up().cancel();
        if open > 0 {
            open = self.late.left(self.server.limits().last_within).await;
        }
        if open > 0 {
            warn!(open, "the last connections were still open at the end");
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
