//! What one knows oneself, own orders or a network's statement, against what postbacks report.
//!
//! Orders are compared by their number, and by the advertiser where every order names one. An own
//! order, or the lines of a statement with one number, is of one class:
//!
//! - *matched*: the networks have a transaction of it that they did not take back.
//! - *explained*: they took it back (*reversed*), or it is no business of theirs: *cancelled*,
//!   *returned*, *out of network*.
//! - *immature*: placed so recently that its postback may still come.
//! - *unexplained*: *missing*, or known by an early signal alone (*`signal_only`*).
//!
//! Every own order is in one of them. Sources of different accounts are sides of their own
//! ([`OwnSource`]): one number at two of them is two orders, and each is compared with the accounts of
//! its side alone. *Extra* are transactions whose order number no side knows that is compared with
//! their account, by number; orders of the days around the range are known, too. The gap is unexplained / (matched + unexplained), by count and by money.
//!
//! Of matched orders: *standing* are those that are cancelled, returned or out of network on the own
//! side, and not taken back by the network; *other amounts* differ in one currency (*difference* is
//! theirs minus own), *other currencies* in the currency (or either side has several); *other clicks*
//! have none of the click ids that the own side knows.

mod list;
mod series;

use std::collections::BTreeMap;

use clickhouse::Row;
use clickhouse::query::Query;
use jiff::Timestamp;
use serde::Deserialize;

use super::own::Sides;
use super::question::Question;
use super::{Money, OwnSource, Reader};
use crate::error::StoreError;

pub use list::{Listed, Wanted};
pub use series::Missed;

/// What the numbers mean that the queries write for classes: rows without an order number are of none.
const CLASSES: [&str; 10] = [
    "",
    "extra",
    "matched",
    "reversed",
    "cancelled",
    "returned",
    "out_of_network",
    "immature",
    "signal_only",
    "missing",
];

/// Days around the range in which a network may place the same order: clocks and zones differ.
const MARGIN_DAYS: u8 = 3;

/// What conversions are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// Own orders.
    Orders,
    /// Lines of statements, those of one order together.
    Statements,
}

impl Own {
    /// As it stands on command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Statements => "statements",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Orders => "order",
            Self::Statements => "statement",
        }
    }
}

/// What is compared with what.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The range is that of the own side's dates; its conditions are about the own side's rows.
    pub question: Question,
    /// The own side.
    pub own: Own,
    /// Sources of the own side, and what each is compared with.
    pub sources: Vec<OwnSource>,
    /// Accounts whose conversions these are, of all sources together.
    pub accounts: Vec<String>,
    /// Orders that were placed from then on are immature.
    pub mature_until: Timestamp,
}

/// Figures of one row of the question (or of all) in one currency, which is the own side's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
pub struct Figures {
    is_total: u8,
    /// What it is of: a text for each of the question's names, none in totals.
    pub dimension: Vec<String>,
    /// ISO 4217; empty where unknown.
    #[serde(rename = "money_currency")]
    pub currency: String,
    /// All of the own side.
    pub own: u64,
    /// See the head of this page.
    pub matched: u64,
    /// Explained.
    pub reversed: u64,
    /// Explained.
    pub cancelled: u64,
    /// Explained.
    pub returned: u64,
    /// Explained.
    pub out_of_network: u64,
    /// See the head of this page.
    pub immature: u64,
    /// Unexplained.
    pub signal_only: u64,
    /// Unexplained.
    pub missing: u64,
    /// See the head of this page; not of the own side.
    pub extra: u64,
    /// The own side's amounts.
    #[serde(rename = "own_amount_sum")]
    pub own_amount: Money,
    /// The own side's amounts.
    pub matched_amount: Money,
    /// The own side's amounts.
    pub unexplained_amount: Money,
    /// The networks' amounts.
    pub extra_amount: Money,
    /// See the head of this page.
    pub standing: u64,
    /// The networks' amounts.
    pub standing_amount: Money,
    /// See the head of this page.
    pub other_amounts: u64,
    /// Theirs minus own.
    pub amount_difference: Money,
    /// See the head of this page.
    pub other_currencies: u64,
    /// See the head of this page.
    pub other_clicks: u64,
    own_unpriced: u64,
    own_unnumbered: u64,
    their_unnumbered: u64,
}

impl Figures {
    /// Orders whose absence has a reason.
    #[must_use]
    pub const fn explained(&self) -> u64 {
        self.reversed + self.cancelled + self.returned + self.out_of_network
    }

    /// Orders whose absence has none.
    #[must_use]
    pub const fn unexplained(&self) -> u64 {
        self.missing + self.signal_only
    }

    const fn has_figures(&self) -> bool {
        self.own + self.extra > 0
    }

    /// The gap by count: unexplained of matched and unexplained.
    #[must_use]
    pub const fn gap(&self) -> super::share::Share {
        super::share::Share::new(self.unexplained(), self.matched + self.unexplained())
    }

    /// The gap by money, in percent; `None` without money.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
    pub fn money_percent(&self) -> Option<f64> {
        let all = self.matched_amount + self.unexplained_amount;
        (all.0 > 0).then(|| 100.0 * self.unexplained_amount.0 as f64 / all.0 as f64)
    }
}

/// The whole report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gap {
    /// By dimension, then currency.
    pub rows: Vec<Figures>,
    /// One per currency.
    pub totals: Vec<Figures>,
    /// Every order of the own side names its advertiser: the number counts together with it.
    pub by_advertiser: bool,
    /// Orders of the own side without an amount: in no sum, and no amount is compared with theirs.
    pub own_unpriced: u64,
    /// Rows of the own side without an order number: compared with nothing.
    pub own_unnumbered: u64,
    /// Transactions without an order number: compared with nothing.
    pub their_unnumbered: u64,
}

#[derive(Row, Deserialize)]
struct Day {
    dimension: Vec<String>,
    unexplained: u64,
    all_of_them: u64,
}

impl Reader {
    /// Compares.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn gap(&self, asked: &Comparison) -> Result<Gap, StoreError> {
        let by_advertiser = self.names_advertisers(asked).await?;
        let sql = (asked.question.grouped(include_str!("figures.sql")))
            .replace("{keyed}", &keyed(asked, by_advertiser, &Texts::default()));
        let query = self.gap_query(&sql, asked, Extra::Wanted);
        let figures: Vec<Figures> = self.all("compare with conversions", query).await?;
        let (totals, mut rows): (Vec<_>, Vec<_>) = figures
            .into_iter()
            .partition(|figures| figures.is_total == 1);
        for row in &mut rows {
            row.dimension = asked.question.labels(&row.dimension);
        }
        Ok(Gap {
            by_advertiser,
            own_unpriced: totals.iter().map(|total| total.own_unpriced).sum(),
            own_unnumbered: totals.iter().map(|total| total.own_unnumbered).sum(),
            their_unnumbered: totals.iter().map(|total| total.their_unnumbered).sum(),
            rows: rows.into_iter().filter(Figures::has_figures).collect(),
            totals: totals.into_iter().filter(Figures::has_figures).collect(),
        })
    }

    /// The gap of each day before the range, by the day: what is usual. Days without a mature order
    /// are left out.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn gap_before(
        &self,
        asked: &Comparison,
    ) -> Result<BTreeMap<String, super::share::Share>, StoreError> {
        let by_advertiser = self.names_advertisers(asked).await?;
        let sql = (asked.question.grouped(include_str!("usual.sql")))
            .replace("{keyed}", &keyed(asked, by_advertiser, &Texts::default()));
        let query = self.gap_query(&sql, asked, Extra::LeftOut);
        let days: Vec<Day> = self.all("see which gap is usual", query).await?;
        let days = days.into_iter().map(|day| {
            let share = super::share::Share::new(day.unexplained, day.all_of_them);
            (asked.question.labels(&day.dimension).concat(), share)
        });
        Ok(days.collect())
    }

    /// Whether every order of the own side names its advertiser. Older revisions are looked at too:
    /// that spares reading the newest ones twice.
    async fn names_advertisers(&self, asked: &Comparison) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT count() > 0 AND countIf(advertiser_id.size = 0) = 0 FROM {{conversions}} \
             WHERE kind = {{own:String}} AND source IN {{sources:Array(String)}} AND order_id.size != 0 AND {only} \
             AND occurred_at >= fromUnixTimestamp64Micro({{from:Int64}}) AND occurred_at < fromUnixTimestamp64Micro({{to:Int64}})",
            only = asked.question.only.sql()
        );
        let query = self.gap_query(&sql, asked, Extra::LeftOut);
        self.one("look by what orders can be compared", query).await
    }

    fn gap_query(&self, sql: &str, asked: &Comparison, extra: Extra) -> Query {
        let question = &asked.question;
        // Under a condition about the own side, what is left out is not unknown.
        let is_whole = question.only.is_empty() && extra == Extra::Wanted;
        let query = self
            .query(sql)
            .with_setting("use_skip_indexes_if_final", "0")
            .param("from", question.from.as_microsecond())
            .param("to", question.to.as_microsecond())
            .param("zone", question.zone.iana_name().unwrap_or("UTC"))
            .param("margin", MARGIN_DAYS)
            .param("mature", asked.mature_until.as_microsecond())
            .param("own", asked.own.kind())
            .param("is_whole", is_whole);
        question.only.bind(Sides::of(&asked.sources).bind(query))
    }
}

/// Further columns: of each order, and of what is read for them.
#[derive(Debug, Default)]
struct Texts {
    shown: &'static str,
    read: &'static str,
}

/// Whether orders are of interest that no own side knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    Wanted,
    LeftOut,
}

/// The SQL of both sides together.
fn keyed(asked: &Comparison, by_advertiser: bool, texts: &Texts) -> String {
    let key = if by_advertiser {
        "number, advertiser"
    } else {
        "number"
    };
    let sides = Sides::of(&asked.sources);
    let all = Sides::of_row("is_ours");
    let (side, by_side) = if !sides.are_several() {
        (String::new(), "")
    } else if sides.are_meeting() {
        // What has no number is counted once.
        let each = format!("arrayJoin(if(order_id = '', arraySlice({all}, 1, 1), {all}))");
        (format!(", {each} AS side"), "side, ")
    } else {
        (format!(", {all}[1] AS side"), "side, ")
    };
    let (is_real, is_meeting) = if sides.are_meeting() {
        (" AND side < {sides:UInt16}", " AND side >= {sides:UInt16}")
    } else {
        ("", "")
    };
    include_str!("keyed.sql")
        .replace("{texts}", texts.shown)
        .replace("{also}", texts.read)
        .replace("{side}", &side)
        .replace("{by_side}", by_side)
        .replace("{is_real}", is_real)
        .replace("{is_meeting}", is_meeting)
        .replace("{key}", key)
        .replace("{only}", &asked.question.only.sql())
}
