//! `postback report gap`

mod events;
mod listed;
mod sheet;
mod sides;
mod usual;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Span, Timestamp, Zoned};
use postback_common::config::ClickHouseSettings;
use postback_store::reports::Reader;
use postback_store::reports::gap::{Comparison, Own, Wanted};
use postback_store::reports::question::{Dimension, Question, Table};
use postback_store::reports::share::Share;

use super::asked::Rows;
use super::frame;
use crate::arguments::Options;
use crate::cmd::{Loaded, load};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag::{self, GroupLag};
use crate::output::{Sheet, plural};
use crate::range::RangeOptions;
use crate::servers::Trouble;
pub(super) use sides::Repeated;
pub(crate) use sides::Sides;
use usual::Usual;

/// How long a postback, or a line of a statement, may take to come.
pub(crate) const MATURE_AFTER: SignedDuration = SignedDuration::from_hours(4);

/// Your own orders, or a network's statement, against what postbacks report
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback report gap --from 14d\n  \
    postback report gap --with statements --by advertiser\n  \
    postback report gap --from 2026-09-01 --to 2026-09-02 --class unexplained -o csv > ticket.csv\n  \
    postback report gap --with events --class missed\n\n\
    matched      a transaction with the order's number is there, and was not taken back\n\
    explained    taken back by the network (reversed), or cancelled, returned, out of network on your side\n\
    immature     placed in the last 4 hours: its postback may still come\n\
    unexplained  missing, or known by an early signal alone\n\
    gap          unexplained of matched and unexplained, by count and by money\n\
    extra        transactions whose order number your side does not know\n\n\
    A network can date an order otherwise than you: its transactions of up to three days before and \
    after the range are looked at. An order whose sale it dates later than that is unexplained in a \
    report of its day, and matched in a longer one.\n\n\
    --with events tells what was fetched from the network's API and had never been pushed:\n\
    how much, when, and whether the endpoint was off or requests were refused then.\n\n\
    Amounts are your side's. --where and --source are about your side's rows. What is usual follows from the \
    28 days before the range. Exit code 3 when orders are unexplained.")]
// What your side knows is of no network.
#[command(mut_arg("network", |arg| arg.help("With --with events: only this network")))]
pub(super) struct Gap {
    #[command(flatten)]
    rows: Rows,
    /// What to compare with: orders, statements, one source of either, or events [default: orders where there are any]
    #[arg(long = "with", value_name = "WHAT")]
    own: Option<String>,
    /// List the orders of a class, ready for a support ticket
    #[arg(long, value_enum, value_name = "CLASS")]
    class: Option<Class>,
    /// With --class: at most so many; 0 lists all
    #[arg(long, value_name = "ROWS", default_value_t = 1_000)]
    limit: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Class {
    /// A transaction is there
    Matched,
    /// Reversed, cancelled, returned, out of network
    Explained,
    /// Too young to be missed
    Immature,
    /// Missing, for no known reason
    Unexplained,
    /// Transactions of an order that your side does not know
    Extra,
    /// Matched, though cancelled, returned or out of network on your side
    Standing,
    /// Matched, with another amount or currency
    Amounts,
    /// Matched, with another click id
    Clicks,
    /// With events: fetched, and never pushed
    Missed,
}

impl Class {
    /// Of orders; `None` where it is not about orders.
    const fn of_orders(self) -> Option<Wanted> {
        Some(match self {
            Self::Matched => Wanted::Matched,
            Self::Explained => Wanted::Explained,
            Self::Immature => Wanted::Immature,
            Self::Unexplained => Wanted::Unexplained,
            Self::Extra => Wanted::Extra,
            Self::Standing => Wanted::Standing,
            Self::Amounts => Wanted::Amounts,
            Self::Clicks => Wanted::Clicks,
            Self::Missed => return None,
        })
    }
}

impl Gap {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        if self.own.as_deref() == Some("events") {
            return Box::pin(events::run(self, options, console)).await;
        }
        let question = self.rows.of_orders(&["day"], &frame::now(options))?;
        let wanted = self.class.map(|class| (class, class.of_orders()));
        if let Some((_, None)) = wanted {
            return Err(Failure::Usage(
                "orders and statements know no missed pushes\n  write --with events --class missed"
                    .to_owned(),
            ));
        }
        let loaded = load(options, console)?;
        // What is wrong with the command is said before a server is asked.
        Sides::of(self.own.as_deref(), &loaded)?;
        let clickhouse = &loaded.settings.clickhouse;
        let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
        let reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
        super::sources::check(&question.only, &loaded.settings, &reader).await?;
        let ends = (question.from, question.to);
        let (sides, complete, lag) = tokio::join!(
            Sides::of_range(self.own.as_deref(), &loaded, &reader, ends),
            reader.completeness(question.from, question.to, &question.only),
            lag::of_generation(&loaded.settings, reader.generation()),
        );
        let (sides, complete) = (sides?, complete.map_err(trouble)?);
        let asked = comparison(question, &sides, complete.loaded_through, &lag)?;
        let mut cut = None;
        let (mut sheet, is_found) = match wanted {
            Some((class, Some(wanted))) => {
                let list = reader.gap_list(&asked, wanted, self.most());
                let list = list.await.map_err(trouble)?;
                let is_found = class == Class::Unexplained && !list.is_empty();
                let total = list.first().map_or(0, |row| row.total);
                cut = listed::cut(list.len(), total, &counted(asked.own, total));
                (
                    listed::sheet(&list, class, &asked, sides.are_several()),
                    is_found,
                )
            }
            _ => figures(&reader, &asked, clickhouse).await?,
        };
        sides.repeated.tell(&mut sheet);
        for (name, value) in frame::facts("gap", &asked.question) {
            sheet.fact(name, value);
        }
        sheet.fact("with", sides.own.as_str());
        sheet.fact("own_sources", sides.names.clone());
        sheet.fact("accounts", sides.accounts.clone());
        let about = frame::About {
            of_money: true,
            of_rejects: false,
        };
        frame::finish(sheet, about, &complete, &lag, options, console)?;
        if let Some(words) = cut {
            console.warn(words);
        }
        Ok(if is_found {
            Ending::Found
        } else {
            Ending::Done
        })
    }

    /// Rows of a list.
    const fn most(&self) -> u64 {
        if self.limit == 0 {
            u64::MAX
        } else {
            self.limit
        }
    }
}

/// The gap of a range by day, for a page of several reports; `None` where there is nothing to
/// compare with.
pub(super) async fn section(
    reader: &Reader,
    range: RangeOptions,
    loaded: &Loaded,
    through: Option<Timestamp>,
    lag: &Result<GroupLag, String>,
    now: &Zoned,
) -> Result<Option<Sheet>, Failure> {
    if Sides::of(None, loaded).is_err() {
        return Ok(None);
    }
    let question = Rows::whole(range, &["day"]).of_orders(&[], now)?;
    let sides = Sides::of_range(None, loaded, reader, (question.from, question.to)).await?;
    let asked = comparison(question, &sides, through, lag)?;
    let (mut sheet, _) = figures(reader, &asked, &loaded.settings.clickhouse).await?;
    sides.repeated.tell(&mut sheet);
    Ok(Some(sheet))
}

fn comparison(
    question: Question,
    sides: &Sides,
    through: Option<Timestamp>,
    lag: &Result<GroupLag, String>,
) -> Result<Comparison, Failure> {
    let is_caught_up = lag.as_ref().is_ok_and(|lag| lag.waiting() == 0);
    Ok(Comparison {
        mature_until: mature_until(through, is_caught_up)?,
        question,
        own: sides.own,
        sources: sides.sources.clone(),
        accounts: sides.accounts.clone(),
    })
}

/// The figures as a sheet, and whether orders are unexplained.
async fn figures(
    reader: &Reader,
    asked: &Comparison,
    clickhouse: &ClickHouseSettings,
) -> Result<(Sheet, bool), Failure> {
    let before = before(asked)?;
    let (gap, days) = tokio::try_join!(reader.gap(asked), reader.gap_before(&before))
        .map_err(|error| Trouble::of_clickhouse(&error, clickhouse))?;
    let days: Vec<Share> = days.into_values().collect();
    let usual = Usual::of(&days);
    let is_found = gap.totals.iter().any(|total| total.unexplained() > 0);
    Ok((sheet::of(&gap, asked, usual.as_ref()), is_found))
}

/// Younger orders are immature. What is not loaded yet cannot be missed either.
fn mature_until(
    loaded_through: Option<Timestamp>,
    is_caught_up: bool,
) -> Result<Timestamp, Failure> {
    let now = Timestamp::now();
    let known = if is_caught_up {
        now
    } else {
        loaded_through.unwrap_or(now).min(now)
    };
    known.checked_sub(MATURE_AFTER).map_err(Failure::failed)
}

/// The days before the range, as a whole, by day.
fn before(asked: &Comparison) -> Result<Comparison, Failure> {
    let begin = asked.question.from.to_zoned(asked.question.zone.clone());
    let earlier = begin.checked_sub(Span::new().days(usual::DAYS));
    let from = earlier.map_err(Failure::failed)?.timestamp();
    let whole = &asked.question;
    let mut question = Question::new(from, whole.from, whole.date_by, whole.zone.clone());
    question.by.extend(Dimension::of(Table::Conversions, "day"));
    question.only = whole.only.clone();
    Ok(Comparison {
        question,
        ..asked.clone()
    })
}

/// What an order of the own side is called in sentences.
const fn noun(own: Own) -> &'static str {
    match own {
        Own::Orders => "order",
        Own::Statements => "order of the statement",
    }
}

/// So many of them.
fn counted(own: Own, count: u64) -> String {
    let orders = plural(count, "order");
    match own {
        Own::Orders => orders,
        Own::Statements => format!("{orders} of the statement"),
    }
}
