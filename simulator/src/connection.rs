//! One keep-alive connection, and one attempt after the other on it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use jiff::Timestamp;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::net::TcpStream;

use crate::delivery::{Delivery, Method};
use crate::exchange::{Answer, ExchangeError, Request, exchange};
use crate::ledger::{Attempt, Failure, Outcome};

/// Connects when it has to, and keeps the connection for as long as the receiver does.
pub(crate) struct Connection {
    address: SocketAddr,
    /// How long the network waits for an answer.
    patience: Duration,
    stream: Option<TcpStream>,
    received: BytesMut,
}

type Failed = (Failure, String);

impl Connection {
    pub(crate) fn new(address: SocketAddr, patience: Duration) -> Self {
        Connection {
            address,
            patience,
            stream: None,
            received: BytesMut::new(),
        }
    }

    /// Makes the one attempt. After a failure the connection is closed, as a sender does that has
    /// stopped waiting.
    pub(crate) async fn attempt(&mut self, host: &str, delivery: &Delivery) -> Attempt {
        let sent_at = Timestamp::now();
        let begin = Instant::now();
        let patience = self.patience;
        let exchanged = tokio::time::timeout(patience, self.exchange(host, delivery)).await;
        let latency = begin.elapsed();
        let result = exchanged.unwrap_or_else(|_elapsed| {
            let waited = patience.as_millis();
            Err((Failure::TimedOut, format!("no answer within {waited} ms")))
        });
        let outcome = result.unwrap_or_else(|(failure, detail)| {
            self.stream = None;
            Outcome::Failed { failure, detail }
        });
        let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        Attempt {
            sent_at,
            latency_us,
            late_us: 0,
            outcome,
        }
    }

    async fn exchange(&mut self, host: &str, delivery: &Delivery) -> Result<Outcome, Failed> {
        let method = match delivery.planned.method {
            Method::Get => "GET",
            Method::Put => "PUT",
        };
        let request = Request {
            method,
            host,
            target: &delivery.target(),
            authorization: delivery.authorization(),
            body: None,
        };
        let request = request.to_bytes();
        let mut stream = match self.stream.take().filter(is_open) {
            Some(open) => open,
            None => self.connect().await?,
        };
        let answer = exchange(&mut stream, &request, &mut self.received).await;
        let Answer {
            status,
            postback_id,
            reusable,
            ..
        } = answer.map_err(|error| lost(&error))?;
        self.stream = reusable.then_some(stream);
        Ok(Outcome::Answered {
            status,
            postback_id,
        })
    }

    async fn connect(&self) -> Result<TcpStream, Failed> {
        let failed = |error: std::io::Error| (Failure::Connect, error.to_string());
        let stream = TcpStream::connect(self.address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(stream)
    }
}

/// False once the receiver has closed its side: what would be sent then would be lost, and nothing
/// of it has been tried yet.
fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0_u8; 1];
    let looked = recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
    looked == Err(Errno::AGAIN)
}

fn lost(error: &ExchangeError) -> Failed {
    (Failure::ConnectionLost, error.to_string())
}
