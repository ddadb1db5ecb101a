//! The servers under load.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail};
use postback_stack::{Cancellation, Supervised};
use serde::Serialize;

use super::place::{Place, Processor, wait_until};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Variant {
    /// hyper, 204 and nothing else.
    Bare,
    /// ingest, answers after Kafka's confirmation.
    Kafka,
    /// ingest while Kafka is frozen: answers after the spool's.
    Spool,
}

impl Variant {
    pub(super) const ALL: [Self; 3] = [Self::Bare, Self::Kafka, Self::Spool];
}

impl fmt::Display for Variant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bare => "(a) bare hyper",
            Self::Kafka => "(b) ingest, Kafka",
            Self::Spool => "(c) ingest, spool",
        })
    }
}

/// A server that runs; killed when dropped.
pub(super) struct Server<'a> {
    place: &'a Place,
    process: Supervised,
    frozen: bool,
}

impl<'a> Server<'a> {
    /// Starts a server and waits until it answers as its variant does.
    pub(super) fn start(
        variant: Variant,
        place: &'a Place,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Self> {
        let process = match variant {
            Variant::Bare => place
                .program("postback-bare", Processor::Server)
                .args(["--listen".to_owned(), place.listen().to_string()])
                .log(place.log())
                .spawn()?,
            Variant::Kafka | Variant::Spool => ingest(place)?,
        };
        let mut server = Self {
            place,
            process,
            frozen: false,
        };
        if variant == Variant::Bare {
            let connect = || Ok(std::net::TcpStream::connect(place.listen()).is_ok());
            wait_until("the bare server listens", cancellation, connect)?;
        } else {
            server.wait_until_ready(cancellation)?;
        }
        if variant == Variant::Spool {
            place.kafka.process().freeze()?;
            server.frozen = true;
        }
        Ok(server)
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn wait_until_ready(&self, cancellation: &Cancellation) -> anyhow::Result<()> {
        wait_until("ingest is ready", cancellation, || {
            if !self.process.is_running() {
                bail!("ingest ended: {}", self.place.printed());
            }
            Ok(page(self.place, "/readyz").is_ok_and(|(status, _)| status == 200))
        })
    }

    /// How many answers ingest has given by each way, as it counts itself; empty for a bare server.
    pub(super) fn ways(&self) -> BTreeMap<String, f64> {
        let text = page(self.place, "/metrics").map_or_else(|_| String::new(), |(_, text)| text);
        let prefix = "postback_ingest_answer_seconds_count{way=\"";
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        lines
            .filter_map(|line| {
                let (way, count) = line.split_once("\"} ")?;
                Some((way.to_owned(), count.parse().ok()?))
            })
            .collect()
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.process.kill();
        if self.frozen {
            // A broker that cannot be thawed shows at the next start.
            drop(self.place.kafka.process().thaw());
        }
    }
}

/// Starts ingest; it may not be ready yet.
pub(super) fn ingest(place: &Place) -> anyhow::Result<Supervised> {
    Ok(place
        .program("postback-ingest", Processor::Server)
        .args(["-c".into(), place.configuration()])
        .log(place.log())
        .spawn()?)
}

/// A page of ingest's admin listener.
fn page(place: &Place, page: &str) -> anyhow::Result<(u16, String)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(5)))
        .proxy(None)
        .build()
        .into();
    let mut answer = agent
        .get(format!("http://{}{page}", place.admin()))
        .call()?;
    let text = answer.body_mut().read_to_string().context("no text")?;
    Ok((answer.status().as_u16(), text))
}
