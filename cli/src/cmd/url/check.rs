//! `postback url check URL`

use std::sync::Arc;

use clap::Args;
use postback_common::config::{SourceSettings, TemplateUrl, holds_key};
use postback_common::secret::HIDDEN;
use postback_common::url_key::KeyHash;
use postback_normalise::profile::Profile;
use postback_normalise::{Field, Template, TemplateError};

use super::finding::{self, Finding};
use super::{registered, transport};
use crate::arguments::Options;
use crate::cmd::{load, source};
use crate::console::{Console, Tone};
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, plural, printable, text};

/// Say what a URL as registered with a network would be understood as
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback url check 'https://pb.example.com/postback/KEY?is_event=<is_event>&unique_id=<u1>' --network rakuten\n  \
    postback url check - --source rakuten-us < url.txt\n\n\
    Whose URL it is: --source, --network, or the source whose key stands in it. The key is not shown.\n\
    A URL on the command line stands in the shell's history: with its key in it, give - and the URL on stdin.\n\n\
    Exit code 3 when something is wrong or missing.")]
pub(super) struct Check {
    /// The URL; - reads it from stdin
    url: String,
    /// The source that it is for
    #[arg(long, value_name = "NAME", conflicts_with = "network")]
    source: Option<String>,
    /// The network that it is for
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
}

impl Check {
    pub(super) fn run(&self, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
        let url = self.read()?;
        let url = url.trim();
        let Whose {
            profile,
            has_currency,
            unexpected,
        } = self.whose(url, options, console)?;
        let (rows, findings) = examine(url, &profile, has_currency, unexpected);
        let mut sheet = Sheet::new(&[
            text("parameter", "Parameter"),
            text("carries", "Carries"),
            text("field", "Field"),
            text("known", "Known"),
        ]);
        sheet.rows = rows;
        sheet.fact("network", profile.network.as_str());
        sheet.fact("good", findings.is_empty());
        let as_json = |finding: &Finding| serde_json::json!({"error": finding.is_error, "problem": finding.problem, "remedy": finding.remedy});
        sheet.fact("findings", findings.iter().map(as_json).collect::<Vec<_>>());
        if findings.is_empty() {
            sheet
                .notes
                .push("Everything that counts once and attributes is there.".to_owned());
        }
        sheet.write(options, console)?;
        tell(&findings, console);
        Ok(if findings.is_empty() {
            Ending::Done
        } else {
            Ending::Found
        })
    }

    fn read(&self) -> Result<String, Failure> {
        if self.url == "-" {
            return std::io::read_to_string(std::io::stdin()).map_err(Failure::failed);
        }
        Ok(self.url.clone())
    }

    fn whose(&self, url: &str, options: &Options, console: &mut Console) -> Result<Whose, Failure> {
        if let Some(name) = &self.network {
            return Ok(Whose {
                profile: crate::cmd::network::find(name)?,
                has_currency: false,
                unexpected: Vec::new(),
            });
        }
        let loaded = load(options, console)?;
        let by_key = || registered::by_key(url, &loaded.settings.sources);
        let source = match &self.source {
            Some(name) => source::find(name, &loaded.settings)?,
            None => by_key().ok_or_else(|| {
                Failure::Usage(
                    "the URL's key is none of a configured source\n  say whose it is: --source NAME or --network NAME"
                        .to_owned(),
                )
            })?,
        };
        let Some(rules) = loaded.configured.source(source.name.as_str()) else {
            return Err(source::unknown(source.name.as_str(), &loaded.settings));
        };
        Ok(Whose {
            profile: Arc::new(rules.profile().clone()),
            has_currency: source.currency.is_some(),
            unexpected: registered::find(url, source, &loaded.settings.sources),
        })
    }
}

/// Everything that is wrong with a URL for a source, or could be better; errors first.
pub(crate) fn findings(
    url: &str,
    (source, profile): (&SourceSettings, &Profile),
    sources: &[SourceSettings],
) -> Vec<Finding> {
    let unexpected = registered::find(url, source, sources);
    examine(url, profile, source.currency.is_some(), unexpected).1
}

/// What each parameter is understood as, and what is to be said of the URL.
fn examine(
    url: &str,
    profile: &Profile,
    has_currency: bool,
    unexpected: Vec<Finding>,
) -> (Vec<Vec<Cell>>, Vec<Finding>) {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let (template, errors) = Template::examine(query, profile);
    let (rows, mut findings) = if errors.contains(&TemplateError::NoQuery) {
        // Everything else is missing with it.
        (Vec::new(), vec![Finding::of_error(&TemplateError::NoQuery)])
    } else {
        let mut findings: Vec<_> = errors.iter().map(Finding::of_error).collect();
        findings.extend(finding::find(&template, profile, has_currency));
        (understood(&template, profile, url), findings)
    };
    findings.extend(unexpected);
    findings.extend(transport::find(url, profile));
    // Those first by which nothing counts.
    findings.sort_by_key(|finding| !finding.is_error);
    (rows, findings)
}

/// By whose rules a URL is read.
struct Whose {
    profile: Arc<Profile>,
    /// A currency stands by.
    has_currency: bool,
    /// What the source does not expect of the URL.
    unexpected: Vec<Finding>,
}

/// One row for each parameter. The URL's key is in none of them.
fn understood(template: &Template, profile: &Profile, url: &str) -> Vec<Vec<Cell>> {
    let key = TemplateUrl::new(url).key();
    let key = key.map(|key| KeyHash::of_bytes(key.expose().as_bytes()));
    let carriers = template.mapping().carriers().iter().map(|carrier| {
        let known = profile.parameter(&carrier.network_name);
        vec![
            Cell::Text(printable(&carrier.parameter)),
            Cell::Text(
                known
                    .and_then(|known| profile.macro_for(known))
                    .unwrap_or_else(|| profile.macro_style.write(&carrier.network_name)),
            ),
            Cell::text(carrier.column.map_or("extra", Field::as_str)),
            known.map_or(Cell::text("unknown"), |known| {
                Cell::text(known.confidence.as_str())
            }),
        ]
    });
    let statics = template.statics().iter().map(|(parameter, value)| {
        let is_marker = template.marker().is_some_and(|marker| marker == value);
        let field = if is_marker {
            "names the template"
        } else {
            "extra"
        };
        let is_key = |hash| key == Some(hash);
        let value = if holds_key(value, &is_key) {
            HIDDEN
        } else {
            value
        };
        vec![
            Cell::Text(printable(parameter)),
            Cell::Text(format!("{} (static)", printable(value))),
            Cell::text(field),
            Cell::Missing,
        ]
    });
    carriers.chain(statics).collect()
}

/// Says them.
pub(crate) fn tell(findings: &[Finding], console: &mut Console) {
    for finding in findings {
        let Finding {
            is_error,
            problem,
            remedy,
        } = finding;
        let problem = printable(problem);
        if *is_error {
            console.note(format_args!(
                "{} {problem}\n  {remedy}",
                Tone::Bad.paint("error:")
            ));
        } else {
            console.warn(format_args!("{problem}\n  {remedy}"));
        }
    }
    if !findings.is_empty() {
        console.note(format_args!(
            "{} to look at.",
            plural(findings.len() as u64, "thing")
        ));
    }
}
