//! `postback report summary`

mod notes;
mod sheet;

use clap::Args;
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::question::{Question, Table};
use postback_store::reports::summary::Summary as Found;

use super::asked::Asked;
use super::compared::Compared;
use super::frame::{self, Answer, Answers, Report, without_currency};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Orders, sales and commission by day, source, advertiser, …; money is never mixed
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    postback report summary --from 7d\n  \
    postback report summary --from 7d --to today --compare\n  \
    postback report summary --by advertiser,sub_ids.campaign --where status!=pending\n  \
    postback report summary --by advertiser --from 2026-09-01 --to 2026-10-01 -o csv\n\n\
    Rows are by day unless --by says otherwise, and by currency always.\n\n\
    transactions  reported sales, not rejected, with no negative amount\n\
    orders        distinct order numbers among them, per account and advertiser\n\
    reversals     negative amounts, and sales revised to reversed\n\
    gross, reversed, net   amounts that are not negative; what took them back; their sum\n\
    signals       early notices that pay nothing; in no other figure\n\
    unattributed  share of the transactions without a click id\n\n\
    Money is exact: two to four decimals, each currency in rows of its own.")]
pub(super) struct Summary {
    #[command(flatten)]
    asked: Asked,
    /// Show each figure's change against the period of the same length before
    #[arg(long)]
    compare: bool,
}

impl Summary {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let question = self.asked.question(&["day"], &frame::now(options))?;
        let question = without_currency(question);
        frame::run(self, &question, self.compare, options, console).await
    }
}

impl Report for Summary {
    const NAME: &'static str = "summary";
    const TABLE: Table = Table::Conversions;
    const OF_MONEY: bool = true;
    const COMPARED: Compared = Compared {
        keys: 1,
        figures: &[
            "orders",
            "transactions",
            "reversals",
            "net_sales",
            "net_commission",
            "unattributed_percent",
        ],
    };

    async fn answer(
        &self,
        reader: &Reader,
        question: &Question,
        before: Option<&Question>,
    ) -> Result<Answers, StoreError> {
        let found = reader.summary(question, before).await?;
        Ok(Answers::of(&found, question, before, told))
    }
}

fn told(found: &Found, question: &Question) -> Answer {
    let mut sheet = sheet::of(found, question);
    sheet.notes = notes::outside(found, question.date_by);
    sheet.into()
}
