//! `postback source ls`

use postback_common::config::SourceSettings;
use postback_normalise::Configured;

use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, text};

pub(super) fn run(options: &Options, console: &mut Console) -> Result<Ending, Failure> {
    let loaded = load(options, console)?;
    let mut sheet = Sheet::new(&[
        text("source", "Source"),
        text("network", "Network"),
        text("account", "Account"),
        text("identity", "Identity"),
        text("enabled", "Enabled"),
        text("keys", "Keys"),
        text("template", "Template"),
    ]);
    let sources = loaded.settings.sources.iter();
    sheet.rows = sources
        .map(|source| row(source, &loaded.configured))
        .collect();
    if sheet.rows.is_empty() {
        sheet.notes.push(format!(
            "{} has no [[source]] yet: see postback.example.toml, and make a key with `postback source key new`",
            options.config.display()
        ));
    }
    sheet.write(options, console)?;
    Ok(Ending::Done)
}

fn row(source: &SourceSettings, configured: &Configured) -> Vec<Cell> {
    let rules = configured.source(source.name.as_str());
    let keys = source.keys.iter().map(|key| key.name.to_string());
    vec![
        Cell::text(&source.name),
        Cell::text(&source.network),
        Cell::text(&source.account),
        rules.map_or(Cell::Missing, |rules| Cell::text(&rules.identity())),
        Cell::Flag(source.enabled),
        Cell::List(keys.collect()),
        Cell::Flag(!source.templates.is_empty()),
    ]
}
