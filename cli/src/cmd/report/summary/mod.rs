//! `postback report summary`

mod notes;
mod sheet;

use clap::{Args, ValueEnum};
use jiff::Zoned;
use postback_store::reports::Reader;
use postback_store::reports::summary::{DateBy, Dimension, Filter, SummaryQuery};
use serde_json::{Map, Value, json};

use super::footer::Footer;
use crate::arguments::Options;
use crate::cmd::{load, source};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag;
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
    unattributed  share of the transactions without a click id\n\n\
    Money is exact: two to four decimals, each currency in rows of its own.")]
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
        let mut sheet = sheet::of(&found, asked.by);
        for (name, value) in self.facts(&asked, options) {
            sheet.fact(name, value);
        }
        if found.rows.is_empty() {
            sheet.notes.extend(notes::nothing(&asked));
        }
        sheet.notes.extend(notes::outside(&found, asked.date_by));
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
