//! `postback source show NAME`

mod mapping;

use std::io::Write as _;

use postback_common::config::SourceSettings;
use postback_common::secret::HIDDEN;
use postback_normalise::{KeyDayRule, Profile, SourceRules, Template};

use crate::arguments::{Form, Options};
use crate::cmd::load;
use crate::console::{Console, Tone};
use crate::ending::{Ending, Failure};

pub(super) fn run(name: &str, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
    let loaded = load(options, console)?;
    let source = super::find(name, &loaded.settings)?;
    let Some(rules) = loaded.configured.source(source.name.as_str()) else {
        return Err(super::unknown(name, &loaded.settings));
    };
    let template = template(source, rules.profile());
    let url = url(source, loaded.settings.ingest.public_url.as_deref());
    let mut sheet = mapping::sheet(rules, template.as_ref(), &loaded.settings.sources);
    for (name, value) in facts(source, rules, &url) {
        sheet.fact(name, value);
    }
    if options.output == Form::Table {
        let mut out = console.page();
        writeln!(out, "{}", Tone::Strong.paint(&source.name))?;
        for (name, value) in facts(source, rules, &url) {
            writeln!(out, "  {name:<10} {value}")?;
        }
        writeln!(out)?;
    }
    sheet.write(options, console)?;
    for note in template.iter().flat_map(Template::notes) {
        console.warn(note);
    }
    Ok(Ending::Done)
}

/// The newest, as it was checked when the configuration was read.
fn template(source: &SourceSettings, profile: &Profile) -> Option<Template> {
    let query = source.newest_template()?.url.query().unwrap_or_default();
    Template::of_query(query, profile).ok()
}

/// With the key hidden: the configuration holds only its hash, or hides it.
fn url(source: &SourceSettings, public_url: Option<&str>) -> String {
    let host = public_url.unwrap_or("https://YOUR-HOST");
    let query = source
        .newest_template()
        .and_then(|template| template.url.shown_query());
    let query = query.map(|query| format!("?{query}"));
    format!(
        "{}/postback/{HIDDEN}{}",
        host.trim_end_matches('/'),
        query.unwrap_or_default()
    )
}

fn facts(source: &SourceSettings, rules: &SourceRules, url: &str) -> Vec<(&'static str, String)> {
    let keys: Vec<&str> = source.keys.iter().map(|key| key.name.as_str()).collect();
    let key_day = match rules.key_day_rule() {
        KeyDayRule::Date => {
            let date = rules.profile().identity.immutable_date;
            let date = date.map_or_else(String::new, |field| format!(" of {field}"));
            format!("date: the UTC day{date}, which never changes")
        }
        KeyDayRule::Bucket => "bucket: one of 16, by the key's hash".to_owned(),
    };
    let allowed = source.allow_from.as_ref();
    let allowed = allowed.map_or_else(|| "anywhere".to_owned(), ToString::to_string);
    let user = source.basic_auth.as_ref();
    let user = user.map_or_else(
        || "none".to_owned(),
        |auth| format!("user {}, password {HIDDEN}", auth.user()),
    );
    vec![
        (
            "network",
            format!("{} ({})", source.network, rules.profile().title),
        ),
        ("account", source.account.to_string()),
        (
            "enabled",
            if source.enabled {
                "yes"
            } else {
                "no: ingest answers 404"
            }
            .to_owned(),
        ),
        ("keys", keys.join(", ")),
        ("allow_from", allowed),
        ("basic_auth", user),
        ("url", url.to_owned()),
        (
            "currency",
            source
                .currency
                .clone()
                .unwrap_or_else(|| "as sent".to_owned()),
        ),
        (
            "time_zone",
            rules.time_zone().iana_name().unwrap_or("UTC").to_owned(),
        ),
        ("identity", rules.identity().to_string()),
        ("key_day", key_day),
    ]
}
