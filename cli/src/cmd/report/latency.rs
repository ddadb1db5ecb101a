//! `postback report latency`

use clap::Args;
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::delay::Delay;
use postback_store::reports::latency::Loading;
use postback_store::reports::question::{DateBy, Question, Table};

use super::asked::Asked;
use super::frame::{self, Answer, Answers, Report, names};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, plural, span};

/// How long a sale takes to be received, and a postback to be loaded
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback report latency --from 7d\n  \
    postback report latency --by hour --from yesterday --source rakuten-us\n\n\
    Rows are by day and source unless --by says otherwise. The range is by the date received, unless \
    --date-by says otherwise: by the date of sale, what comes late is not yet in the latest days.\n\n\
    occurred    from the sale to its postback, of transactions and signals; reversals are left out,\n\
    \x20           and so is what was fetched from the network's API\n\
    processed   from the network's own processing to the postback\n\
    p50 p90 p99 max   half, nine of ten, ninety-nine of a hundred, all took no longer\n\n\
    Below the table: from the request to the table, of the pushed postbacks loaded last. ClickHouse \
    says when it stored them, to the second, until it merges them with older ones.")]
pub(super) struct Latency {
    #[command(flatten)]
    asked: Asked,
}

impl Latency {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let now = frame::now(options);
        let question = self
            .asked
            .question_by(DateBy::Received, &["day", "source"], &now)?;
        frame::run(self, &question, false, options, console).await
    }
}

impl Report for Latency {
    const NAME: &'static str = "latency";
    const TABLE: Table = Table::Conversions;
    const OF_MONEY: bool = false;

    async fn answer(
        &self,
        reader: &Reader,
        question: &Question,
        _: Option<&Question>,
    ) -> Result<Answers, StoreError> {
        let (found, loading) = tokio::try_join!(reader.latency(question), reader.loading())?;
        let mut columns = names(question);
        columns.extend([
            number("conversions", "Conver-\nsions"),
            number("occurred_p50", "Occurred\np50"),
            number("occurred_p90", "\np90"),
            number("occurred_p99", "\np99"),
            number("occurred_max", "\nmax"),
            number("processed_p50", "Processed\np50"),
            number("processed_p90", "\np90"),
            number("processed_p99", "\np99"),
            number("processed_max", "\nmax"),
        ]);
        let mut sheet = Sheet::new(&columns);
        let rows = found.iter().map(|row| {
            let mut cells: Vec<Cell> = row.dimension.iter().map(Cell::text).collect();
            cells.push(Cell::Count(row.rows));
            cells.extend(quantiles(row.since_occurred));
            cells.extend(quantiles(row.since_processed));
            cells
        });
        sheet.rows = rows.collect();
        tell(&mut sheet, &loading);
        Ok(Answer::from(sheet).into())
    }
}

fn quantiles(delay: Option<Delay>) -> [Cell; 4] {
    delay.map_or([const { Cell::Missing }; 4], |delay| {
        [delay.p50, delay.p90, delay.p99, delay.max].map(Cell::Seconds)
    })
}

/// From the request to the table.
fn tell(sheet: &mut Sheet, loading: &Loading) {
    let cells = quantiles(loading.delay);
    let [p50, p90, p99, max] = cells.map(|cell| cell.for_json());
    sheet.fact(
        "loaded_last",
        serde_json::json!({
            "postbacks": loading.rows, "p50": p50, "p90": p90, "p99": p99, "max": max,
        }),
    );
    sheet.notes.push(match loading.delay {
        Some(delay) => format!(
            "received → loaded, of the last {}: p50 {}, p90 {}, p99 {}, max {}",
            plural(loading.rows, "postback"),
            span(delay.p50),
            span(delay.p90),
            span(delay.p99),
            span(delay.max)
        ),
        None => "received → loaded: not known, for nothing was loaded lately, or ClickHouse has merged it with older rows".to_owned(),
    });
}
