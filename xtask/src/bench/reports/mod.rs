//! `cargo xtask bench reports`: what reports cost over many conversions.
//!
//! The conversions are synthetic, made inside ClickHouse: a year of three accounts, one of a network
//! without a date, with revisions and reversals. The questions are asked when all of them have just
//! been loaded, when every month is merged to one part (which the tables' settings do with every
//! month that took nothing for an hour), and while a consumer loads more.

mod page;
mod questions;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use jiff::ToSpan as _;
use jiff::civil::Date;
use postback_stack::Cancellation;
use serde::Serialize;

use super::host::{self, Host};
use super::loader::{self, site::Site};
use super::targets::Target;
use super::tell;
use crate::project::Project;
use crate::report;
use questions::{Answered, Question, ask};

/// Days that the conversions are spread over, today the last one.
const DAYS: i64 = 365;

/// Rows that are made at once.
const AT_ONCE: u64 = 1_000_000;

/// Before questions are asked under load, it has gone on for so long.
const WARM_UP: Duration = Duration::from_secs(20);

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// How many conversions; 20 million take 5 GB of disk, merges included twice that
    #[arg(long, default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(10_000..=1_000_000_000))]
    rows: u64,
    /// Postbacks a second while the last questions are asked
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    rate: u32,
    /// 200,000 conversions, to see that it works
    #[arg(long)]
    quick: bool,
}

/// A state of the tables, and how long the answers took in it.
#[derive(Clone, Debug, Serialize)]
struct State {
    name: String,
    /// Active parts of the conversions.
    parts: u64,
    answered: Vec<Answered>,
}

/// A benchmark's result.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    host: Host,
    rows: u64,
    bytes_a_row: f64,
    /// CPU-seconds that merging every month took, per million rows.
    merge_cpu: f64,
    states: Vec<State>,
    targets: Vec<Target>,
}

/// Runs the command.
///
/// # Errors
/// When something does not start or does not answer.
pub(crate) fn run(
    options: &Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let mut options = options.clone();
    if options.quick {
        options.rows = 200_000;
    }
    let site = loader::prepare(project, cancellation)?;
    let figures = measure(&options, &site, cancellation)?;
    tell(&figures, options.json, page::write, &figures.targets)
}

fn measure(options: &Options, site: &Site, cancellation: &Cancellation) -> anyhow::Result<Figures> {
    site.postback(&["migrate"], cancellation)?;
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    report::step(&format!(
        "Making {} conversions and postbacks",
        options.rows
    ));
    fill(options.rows, today, site, cancellation)?;
    let questions = Question::all(site, today)?;
    let state = |name: &str| {
        report::step(&format!("Asking: {name}"));
        let answered = ask(&questions, site, cancellation)?;
        let parts = "SELECT count() FROM system.parts \
             WHERE active AND database = currentDatabase() AND table = 'conversions_g1'";
        anyhow::Ok(State {
            name: name.to_owned(),
            parts: site.query(parts)?.trim().parse()?,
            answered,
        })
    };
    let mut states = vec![state("just loaded")?];
    report::step("Merging every month to one part");
    let before = host::cpu(site.clickhouse_pid())?;
    merge(site, cancellation)?;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let merge_cpu = (host::cpu(site.clickhouse_pid())? - before) / (options.rows as f64 / 1e6);
    states.push(state("merged")?);
    let bytes_a_row = site.bytes_a_row("conversions_g1")?;

    let consumer = site.consumer("bench-reports")?;
    let rate = options.rate;
    let filling = site.filling(u64::from(rate) * 3_600, 7, Some(rate))?;
    cancellation.sleep(WARM_UP)?;
    states.push(state(&format!("while {rate}/s are loaded"))?);
    if !consumer.is_running() || !filling.is_running() {
        bail!("the load ended: {}", site.printed());
    }
    filling.kill();
    consumer.kill();
    Ok(Figures {
        host: Host::look(),
        rows: options.rows,
        bytes_a_row,
        merge_cpu,
        targets: targets(&states),
        states,
    })
}

fn fill(rows: u64, today: Date, site: &Site, cancellation: &Cancellation) -> anyhow::Result<()> {
    let first_day = today.checked_sub((DAYS - 1).days())?.to_string();
    for from in (0..rows).step_by(usize::try_from(AT_ONCE)?) {
        cancellation.check()?;
        let count = AT_ONCE.min(rows - from);
        for sql in [
            include_str!("conversions.sql"),
            include_str!("postbacks.sql"),
        ] {
            let values = [
                ("{first_day}", first_day.clone()),
                ("{days}", DAYS.to_string()),
                ("{rows}", rows.to_string()),
                ("{from}", from.to_string()),
                ("{count}", count.to_string()),
            ];
            let filled = values.iter();
            let sql = filled.fold(sql.to_owned(), |sql, (name, value)| {
                sql.replace(name, value)
            });
            site.execute(&sql)?;
        }
    }
    Ok(())
}

fn merge(site: &Site, cancellation: &Cancellation) -> anyhow::Result<()> {
    for table in ["conversions_g1", "postbacks_g1"] {
        let partitions = site.query(&format!(
            "SELECT DISTINCT partition_id FROM system.parts \
             WHERE active AND database = currentDatabase() AND table = '{table}'"
        ))?;
        for partition in partitions.lines() {
            cancellation.check()?;
            site.execute(&format!(
                "OPTIMIZE TABLE {table} PARTITION ID '{partition}' FINAL"
            ))?;
        }
    }
    Ok(())
}

fn targets(states: &[State]) -> Vec<Target> {
    let find = |state: usize, name: &str| {
        let answered = states.get(state)?.answered.iter();
        answered.clone().find(|answered| answered.name == name)
    };
    let mut targets = Vec::new();
    if let (Some(right), Some(wrong)) = (
        find(1, questions::SUM),
        find(1, questions::SUM_WITHOUT_FINAL),
    ) {
        let what = "30 days by day, advertiser, currency, merged, against the same without FINAL";
        targets.push(Target::new(
            what,
            "×",
            right.cpu_ms / wrong.cpu_ms.max(1.0),
            1.3,
        ));
    }
    let reports = questions::REPORTS.map(|(name, _)| (name, 1_000.0));
    let others = [
        (questions::SUM, 1_000.0),
        (questions::SUMMARY, 1_000.0),
        (questions::TRACE_ORDER, 200.0),
        (questions::TRACE_CLICK, 200.0),
    ];
    for (name, at_most) in others.into_iter().chain(reports) {
        if let Some(answered) = find(2, name) {
            let what = format!("{name}, while loading");
            targets.push(Target::new(&what, "ms", answered.wall_ms, at_most));
        }
    }
    targets
}
