//! `postback-bare`: what hyper alone costs. Answers every request with 204 and does nothing else,
//! on the runtime and with the connection settings that `postback-ingest` has.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use http_body_util::Empty;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream};

/// As ingest's `max_query_bytes` and its room for headers.
const BUFFER_BYTES: usize = 16 * 1024 + 64 * 1024;

/// As ingest's time for a head.
const HEAD_WITHIN: Duration = Duration::from_secs(75);

/// Connections that wait to be accepted; the kernel has a bound of its own.
const QUEUE: u32 = 4_096;

/// Answers every request with 204
#[derive(Debug, Parser)]
#[command(name = "postback-bare")]
struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(arguments.listen))
}

async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    let listener = socket.listen(QUEUE)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(stream: TcpStream) {
    let service = service_fn(|_| async {
        let mut answer = Response::new(Empty::<Bytes>::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        Ok::<_, Infallible>(answer)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(BUFFER_BYTES)
        .half_close(true);
    // However a connection ends, the sender knows.
    drop(
        builder
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}
