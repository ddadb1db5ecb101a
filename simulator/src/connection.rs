//! One keep-alive connection, and one attempt after the other on it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::delivery::{Delivery, Method};
use crate::ledger::{Attempt, Failure, Outcome};

/// The header in which the receiver gives its id of a postback.
const POSTBACK_ID: &str = "x-postback-id";

/// Answers are a word or two; what is longer is cut off as broken.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Connects when it has to, and keeps the connection for as long as the receiver does.
pub(crate) struct Connection {
    address: SocketAddr,
    /// How long the network waits for an answer.
    patience: Duration,
    open: Option<Open>,
}

struct Open {
    requests: SendRequest<Empty<Bytes>>,
    driver: AbortHandle,
}

type Failed = (Failure, String);

impl Connection {
    pub(crate) fn new(address: SocketAddr, patience: Duration) -> Self {
        Connection {
            address,
            patience,
            open: None,
        }
    }

    /// Makes the one attempt. After a failure the connection is closed, as a sender does that has
    /// stopped waiting.
    pub(crate) async fn attempt(&mut self, delivery: &Delivery) -> Attempt {
        let sent_at = Timestamp::now();
        let begin = Instant::now();
        let exchanged = tokio::time::timeout(self.patience, self.exchange(delivery)).await;
        let latency = begin.elapsed();
        let result = exchanged.unwrap_or_else(|_elapsed| {
            let waited = self.patience.as_millis();
            Err((Failure::TimedOut, format!("no answer within {waited} ms")))
        });
        let outcome = result.unwrap_or_else(|(failure, detail)| {
            self.open = None;
            Outcome::Failed { failure, detail }
        });
        let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        Attempt {
            sent_at,
            latency_us,
            outcome,
        }
    }

    async fn exchange(&mut self, delivery: &Delivery) -> Result<Outcome, Failed> {
        let request = self.request(delivery)?;
        let response = self.send(request).await?;
        let status = response.status().as_u16();
        let postback_id = response
            .headers()
            .get(POSTBACK_ID)
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        // The whole answer has to be in before the connection can carry the next request.
        let body = Limited::new(response.into_body(), LONGEST_ANSWER);
        body.collect()
            .await
            .map_err(|error| (Failure::ConnectionLost, error.to_string()))?;
        Ok(Outcome::Answered {
            status,
            postback_id,
        })
    }

    fn request(&self, delivery: &Delivery) -> Result<Request<Empty<Bytes>>, Failed> {
        let method = match delivery.planned.method {
            Method::Get => hyper::Method::GET,
            Method::Put => hyper::Method::PUT,
        };
        Request::builder()
            .method(method)
            .uri(delivery.target())
            .header(HOST, self.address.to_string())
            .header(USER_AGENT, "postback-simulator")
            .body(Empty::new())
            .map_err(|error| (Failure::Unsendable, error.to_string()))
    }

    /// Sends on the open connection, else on a new one. A connection that turns out to be closed
    /// before a byte of the request is written has not been an attempt: the request goes on a new
    /// one. Anything later is lost for good.
    async fn send(&mut self, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, Failed> {
        let reused = self.reusable().await;
        let request = match reused {
            Some(requests) => match requests.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => unsent,
                    None => return Err(lost(&error.into_error())),
                },
            },
            None => request,
        };
        let requests = self.connect().await?;
        requests
            .send_request(request)
            .await
            .map_err(|error| lost(&error))
    }

    async fn reusable(&mut self) -> Option<&mut SendRequest<Empty<Bytes>>> {
        let requests = &mut self.open.as_mut()?.requests;
        requests.ready().await.ok()?;
        Some(requests)
    }

    async fn connect(&mut self) -> Result<&mut SendRequest<Empty<Bytes>>, Failed> {
        let failed = |error: std::io::Error| (Failure::Connect, error.to_string());
        let stream = TcpStream::connect(self.address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (requests, driver) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(&error))?;
        let driver = tokio::spawn(driver).abort_handle();
        Ok(&mut self.open.insert(Open { requests, driver }).requests)
    }
}

impl Drop for Open {
    /// Closes the socket at once, an answer that may still come included.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn lost(error: &hyper::Error) -> Failed {
    (Failure::ConnectionLost, error.to_string())
}
