//! `postback network check FILE`

use std::path::Path;

use postback_normalise::profile::{Confidence, Profile};

use crate::arguments::Options;
use crate::console::{Console, Tone};
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, plural, printable, text};

pub(super) fn run(
    file: &Path,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let shown = file.display();
    let toml = read(file)?;
    let mut sheet = Sheet::new(&[text("problem", "Problem"), text("remedy", "Remedy")]);
    sheet.fact("file", shown.to_string());
    match Profile::parse(&toml) {
        Ok(profile) => {
            sheet.fact("good", true);
            sheet.fact("network", profile.network.as_str());
            sheet.notes = good(&profile, file);
            sheet.write(options, console)?;
            Ok(Ending::Done)
        }
        Err(errors) => {
            sheet.fact("good", false);
            sheet.rows = errors.iter().map(|error| row(&error.to_string())).collect();
            sheet.notes = vec![format!(
                "{} in {shown}",
                plural(sheet.rows.len() as u64, "fault")
            )];
            sheet.write(options, console)?;
            Err(Failure::Refused)
        }
    }
}

/// Of a regular file alone: a pipe or a terminal could be waited for without end.
fn read(file: &Path) -> Result<String, Failure> {
    let unreadable = |problem: String| {
        let shown = file.display();
        Failure::Usage(format!(
            "{shown} {problem}\n  name a profile's TOML file, such as those in schemas/networks"
        ))
    };
    let about = std::fs::metadata(file);
    let about = about.map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    if !about.is_file() {
        let kind = if about.is_dir() {
            "a folder"
        } else {
            "a pipe or a device"
        };
        return Err(unreadable(format!("is {kind} and no file")));
    }
    std::fs::read_to_string(file).map_err(|error| unreadable(format!("cannot be read: {error}")))
}

fn good(profile: &Profile, file: &Path) -> Vec<String> {
    let parameters = plural(profile.parameters.len() as u64, "parameter");
    let mut notes = vec![format!(
        "{} {} is a whole profile: network {}, {parameters}",
        Tone::Good.paint("✓"),
        file.display(),
        profile.network
    )];
    let unverified = profile
        .facts()
        .filter(|fact| fact.confidence == Confidence::Unverified);
    let unverified: Vec<&str> = unverified.map(|fact| fact.name).collect();
    if !unverified.is_empty() {
        notes.push(format!("Unverified: {}", unverified.join(", ")));
    }
    notes
}

fn row(error: &str) -> Vec<Cell> {
    let (problem, remedy) = error.rsplit_once("; ").unwrap_or((error, ""));
    vec![
        Cell::Text(printable(problem.trim())),
        Cell::Text(printable(remedy)),
    ]
}
