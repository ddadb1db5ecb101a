//! `cargo xtask bench replay`: how fast a replay is beside live load, and what the live load feels.
//!
//! One consumer loads a topic, which gives the plain rate. Then records keep coming at a fixed
//! rate, and the same consumer replays everything beside them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use postback_stack::{Cancellation, Supervised};
use serde::Serialize;

use super::host::Host;
use super::loader::metrics::Metrics;
use super::loader::{self, site::Site};
use super::page::{table, targets_table};
use super::targets::Target;
use super::tell;
use crate::project::Project;
use crate::report;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);
/// Nothing takes so long.
const GIVE_UP: Duration = Duration::from_mins(20);
/// The live load runs for a while before the replay begins.
const WARM: Duration = Duration::from_secs(5);

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// How many raw records are replayed
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    records: u64,
    /// Records a second that come meanwhile
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// 50,000 records, to see that it works
    #[arg(long)]
    quick: bool,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    host: Host,
    records: u64,
    live_rate: u32,
    /// Rows a second of the plain load, from its first row on.
    plain_rate: f64,
    /// Rows a second of the replay, from its first row on.
    replay_rate: f64,
    /// Longest time that live records waited, by their number and rate.
    live_lag_seconds: f64,
    /// From asking for the switch until it was done.
    switch_seconds: f64,
    targets: Vec<Target>,
}

/// Runs the command.
///
/// # Errors
/// When something does not start or does not end.
pub(super) fn run(
    options: &Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let mut options = options.clone();
    if options.quick {
        options.records = 50_000;
    }
    let site = loader::prepare(project, cancellation)?;
    let figures = measure(&options, &site, cancellation)?;
    tell(&figures, options.json, page, &figures.targets)
}

fn measure(options: &Options, site: &Site, cancellation: &Cancellation) -> anyhow::Result<Figures> {
    let Options { records, rate, .. } = *options;
    site.postback(&["migrate"], cancellation)?;
    report::step(&format!("Filling the topic with {records} records"));
    site.fill(records, cancellation)?;
    report::step("The plain load");
    let consumer = site.consumer("bench-replay")?;
    let look = Looking {
        site,
        consumer: &consumer,
        cancellation,
    };
    let plain_rate = look.rate("postback_consumer_rows_total", records, |_| {})?;
    report::step(&format!("The replay, while {rate} records a second come"));
    let live = site.filling(u64::from(rate) * GIVE_UP.as_secs(), 2, Some(rate))?;
    cancellation.sleep(WARM)?;
    site.command("bench-replay", &["replay", "start"], cancellation)?;
    let mut most = 0.0_f64;
    let replayed = look.rate("postback_standby_rows_total", records, |page| {
        most = most.max(page.sum("postback_consumer_lag_records", None));
    });
    let replay_rate = replayed?;
    report::step("The switch");
    site.command(
        "bench-replay",
        &["replay", "status", "--wait"],
        cancellation,
    )?;
    let asked = Instant::now();
    site.command(
        "bench-replay",
        &["generation", "activate", "2"],
        cancellation,
    )?;
    let switch_seconds = asked.elapsed().as_secs_f64();
    live.kill();
    consumer.kill();
    let live_lag_seconds = most / f64::from(rate);
    Ok(Figures {
        host: Host::look(),
        records,
        live_rate: rate,
        plain_rate,
        replay_rate,
        live_lag_seconds,
        switch_seconds,
        targets: vec![
            Target::new(
                "plain load against the replay, rows a second",
                "×",
                plain_rate / replay_rate,
                1.0 / 0.6,
            ),
            Target::new(
                "lag of the live load meanwhile",
                "s",
                live_lag_seconds,
                10.0,
            ),
        ],
    })
}

/// A look at the consumer, again and again.
struct Looking<'a> {
    site: &'a Site,
    consumer: &'a Supervised,
    cancellation: &'a Cancellation,
}

impl Looking<'_> {
    /// Rows of postbacks a second, from the first look that shows some to the one that shows all.
    fn rate(
        &self,
        metric: &str,
        records: u64,
        mut each: impl FnMut(&Metrics),
    ) -> anyhow::Result<f64> {
        let (begun, mut first) = (Instant::now(), None);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let wanted = records as f64;
        loop {
            self.cancellation.sleep(LOOK)?;
            if !self.consumer.is_running() || begun.elapsed() > GIVE_UP {
                bail!("it does not get through: {}", self.site.printed());
            }
            let page = Metrics::of(self.site.admin());
            each(&page);
            let stored = page.sum(metric, Some(("table", "postbacks")));
            if stored > 0.0 && first.is_none() {
                first = Some((Instant::now(), stored));
            }
            if let Some((since, before)) = first
                && stored >= wanted
            {
                return Ok((stored - before) / since.elapsed().as_secs_f64().max(1e-3));
            }
        }
    }
}

fn page(figures: &Figures) -> String {
    let mut text = format!(
        "{}; {} raw records.\n\n",
        figures.host.line(),
        figures.records
    );
    text.push_str(&table(
        &["", "rows/s"],
        [
            vec![
                "plain load".to_owned(),
                format!("{:.0}", figures.plain_rate),
            ],
            vec![
                format!("replay, beside a live load of {}/s", figures.live_rate),
                format!("{:.0}", figures.replay_rate),
            ],
        ]
        .into_iter(),
    ));
    text.push_str(&format!(
        "\nLongest lag of the live load: {:.1} s. The switch took {:.1} s.\n\n### Targets\n\n",
        figures.live_lag_seconds, figures.switch_seconds
    ));
    text.push_str(&targets_table(&figures.targets));
    text
}
