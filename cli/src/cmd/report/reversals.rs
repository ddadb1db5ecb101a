//! `postback report reversals`

use clap::Args;
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::question::{Question, Table};
use postback_store::reports::reversals::{Report as Found, Reversals as Line};

use super::asked::Asked;
use super::compared::Compared;
use super::frame::{self, Answer, Answers, Report, names, without_currency};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, text};

/// Sales that were taken back: how many, how much, how late
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    postback report reversals --from 90d --to 30d\n  \
    postback report reversals --by month --advertiser 35719\n  \
    postback report reversals --from 60d --to 30d --compare\n\n\
    Rows are by advertiser unless --by says otherwise, and by currency always.\n\n\
    transactions    reported sales, not rejected, with no negative amount\n\
    reversals       negative amounts, and sales revised to reversed\n\
    rate            reversals per transactions. Networks repeat the date of sale on a reversal, so\n                \
    both are of the same sales, and the latest ones are still to come: give --to 30d\n\
    share of money  reversed sales per gross sales\n\
    delay           from the sale to when the network processed its reversal")]
pub(super) struct Reversals {
    #[command(flatten)]
    asked: Asked,
    /// Show each figure's change against the period of the same length before
    #[arg(long)]
    compare: bool,
}

impl Reversals {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let question = self.asked.question(&["advertiser"], &frame::now(options))?;
        let question = without_currency(question);
        frame::run(self, &question, self.compare, options, console).await
    }
}

impl Report for Reversals {
    const NAME: &'static str = "reversals";
    const TABLE: Table = Table::Conversions;
    const OF_MONEY: bool = true;
    const COMPARED: Compared = Compared {
        keys: 1,
        figures: &[
            "transactions",
            "reversals",
            "rate_percent",
            "reversed_sales",
            "share_of_money_percent",
        ],
    };

    async fn answer(
        &self,
        reader: &Reader,
        question: &Question,
        before: Option<&Question>,
    ) -> Result<Answers, StoreError> {
        let found = reader.reversals(question, before).await?;
        Ok(Answers::of(&found, question, before, told))
    }
}

fn told(found: &Found, question: &Question) -> Answer {
    let names = names(question);
    let figures = [
        text("currency", "Currency"),
        number("transactions", "Trans-\nactions"),
        number("reversals", "Re-\nversals"),
        number("rate_percent", "Rate\n%"),
        number("gross_sales", "Sales\ngross"),
        number("reversed_sales", "Sales\nreversed"),
        number("share_of_money_percent", "Share of\nmoney %"),
        number("reversed_commission", "Comm.\nreversed"),
        number("delay_p50", "Delay\np50"),
        number("delay_p90", "\np90"),
        number("delay_max", "\nmax"),
    ];
    let mut sheet = Sheet::new(&[&names[..], &figures].concat());
    let named = |row: &Line| row.dimension.iter().map(Cell::text).collect();
    sheet.rows = found
        .rows
        .iter()
        .map(|row| cells(named(row), row))
        .collect();
    if !names.is_empty() {
        let mut total = vec![Cell::text("total")];
        total.resize(names.len(), Cell::Missing);
        sheet.totals = found
            .totals
            .iter()
            .map(|row| cells(total.clone(), row))
            .collect();
    }
    sheet.fact("undated", found.undated);
    sheet.into()
}

fn cells(mut names: Vec<Cell>, row: &Line) -> Vec<Cell> {
    let delays = row.delay.map_or([const { Cell::Missing }; 3], |delay| {
        [delay.p50, delay.p90, delay.max].map(Cell::Seconds)
    });
    names.extend([
        Cell::text(&row.currency),
        Cell::Count(row.transactions),
        Cell::Count(row.reversals),
        percent(row.reversals.into(), row.transactions.into()),
        Cell::Money(row.gross_sales.0),
        Cell::Money(row.reversed_sales.0),
        percent(-row.reversed_sales.0, row.gross_sales.0),
        Cell::Money(row.reversed_commission.0),
    ]);
    names.extend(delays);
    names
}

#[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
fn percent(part: i128, of: i128) -> Cell {
    if of == 0 {
        return Cell::Missing;
    }
    Cell::Percent(100.0 * part as f64 / of as f64)
}
