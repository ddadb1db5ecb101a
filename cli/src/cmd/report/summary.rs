//! `postback report summary`

use clap::{Args, ValueEnum};
use jiff::Zoned;
use postback_store::reports::Reader;
use postback_store::reports::summary::{
    DateBy, Dimension, Figures, Filter, Summary as Found, SummaryQuery,
};
use serde_json::{Map, Value, json};

use super::footer::{Footer, plural};
use crate::arguments::Options;
use crate::cmd::{load, source};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag;
use crate::output::{Cell, Column, Sheet, number, text};
use crate::range::{Range, RangeOptions, shown};
use crate::servers::Trouble;

/// Orders, sales and commission by day, source, advertiser or currency; money is never mixed
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback report summary --from 7d\n  \
    postback report summary --by advertiser --from 2026-09-01 --to 2026-10-01 -o csv\n\n\
    transactions  reported sales, not rejected, with no negative amount\n\
    orders        distinct order numbers among them, per account and advertiser\n\
    reversals     negative amounts, and sales revised to reversed\n\
    gross, reversed, net   amounts that are not negative; what took them back; their sum\n\
    signals       early notices that pay nothing; in no other figure\n\
    unattributed  share of the transactions without a click id")]
pub(super) struct Summary {
    /// One row for each of these, and each currency
    #[arg(long, value_enum, value_name = "WHAT", default_value = "day")]
    by: By,
    #[command(flatten)]
    range: RangeOptions,
    /// Which date places a conversion in time
    #[arg(long, value_enum, value_name = "DATE", default_value = "occurred")]
    date_by: Date,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only this network
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Only this advertiser, by the network's id
    #[arg(long, value_name = "ID")]
    advertiser: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Day,
    Source,
    Advertiser,
    Currency,
}

impl From<By> for Dimension {
    fn from(by: By) -> Self {
        match by {
            By::Day => Self::Day,
            By::Source => Self::Source,
            By::Advertiser => Self::Advertiser,
            By::Currency => Self::Currency,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Date {
    /// When the customer bought
    Occurred,
    /// When the network processed it
    Processed,
    /// When its newest revision was received
    Received,
}

impl From<Date> for DateBy {
    fn from(date: Date) -> Self {
        match date {
            Date::Occurred => Self::Occurred,
            Date::Processed => Self::Processed,
            Date::Received => Self::Received,
        }
    }
}

impl Summary {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let range = self
            .range
            .resolve(&Zoned::now().with_time_zone(options.time_zone.clone()))?;
        let loaded = load(options, console)?;
        if let Some(name) = &self.source {
            source::find(name, &loaded.settings)?;
        }
        let clickhouse = &loaded.settings.clickhouse;
        let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
        let reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
        // What is loaded is asked first: what comes in meanwhile is then counted and not claimed.
        let complete = reader
            .completeness(range.from, range.to)
            .await
            .map_err(trouble)?;
        let asked = self.query(&range, options);
        let (found, lag) = tokio::join!(
            reader.summary(&asked),
            lag::of_generation(&loaded.settings, reader.generation()),
        );
        let found = found.map_err(trouble)?;
        let mut sheet = sheet(&found, asked.by);
        for (name, value) in self.facts(&asked, options) {
            sheet.fact(name, value);
        }
        if found.rows.is_empty() {
            sheet.notes.extend(nothing(&asked, options));
        }
        sheet.notes.extend(outside(&found, asked.date_by));
        let footer = Footer {
            complete: &complete,
            lag: &lag,
            zone: &options.time_zone,
        };
        footer.add_to(&mut sheet);
        sheet.write(options, console)?;
        Ok(Ending::Done)
    }

    fn query(&self, range: &Range, options: &Options) -> SummaryQuery {
        SummaryQuery {
            from: range.from,
            to: range.to,
            date_by: self.date_by.into(),
            zone: options.time_zone.clone(),
            by: self.by.into(),
            only: Filter {
                source: self.source.clone(),
                network: self.network.clone(),
                advertiser: self.advertiser.clone(),
            },
        }
    }

    fn facts(&self, asked: &SummaryQuery, options: &Options) -> Vec<(&'static str, Value)> {
        let zone = &options.time_zone;
        let only = [
            ("source", &self.source),
            ("network", &self.network),
            ("advertiser", &self.advertiser),
        ];
        let only = only.into_iter();
        let only: Map<String, Value> = only
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())))
            .collect();
        vec![
            ("report", json!("summary")),
            ("from", shown(asked.from, zone).into()),
            ("to", shown(asked.to, zone).into()),
            ("date_by", asked.date_by.as_str().into()),
            ("time_zone", zone.iana_name().unwrap_or("UTC").into()),
            ("by", asked.by.as_str().into()),
            ("only", only.into()),
        ]
    }
}

/// The columns that name a row.
const fn names(by: Dimension) -> &'static [Column] {
    match by {
        Dimension::Day => const { &[text("day", "Day")] },
        Dimension::Source => const { &[text("source", "Source")] },
        Dimension::Advertiser => {
            const { &[text("network", "Network"), text("advertiser", "Advertiser")] }
        }
        Dimension::Currency => &[],
    }
}

const FIGURES: &[Column] = &[
    text("currency", "Currency"),
    number("orders", "Orders"),
    number("transactions", "Trans-\nactions"),
    number("reversals", "Re-\nversals"),
    number("gross_sales", "Sales\ngross"),
    number("reversed_sales", "Sales\nreversed"),
    number("net_sales", "Sales\nnet"),
    number("gross_commission", "Commission\ngross"),
    number("reversed_commission", "Commission\nreversed"),
    number("net_commission", "Commission\nnet"),
    number("signals", "Signals"),
    number("unattributed_percent", "Unattri-\nbuted %"),
];

fn sheet(found: &Found, by: Dimension) -> Sheet {
    let columns = [names(by), FIGURES].concat();
    let mut sheet = Sheet::new(&columns);
    let named = |figures: &Figures| figures.dimension.iter().map(Cell::text).collect();
    sheet.rows = found
        .rows
        .iter()
        .map(|row| cells(named(row), row))
        .collect();
    if by != Dimension::Currency {
        let empty = vec![Cell::Missing; names(by).len() - 1];
        let total = [vec![Cell::text("total")], empty].concat();
        let totals = found.totals.iter();
        sheet.totals = totals.map(|row| cells(total.clone(), row)).collect();
    }
    let total = |row: &Figures| {
        let cells = cells(Vec::new(), row);
        let named = FIGURES.iter().zip(&cells);
        named
            .map(|(column, cell)| (column.name.to_owned(), cell.for_json()))
            .collect::<Map<_, _>>()
    };
    sheet.fact("totals", found.totals.iter().map(total).collect::<Vec<_>>());
    sheet.fact("unknown_kind", found.unknown);
    sheet.fact("rejected_by_network", found.rejected);
    sheet.fact("undated", found.undated);
    sheet
}

fn cells(mut names: Vec<Cell>, row: &Figures) -> Vec<Cell> {
    names.extend([
        Cell::text(&row.currency),
        Cell::Count(row.orders),
        Cell::Count(row.transactions),
        Cell::Count(row.reversals),
        Cell::Money(row.gross_sales.0),
        Cell::Money(row.reversed_sales.0),
        Cell::Money(row.net_sales().0),
        Cell::Money(row.gross_commission.0),
        Cell::Money(row.reversed_commission.0),
        Cell::Money(row.net_commission().0),
        Cell::Count(row.signals),
        row.unattributed_percent()
            .map_or(Cell::Missing, Cell::Percent),
    ]);
    names
}

/// What to look at where there is nothing to see.
fn nothing(asked: &SummaryQuery, options: &Options) -> Vec<String> {
    let zone = &options.time_zone;
    let (from, to) = (shown(asked.from, zone), shown(asked.to, zone));
    let filtered = if asked.only == Filter::default() {
        ""
    } else {
        " under these filters"
    };
    vec![
        format!("No conversion was {} from {from} until {to}{filtered}.", asked.date_by.as_str()),
        "Check the range (--from, --to, --date-by), then `postback doctor`: do postbacks arrive, and are they loaded?".to_owned(),
    ]
}

/// What is in none of the figures, and why.
fn outside(found: &Found, date: DateBy) -> Vec<String> {
    let date = date.as_str();
    let all = [
        (
            found.unknown,
            "whose parameter for signals is missing or unreadable: summed nowhere".to_owned(),
        ),
        (
            found.rejected,
            "rejected by the network: summed nowhere".to_owned(),
        ),
        (
            found.undated,
            format!("without the date it was {date}: outside of every range"),
        ),
    ];
    let present = all.into_iter().filter(|(count, _)| *count > 0);
    present
        .map(|(count, why)| format!("{} {why}", plural(count, "conversion")))
        .collect()
}
