//! One request on a connection of its own, each part of it timed.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use postback_common::secret::Secret;
use postback_healing::probe::Content;
use postback_simulator::Authority;
use postback_simulator::exchange::{Answer, Request, exchange};
use tokio::net::TcpStream;

use crate::ending::Failure;
use crate::tls::encrypt;

/// A person wants to know how late an answer is, so it is waited for beyond the network's limit.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Where the request goes, and what it asks for: its path holds the key.
pub(super) struct Target {
    authority: Authority,
    request: Secret,
}

/// What became of the parts.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) connect: Option<Duration>,
    pub(super) tls: Option<Duration>,
    pub(super) answer: Option<Duration>,
    pub(super) total: Duration,
}

/// At which part it failed, and how.
pub(super) struct Failed {
    pub(super) part: &'static str,
    pub(super) detail: String,
    pub(super) remedy: &'static str,
}

impl Target {
    pub(super) fn of(
        url: &Secret,
        content: &Content,
        authorization: Option<&Secret>,
    ) -> Result<Self, Failure> {
        let bad = |error: &dyn std::fmt::Display| {
            Failure::Usage(format!(
                "nothing can be sent to ingest.public_url or --url: {error}"
            ))
        };
        let (authority, path) = Authority::of_url(url.expose()).map_err(|error| bad(&error))?;
        let target = match content.query.as_str() {
            "" => path,
            query => format!("{path}?{query}"),
        };
        let body = content.body.as_ref();
        let request = Request {
            method: content.method.as_str(),
            host: &authority.host_field(),
            target: target.as_bytes(),
            authorization: authorization.map(Secret::expose),
            body: body.map(|body| (body.content_type, body.text.as_bytes())),
        };
        let request = Secret::new(String::from_utf8_lossy(&request.to_bytes()));
        Ok(Self { authority, request })
    }

    pub(super) fn address_shown(&self) -> String {
        let scheme = if self.authority.is_secure {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.authority.host_field())
    }

    /// Sends it, once. `sending` is called where there is a connection, before anything leaves by it.
    pub(super) async fn send(&self, sending: impl FnOnce()) -> (Times, Result<Answer, Failed>) {
        let mut times = Times::default();
        let begin = Instant::now();
        let sent = tokio::time::timeout(PATIENCE, self.send_timed(&mut times, sending)).await;
        times.total = begin.elapsed();
        let answer = sent.unwrap_or_else(|_elapsed| {
            Err(Failed {
                part: "answer",
                detail: format!("nothing within {} s", PATIENCE.as_secs()),
                remedy: "see that postback-ingest runs and that nothing on the way drops packets",
            })
        });
        (times, answer)
    }

    async fn send_timed(
        &self,
        times: &mut Times,
        sending: impl FnOnce(),
    ) -> Result<Answer, Failed> {
        let begin = Instant::now();
        let place = (self.authority.host.as_str(), self.authority.port);
        let stream = TcpStream::connect(place).await.map_err(|error| Failed {
            part: "connect",
            detail: error.to_string(),
            remedy: "see that postback-ingest, or the proxy before it, listens there; --url names another place",
        })?;
        stream.set_nodelay(true).ok();
        times.connect = Some(begin.elapsed());
        if !self.authority.is_secure {
            sending();
            return self.exchange(stream, times).await;
        }
        let begin = Instant::now();
        let stream = encrypt(&self.authority.host, stream).await.map_err(|detail| Failed {
            part: "tls",
            detail,
            remedy: "networks refuse such a connection, too: renew the certificate, or correct its name and chain",
        })?;
        times.tls = Some(begin.elapsed());
        sending();
        self.exchange(stream, times).await
    }

    async fn exchange<S>(&self, mut stream: S, times: &mut Times) -> Result<Answer, Failed>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let begin = Instant::now();
        let mut received = BytesMut::new();
        let request = self.request.expose().as_bytes();
        let answer = exchange(&mut stream, request, &mut received).await;
        times.answer = Some(begin.elapsed());
        answer.map_err(|error| Failed {
            part: "answer",
            detail: error.to_string(),
            remedy: "see that it is postback-ingest, or a proxy that passes on to it, which listens there",
        })
    }
}
