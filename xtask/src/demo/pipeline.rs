//! Ingest and consumer, running.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use postback_stack::{Cancellation, StackError, Supervised};

use super::site::Site;
use crate::report;

/// How long a service may take until it is ready.
const READY: Duration = Duration::from_secs(60);

/// How long a service may take to stop in order.
const GRACE: Duration = Duration::from_secs(30);

/// How often the services are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// One service.
struct Service {
    name: &'static str,
    process: Supervised,
    log: PathBuf,
}

/// Both services; killed when dropped.
pub(super) struct Pipeline {
    services: [Service; 2],
}

impl Pipeline {
    /// Makes topics and tables, starts both services and waits until both are ready.
    ///
    /// # Errors
    /// When one of them ends or does not get ready in time.
    pub(super) fn start(site: &Site, cancellation: &Cancellation) -> anyhow::Result<Self> {
        report::step("Making topics and tables: postback migrate");
        site.migrate(cancellation)?;
        report::step("Starting postback-ingest and postback-consumer");
        let start = |name| -> anyhow::Result<Service> {
            let log = site.log(name);
            let process = site.program(name)?.log(&log).spawn()?;
            Ok(Service { name, process, log })
        };
        let pipeline = Self {
            services: [start("postback-ingest")?, start("postback-consumer")?],
        };
        for (service, admin) in pipeline.services.iter().zip(site.admin_addresses()) {
            service.wait_until_ready(admin, cancellation)?;
        }
        Ok(pipeline)
    }

    /// # Errors
    /// Names a service that has ended, with the end of its log.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.services.iter().try_for_each(Service::check)
    }

    /// Waits for the wish to stop, then stops both.
    ///
    /// # Errors
    /// When a service ends by itself, and [`StackError::Cancelled`] at the wished end.
    pub(super) fn watch(self, cancellation: &Cancellation) -> anyhow::Result<()> {
        while cancellation.sleep(LOOK).is_ok() {
            self.check()?;
        }
        self.stop()?;
        Err(StackError::Cancelled.into())
    }

    /// Stops both in order.
    ///
    /// # Errors
    /// When one of them ends with another exit code than 0.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        for service in &self.services {
            service.check()?;
            service.process.stop(GRACE);
            if !service
                .process
                .status()
                .is_some_and(|status| status.success())
            {
                return Err(service.ended());
            }
        }
        Ok(())
    }
}

impl Service {
    fn check(&self) -> anyhow::Result<()> {
        if self.process.is_running() {
            Ok(())
        } else {
            Err(self.ended())
        }
    }

    fn ended(&self) -> anyhow::Error {
        let log = self.log.clone();
        match self.process.status() {
            Some(status) => StackError::Ended {
                server: self.name,
                status,
                log,
            }
            .into(),
            None => anyhow::anyhow!("{} does not end", self.name),
        }
    }

    fn wait_until_ready(
        &self,
        admin: SocketAddr,
        cancellation: &Cancellation,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut reason = String::from("nothing listens");
        while started.elapsed() < READY {
            self.check()?;
            match readiness(admin) {
                Ok((200, _)) => return Ok(()),
                Ok((status, text)) => reason = format!("{status} {}", text.trim()),
                Err(error) => reason = error.to_string(),
            }
            cancellation.sleep(LOOK)?;
        }
        bail!(
            "{} is not ready after {} s: {reason}",
            self.name,
            READY.as_secs()
        )
    }
}

/// Status and text of `/readyz`.
fn readiness(admin: SocketAddr) -> Result<(u16, String), ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(5)))
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.get(format!("http://{admin}/readyz")).call()?;
    let text = answer.body_mut().read_to_string()?;
    Ok((answer.status().as_u16(), text))
}
