//! `postback url build`

use std::collections::BTreeMap;
use std::io::Write as _;

use clap::Args;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use postback_common::config::SourceSettings;
use postback_normalise::SourceRules;
use postback_normalise::Template;
use postback_normalise::profile::{Parameter, Profile, Subject};
use postback_normalise::template::MARKER;

use super::{finding, meant};
use crate::arguments::{Form, Options};
use crate::cmd::{load, source};
use crate::console::{Console, Tone};
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, text};

/// What must not stand raw in a parameter's name or static value.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'=')
    .add(b'>');

/// Make the URL to register with a source's network, and its block for the configuration
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback url build --source rakuten-us\n  \
    postback url build --source rakuten-us --fields is_event,etransaction_id,u1,commissions --rename u1=unique_id --static cid=7\n\n\
    Without --fields it carries every field that fills a column, the unverified ones too (`postback network \
    show`). The marker at its end (pbt=1, then pbt=2, …) names the template in each postback, so that an old \
    URL and a new one are told apart while both are in use. Lines of a statement carry none.\n\
    The URL has KEY where the key belongs: the configuration knows only its hash.")]
pub(super) struct Build {
    /// The source, as in the configuration
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The network's fields to carry, by its own names
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Vec<String>,
    /// Another name for a field's parameter, such as u1=unique_id
    #[arg(long, value_name = "FIELD=NAME", value_parser = pair)]
    rename: Vec<(String, String)>,
    /// A parameter that is the same each time, such as cid=7
    #[arg(long = "static", value_name = "NAME=VALUE", value_parser = pair)]
    statics: Vec<(String, String)>,
    /// Number that names this template in each postback [default: the next free one]
    #[arg(long, value_name = "NUMBER")]
    marker: Option<u32>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write NAME=VALUE, such as u1=unique_id")?;
    if name.is_empty() || value.is_empty() {
        return Err("write NAME=VALUE, both of them".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

impl Build {
    pub(super) fn run(&self, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let source = source::find(&self.source, &loaded.settings)?;
        let Some(rules) = loaded.configured.source(source.name.as_str()) else {
            return Err(source::unknown(&self.source, &loaded.settings));
        };
        let profile = rules.profile();
        let marker = self.marker(source, rules);
        let query = self.query(marker, profile)?;
        let host = loaded.settings.ingest.public_url.as_deref();
        let base = host.unwrap_or("https://YOUR-HOST").trim_end_matches('/');
        let url = format!("{base}/postback/KEY?{query}");
        let template =
            Template::parse(&url, profile).map_err(|error| Failure::Usage(error.to_string()))?;
        refuse_taken(&template, source, rules)?;
        let is_dated = needs_time(source, &template);
        let block = block(is_dated, &url);
        // What comes in files has no URL: its template says how the columns are called.
        let is_sent = profile.about != Subject::Statements;
        if options.output == Form::Table {
            let mut out = console.page();
            if is_sent {
                writeln!(
                    out,
                    "{}\n\n{url}\n",
                    Tone::Strong.paint(format!("The URL to register with {}", profile.title))
                )?;
            }
            writeln!(
                out,
                "{}\n\n{block}",
                Tone::Strong.paint(format!(
                    "Under [[source]] {} in the configuration",
                    source.name
                ))
            )?;
        } else {
            let mut sheet = Sheet::new(&[text("url", "URL"), text("toml", "TOML")]);
            sheet.rows = vec![vec![Cell::Text(url), Cell::Text(block)]];
            sheet.write(options, console)?;
        }
        if is_sent {
            tell_places(host, console);
        }
        for finding in finding::find(&template, profile, source.currency.is_some()) {
            console.warn(format_args!("{}\n  {}", finding.problem, finding.remedy));
        }
        if let Some(marker) = template.marker().filter(|_| !source.templates.is_empty()) {
            console.note(format_args!(
                "Source {} has a template already: leave it there. What comes with {MARKER}={marker} is read by this one, which a running generation takes by itself.{}",
                source.name,
                if is_dated && rules.readings().iter().all(|reading| reading.marker.is_some()) {
                    " Its valid_from, by which it would get what comes without a marker, waits for `postback generation accept` or a replay."
                } else {
                    ""
                }
            ));
        }
        Ok(Ending::Done)
    }

    /// The number that was chosen, or else the next that names no template of the source.
    fn marker(&self, source: &SourceSettings, rules: &SourceRules) -> Option<u64> {
        let is_given = self.statics.iter().any(|(name, _)| name == MARKER);
        let is_carried = rules.profile().about == Subject::Conversions;
        let next = || (is_carried && !is_given).then(|| next_marker(source, rules));
        self.marker.map(u64::from).or_else(next)
    }

    fn query(&self, marker: Option<u64>, profile: &Profile) -> Result<String, Failure> {
        let names = self.names(profile)?;
        let mut fields = Vec::new();
        for (field, name) in names {
            let carried = profile.macro_for(field).ok_or_else(|| unfit(field))?;
            fields.push(format!("{}={carried}", encoded(name)));
        }
        let statics = self.statics.iter();
        let statics = statics.map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let marker = marker.map(|number| format!("{MARKER}={number}"));
        let parts: Vec<String> = fields.into_iter().chain(statics).chain(marker).collect();
        Ok(parts.join("&"))
    }

    /// Each field with its parameter's name, in order.
    fn names<'p>(&'p self, profile: &'p Profile) -> Result<Vec<(&'p Parameter, &'p str)>, Failure> {
        let renamed: BTreeMap<&str, &str> = self
            .rename
            .iter()
            .map(|(field, name)| (field.as_str(), name.as_str()))
            .collect();
        let mut fields = Vec::new();
        if self.fields.is_empty() {
            // One that is left out is lost for good; one that does not exist comes unreplaced, flagged.
            let fills = |known: &&Parameter| known.column.is_some();
            fields.extend(profile.parameters.iter().filter(fills));
        }
        for name in &self.fields {
            fields.push(known(name, profile)?);
        }
        for (field, _) in &self.rename {
            let field = known(field, profile)?;
            if !fields.iter().any(|other| other.name == field.name) {
                fields.push(field);
            }
        }
        let named = |field: &'p Parameter| {
            let name = field.name.as_str();
            (field, renamed.get(name).copied().unwrap_or(name))
        };
        Ok(fields.into_iter().map(named).collect())
    }
}

/// Numbers grow, so that none comes to name a second URL.
fn next_marker(source: &SourceSettings, rules: &SourceRules) -> u64 {
    let markers = rules.readings().iter();
    let markers = markers.filter_map(|reading| reading.marker.as_deref()?.parse::<u32>().ok());
    let highest = markers.max().map_or(0, u64::from);
    highest.max(source.templates.len() as u64) + 1
}

/// Nothing would say by which of two templates of one marker a request is read.
fn refuse_taken(
    template: &Template,
    source: &SourceSettings,
    rules: &SourceRules,
) -> Result<(), Failure> {
    let Some(marker) = template.marker() else {
        return Ok(());
    };
    let mut readings = rules.readings().iter();
    if readings.any(|reading| reading.marker.as_deref() == Some(marker)) {
        return Err(Failure::Usage(format!(
            "a template of source {} has {MARKER}={marker} already\n  choose another, such as --marker {}",
            source.name,
            next_marker(source, rules)
        )));
    }
    Ok(())
}

/// The template for the configuration, from now on where it is dated.
fn block(is_dated: bool, url: &str) -> String {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let valid_from = if is_dated {
        format!("valid_from = \"{now}\"\n")
    } else {
        String::new()
    };
    format!(
        "[[source.template]]\n{valid_from}url = \"{}\"\n",
        url.replace('\\', "\\\\").replace('"', "\\\"")
    )
}

/// True where nothing but its time would tell it from the others, or say that it is the newest of some
/// that have one.
fn needs_time(source: &SourceSettings, template: &Template) -> bool {
    let others = &source.templates;
    let has_times = others.iter().any(|other| other.valid_from.is_some());
    !others.is_empty() && (template.marker().is_none() || has_times)
}

/// What stands in the place of what is not known here.
fn tell_places(host: Option<&str>, console: &mut Console) {
    console.note("Put the key that `postback source key new` printed in place of KEY at the network; the configuration needs none.");
    if host.is_none() {
        console.note("ingest.public_url is not configured: put your host in place of YOUR-HOST.");
    }
}

fn unfit(field: &Parameter) -> Failure {
    Failure::Usage(format!(
        "no macro can be called {:?}\n  give it an alias of letters, digits, _, - and . in the profile",
        field.name
    ))
}

fn known<'p>(name: &str, profile: &'p Profile) -> Result<&'p Parameter, Failure> {
    profile.parameter(name).ok_or_else(|| {
        let remedy = meant(name, profile).map_or_else(
            || format!("`postback network show {}` lists them", profile.network),
            |field| format!("did you mean {}?", field.name),
        );
        Failure::Usage(format!(
            "{} has no field {name:?}\n  {remedy}",
            profile.title
        ))
    })
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}
