//! Tells operators how the spool is: its probe, its reports, its figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postback_service::lifecycle::Shutdown;
use postback_service::probes::Probe;
use postback_spool::{Fault, OpenError, Report, Spool, Status, SubmitError};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::{SpoolFigures, Spooler};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// Between two looks at the free space, which may wait for the disk.
const FREE_EVERY: Duration = Duration::from_secs(10);

/// A write that takes longer stalls.
const STALLED: Duration = Duration::from_secs(1);

/// The same report is not repeated within this time.
const QUIET: Duration = Duration::from_secs(10);

/// What to do about directories that cannot be taken over.
pub const STRANDED_REMEDY: &str = "give them to the user of ingest (chown -R), or drain them as \
                                   their owner with `postback spool drain`";

/// What is said about the spool.
#[derive(Debug)]
pub struct SpoolProbes {
    /// Whether it takes records.
    pub spool: Probe,
    /// Whether what others left in it can be drained.
    pub stranded: Probe,
}

/// Looks again and again until `shutdown`.
pub async fn watch(
    spooler: Arc<Spooler>,
    figures: SpoolFigures,
    probes: SpoolProbes,
    shutdown: Shutdown,
) {
    let mut journal = Journal::default();
    let mut free = FreeSpace::default();
    loop {
        let now = Instant::now();
        set(&probes.spool, &spooler);
        tell_stranded(&probes.stranded, &spooler);
        if let Some(spool) = spooler.spool() {
            figures.sample(now, spool.status().used_bytes);
            for report in spool.take_reports() {
                journal.write(&report, now);
            }
            let (looking, figures) = (Arc::clone(&spooler), figures.clone());
            free.look_when_due(now, move || {
                if let Some(Ok(bytes)) = looking.spool().map(Spool::free_bytes) {
                    figures.set_free(bytes);
                }
            });
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Looks at the free space, one look at a time: on a disk that hangs each would keep one of the
/// runtime's threads for itself.
#[derive(Default)]
struct FreeSpace {
    looked: Option<Instant>,
    looking: Option<JoinHandle<()>>,
}

impl FreeSpace {
    fn look_when_due(&mut self, now: Instant, look: impl FnOnce() + Send + 'static) {
        let is_due = self.looked.is_none_or(|at| now - at >= FREE_EVERY);
        let last = self.looking.as_ref();
        let is_looking = last.is_some_and(|look| !look.is_finished());
        if is_due && !is_looking {
            self.looked = Some(now);
            self.looking = Some(tokio::task::spawn_blocking(look));
        }
    }
}

fn set(probe: &Probe, spooler: &Spooler) {
    let max_bytes = spooler.settings().max_bytes;
    match (spooler.status(), spooler.trouble()) {
        (Some(status), _) => judge(probe, &status, spooler.record_room()),
        (None, Some(OpenError::Disk(fault))) => {
            let dir = spooler.settings().dir.display().to_string();
            let remedy = OpenError::Disk(fault.clone()).remedy();
            probe.fail(format!("{dir} cannot be used: {}", plain(&fault)), remedy);
        }
        (None, Some(error)) => probe.fail(
            format!("spool_max_bytes = {max_bytes}: {error}"),
            error.remedy(),
        ),
        // Its first try is under way.
        (None, None) => {}
    }
}

fn tell_stranded(probe: &Probe, spooler: &Spooler) {
    let stranded = spooler
        .status()
        .map_or_else(Vec::new, |status| status.stranded);
    let Some(first) = stranded.first() else {
        probe.pass();
        return;
    };
    let dir = spooler.settings().dir.display();
    let count = match stranded.len() {
        1 => "a directory".to_owned(),
        count => format!("{count} directories"),
    };
    let why = plain(first);
    let reason = format!("{count} in {dir} cannot be taken over, records may stay there: {why}");
    probe.fail(reason, STRANDED_REMEDY);
}

fn judge(probe: &Probe, status: &Status, record_room: u64) {
    let stalled = status.stalled_for.is_some_and(|time| time >= STALLED);
    if let Err(error) = &status.ready {
        let what = match error {
            SubmitError::NotReady(fault) | SubmitError::DiskFull(fault) => plain(fault),
            other => other.to_string(),
        };
        probe.fail(
            format!("the disk does not take records: {what}"),
            error.remedy(),
        );
    } else if stalled {
        probe.fail(
            "the disk does not finish a write",
            "look for I/O errors in the kernel's log; postbacks go to Kafka alone meanwhile",
        );
    } else if status.used_bytes.saturating_add(record_room) > status.max_bytes {
        let max_bytes = status.max_bytes;
        let (foreign, first) = match status.foreign_bytes {
            0 => (String::new(), ""),
            // In whole percent, so that the text does not change with every byte.
            bytes => (
                format!(
                    ", {} % of it taken by files that are not the spool's",
                    u128::from(bytes) * 100 / u128::from(max_bytes.max(1))
                ),
                "move foreign files elsewhere (`postback spool status`), ",
            ),
        };
        probe.fail(
            format!("the spool is full: spool_max_bytes = {max_bytes}{foreign}"),
            format!(
                "{first}bring Kafka back, or raise ingest.spool_max_bytes if the disk has room"
            ),
        );
    } else {
        probe.pass();
    }
}

/// A fault without the name of the file, which is another one at each try: the same trouble is the
/// same text.
fn plain(fault: &Fault) -> String {
    format!("{}: {}", fault.operation, fault.kind)
}

/// Writes reports to the log, the same one not again and again.
#[derive(Debug, Default)]
struct Journal {
    last: Option<(String, Instant)>,
}

impl Journal {
    fn write(&mut self, report: &Report, now: Instant) {
        let reason = report.reason();
        let trouble = match report {
            Report::WriteFailed(fault) | Report::ReadFailed(fault) | Report::TidyFailed(fault) => {
                format!("{reason} {}", plain(fault))
            }
            other => other.to_string(),
        };
        let repeated = self
            .last
            .as_ref()
            .is_some_and(|(last, at)| *last == trouble && now - *at < QUIET);
        if repeated {
            return;
        }
        self.last = Some((trouble, now));
        match report {
            Report::Recovered { .. } => info!(reason, "{report}"),
            Report::Damage { .. }
            | Report::SetAside { .. }
            | Report::UnknownVersion { .. }
            | Report::Vanished { .. } => error!(reason, "{report}"),
            _ => warn!(reason, "{report}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use postback_service::probes::Readiness;

    use super::*;

    #[tokio::test]
    async fn a_look_that_hangs_is_not_joined_by_others() {
        let (began, begun) = std::sync::mpsc::channel();
        let (release, wait) = std::sync::mpsc::channel();
        let (mut free, now) = (FreeSpace::default(), Instant::now());
        let first = began.clone();
        free.look_when_due(now, move || {
            first.send("first").unwrap();
            wait.recv().unwrap();
        });
        for turn in 1..100 {
            let began = began.clone();
            free.look_when_due(now + turn * FREE_EVERY, move || {
                began.send("meanwhile").unwrap();
            });
        }
        release.send(()).unwrap();
        free.looking.take().unwrap().await.unwrap();
        free.look_when_due(now + 100 * FREE_EVERY, move || {
            began.send("last").unwrap();
        });
        free.looking.take().unwrap().await.unwrap();
        assert_eq!(begun.iter().collect::<Vec<_>>(), ["first", "last"]);
    }

    #[test]
    fn a_full_spool_says_what_of_it_is_not_its_own() {
        let probe = Readiness::new().probe("spool");
        for (foreign_bytes, expected) in [
            (
                0,
                "the spool is full: spool_max_bytes = 1000: bring Kafka back,",
            ),
            (
                837,
                "the spool is full: spool_max_bytes = 1000, 83 % of it taken by files that are not \
                 the spool's: move foreign files elsewhere (`postback spool status`), bring Kafka",
            ),
        ] {
            judge(&probe, &full(foreign_bytes), 100);
            let told = probe.failure().unwrap().to_string();
            assert!(told.starts_with(expected), "{told}");
        }
    }

    fn full(foreign_bytes: u64) -> Status {
        Status {
            ready: Ok(()),
            records: 0,
            bytes: 0,
            uncounted_bytes: 0,
            oldest_at_micros: None,
            segments: 1,
            used_bytes: 950,
            foreign_bytes,
            max_bytes: 1_000,
            queued_records: 0,
            queued_bytes: 0,
            stalled_for: None,
            stranded: Vec::new(),
            counts: Default::default(),
        }
    }
}
