//! `cargo xtask bench replay`: how fast a replay is beside live load, and what the live load feels.
//!
//! One consumer loads a topic, which gives the plain rate. Then records keep coming at a fixed
//! rate, and the same consumer replays everything beside them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use postback_stack::{Cancellation, Needs, Supervised};
use serde::Serialize;

use super::MISSED;
use super::host::Host;
use super::loader::{self, site::Site};
use super::page::{table, targets_table};
use super::targets::Target;
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
    let needs = Needs {
        build: true,
        compose: false,
    };
    let installation = project.set_up(needs, cancellation)?;
    loader::build(project, cancellation)?;
    let site = Site::make(project, &installation, cancellation)?;
    let figures = measure(&options, &site, cancellation)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        print!("{}", page(&figures));
    }
    let missed = figures.targets.iter().any(|target| !target.met);
    Ok(if missed {
        ExitCode::from(MISSED)
    } else {
        ExitCode::SUCCESS
    })
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
        most = most.max(page.sum("postback_consumer_lag_records{", ""));
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
    fn rate(&self, metric: &str, records: u64, mut each: impl FnMut(&Page)) -> anyhow::Result<f64> {
        let (begun, mut first) = (Instant::now(), None);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let wanted = records as f64;
        loop {
            self.cancellation.sleep(LOOK)?;
            if !self.consumer.is_running() || begun.elapsed() > GIVE_UP {
                bail!("it does not get through: {}", self.site.printed());
            }
            let page = Page::of(self.site);
            each(&page);
            let stored = page.sum(&format!("{metric}{{"), "table=\"postbacks\"");
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

/// The consumer's metrics.
struct Page(String);

impl Page {
    /// Empty while it does not answer.
    fn of(site: &Site) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .proxy(None)
            .build()
            .into();
        let page = agent.get(format!("http://{}/metrics", site.admin())).call();
        let text = page.and_then(|mut answer| answer.body_mut().read_to_string());
        Self(text.unwrap_or_default())
    }

    /// The sum of all series that begin so and have this label.
    fn sum(&self, beginning: &str, label: &str) -> f64 {
        let lines = self.0.lines();
        lines
            .filter(|line| line.starts_with(beginning) && line.contains(label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
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

#[cfg(test)]
mod tests {
    #[test]
    fn series_are_summed_by_name_and_label() {
        let page = super::Page(
            "# TYPE a_total counter\na_total{table=\"x\"} 3\na_total{table=\"y\"} 4\nab_total{table=\"x\"} 5\n".to_owned(),
        );
        assert!((page.sum("a_total{", "table=\"x\"") - 3.0).abs() < 1e-9);
        assert!((page.sum("a_total{", "") - 7.0).abs() < 1e-9);
    }
}
