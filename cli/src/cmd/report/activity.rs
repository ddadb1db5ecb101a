//! `postback report activity`

mod standing;

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Zoned};
use postback_common::config::Settings;
use postback_store::endpoints::{self, Latest};
use postback_store::reports::Reader;
use postback_store::reports::activity::{By, Part, Refused, Sender};
use postback_store::reports::question::{Filter, Table};
use postback_store::{Role, client};

use super::asked::Only;
use super::frame;
use super::sources;
use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag::{self, GroupLag};
use crate::output::{Cell, Sheet, number, plural, text};
use crate::range::{shown, shown_exactly};
use crate::servers::Trouble;
use standing::Standing;

/// Who sends: last seen, the last hour against what is usual, silence, refusals
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback report activity\n  \
    postback report activity --by key --source rakuten-us\n\n\
    silence   time since the newest postback\n\
    hour      postbacks of the last 60 minutes\n\
    usual     the mean of the same 60 minutes of the weekday in up to eight weeks before\n\
    range     where such an hour is expected in 997 of 1,000 cases\n\
    missing   postbacks that were usual in the time of the silence\n\
    state     as usual; low, high: outside of the range; silent: 13 or more are missing, which chance\n          \
    does once in 440,000; learning: under three weeks of history; never: configured, not seen;\n          \
    disabled: by the configuration; not configured: silent, and missing there\n\
    endpoint  what the network's API says of it: active, disabled, missing (none is registered),\n          \
    unknown; empty where no API is configured\n\
    refused   requests refused in the last 24 hours; estimated where many came at once\n\n\
    By key or template: what each brought in seven days. What was fetched or imported is no activity.\n\
    What came by an older name of a source (`aliases`) is the source's.")]
pub(super) struct Activity {
    /// One row for each of these
    #[arg(long, value_enum, value_name = "WHAT", default_value = "source")]
    by: Senders,
    #[command(flatten)]
    only: Only,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Senders {
    Source,
    /// The source's URL keys
    Key,
    /// The source's templates, by their marker pbt
    Template,
}

impl Activity {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let only = self.only.filter(Table::Postbacks)?;
        let loaded = load(options, console)?;
        let clickhouse = &loaded.settings.clickhouse;
        let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
        let reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
        sources::check(&only, &loaded.settings, &reader).await?;
        let now = frame::now(options);
        let day_before = now.timestamp() - Span::new().hours(24);
        let complete = reader.completeness(day_before, now.timestamp(), &only);
        let complete = complete.await.map_err(trouble)?;
        let lag = lag::of_generation(&loaded.settings, reader.generation()).await;
        let until = until(&now, &lag, complete.loaded_through);
        let mut sheet = match self.by {
            Senders::Source => of_sources(&reader, &only, &until, &loaded.settings).await,
            Senders::Key => of_parts(&reader, By::Key, &only, &until, &loaded.settings).await,
            Senders::Template => {
                of_parts(&reader, By::Template, &only, &until, &loaded.settings).await
            }
        }
        .map_err(trouble)?;
        sheet.fact("report", "activity");
        sheet.fact("until", shown_exactly(until.timestamp(), until.time_zone()));
        sheet.fact("time_zone", until.time_zone().iana_name().unwrap_or("UTC"));
        if sheet.rows.is_empty() {
            let words = "No postback has come from these sources: `postback doctor` says whether \
                 postbacks arrive and are loaded, `postback send` sends one for a test.";
            sheet.notes.insert(0, words.to_owned());
        }
        let seen = shown(until.timestamp(), until.time_zone());
        if until.timestamp() < now.timestamp() {
            sheet
                .notes
                .push(format!("as of {seen}: what came later is not loaded yet"));
        }
        let about = frame::About {
            of_money: false,
            of_rejects: false,
        };
        frame::finish(sheet, about, &complete, &lag, options, console)
    }
}

/// All sources, for a page of several reports.
pub(super) async fn section(
    reader: &Reader,
    through: Option<Timestamp>,
    lag: &Result<GroupLag, String>,
    now: &Zoned,
    settings: &Settings,
) -> Result<Sheet, postback_store::StoreError> {
    let until = until(now, lag, through);
    of_sources(reader, &Filter::default(), &until, settings).await
}

/// Now, where everything is loaded; otherwise what is loaded through: what is on its way is no
/// silence.
fn until(now: &Zoned, lag: &Result<GroupLag, String>, through: Option<Timestamp>) -> Zoned {
    let waits = !lag.as_ref().is_ok_and(|lag| lag.waiting() == 0);
    match through.filter(|through| waits && *through < now.timestamp()) {
        Some(through) => through.to_zoned(now.time_zone().clone()),
        None => now.clone(),
    }
}

async fn of_sources(
    reader: &Reader,
    only: &Filter,
    until: &Zoned,
    settings: &Settings,
) -> Result<Sheet, postback_store::StoreError> {
    let client = client(&settings.clickhouse, Role::Query)?;
    let names = standing::names(&settings.sources);
    let (senders, refused, endpoints) = tokio::try_join!(
        reader.activity(only, &names, until),
        reader.refused(&names, until),
        endpoints::latest(&client)
    )?;
    let endpoints = Endpoints {
        settings,
        latest: &endpoints,
    };
    let mut sheet = Sheet::new(&[
        text("source", "Source"),
        text("last", "Newest"),
        number("silence", "Silence"),
        number("hour", "Last\nhour"),
        number("usual", "Usual"),
        text("range", "Range"),
        number("missing", "Miss-\ning"),
        number("day", "Last\n24 h"),
        text("state", "State"),
        text("endpoint", "Endpoint"),
        number("refused", "Refused\n24 h"),
        text("refused_reason", "Most often"),
    ]);
    let by_source: BTreeMap<&str, &Refused> = refused
        .iter()
        .map(|row| (row.source.as_str(), row))
        .collect();
    let row = |sender: &Sender| {
        let standing = Standing::of(sender, &settings.sources);
        let mut cells = cells(sender, standing, until);
        cells.push(endpoints.cell(&sender.source));
        cells.extend(refused_cells(by_source.get(&*sender.source).copied()));
        cells
    };
    sheet.rows = senders.iter().map(row).collect();
    for name in unseen(settings, only, &senders) {
        let refused = by_source.get(&*name).copied();
        let endpoint = endpoints.cell(&name);
        let mut cells = vec![Cell::Text(name)];
        cells.resize(8, Cell::Missing);
        cells.push(Cell::text("never"));
        cells.push(endpoint);
        cells.extend(refused_cells(refused));
        sheet.rows.push(cells);
    }
    let is_silent = |sender: &&Sender| Standing::of(sender, &settings.sources).is_silent();
    let silent: Vec<&Sender> = senders.iter().filter(is_silent).collect();
    sheet.fact("silent", silent.len());
    sheet.fact("endpoints_off", endpoints.off(only).count());
    sheet.notes.extend(endpoints.notes(only));
    sheet.notes.extend(notes(
        &silent,
        by_source.get("").copied(),
        until.time_zone(),
    ));
    Ok(sheet)
}

/// Configured and enabled, and nothing has come.
fn unseen(settings: &Settings, only: &Filter, senders: &[Sender]) -> Vec<String> {
    if !only.is_empty() {
        return Vec::new();
    }
    let names = settings.sources.iter().filter(|source| source.enabled);
    let names = names.map(|source| source.name.to_string());
    let is_seen = |name: &String| senders.iter().any(|sender| sender.source == *name);
    names.filter(|name| !is_seen(name)).collect()
}

fn cells(sender: &Sender, standing: Standing, until: &Zoned) -> Vec<Cell> {
    let usual = &sender.usual;
    let silence = until.timestamp().duration_since(sender.last);
    let range = usual
        .range
        .map(|(lowest, highest)| format!("{lowest}–{highest}"));
    vec![
        Cell::text(&sender.source),
        Cell::Text(shown(sender.last, until.time_zone())),
        Cell::Seconds(silence.max(SignedDuration::ZERO).as_secs_f64()),
        Cell::Count(sender.hour),
        usual.mean.map_or(Cell::Missing, Cell::Mean),
        range.map_or(Cell::Missing, Cell::Text),
        Cell::Mean(usual.missing),
        Cell::Count(sender.day),
        Cell::text(standing.as_str()),
    ]
}

/// What the networks say of the endpoints.
struct Endpoints<'a> {
    settings: &'a Settings,
    latest: &'a [Latest],
}

impl Endpoints<'_> {
    /// Nothing where no API is asked, or none was yet.
    fn known(&self, source: &str) -> Option<&Latest> {
        let mut sources = self.settings.sources.iter();
        let source = sources.find(|known| known.name.as_str() == source && known.enabled)?;
        source.api.as_ref()?;
        endpoints::newest(self.latest, source)
    }

    fn cell(&self, source: &str) -> Cell {
        let known = self.known(source);
        known.map_or(Cell::Missing, |latest| Cell::text(latest.state.as_str()))
    }

    /// Those of all sources that the network does not send to; none where only some are asked for.
    fn off(&self, only: &Filter) -> impl Iterator<Item = (&str, &Latest)> {
        let sources = self.settings.sources.iter();
        let all = sources.filter(|_| only.is_empty());
        all.map(|source| source.name.as_str())
            .filter_map(|name| Some((name, self.known(name)?)))
            .filter(|(_, latest)| latest.state.is_off())
    }

    fn notes(&self, only: &Filter) -> Vec<String> {
        self.off(only).map(|(source, latest)| {
            let state = latest.state;
            let (says, command) = match state {
                endpoints::State::Missing => ("has no endpoint registered", "set"),
                _ => ("has switched the endpoint off", "enable"),
            };
            format!(
                "the network of {source} {says}, and sends nothing: `postback endpoint {command} --source {source}`"
            )
        })
        .collect()
    }
}

fn refused_cells(refused: Option<&Refused>) -> [Cell; 2] {
    match refused {
        Some(refused) => [Cell::Count(refused.day), Cell::text(&refused.reason)],
        None => [Cell::Count(0), Cell::Missing],
    }
}

fn notes(silent: &[&Sender], nobody: Option<&Refused>, zone: &TimeZone) -> Vec<String> {
    let mut notes: Vec<String> = silent
        .iter()
        .map(|sender| {
            format!(
                "{} is silent since {}: is its endpoint switched off at the network, or refused here? `postback doctor`, then ask the network",
                sender.source,
                shown(sender.last, zone)
            )
        })
        .collect();
    if let Some(refused) = nobody.filter(|refused| refused.day > 0) {
        notes.push(format!(
            "{} without a known key refused in the last 24 hours, most often {}",
            plural(refused.day, "request"),
            refused.reason
        ));
    }
    notes
}

async fn of_parts(
    reader: &Reader,
    by: By,
    only: &Filter,
    until: &Zoned,
    settings: &Settings,
) -> Result<Sheet, postback_store::StoreError> {
    let names = standing::names(&settings.sources);
    let parts = reader.activity_of(by, only, &names, until).await?;
    let (name, heading) = match by {
        By::Key => ("key", "Key"),
        By::Template => ("template", "Template"),
    };
    let mut sheet = Sheet::new(&[
        text("source", "Source"),
        text(name, heading),
        text("last", "Newest"),
        number("silence", "Silence"),
        number("day", "Last\n24 h"),
        number("week", "Last\n7 d"),
    ]);
    let row = |part: &Part| {
        let silence = until.timestamp().duration_since(part.last);
        vec![
            Cell::text(&part.source),
            Cell::text(&part.part),
            Cell::Text(shown(part.last, until.time_zone())),
            Cell::Seconds(silence.max(SignedDuration::ZERO).as_secs_f64()),
            Cell::Count(part.day),
            Cell::Count(part.week),
        ]
    };
    sheet.rows = parts.iter().map(row).collect();
    if by == By::Key {
        sheet.rows.extend(unused_keys(settings, only, &parts));
    }
    Ok(sheet)
}

/// Keys of the configuration that brought nothing in seven days.
fn unused_keys(settings: &Settings, only: &Filter, parts: &[Part]) -> Vec<Vec<Cell>> {
    if !only.is_empty() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for source in settings.sources.iter().filter(|source| source.enabled) {
        for key in &source.keys {
            let (source, key) = (source.name.to_string(), key.name.to_string());
            if parts
                .iter()
                .all(|part| (&part.source, &part.part) != (&source, &key))
            {
                let mut cells = vec![Cell::Text(source), Cell::Text(key)];
                cells.extend([Cell::Missing, Cell::Missing, Cell::Count(0), Cell::Count(0)]);
                rows.push(cells);
            }
        }
    }
    rows
}
