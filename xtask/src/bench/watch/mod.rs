//! `cargo xtask bench watch`: how soon breaks are found, and how often there is an alarm without
//! one, on simulated histories.
//!
//! Three methods look at the same series: our charts, `glrnb` of R's package `surveillance`, and the
//! last day against the same day of the week before. Their thresholds are swept, so that delays can
//! be compared where false alarms are equally rare.

mod charts;
mod curve;
mod figures;
mod glrnb;
mod history;
mod page;
mod silences;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use postback_stack::Cancellation;

use super::host::Host;
use super::tell;
use crate::project::Project;
use crate::report;
use curve::Paths;
use figures::{Breaks, Figures, Method};
use glrnb::{Given, R};
use history::{History, Kind, Noise, Question, Scenario};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// Histories of each kind of break and of each kind of source
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=5_000))]
    histories: u64,
    /// 20 histories of each, to see that it works
    #[arg(long)]
    quick: bool,
    /// Without R, which takes nearly all of the time
    #[arg(long)]
    without_r: bool,
    /// Keep what R computes in this folder, and take from there what it has computed of the same series
    #[arg(long, value_name = "FOLDER", conflicts_with = "without_r")]
    keep: Option<PathBuf>,
    /// One kind of noise alone: R takes far longer where it is overdispersed
    #[arg(long)]
    noise: Option<Noise>,
    /// One kind of break alone
    #[arg(long)]
    kind: Option<Kind>,
}

impl Options {
    fn histories(&self) -> usize {
        let histories = if self.quick { 20 } else { self.histories };
        usize::try_from(histories).unwrap_or(usize::MAX)
    }

    fn kinds(&self) -> Vec<Kind> {
        self.kind
            .map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind])
    }
}

/// Runs the command.
///
/// # Errors
/// When R cannot be installed or fails.
pub(super) fn run(
    options: &Options,
    _: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    if let Some(kept) = &options.keep {
        std::fs::create_dir_all(kept)?;
    }
    let r = if options.without_r {
        None
    } else {
        Some(R {
            program: postback_stack::surveillance(cancellation, &report::step)?,
            folder: folder.path(),
            kept: options.keep.as_deref(),
            cancellation,
        })
    };
    let histories = options.histories();
    let mut silences = Vec::new();
    for scenario in silences::SCENARIOS {
        cancellation.check()?;
        report::step(&format!("Silences: {}", scenario.name()));
        silences.push(silences::measure(scenario, histories * silences::TIMES)?);
    }
    let mut breaks = Vec::new();
    let scenarios = Scenario::ALL.into_iter();
    for scenario in scenarios.filter(|one| options.noise.is_none_or(|noise| noise == one.noise)) {
        for question in Question::ALL {
            let kinds = options.kinds().into_iter();
            let kinds: Vec<Kind> = kinds.filter(|kind| kind.question() == question).collect();
            if !kinds.is_empty() {
                breaks.extend(measure(scenario, question, &kinds, histories, r.as_ref())?);
            }
        }
    }
    let figures = Figures::new(Host::look(), histories, breaks, silences);
    tell(&figures, options.json, page::write, &figures.targets)
}

/// One question about one kind of source: all methods on the same histories.
fn measure(
    scenario: Scenario,
    question: Question,
    kinds: &[Kind],
    histories: usize,
    r: Option<&R<'_>>,
) -> anyhow::Result<Vec<Breaks>> {
    report::step(&format!(
        "{}: {question:?} without a break",
        scenario.name()
    ));
    let seeds = || (0..u64::try_from(histories).unwrap_or(0)).map(|seed| 1 + 1_000_003 * seed);
    let quiet: Vec<History> = seeds()
        .map(|seed| History::in_control(question, scenario, seed))
        .collect();
    let in_control = statistics(&quiet, r)?;
    let mut found = Vec::new();
    for kind in kinds {
        report::step(&format!("{}: {}", scenario.name(), kind.name()));
        let broken: Vec<History> = seeds()
            .map(|seed| History::broken(*kind, scenario, seed + 7))
            .collect();
        let mut methods = Vec::new();
        for (method, paths) in statistics(&broken, r)? {
            let in_control = in_control.iter().find(|(other, _)| *other == method);
            let mut both = Paths {
                in_control: in_control
                    .map(|(_, paths)| paths.clone())
                    .unwrap_or_default(),
                broken: Vec::new(),
            };
            for (history, path) in broken.iter().zip(paths) {
                both.push_broken(history, path);
            }
            methods.push((method, both));
        }
        found.push(Breaks::new(*kind, scenario, &methods));
    }
    Ok(found)
}

/// Each method's statistics of each history.
fn statistics(
    histories: &[History],
    r: Option<&R<'_>>,
) -> anyhow::Result<Vec<(Method, Vec<Vec<f64>>)>> {
    let mut all = vec![
        (Method::Ours, histories.iter().map(charts::ours).collect()),
        (
            Method::InUse,
            histories.iter().map(charts::in_use).collect(),
        ),
        (
            Method::DayAgainstWeek,
            histories.iter().map(charts::day_against_week).collect(),
        ),
    ];
    let Some(r) = r else { return Ok(all) };
    let mut fitted = vec![Vec::new(); histories.len()];
    let mut told = vec![Vec::new(); histories.len()];
    for trace in r.paths(histories)? {
        match trace.given {
            Given::Fitted => fitted[trace.series] = trace.statistics,
            Given::Told => told[trace.series] = trace.statistics,
        }
    }
    all.push((Method::Glrnb(Given::Fitted), fitted));
    if told.iter().all(|path| !path.is_empty()) {
        all.push((Method::Glrnb(Given::Told), told));
    }
    Ok(all)
}
