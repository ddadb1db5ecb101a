//! Listening sockets, bound here or handed over by a supervisor.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::supervisor::Sockets;

/// A socket that listens.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: TcpListener,
    /// It belongs to a supervisor: what waits in its queue is for whoever comes next.
    pub handed_over: bool,
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
    TcpListener::bind(address)
        .await
        .map_err(|error| BindError::new(setting, address, error))
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
    use super::*;

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
