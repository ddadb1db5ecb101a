//! `glrnb` of R's package `surveillance` on the same series.

use std::fmt::Write as _;
use std::fs::read_to_string;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use postback_stack::{Cancellation, Launch};
use serde::Serialize;

use super::history::{HOURS, History, Question};
use crate::project;

/// What runs it.
const SCRIPT: &str = include_str!("glrnb.R");

/// What `glrnb` is given as the mean and the dispersion without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Given {
    /// Those that R fits to the past of each history: the mean of each hour of the week, and the
    /// dispersion by maximum likelihood.
    Fitted,
    /// Those by which the history was made, which nobody knows of a real source.
    Told,
}

/// R, and where it works.
pub(super) struct R<'a> {
    pub(super) program: PathBuf,
    pub(super) folder: &'a Path,
    /// Where paths are kept for the next run on the same series.
    pub(super) kept: Option<&'a Path>,
    pub(super) cancellation: &'a Cancellation,
}

/// The statistics of one series, in the order of [`R::paths`]'s histories.
pub(super) struct Trace {
    pub(super) given: Given,
    pub(super) series: usize,
    pub(super) statistics: Vec<f64>,
}

impl R<'_> {
    /// Runs `glrnb` over the watched hours of each history.
    ///
    /// # Errors
    /// When R fails, or writes what is not understood.
    pub(super) fn paths(&self, histories: &[History]) -> anyhow::Result<Vec<Trace>> {
        let series = series(histories);
        let kept = self.kept.map(|folder| folder.join(name(&series)));
        if let Some(text) = kept.as_ref().and_then(|file| read_to_string(file).ok()) {
            return read(&text);
        }
        let text = self.run(&series)?;
        if let Some(file) = kept {
            std::fs::write(&file, &text).with_context(|| format!("write {}", file.display()))?;
        }
        read(&text)
    }

    /// What the script writes about these series.
    fn run(&self, series: &str) -> anyhow::Result<String> {
        let processes = std::thread::available_parallelism().map_or(1, usize::from);
        std::fs::write(self.folder.join("glrnb.R"), SCRIPT)?;
        std::fs::write(self.folder.join("series.csv"), series)?;
        let log = self.folder.join("log");
        let launch = Launch::new(&self.program)
            .args(["--vanilla", "glrnb.R", "."])
            .args([processes.to_string()])
            .current_dir(self.folder)
            .log(&log);
        project::wait("Rscript glrnb.R", launch, self.cancellation)
            .with_context(|| read_to_string(&log).unwrap_or_default())?;
        Ok(read_to_string(self.folder.join("paths.csv"))?)
    }
}

/// Another series or another script has another name.
fn name(series: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (SCRIPT, series).hash(&mut hasher);
    format!("{:016x}.csv", hasher.finish())
}

/// The histories as the script reads them.
fn series(histories: &[History]) -> String {
    let mut text = "series,monitored,cell,trials,count,mean,dispersion,down\n".to_owned();
    for (series, history) in histories.iter().enumerate() {
        let down = u8::from(history.question == Question::Volume);
        let dispersion = match history.question {
            Question::Volume => history.scenario.noise.dispersion(),
            // A share that varies from hour to hour has no negative binomial count.
            _ => 0.0,
        };
        for (hour, bin) in history.bins.iter().enumerate() {
            let watched = u8::from(hour >= History::WATCHED);
            let (trials, count) = match history.trials.get(hour) {
                Some(trial) => (trial.of.to_string(), trial.count),
                None => ("NA".to_owned(), bin.count),
            };
            let mean = history.mean(hour);
            // Writing to a text cannot fail.
            let _written = writeln!(
                text,
                "{series},{watched},{},{trials},{count},{mean},{dispersion},{down}",
                bin.cell
            );
        }
    }
    text
}

/// Each run of lines of one series and variant.
fn read(text: &str) -> anyhow::Result<Vec<Trace>> {
    let mut paths: Vec<Trace> = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let &[series, variant, hour, statistic] = fields.as_slice() else {
            anyhow::bail!("R wrote {line:?}");
        };
        let given = match variant {
            "fitted" => Given::Fitted,
            "told" => Given::Told,
            _ => anyhow::bail!("R wrote {line:?}"),
        };
        if hour == "0" {
            paths.push(Trace {
                given,
                series: series.parse()?,
                statistics: Vec::with_capacity(30 * HOURS),
            });
        }
        let path = paths.last_mut().context("a path begins with hour 0")?;
        path.statistics.push(statistic.parse()?);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let text = "series,variant,hour,statistic\n0,fitted,0,0.5\n0,fitted,1,2\n0,told,0,1e-3\n";
        let paths = read(text).unwrap();
        assert_eq!(paths.len(), 2);
        assert_eq!(paths[0].statistics, [0.5, 2.0]);
        assert_eq!(paths[1].given, Given::Told);
        assert!(read("\n1,other,0,1\n").is_err());
    }
}
