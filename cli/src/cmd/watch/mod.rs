//! `postback watch`: whether tracking breaks, from counts that have seasons.
//!
//! Nothing is kept between two runs: each look judges the last two weeks anew, from what the tables
//! hold, so a restart finds what was found before.

mod alert;
mod book;
mod finding;
mod history;
mod judge;
mod look;
mod marks;
mod metrics;
mod reload;
mod sheet;
mod told;
mod webhook;

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use postback_common::config::Settings;
use postback_service::admin::{self, Admin};
use postback_service::lifecycle::{self, Shutdown};
use postback_service::metrics::Metrics;
use postback_service::probes::{Probe, Readiness};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{Loaded, load, source};
use crate::arguments::{Form, Options};
use crate::cmd::names;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::servers::Trouble;
use look::{Begun, Look, Past, Unjudged, Watched};
use metrics::Watching;
use reload::Hangups;
use told::{Event, Told};
use webhook::{Sender, Webhook};

/// Watch for breaks: the gap to your orders widens, nothing comes, fewer come, click ids or amounts are lost
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback watch                        # tells each break once, and its end; Ctrl-C ends\n  \
    postback watch --once                 # what is wrong now; exit code 3 when something is, or cannot be judged\n  \
    postback watch --once -o json --source rakuten-us\n\n\
    A break is told with its beginning, how often chance alone gives as much, its likeliest cause and where to look.\n\
    Mark deploys with `postback annotate`, and a break near one names it. Under three weeks of history a source is \
    learning: what sources have in common stands in. [watch] in the configuration has the webhook and the metrics.")]
pub(crate) struct Watch {
    /// Look once, show what is wrong, and end
    #[arg(long)]
    once: bool,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Seconds between two looks [default: watch.interval_seconds of the configuration]
    #[arg(long, value_name = "SECONDS", conflicts_with = "once", value_parser = clap::value_parser!(u64).range(5..=3_600))]
    interval: Option<u64>,
}

impl Watch {
    /// Only one that goes on has something to stop.
    pub(crate) const fn stops_in_order(&self) -> bool {
        !self.once
    }

    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        if !self.once && options.output == Form::Csv {
            let words = "`postback watch` that goes on tells events, not a table\n  use -o jsonl, or --once";
            return Err(Failure::Usage(words.to_owned()));
        }
        let loaded = load(options, console)?;
        let only = self.only(&loaded.settings)?;
        if self.once {
            let loaded = &loaded;
            let watched = Watched {
                loaded,
                only,
                begun: None,
            };
            return once(&watched, options, console).await;
        }
        self.go_on(loaded, options, console).await
    }

    /// The one source that is asked for, by the name it has now.
    fn only<'a>(&'a self, settings: &'a Settings) -> Result<Option<&'a str>, Failure> {
        let Some(name) = self.source.as_deref() else {
            return Ok(None);
        };
        let name = names::now(name, &settings.sources).unwrap_or(name);
        source::find(name, settings)?;
        Ok(Some(name))
    }

    /// What one that goes on looks at.
    fn watched<'a>(&'a self, loaded: &'a Loaded, begun: &'a Begun) -> Result<Watched<'a>, Failure> {
        Ok(Watched {
            loaded,
            only: self.only(&loaded.settings)?,
            begun: Some(begun),
        })
    }

    async fn go_on(
        &self,
        mut loaded: Loaded,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let pause = self
            .interval
            .map_or(loaded.settings.watch.interval, Duration::from_secs);
        let shutdown = lifecycle::shutdown_on_signal().map_err(Failure::failed)?;
        let mut interrupts = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        let mut hangups = Hangups::listen().map_err(Failure::failed)?;
        let mut watcher = Watcher::start(&loaded.settings, shutdown.clone()).await?;
        let mut begun = Begun::default().read(&loaded.settings.sources, Timestamp::now());
        loop {
            let watched = self.watched(&loaded, &begun)?;
            tokio::select! {
                // Both come with Ctrl-C, and the first one says so.
                biased;
                _ = interrupts.recv() => return Err(Failure::Interrupted),
                // A server that hangs keeps nobody waiting.
                () = shutdown.cancelled() => return Ok(Ending::Done),
                looked = watcher.look(&watched, options, console) => looked?,
            }
            watcher.tell_troubles(console);
            tokio::select! {
                biased;
                _ = interrupts.recv() => return Err(Failure::Interrupted),
                () = shutdown.cancelled() => return Ok(Ending::Done),
                () = hangups.next() => {
                    let again = self.load_again(&loaded, options, console);
                    watcher.metrics.reloaded(again.is_some());
                    if let Some(again) = again {
                        loaded = again;
                        begun = begun.read(&loaded.settings.sources, Timestamp::now());
                        watcher.past.reload(&self.watched(&loaded, &begun)?);
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

async fn once(
    watched: &Watched<'_>,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let clickhouse = &watched.loaded.settings.clickhouse;
    let look = watched.look(&mut Past::default(), Timestamp::now()).await;
    let look = look.map_err(|error| Trouble::of_clickhouse(&error, clickhouse))?;
    if !is_silent(&look, options) {
        sheet::of(&look, options).write(options, console)?;
    }
    Ok(if look.is_remarkable() {
        Ending::Found
    } else {
        Ending::Done
    })
}

/// A cron line mails what it gets to read: nothing where all is well, if it was asked to be quiet.
fn is_silent(look: &Look, options: &Options) -> bool {
    options.quiet && options.output == Form::Table && look.is_well()
}

/// What to tell where what came last is judged no more, for another reason, or again. Kafka's words can
/// change from look to look, and are told once.
fn changed<'a>(before: Option<&Unjudged>, now: Option<&'a Unjudged>) -> Option<&'a str> {
    if before.map(mem::discriminant) == now.map(mem::discriminant) {
        return None;
    }
    Some(now.map_or("What came last is judged again.", Unjudged::words))
}

/// What goes on between looks.
struct Watcher {
    past: Past,
    told: Told,
    metrics: Watching,
    probe: Probe,
    webhook: Option<Sender>,
    troubles: mpsc::UnboundedReceiver<String>,
    /// A failed look is told once, until one succeeds.
    failing: bool,
    looked: bool,
    /// Why the last look did not judge what came last.
    unjudged: Option<Unjudged>,
}

impl Watcher {
    async fn start(settings: &Settings, shutdown: Shutdown) -> Result<Self, Failure> {
        let metrics = Watching::default();
        let readiness = Readiness::new();
        let probe = readiness.probe("clickhouse");
        if let Some(address) = settings.watch.admin_listen {
            let mut all = Metrics::new();
            metrics.register(&mut all);
            all.collect(readiness.clone());
            let listener = admin::bind("watch.admin_listen", address)
                .await
                .map_err(Failure::failed)?;
            let admin = Admin {
                readiness,
                metrics: Arc::new(all),
            };
            tokio::spawn(admin::serve(listener, admin, shutdown));
        }
        let (tell, troubles) = mpsc::unbounded_channel();
        let webhook = Webhook::of(&settings.watch)?.map(|webhook| {
            webhook.start(metrics.deliveries.clone(), move |words| {
                // Nobody listens any more only when the process ends.
                tell.send(words).ok();
            })
        });
        Ok(Self {
            past: Past::default(),
            told: Told::default(),
            metrics,
            probe,
            webhook,
            troubles,
            failing: false,
            looked: false,
            unjudged: None,
        })
    }

    async fn look(
        &mut self,
        watched: &Watched<'_>,
        options: &Options,
        console: &mut Console,
    ) -> Result<(), Failure> {
        match watched.look(&mut self.past, Timestamp::now()).await {
            Ok(look) => {
                self.failing = false;
                self.probe.pass();
                self.tell(look, options, console)
            }
            Err(error) => {
                self.metrics.failed();
                let trouble = Trouble::of_clickhouse(&error, &watched.loaded.settings.clickhouse);
                self.probe
                    .fail(trouble.what.clone(), trouble.remedy.clone());
                if !self.failing {
                    console.warn(format_args!("nothing can be judged now: {trouble}"));
                }
                self.failing = true;
                Ok(())
            }
        }
    }

    fn tell(
        &mut self,
        look: Look,
        options: &Options,
        console: &mut Console,
    ) -> Result<(), Failure> {
        if !self.looked {
            for note in sheet::notes(&look, options) {
                console.note(note);
            }
        } else if let Some(words) = changed(self.unjudged.as_ref(), look.unjudged.as_ref()) {
            console.warn(words);
        }
        self.looked = true;
        self.unjudged = look.unjudged;
        let through = look.through.map_or(0, Timestamp::as_second);
        for event in self.told.look(look.alerts) {
            sheet::tell(&event, options, console)?;
            if let Some(webhook) = &self.webhook {
                let sent = webhook.send(sheet::json(&event, options).to_string());
                if !sent {
                    self.metrics.deliveries.failed();
                    console.warn("too many alerts wait for the webhook: this one was not sent");
                }
            }
        }
        self.metrics.looked(self.told.open(), through);
        Ok(())
    }

    fn tell_troubles(&mut self, console: &mut Console) {
        while let Ok(words) = self.troubles.try_recv() {
            console.warn(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    fn look(judged: usize, unjudged: Option<&str>) -> Look {
        Look {
            alerts: Vec::new(),
            through: Some(Timestamp::UNIX_EPOCH),
            learning: Vec::new(),
            new: Vec::new(),
            judged,
            gaps: 0,
            unjudged: unjudged.map(|words| Unjudged::Unsaid(words.to_owned())),
        }
    }

    #[test]
    fn gaps_alone_say_nothing_of_senders_that_are_too_new() {
        let of = |judged, gaps, new: &[&str]| Look {
            gaps,
            new: new.iter().map(|name| (*name).to_owned()).collect(),
            ..look(judged, None)
        };
        let options = Arguments::parse_from(["postback", "watch", "--once"]).options;
        for (look, is_well, first) in [
            (
                of(2, 1, &["a"]),
                true,
                "All is well: 2 sources and 1 gap as usual.",
            ),
            (of(0, 1, &[]), true, "All is well: 1 gap as usual."),
            (
                of(0, 2, &["a"]),
                false,
                "As usual: 2 gaps. What sources send cannot be judged yet.",
            ),
            (
                of(0, 0, &["a"]),
                false,
                "Too new to be judged, for they have less than two days of history: a.",
            ),
        ] {
            let notes = sheet::notes(&look, &options);
            assert_eq!((look.is_well(), &*notes[0]), (is_well, first));
        }
    }

    #[test]
    fn what_is_well_is_not_told_to_who_wants_quiet() {
        let silent = |look: &Look, more: &[&str]| {
            let words = [&["postback", "watch", "--once"], more].concat();
            is_silent(look, &Arguments::parse_from(words).options)
        };
        assert!(silent(&look(1, None), &["-q"]));
        assert!(!silent(&look(1, None), &[]));
        // Data are never left out, nor that something could not be judged.
        assert!(!silent(&look(1, None), &["-q", "-o", "json"]));
        assert!(!silent(&look(0, None), &["-q"]));
        assert!(!silent(&look(1, Some("away")), &["-q"]));
    }
    #[test]
    fn what_cannot_be_judged_is_not_known_to_be_well() {
        assert!(!look(1, None).is_remarkable());
        assert!(look(1, Some("away")).is_remarkable());
        assert!(look(0, Some("away")).is_remarkable());
        // Nobody has sent anything yet.
        assert!(!look(0, None).is_remarkable());
    }

    #[test]
    fn that_something_is_not_judged_is_told_on_change() {
        let unsaid = |words: &str| Unjudged::Unsaid(words.to_owned());
        let waits = Unjudged::Waits("waits".to_owned());
        let away = unsaid("away");
        assert_eq!(changed(None, None), None);
        assert_eq!(changed(None, Some(&away)), Some("away"));
        assert_eq!(changed(Some(&unsaid("slow")), Some(&away)), None);
        assert_eq!(changed(Some(&away), Some(&waits)), Some("waits"));
        let again = Some("What came last is judged again.");
        assert_eq!(changed(Some(&waits), None), again);
    }
}
