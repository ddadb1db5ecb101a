//! Keeps an eye on the topic: is it there, and does Kafka answer?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use postback_common::config::Settings;
use postback_service::lifecycle::Shutdown;
use postback_service::probes::Probe;
use postback_service::topic::{self, Purpose, TopicState};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// Between two looks while all is well.
const EASY: Duration = Duration::from_secs(3);

/// Between two looks while something is wrong.
const WORRIED: Duration = Duration::from_millis(500);

/// How long the brokers get to answer a look.
const WITHIN: Duration = Duration::from_secs(3);

/// What a look at the topic shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It is there.
    Present,
    /// It is there, but Kafka confirms nothing of what it is offered; says what is known of that.
    Unconfirmed(String),
    /// Kafka answers that there is none.
    Missing,
    /// Kafka does not answer, or not usefully; says why.
    NoAnswer(String),
    /// The client has given itself up; says why.
    Broken(String),
}

/// Looks at the topic.
pub trait TopicSight: Send + Sync + 'static {
    /// Takes at most about `within`. Blocks.
    fn look(&self, within: Duration) -> Sight;

    /// Told when a look is worth while before its time.
    fn trouble(&self) -> Arc<Notify>;
}

/// Whether the topic is known to be missing. While it is, Kafka is not offered anything: its client
/// would keep it until its time is up.
#[derive(Debug, Clone, Default)]
pub struct TopicMissing(Arc<AtomicBool>);

impl TopicMissing {
    /// The last look showed that there is no topic.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Notes what the last look showed.
    pub fn set(&self, missing: bool) {
        self.0.store(missing, Relaxed);
    }
}

/// Looks again and again until `shutdown`, and sets the probe accordingly. Calls `came` whenever
/// `topic` comes into sight, at first or after it was missing.
pub async fn watch(
    sight: Arc<dyn TopicSight>,
    topic: String,
    missing: TopicMissing,
    probe: Probe,
    came: impl Fn() + Send,
    shutdown: Shutdown,
) {
    let mut there = false;
    let trouble = sight.trouble();
    while let Some(seen) = look(&sight, &shutdown).await {
        let present = seen == Sight::Present;
        missing.set(seen == Sight::Missing);
        report(&seen, &topic, &probe);
        if present && !there {
            came();
        }
        // While Kafka does not answer, the topic stays as it was.
        there = present || (there && seen != Sight::Missing);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = pause(present, &trouble) => {}
        }
    }
}

/// While something is wrong, looks are frequent anyway.
async fn pause(present: bool, trouble: &Notify) {
    if present {
        // Whoever comes first: then it is time.
        drop(timeout(EASY, trouble.notified()).await);
    } else {
        sleep(WORRIED).await;
    }
}

async fn look(sight: &Arc<dyn TopicSight>, shutdown: &Shutdown) -> Option<Sight> {
    let sight = Arc::clone(sight);
    let looking = tokio::task::spawn_blocking(move || sight.look(WITHIN));
    tokio::select! {
        () = shutdown.cancelled() => None,
        // A look that panicked says nothing, and the next one is due soon.
        seen = looking => Some(seen.unwrap_or_else(|error| Sight::NoAnswer(error.to_string()))),
    }
}

fn report(seen: &Sight, topic: &str, probe: &Probe) {
    match seen {
        Sight::Present => probe.pass(),
        Sight::Unconfirmed(known) => {
            let known = match known.as_str() {
                "" => String::new(),
                known => format!(" ({known})"),
            };
            probe.fail(
                format!("Kafka answers, but confirms nothing{known}"),
                "see that min.insync.replicas of the topic are in sync, and that this user may write \
                 to it (ACL Write)",
            );
        }
        Sight::Missing => probe.fail(
            format!("topic {topic} does not exist"),
            "run `postback migrate`",
        ),
        Sight::NoAnswer(why) => probe.fail(
            why.clone(),
            "start Kafka, or correct kafka.brokers and kafka.options",
        ),
        Sight::Broken(why) => probe.fail(
            format!("Kafka's client has given up ({why})"),
            "it is made anew; if that goes on, restart postback-ingest",
        ),
    }
}

/// Logs each thing about the topic on which a promise cannot rest, with its remedy.
pub async fn judge(settings: Arc<Settings>) {
    match topic::inspect(&settings.kafka, Purpose::Raw).await {
        Ok(TopicState::Present(topic)) => {
            for finding in topic::findings(&topic, &settings, Purpose::Raw) {
                let topic::Finding { code, what, remedy } = finding;
                warn!(code, remedy, "{what}");
            }
        }
        Ok(TopicState::Missing { .. }) => {}
        Err(error) => warn!(
            code = error.code(),
            remedy = error.remedy(),
            "the topic's settings were not checked: {error}"
        ),
    }
}
