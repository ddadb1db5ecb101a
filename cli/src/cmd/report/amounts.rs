//! `postback report amounts`

use clap::Args;
use postback_normalise::Currency;
use postback_store::StoreError;
use postback_store::reports::amounts::{Line, Suspicion, Why};
use postback_store::reports::question::{Question, Table};
use postback_store::reports::{OwnSource, Reader};

use super::asked::Asked;
use super::frame::{self, Answer, Answers, Report, names, without_currency};
use super::gap::{Repeated, Sides};
use crate::arguments::Options;
use crate::cmd::{Loaded, load};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, plural, text};

/// Amounts that look wrong: zero, rounded, jumped, in another currency, not those of own orders
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback report amounts --from 7d\n  \
    postback report amounts --all --by source --from 7d\n\n\
    Rows are by advertiser unless --by says otherwise, and by currency always. Each day of the range \
    is compared with the whole period of the same length before; --all shows also what is as usual.\n\n\
    zero, missing   sales with an amount of 0, or without one\n\
    whole           share of the amounts without decimals\n\
    typical         the median amount; half of all are lower\n\
    usual           the same of the period before\n\
    compared        orders that own orders or statements know too, with an amount; mismatched:\n                \
    with another amount or currency there\n\n\
    Suspicions:\n\
    zero            more zeros than usual: often the wrong field is mapped\n\
    rounded         amounts lost their decimals: rounded, or another field\n\
    jumped ×100     the typical amount is so many times the usual one: 100 or 1000 is a unit (cents),\n                \
    another factor can be another currency\n\
    currency        sales came into this currency from another\n\
    mismatched      own orders or a statement say otherwise")]
pub(super) struct Amounts {
    #[command(flatten)]
    asked: Asked,
    /// Show also what is as usual
    #[arg(long)]
    all: bool,
}

impl Amounts {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let question = self.asked.question(&["advertiser"], &frame::now(options))?;
        let question = without_currency(question);
        let loaded = load(options, console)?;
        let report = Beside::of(&loaded, self.all);
        frame::run_loaded(&report, (&question, None), &loaded, options, console).await
    }
}

/// The report, beside what one knows oneself.
pub(super) struct Beside<'a> {
    all: bool,
    loaded: &'a Loaded,
}

impl<'a> Beside<'a> {
    /// `all`: also what is as usual.
    pub(super) const fn of(loaded: &'a Loaded, all: bool) -> Self {
        Self { all, loaded }
    }

    /// Of several statements of the same sales, the first that has any of the range.
    async fn own(
        &self,
        reader: &Reader,
        question: &Question,
    ) -> Result<(Vec<OwnSource>, Repeated), StoreError> {
        let (own, repeated) = Sides::all(self.loaded, None);
        if repeated.is_empty() {
            return Ok((own, repeated));
        }
        let telling = reader.statements_of(question.from, question.to).await?;
        Ok(Sides::all(self.loaded, Some(&telling)))
    }
}

impl Report for Beside<'_> {
    const NAME: &'static str = "amounts";
    const TABLE: Table = Table::Conversions;
    const OF_MONEY: bool = true;

    async fn answer(
        &self,
        reader: &Reader,
        question: &Question,
        _: Option<&Question>,
    ) -> Result<Answers, StoreError> {
        let (own, repeated) = self.own(reader, question).await?;
        let found = reader.amounts(question, &own, has_minor_units).await?;
        let mut columns = names(question);
        columns.extend([
            text("currency", "Currency"),
            number("transactions", "Trans-\nactions"),
            number("zero", "Zero"),
            number("missing", "Miss-\ning"),
            number("zero_commission", "Comm.\nzero"),
            number("whole_percent", "Whole\n%"),
            number("usual_whole_percent", "Usual\n%"),
            number("typical", "Typical"),
            number("usual", "Usual"),
            number("compared", "Com-\npared"),
            number("mismatched", "Mis-\nmatched"),
            text("suspicions", "Suspicions"),
        ]);
        let mut sheet = Sheet::new(&columns);
        let is_shown = |line: &&Line| self.all || !line.suspicions.is_empty();
        sheet.rows = found.iter().filter(is_shown).map(cells).collect();
        let suspicious = found
            .iter()
            .filter(|line| !line.suspicions.is_empty())
            .count();
        sheet.fact("suspicious", suspicious);
        sheet.fact("looked_at", found.len());
        sheet.notes.extend(notes(&found, suspicious, self.all));
        if !found.is_empty() {
            repeated.tell(&mut sheet);
        }
        let answer = Answer {
            sheet,
            is_about_something: !found.is_empty(),
        };
        Ok(answer.into())
    }
}

fn notes(found: &[Line], suspicious: usize, all: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let usual = found.len() - suspicious;
    if usual > 0 && !all {
        notes.push(format!(
            "{} without a suspicion: --all shows them",
            plural(usual, "row")
        ));
    }
    if found.iter().all(|line| line.usual.transactions == 0) && !found.is_empty() {
        notes.push("the period before has no sales: what is usual is not known yet".to_owned());
    }
    let sample = found.iter().find(|line| line.compared.share.part > 0);
    if let Some(line) = sample {
        let mismatched: u64 = found.iter().map(|line| line.compared.share.part).sum();
        notes.push(format!(
            "{} with another amount or currency in own orders or statements, such as {}: `postback report gap --class amounts` lists them",
            plural(mismatched, "order"),
            line.compared.sample
        ));
    }
    notes
}

/// What is no currency has none.
fn has_minor_units(currency: &str) -> bool {
    let known = currency.parse::<Currency>().ok();
    known
        .and_then(Currency::decimals)
        .is_some_and(|decimals| decimals > 0)
}

fn cells(line: &Line) -> Vec<Cell> {
    let (now, usual) = (&line.now, &line.usual);
    let percent = |share: Option<f64>| share.map_or(Cell::Missing, Cell::Percent);
    let typical = |amounts: &postback_store::reports::amounts::Amounts| match amounts.whole.all {
        0 => Cell::Missing,
        _ => Cell::Money(amounts.typical.0),
    };
    let mut cells: Vec<Cell> = line.dimension.iter().map(Cell::text).collect();
    cells.extend([
        Cell::text(&line.currency),
        Cell::Count(now.transactions),
        Cell::Count(now.zero),
        Cell::Count(now.missing),
        Cell::Count(now.zero_commission),
        percent(now.whole.percent()),
        percent(usual.whole.percent()),
        typical(now),
        typical(usual),
        Cell::Count(line.compared.share.all),
        Cell::Count(line.compared.share.part),
        Cell::List(line.suspicions.iter().map(words).collect()),
    ]);
    cells
}

fn words(suspicion: &Suspicion) -> String {
    let what = match &suspicion.why {
        Why::Zero => "zero".to_owned(),
        Why::Rounded => "rounded".to_owned(),
        Why::Jumped(factor) => format!("jumped {}", factor_words(*factor)),
        Why::Currency(before) => format!("currency was {before}"),
        Why::Mismatched => return "mismatched".to_owned(),
    };
    let since = suspicion.since.map(|day| format!(" since {day}"));
    format!(
        "{what}{} ({})",
        since.unwrap_or_default(),
        plural(suspicion.days, "day")
    )
}

/// `×100`, `×1.8`, `÷100`.
fn factor_words(factor: f64) -> String {
    let (sign, factor) = if factor < 1.0 {
        ("÷", 1.0 / factor)
    } else {
        ("×", factor)
    };
    // A unit: what is near is meant.
    for unit in [100.0, 1_000.0] {
        if (0.8..1.25).contains(&(factor / unit)) {
            return format!("{sign}{unit:.0}");
        }
    }
    let decimals = usize::from(factor < 10.0);
    format!("{sign}{factor:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_told_as_units_where_they_are() {
        let cases = [
            (100.0, "×100"),
            (93.0, "×100"),
            (0.0011, "÷1000"),
            (1.84, "×1.8"),
            (0.5, "÷2.0"),
            (57.0, "×57"),
        ];
        for (factor, words) in cases {
            assert_eq!(factor_words(factor), words);
        }
    }

    #[test]
    fn yen_have_no_minor_units() {
        assert!(has_minor_units("USD") && has_minor_units("KWD"));
        assert!(!has_minor_units("JPY") && !has_minor_units("") && !has_minor_units("XXX"));
    }
}
