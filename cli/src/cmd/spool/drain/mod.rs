//! `postback spool drain`

mod carrier;
mod delivery;
mod pace;
mod put_back;
mod window;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use postback_common::config::Settings;
use postback_service::kafka::rdkafka::ClientConfig;
use postback_service::kafka::rdkafka::config::FromClientConfigAndContext as _;
use postback_service::kafka::rdkafka::producer::BaseProducer;
use postback_service::kafka::{explain, producer_config};
use postback_service::topic::{self, Purpose};
use postback_spool::disk::RealDisk;
use postback_spool::{Adopted, OpenError, Report};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::contents::trouble;
use super::{Directory, Place, contents, status};
use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::plural;
use crate::servers::Trouble;
use carrier::{Carrier, Ended, Progress};
use delivery::{Halt, Reports};
use pace::Pace;

/// How often progress is shown: to a person who watches, and in a log.
const WATCHED: Duration = Duration::from_millis(200);
const LOGGED: Duration = Duration::from_secs(10);

/// The longest record that any configuration lets ingest take, and room for what Kafka puts around
/// it. What is in a spool may have been taken under other limits than today's: the broker is the
/// judge of it.
const LARGEST: u32 = 4_000_000;

/// Bring what dead processes left in the spool to Kafka
#[derive(Debug, Args)]
#[command(
    after_help = "Example: postback spool drain --dir /mnt/dead-host/spool\n\
    Takes over the orphaned directories; those of living processes are left to them. A record leaves \
    the spool only after Kafka confirmed it: Ctrl-C, or a crash, loses nothing and repeats some, with \
    the same ids. A record that Kafka refuses for itself is set aside; once the reason is mended (mostly \
    max.message.bytes of the topic), --set-aside sends it again. Then shows what stays.\n\
    Exit code 3 when something stays, 1 when Kafka does not take the records."
)]
pub(super) struct Drain {
    #[command(flatten)]
    place: Place,
    /// First put back what was set aside, once Kafka would take it
    #[arg(long)]
    set_aside: bool,
}

impl Drain {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let settings = load(options, console)?.settings;
        let directory = self.place.find(options, console)?;
        let mut interrupts = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        if self.set_aside {
            let files = set_aside_files(&directory.path).await?;
            if !files.is_empty() {
                // Before anything is moved: without Kafka, it is in nobody's way where it is.
                tokio::select! {
                    _ = interrupts.recv() => return Err(Failure::Interrupted),
                    ready = ready(&settings) => ready?,
                }
            }
            put_back(&directory.path, files, console).await?;
        }
        let (drain, adopted) = tokio::select! {
            _ = interrupts.recv() => return Err(Failure::Interrupted),
            adopted = adopt(&directory.path) => adopted?,
        };
        tell_adopted(&adopted, &drain, console);
        if adopted.segments > 0 {
            tokio::select! {
                _ = interrupts.recv() => return Err(Failure::Interrupted),
                ready = ready(&settings) => ready?,
            }
            let ended = carry(drain, &adopted, &settings, &mut interrupts, console).await?;
            conclude(ended, &settings, &directory, console)?;
        } else {
            drop(drain);
        }
        tokio::select! {
            _ = interrupts.recv() => Err(Failure::Interrupted),
            shown = status::report(&directory, options, console) => shown,
        }
    }
}

async fn set_aside_files(root: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let rejected = contents::survey(root).await?.rejected;
    Ok(rejected.into_iter().map(|file| file.path).collect())
}

async fn put_back(root: &Path, files: Vec<PathBuf>, console: &mut Console) -> Result<(), Trouble> {
    let path = root.to_owned();
    let remedy =
        "run it again: what is in the spool already comes twice with the same id, and counts once";
    let asked = tokio::task::spawn_blocking(move || put_back::put_back(&path, &files)).await;
    let put = asked
        .map_err(|error| Trouble::new(error.to_string(), remedy))?
        .map_err(|error| Trouble::new(format!("{error:#}"), remedy))?;
    console.note(format_args!(
        "Put back {} that were set aside.",
        plural(put.records, "record")
    ));
    if put.living_files > 0 {
        console.note(format_args!(
            "Files of a living process, stay set aside until it has ended: {}.",
            put.living_files
        ));
    }
    for (path, why) in &put.kept {
        console.warn(Trouble::new(
            format!("{} stays set aside: {why}", path.display()),
            "`postback spool export` prints what can be read of it",
        ));
    }
    Ok(())
}

/// Takes over what dead processes left. Nobody else can, until the drain is dropped.
async fn adopt(root: &Path) -> Result<(postback_spool::Drain, Adopted), Trouble> {
    let path = root.to_owned();
    let asked = tokio::task::spawn_blocking(move || -> Result<_, OpenError> {
        let disk = Arc::new(RealDisk);
        let options = postback_spool::Options::default();
        let mut drain = postback_spool::Drain::of_orphans(disk, &path, options)?;
        let adopted = drain.adopt()?;
        Ok((drain, adopted))
    });
    match asked.await {
        Ok(Ok(adopted)) => Ok(adopted),
        Ok(Err(error)) => Err(trouble(root, &error)),
        Err(error) => Err(Trouble::new(error.to_string(), "run it again")),
    }
}

fn tell_adopted(adopted: &Adopted, drain: &postback_spool::Drain, console: &mut Console) {
    for report in drain.take_reports() {
        tell(&report, console);
    }
    if adopted.in_use > 0 {
        console.note(format_args!(
            "Left to living processes, which drain them: {}.",
            directories(adopted.in_use)
        ));
    }
    if adopted.directories > 0 {
        console.note(format_args!(
            "Took over {} with {}.",
            directories(adopted.directories),
            plural(adopted.segments, "segment")
        ));
    }
}

fn directories(count: u64) -> String {
    let noun = if count == 1 {
        "directory"
    } else {
        "directories"
    };
    format!("{count} {noun}")
}

/// Sends everything on a thread of its own, and shows how far it is. Ctrl-C stops it in order; a
/// second one at once.
async fn carry(
    drain: postback_spool::Drain,
    adopted: &Adopted,
    settings: &Settings,
    interrupts: &mut Signal,
    console: &mut Console,
) -> Result<Ended, Failure> {
    let (told, hears) = watch::channel(Progress::default());
    let stop = Arc::new(AtomicBool::new(false));
    let carrier = Carrier {
        drain,
        producer: producer(settings)?,
        topic: settings.kafka.topic.clone(),
        stop: Arc::clone(&stop),
        told,
    };
    let watched = console.is_watched();
    let pace = Pace::new(adopted.bytes);
    let mut ticks = tokio::time::interval(if watched { WATCHED } else { LOGGED });
    // The first comes at once.
    ticks.tick().await;
    let mut carrying = tokio::task::spawn_blocking(move || carrier.run());
    let ended = loop {
        tokio::select! {
            ended = &mut carrying => break ended,
            _ = interrupts.recv() => {
                if stop.swap(true, Ordering::Relaxed) {
                    return Err(Failure::Interrupted);
                }
            }
            _ = ticks.tick() => {
                let line = pace.line(*hears.borrow());
                if watched {
                    console.progress(line);
                } else {
                    console.note(line);
                }
            }
        }
    };
    if watched {
        console.progress("");
    }
    ended.map_err(Failure::failed)
}

/// Whether Kafka answers, and has the topic.
async fn ready(settings: &Settings) -> Result<(), Trouble> {
    match topic::exists(&settings.kafka, Purpose::Raw).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(no_topic(settings)),
        Err(error) => Err(Trouble::of_kafka(&error)),
    }
}

fn no_topic(settings: &Settings) -> Trouble {
    let what = format!("there is no topic {}", settings.kafka.topic);
    Trouble::new(what, "run `postback migrate`")
}

/// As ingest sends, but for its limits.
fn config(settings: &Settings) -> ClientConfig {
    let mut config = producer_config(settings, "postback-spool-drain");
    if !settings.kafka.options.contains_key("message.max.bytes") {
        config.set("message.max.bytes", LARGEST.to_string());
    }
    // Nobody reads its figures here, and rdkafka would log them.
    config.set("statistics.interval.ms", "0");
    config
}

fn producer(settings: &Settings) -> Result<BaseProducer<Reports>, Trouble> {
    BaseProducer::from_config_and_context(&config(settings), Reports::default()).map_err(|error| {
        let words = explain(&settings.kafka, &error);
        let what = format!("Kafka's client cannot be made: {words}");
        Trouble::new(what, "correct [kafka.options]")
    })
}

fn conclude(
    ended: Ended,
    settings: &Settings,
    directory: &Directory,
    console: &mut Console,
) -> Result<(), Failure> {
    for report in &ended.reports {
        tell(report, console);
    }
    let Progress {
        records, set_aside, ..
    } = ended.progress;
    let topic = &settings.kafka.topic;
    console.note(format_args!(
        "{} in Kafka's topic {topic} now, {set_aside} set aside.",
        plural(records, "record")
    ));
    let place = directory.path.display();
    if let Some(halt) = ended.halt {
        return Err(halted(halt, settings, directory).into());
    }
    if ended.was_stopped {
        console.note(format_args!("Stopped: what is left stays in {place}."));
        return Err(Failure::Interrupted);
    }
    Ok(())
}

fn halted(halt: Halt, settings: &Settings, directory: &Directory) -> Trouble {
    let place = directory.path.display();
    let again = format!("the records stay in {place}; run it again");
    let brokers = settings.kafka.brokers.join(", ");
    match halt {
        Halt::Away(words) => Trouble::new(
            format!("Kafka at {brokers} does not confirm: {words}"),
            format!("bring Kafka back; {again}"),
        ),
        Halt::Denied(words) => Trouble::new(
            format!("Kafka refuses to write: {words}"),
            format!("allow the user in kafka.options to Write the topic; {again}"),
        ),
        Halt::NoTopic => no_topic(settings),
        Halt::Fatal(words) => Trouble::new(format!("Kafka's client gave up: {words}"), again),
        Halt::SetAside(error) => Trouble::new(error.to_string(), error.remedy()),
    }
}

/// What an operator must hear of.
fn tell(report: &Report, console: &mut Console) {
    match report {
        Report::Recovered { .. } => {}
        Report::TornTail { .. } => console.note(report),
        report => console.warn(report),
    }
}

#[cfg(test)]
mod tests {
    use postback_service::kafka::rdkafka::mocking::MockCluster;
    use postback_service::topic::record_bytes_max;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn who_may_write_and_not_see_the_settings_can_drain() {
        // It describes no settings.
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("here", 1, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        for (topic, is_there) in [("here", true), ("elsewhere", false)] {
            let text = format!("[kafka]\nbrokers = \"{brokers}\"\ntopic = \"{topic}\"\n");
            let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
            assert_eq!(ready(&settings).await.is_ok(), is_there, "{topic}");
        }
    }

    fn settings(more: &str) -> Settings {
        let text = format!("[kafka]\nbrokers = \"b:1\"\n{more}");
        postback_common::config::read(Path::new("t.toml"), &text, []).unwrap()
    }

    #[test]
    fn no_record_that_any_ingest_may_take_is_too_long_to_be_sent() {
        let largest = "[ingest]\nmax_query_bytes = 61440\nmax_body_bytes = 524288\n";
        for limits in ["", largest] {
            let settings = settings(limits);
            let longest = config(&settings).get("message.max.bytes").unwrap().parse();
            let taken = record_bytes_max(&settings.ingest);
            assert!(taken < longest.unwrap(), "{taken}");
        }
        let theirs = settings("[kafka.options]\n\"message.max.bytes\" = 2000000\n");
        assert_eq!(config(&theirs).get("message.max.bytes"), Some("2000000"));
    }
}
