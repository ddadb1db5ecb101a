//! `postback report digest`: the weekly check on one page.

mod findings;
mod html;
mod markdown;
mod page;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::completeness::Completeness;
use postback_store::reports::question::Filter;
use serde_json::json;

use super::amounts::Beside;
use super::asked::{Asked, Rows};
use super::flags::Flags;
use super::footer::Footer;
use super::rejects::Rejects;
use super::reversals::Reversals;
use super::summary::Summary;
use super::unattributed::Unattributed;
use super::{activity, frame, gap};
use crate::arguments::{Form, Options};
use crate::cmd::{Loaded, load};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag::{self, GroupLag};
use crate::output::{Cell, Sheet, text};
use crate::range::{Range, RangeOptions, shown, shown_exactly};
use crate::servers::Trouble;
use page::{Page, Section};

/// Days of the range where no beginning is given.
const USUAL_DAYS: i64 = 7;

/// The weekly check on one page: is tracking whole, and what should somebody look at
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback report digest\n  \
    postback report digest --form html --from 7d > digest.html\n  \
    0 7 * * 1  postback -c /etc/postback.toml report digest --form markdown | mail -s 'Postback, last week' …\n\n\
    The last 7 whole days beside the 7 before, unless --from and --to say otherwise. Findings come first; then money, \
    the gap where there are own orders or statements, sales without a click id, suspicious amounts, reversals, \
    rejected postbacks, flags, and each source's activity.\n\n\
    Exit code 3 when there are findings.")]
pub(super) struct Digest {
    /// Beginning, inclusive: a date, a time, today, yesterday, 7d or 12h [default: 7 days, up to --to]
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// End, exclusive, in the same forms [default: the beginning of today]
    #[arg(long, value_name = "WHEN")]
    to: Option<String>,
    /// How the page is written; -o json, jsonl or csv list the findings alone
    #[arg(long = "form", value_enum, value_name = "FORM", default_value = "text")]
    form: PageForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PageForm {
    /// For a terminal or a plain mail
    Text,
    /// For a wiki, a ticket or a chat
    Markdown,
    /// One file without anything from elsewhere
    Html,
}

impl Digest {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let now = frame::now(options);
        let range = RangeOptions {
            from: self.from.clone(),
            to: Some(self.to.clone().unwrap_or_else(|| "today".to_owned())),
        };
        let times = range.resolve_of(USUAL_DAYS, &now)?;
        let range = times.given();
        let loaded = load(options, console)?;
        let clickhouse = &loaded.settings.clickhouse;
        let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
        let reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
        let all = Filter::default();
        let complete = reader.completeness(times.from, times.to, &all);
        let complete = complete.await.map_err(trouble)?;
        let lag = lag::of_generation(&loaded.settings, reader.generation()).await;
        let week = Week {
            reader: &reader,
            range: &range,
            now: &now,
            loaded: &loaded,
            complete: &complete,
            lag: &lag,
        };
        let sections = week.sections().await?;
        let zone = now.time_zone();
        let mut page = Page {
            title: format!(
                "Postback, {} until {}",
                shown(times.from, zone),
                shown(times.to, zone)
            ),
            findings: findings::of(&sections, &as_options(&times, zone))
                .map_err(Failure::failed)?,
            sections,
            footer: Vec::new(),
        };
        let mut foot = Sheet::default();
        let footer = Footer {
            complete: &complete,
            lag: &lag,
            zone,
            of_money: true,
            of_rejects: true,
        };
        footer.add_to(&mut foot);
        page.footer = std::mem::take(&mut foot.notes);
        if options.output == Form::Table {
            self.write(&page, console)?;
        } else {
            listed(
                &page,
                foot,
                (shown(times.from, zone), shown(times.to, zone)),
            )
            .write(options, console)?;
        }
        Ok(if page.findings.is_empty() {
            Ending::Done
        } else {
            Ending::Found
        })
    }

    fn write(&self, page: &Page, console: &mut Console) -> Result<(), Failure> {
        match self.form {
            PageForm::Text => page::write(page, &mut console.page())?,
            PageForm::Markdown => markdown::write(page, console.out())?,
            PageForm::Html => html::write(page, console.out())?,
        }
        Ok(())
    }
}

/// The range as one would write it, with the zone where its days are not those of UTC.
fn as_options(range: &Range, zone: &TimeZone) -> String {
    let ends = format!(
        "--from {} --to {}",
        written(range.from, zone),
        written(range.to, zone)
    );
    match zone.iana_name() {
        None | Some("UTC") => ends,
        Some(name) => format!("{ends} --time-zone {name}"),
    }
}

/// A date where a day begins then, else the moment.
fn written(moment: Timestamp, zone: &TimeZone) -> String {
    let zoned = moment.to_zoned(zone.clone());
    if zoned.start_of_day().is_ok_and(|begin| begin == zoned) {
        zoned.date().to_string()
    } else if moment.subsec_nanosecond() == 0 {
        shown(moment, zone)
    } else {
        shown_exactly(moment, zone)
    }
}

/// The findings as rows.
fn listed(page: &Page, foot: Sheet, (from, to): (String, String)) -> Sheet {
    let mut sheet = Sheet::new(&[
        text("section", "Section"),
        text("finding", "Finding"),
        text("look", "Look closer with"),
    ]);
    let row = |finding: &findings::Finding| {
        vec![
            Cell::text(finding.section),
            Cell::text(&finding.words),
            Cell::text(&finding.look),
        ]
    };
    sheet.rows = page.findings.iter().map(row).collect();
    sheet.meta = foot.meta;
    sheet.fact("report", "digest");
    sheet.fact("from", from);
    sheet.fact("to", to);
    let facts = page.sections.iter();
    let facts = facts.map(|section| (section.key.to_owned(), json!(section.sheet.meta)));
    sheet.fact("sections", facts.collect::<serde_json::Map<_, _>>());
    sheet.notes.clone_from(&page.footer);
    sheet
}

/// What the sections are asked of.
struct Week<'a> {
    reader: &'a Reader,
    range: &'a RangeOptions,
    now: &'a Zoned,
    loaded: &'a Loaded,
    complete: &'a Completeness,
    lag: &'a Result<GroupLag, String>,
}

impl Week<'_> {
    /// One after the other: a page that nobody waits for must not crowd out those who do.
    async fn sections(&self) -> Result<Vec<Section>, Failure> {
        let mut sections = vec![Section::new(
            "summary",
            "Money",
            self.report(&Summary::default(), &["source"], true).await?,
        )];
        let through = self.complete.loaded_through;
        let gap = gap::section(
            self.reader,
            self.range.clone(),
            self.loaded,
            through,
            self.lag,
            self.now,
        );
        sections.extend(gap.await?.map(|sheet| Section::new("gap", "Gap", sheet)));
        sections.push(Section::new(
            "unattributed",
            "Sales without a click id",
            self.report(&Unattributed::default(), &["source"], false)
                .await?,
        ));
        sections.push(Section::new(
            "amounts",
            "Suspicious amounts",
            self.report(&Beside::of(self.loaded, false), &["advertiser"], false)
                .await?,
        ));
        sections.push(Section::new(
            "reversals",
            "Reversals",
            self.report(&Reversals::default(), &["source"], true)
                .await?,
        ));
        let rejects = Rejects::default();
        let rejected = Rows::whole(self.range.clone(), &["source"]).of_postbacks(&[], self.now)?;
        let pushed = self.reader.is_pushed(rejected.from, rejected.to);
        let pushed = self.known(pushed.await)?;
        let rejected = frame::section(&rejects, &rejected, true, self.reader);
        let mut rejected = self.known(rejected.await)?;
        rejected.fact(findings::PUSHED, pushed);
        sections.push(Section::new("rejects", "Rejected postbacks", rejected));
        sections.push(Section::new(
            "flags",
            "Flags",
            self.report(&Flags::default(), &["nothing"], true).await?,
        ));
        let settings = &self.loaded.settings;
        let activity = activity::section(self.reader, through, self.lag, self.now, settings);
        sections.push(Section::new(
            "activity",
            "Activity now",
            self.known(activity.await)?,
        ));
        Ok(sections)
    }

    async fn report<R: frame::Report>(
        &self,
        report: &R,
        by: &[&str],
        compare: bool,
    ) -> Result<Sheet, Failure> {
        let question = Asked::whole(self.range.clone(), by).question(&[], self.now)?;
        let question = frame::without_currency(question);
        self.known(frame::section(report, &question, compare, self.reader).await)
    }

    fn known<T>(&self, found: Result<T, StoreError>) -> Result<T, Failure> {
        let clickhouse = &self.loaded.settings.clickhouse;
        found.map_err(|error| Trouble::of_clickhouse(&error, clickhouse).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_as_one_would_write_it() {
        let written = |from: &str, to: &str, zone: &str| {
            let now: Zoned = format!("2026-09-15T10:00:00[{zone}]").parse().unwrap();
            let options = RangeOptions {
                from: Some(from.to_owned()),
                to: Some(to.to_owned()),
            };
            let range = options.resolve(&now).unwrap();
            let written = as_options(&range, now.time_zone());
            let words: Vec<&str> = written.split(' ').collect();
            let again = RangeOptions {
                from: Some(words[1].to_owned()),
                to: Some(words[3].to_owned()),
            };
            assert_eq!(again.resolve(&now).unwrap(), range);
            written
        };
        let days = written("2024-03-11", "2024-03-13", "UTC");
        assert_eq!(days, "--from 2024-03-11 --to 2024-03-13");
        let week = written("7d", "2026-09-15T09:30", "Europe/Berlin");
        assert_eq!(
            week,
            "--from 2026-09-08 --to 2026-09-15T09:30:00+02:00 --time-zone Europe/Berlin"
        );
        // A day that begins at one o'clock.
        let cairo = written("2026-04-24", "2026-04-25T00:00:00.5", "Africa/Cairo");
        assert_eq!(
            cairo,
            "--from 2026-04-24 --to 2026-04-25T00:00:00.500000+03:00 --time-zone Africa/Cairo"
        );
    }
}
