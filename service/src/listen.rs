//! Listening sockets, bound here or handed over by a supervisor.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::supervisor::Sockets;

/// Connections that wait to be accepted, as far as `net.core.somaxconn` lets them. Beyond it the
/// kernel drops the first packet of a connection without a word, and the sender tries again after a
/// second: too late. tokio's own 128 are gone when many connect while this process does something
/// else for a moment.
const QUEUE: u32 = 4_096;

/// A socket that listens.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: TcpListener,
    /// It belongs to a supervisor: what waits in its queue is for whoever comes next.
    pub handed_over: bool,
}

impl Listening {
    /// Where it listens; `setting` where the operating system does not say. A socket that was handed
    /// over may listen elsewhere than the setting says.
    #[must_use]
    pub fn address(&self, setting: SocketAddr) -> SocketAddr {
        self.listener.local_addr().unwrap_or(setting)
    }
}

/// Takes the socket `name` that was handed over, or binds `address`.
///
/// # Errors
/// [`BindError`], for this listener and any other.
pub async fn take_or_bind(
    sockets: &mut Sockets,
    name: &str,
    setting: &'static str,
    address: SocketAddr,
) -> Result<Listening, BindError> {
    let Some(socket) = sockets.take(name) else {
        return Ok(Listening {
            listener: bind(setting, address).await?,
            handed_over: false,
        });
    };
    let taken = socket
        .set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(socket));
    Ok(Listening {
        listener: taken.map_err(|error| BindError::new(setting, address, error))?,
        handed_over: true,
    })
}

/// Binds `address`; the error names it and says what to do.
///
/// # Errors
/// [`BindError`], for this listener and any other.
pub async fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    listen(address).map_err(|error| BindError::new(setting, address, error))
}

/// As tokio's own, but for the queue.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// A listening address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "{setting} = \"{address}\": cannot listen there: {error}\n    remedy: {}",
    remedy(error)
)]
pub struct BindError {
    /// The setting that names the address.
    pub setting: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// The operating system's words.
    #[source]
    pub error: io::Error,
}

impl BindError {
    fn new(setting: &'static str, address: SocketAddr, error: io::Error) -> Self {
        Self {
            setting,
            address,
            error,
        }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "end the program that listens there (`ss -ltnp` shows it), or give another port"
        }
        io::ErrorKind::AddrNotAvailable => "give an address of this machine, or 0.0.0.0 for all",
        io::ErrorKind::PermissionDenied => {
            "give a port from 1024 on, or allow this user lower ones"
        }
        _ => "give another address",
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn many_can_wait_to_be_accepted() {
        let listener = bind("test", ([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(10));
        let waiting: io::Result<Vec<TcpStream>> = (0..500).map(connect).collect();
        assert_eq!(waiting.unwrap().len(), 500);
    }

    #[tokio::test]
    async fn an_address_in_use_is_named_with_its_setting() {
        let taken = bind("test", ([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind("ingest.listen", address)
            .await
            .unwrap_err()
            .to_string();
        let named = error.starts_with(&format!("ingest.listen = \"{address}\": cannot listen"));
        assert!(
            named && error.contains("remedy: end the program"),
            "{error}"
        );
    }
}
