//! `postback url build`

use std::collections::BTreeMap;
use std::io::Write as _;

use clap::Args;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use postback_common::config::SourceSettings;
use postback_normalise::Template;
use postback_normalise::profile::{Parameter, Profile};
use postback_normalise::template::MARKER;

use super::{finding, nearest};
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
    postback url build --source rakuten-us --fields is_event,etransaction_id,u1,commissions --rename u1=unique_id --static cid=7 --marker 2\n\n\
    Without --fields it carries every field that fills a column, the unverified ones too (`postback network\n\
    show`). A marker names the template in each postback, so that an old URL and a new one are told apart\n\
    while both are in use.\n\
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
    /// Number that names this template in each postback
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
        let query = self.query(profile)?;
        let host = loaded.settings.ingest.public_url.as_deref();
        let base = host.unwrap_or("https://YOUR-HOST").trim_end_matches('/');
        let url = format!("{base}/postback/KEY?{query}");
        let template =
            Template::parse(&url, profile).map_err(|error| Failure::Usage(error.to_string()))?;
        let block = self.block(source, &url);
        if options.output == Form::Table {
            let out = console.out();
            writeln!(
                out,
                "{}\n\n{url}\n",
                Tone::Strong.paint(format!("The URL to register with {}", profile.title))
            )?;
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
        console.note("Put the key that `postback source key new` printed in place of KEY at the network; the configuration needs none.");
        if host.is_none() {
            console
                .note("ingest.public_url is not configured: put your host in place of YOUR-HOST.");
        }
        for finding in finding::find(&template, profile, source.currency.is_some()) {
            console.warn(format_args!("{}\n  {}", finding.problem, finding.remedy));
        }
        self.tell_marker(source, console);
        Ok(Ending::Done)
    }

    fn query(&self, profile: &Profile) -> Result<String, Failure> {
        let names = self.names(profile)?;
        let fields = names
            .iter()
            .map(|(field, name)| format!("{}={}", encoded(name), profile.macro_style.write(field)));
        let statics = self.statics.iter();
        let statics = statics.map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let marker = self.marker.map(|number| format!("{MARKER}={number}"));
        let parts: Vec<String> = fields.chain(statics).chain(marker).collect();
        Ok(parts.join("&"))
    }

    /// Each field with its parameter's name, in order.
    fn names<'p>(&'p self, profile: &'p Profile) -> Result<Vec<(&'p str, &'p str)>, Failure> {
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
            (name, renamed.get(name).copied().unwrap_or(name))
        };
        Ok(fields.into_iter().map(named).collect())
    }

    fn block(&self, source: &SourceSettings, url: &str) -> String {
        // The first template holds from the beginning.
        let is_first = source.templates.is_empty();
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        let valid_from = if is_first {
            String::new()
        } else {
            format!("valid_from = \"{now}\"\n")
        };
        format!(
            "[[source.template]]\n{valid_from}url = \"{}\"\n",
            url.replace('\\', "\\\\").replace('"', "\\\"")
        )
    }

    fn tell_marker(&self, source: &SourceSettings, console: &mut Console) {
        let count = source.templates.len();
        if self.marker.is_none() && count > 0 {
            console.note(format_args!(
                "Source {} has a template already: what is received before valid_from is read by that one. With --marker {} each postback says which URL it came by.",
                source.name, count + 1
            ));
        }
    }
}

fn known<'p>(name: &str, profile: &'p Profile) -> Result<&'p Parameter, Failure> {
    profile.parameter(name).ok_or_else(|| {
        let names = profile.parameters.iter().map(|known| known.name.as_str());
        let remedy = nearest(name, names).map_or_else(
            || format!("`postback network show {}` lists them", profile.network),
            |near| format!("did you mean {near}?"),
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
