//! `cargo xtask fuzz`: libFuzzer on the bodies of `fuzz/`, for a bounded time.

mod build;
mod progress;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use postback_stack::{Cancellation, Launch, StackError};

use crate::project::Project;
use crate::report;
use progress::{Progress, Tail};

/// Longest input in bytes. The bounds of the sizes are set so low that shorter ones reach them.
const LONGEST: &str = "-max_len=8192";

/// Longest time for one input in seconds, before it counts as a hang; the bodies themselves give a
/// connection less. One takes well below a millisecond.
const HANG: &str = "-timeout=60";

/// Most memory in MiB; the fuzzer itself needs some hundred.
const MEMORY: &str = "-rss_limit_mb=2048";

/// How often a line of progress is shown.
const EVERY: Duration = Duration::from_secs(30);

/// How often new output is read.
const LOOK: Duration = Duration::from_millis(100);

/// How long the fuzzer may take to stop.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// What gets any bytes
    target: Target,
    /// How long to look for inputs, building not counted
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only run this input, such as one in fuzz/artifacts, and show what it does
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Ingest's connection, from the first byte to the record
    Ingest,
    /// The raw record's encoding
    Record,
    /// From any query and body to a row
    Normalise,
}

impl Target {
    const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Record => "record",
            Self::Normalise => "normalise",
        }
    }
}

/// Where a target's files are.
struct Places {
    /// Inputs by hand, and those that found something: in git.
    kept: PathBuf,
    /// Inputs that reached new code in this checkout's runs, which later runs begin with.
    grown: PathBuf,
    dictionary: PathBuf,
    /// What broke a promise.
    artifacts: PathBuf,
}

impl Places {
    fn of(target: Target, project: &Project) -> Self {
        let name = target.name();
        let fuzz = project.root().join("fuzz");
        Self {
            kept: fuzz.join("corpus").join(name),
            grown: project.target().join("fuzz-corpus").join(name),
            dictionary: fuzz.join(format!("{name}.dict")),
            artifacts: fuzz.join("artifacts"),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When an input breaks a promise, or when cancelled.
pub(crate) fn run(
    options: &Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let program = build::build(options.target.name(), project, cancellation)?;
    if let Some(input) = &options.input {
        return run_one(&program, input, cancellation);
    }
    let places = Places::of(options.target, project);
    for folder in [&places.grown, &places.artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let log = project
        .target()
        .join(format!("fuzz-{}.log", options.target.name()));
    // The fuzzer appends; what an earlier run wrote must not be taken for this one's.
    fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
    look_for(options, &program, &places, &log, cancellation)
}

/// Runs one input, its output where ours goes.
fn run_one(program: &Path, input: &Path, cancellation: &Cancellation) -> anyhow::Result<ExitCode> {
    if !input.is_file() {
        bail!("{} is no file", input.display());
    }
    let launch = Launch::new(program).args([input]);
    let status = launch.spawn()?.wait(cancellation, GRACE)?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Looks for inputs until the time is over or one breaks a promise.
fn look_for(
    options: &Options,
    program: &Path,
    places: &Places,
    log: &Path,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let seconds = options.seconds;
    report::step(&format!(
        "Fuzzing {} for {seconds} s",
        options.target.name()
    ));
    let artifacts = format!("{}/{}-", places.artifacts.display(), options.target.name());
    let process = Launch::new(program)
        .args([LONGEST, HANG, MEMORY])
        .args([
            format!("-max_total_time={seconds}"),
            format!("-dict={}", places.dictionary.display()),
            format!("-artifact_prefix={artifacts}"),
        ])
        .args([&places.grown, &places.kept])
        .log(log)
        .spawn()?;
    let mut tail = Tail::of(log)?;
    let mut progress = Progress::default();
    let mut shown = Instant::now();
    let status = loop {
        let ended = process.wait_for(LOOK);
        for line in tail.lines()? {
            if !progress.read(&line) {
                report::step(&line);
            }
        }
        if let Some(status) = ended {
            break status;
        }
        if cancellation.is_cancelled() {
            process.stop(GRACE);
            return Err(StackError::Cancelled.into());
        }
        if shown.elapsed() >= EVERY {
            shown = Instant::now();
            report::step(&progress.to_string());
        }
    };
    println!("{progress}");
    if !status.success() {
        bail!(
            "a promise is broken ({status}): the input is in fuzz/artifacts, the output in {}.\n\
             Run it again with `cargo xtask fuzz {} --input FILE`; once it is mended, keep the \
             input in fuzz/corpus/{}",
            log.display(),
            options.target.name(),
            options.target.name()
        );
    }
    Ok(ExitCode::SUCCESS)
}
