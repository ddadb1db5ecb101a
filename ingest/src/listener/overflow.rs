//! Connections beyond the bound: told so at once, because a network that waits counts it as a
//! failure all the same, and never learns why.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use postback_common::reason::Refusal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

use super::connection::linger;
use crate::caller::Caller;
use crate::limits::TURNED_AWAY;
use crate::refusals::Glimpse;
use crate::server::Server;

/// RFC 9110, section 15.6.4. Without `date`, which a 5xx may lack (section 6.6.1).
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 9\r\n\r\ntry again";

/// Longest time until the request begins to come. An answer that is there before it would confuse
/// senders that expect none.
const REQUEST_WITHIN: Duration = Duration::from_secs(1);

/// A few connections beyond the bound, for as long as it takes to say no.
pub(super) struct Overflow(Arc<Semaphore>);

impl Default for Overflow {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TURNED_AWAY)))
    }
}

impl Overflow {
    /// Answers 503, without looking at the request. Closes the connection without a word if too many
    /// are being answered so, or if it needs a handshake first, which costs more than a postback.
    pub(super) fn turn_away(&self, stream: TcpStream, peer: IpAddr, is_tls: bool, server: &Server) {
        let peer = Caller::new(peer);
        server.refuse_unread(Refusal::Overloaded, &Glimpse::of_sender(peer.as_str()));
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            return;
        };
        if is_tls {
            return;
        }
        tokio::spawn(async move {
            if let Err(error) = say_no(stream).await {
                debug!(%error, "a connection too many");
            }
            drop(permit);
        });
    }
}

async fn say_no(mut stream: TcpStream) -> std::io::Result<()> {
    if timeout(REQUEST_WITHIN, stream.readable()).await.is_err() {
        return Ok(());
    }
    stream.write_all(ANSWER).await?;
    linger(stream).await;
    Ok(())
}
