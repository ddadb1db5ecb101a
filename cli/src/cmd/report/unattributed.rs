//! `postback report unattributed`

use clap::Args;
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::question::{Question, Table};
use postback_store::reports::unattributed::Unattributed as Line;

use super::asked::Asked;
use super::frame::{self, Answer, Answers, Report, names};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, plural, text};

/// Sales without a click id: their share over time, beside the usual one
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    postback report unattributed\n  \
    postback report unattributed --from 7d --by advertiser\n  \
    postback report unattributed --from 7d --by day,template --source rakuten-us\n\n\
    Rows are by day unless --by says otherwise.\n\n\
    transactions  reported sales, not rejected, with no negative amount\n\
    unattributed  those without a click id: nobody can be paid for them\n\
    usual         the share of the period of the same length before, of the same rows without times\n\
    rise          higher than usual by more than a percentage point, and by more than chance does in\n              \
    one of 10,000 rows\n\n\
    A rise of one advertiser is most often its shop: the click id is no longer captured or passed on.\n\
    A rise of a whole source or template is the URL at the network.")]
pub(super) struct Unattributed {
    #[command(flatten)]
    asked: Asked,
}

impl Unattributed {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let question = self.asked.question(&["day"], &frame::now(options))?;
        frame::run(self, &question, false, options, console).await
    }
}

impl Report for Unattributed {
    const NAME: &'static str = "unattributed";
    const TABLE: Table = Table::Conversions;
    const OF_MONEY: bool = false;

    async fn answer(
        &self,
        reader: &Reader,
        question: &Question,
        _: Option<&Question>,
    ) -> Result<Answers, StoreError> {
        let found = reader.unattributed(question).await?;
        let names = names(question);
        let figures = [
            number("transactions", "Trans-\nactions"),
            number("unattributed", "Unattri-\nbuted"),
            number("unattributed_percent", "Share\n%"),
            number("usual_percent", "Usual\n%"),
            text("rise", "Rise"),
        ];
        let mut sheet = Sheet::new(&[&names[..], &figures].concat());
        let named = |row: &Line| row.dimension.iter().map(Cell::text).collect();
        sheet.rows = found
            .rows
            .iter()
            .map(|row| cells(named(row), row))
            .collect();
        if !names.is_empty() && !found.rows.is_empty() {
            let mut total = vec![Cell::text("total")];
            total.resize(names.len(), Cell::Missing);
            sheet.totals = vec![cells(total, &found.total)];
        }
        let rises = found.rows.iter().filter(|row| row.is_rise()).count();
        sheet.fact("rises", rises);
        sheet.fact("transactions", found.total.share.all);
        sheet.fact("unattributed", found.total.share.part);
        sheet
            .notes
            .extend(notes(&found.rows, rises, found.total.usual.all));
        Ok(Answer::from(sheet).into())
    }
}

fn notes(rows: &[Line], rises: usize, past: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if rises > 0 {
        notes.push(format!(
            "{} above the usual share, beyond chance: see whose with --by day,advertiser and --by day,source,template",
            plural(rises, "row")
        ));
    }
    if past == 0 && !rows.is_empty() {
        notes.push("the period before has no sales: what is usual is not known yet".to_owned());
    }
    notes
}

fn cells(mut names: Vec<Cell>, row: &Line) -> Vec<Cell> {
    let percent = |share: Option<f64>| share.map_or(Cell::Missing, Cell::Percent);
    names.extend([
        Cell::Count(row.share.all),
        Cell::Count(row.share.part),
        percent(row.share.percent()),
        percent(row.usual.percent()),
        Cell::Flag(row.is_rise()),
    ]);
    names
}
