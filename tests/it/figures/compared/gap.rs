//! Own orders, or a statement, against what postbacks report.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::World;
use crate::figures::model::{Figure, Figures, Order, Question, Received, named};

/// An order as both sides have it.
#[derive(Debug)]
pub(crate) struct Sides<'a> {
    number: &'a str,
    own: Vec<&'a Order>,
    sales: Vec<&'a Received>,
    has_signal: bool,
    /// The own side has it on one of the days around the range.
    is_known: bool,
}

/// How far from its own date a network may place the same order.
const MARGIN: SignedDuration = SignedDuration::from_hours(72);

impl Sides<'_> {
    pub(super) fn placed(&self) -> Timestamp {
        let own = self.own.iter().map(|order| order.placed).min();
        let theirs = self
            .sales
            .iter()
            .map(|one| one.says.occurred.unwrap_or(one.at));
        own.or(theirs.min()).unwrap()
    }

    pub(super) fn own_amount(&self) -> i128 {
        self.own.iter().map(|order| order.amount).sum()
    }

    /// What stands of the networks' sales.
    fn their_amount(&self) -> i128 {
        let standing = self.sales.iter().map(|one| {
            let is_refused = matches!(one.says.status, "reversed" | "rejected");
            let amount = one.says.sale_or_nothing();
            if is_refused { amount.min(0) } else { amount }
        });
        standing.sum()
    }

    fn is_taken_back(&self) -> bool {
        let any = self.sales.iter().any(|one| {
            matches!(one.says.status, "reversed" | "rejected") || one.says.sale_or_nothing() < 0
        });
        any && self.their_amount() <= 0
    }

    fn is_matched(&self) -> bool {
        !self.own.is_empty() && !self.sales.is_empty() && !self.is_taken_back()
    }

    fn fate(&self) -> Option<&'static str> {
        let fates = ["out_of_network", "returned", "cancelled"];
        let has = |fate: &&&str| self.own.iter().any(|order| order.status == **fate);
        fates.iter().find(has).copied()
    }

    pub(super) fn currency(&self) -> &str {
        match self.own.first() {
            Some(order) => &order.currency,
            None => self.their_currency(),
        }
    }

    fn their_currency(&self) -> &str {
        self.sales.first().map_or("", |one| &one.says.currency)
    }

    fn own_click(&self) -> &str {
        let clicks = self.own.iter().map(|order| &*order.click);
        clicks.max().unwrap_or_default()
    }

    fn their_click(&self) -> &str {
        let clicks = self.sales.iter().map(|one| &*one.says.click_id);
        clicks.max().unwrap_or_default()
    }

    pub(super) fn class(&self, mature_until: Timestamp) -> &'static str {
        let own_is_taken_back = self.own.iter().any(|order| order.status == "reversed");
        if self.own.is_empty() {
            "extra"
        } else if self.is_matched() {
            "matched"
        } else if !self.sales.is_empty() {
            "reversed"
        } else if let Some(fate) = self.fate() {
            fate
        } else if self.own_amount() < 0 || (own_is_taken_back && self.own_amount() == 0) {
            "reversed"
        } else if self.placed() >= mature_until {
            "immature"
        } else if self.has_signal {
            "signal_only"
        } else {
            "missing"
        }
    }

    pub(super) fn is_standing(&self) -> bool {
        self.is_matched() && self.fate().is_some()
    }

    pub(super) fn has_other_currency(&self) -> bool {
        self.is_matched() && self.currency() != self.their_currency()
    }

    pub(super) fn has_other_amount(&self) -> bool {
        self.is_matched()
            && !self.is_standing()
            && !self.has_other_currency()
            && self.own_amount() != self.their_amount()
    }

    pub(super) fn has_other_click(&self) -> bool {
        let own = self.own.iter().map(|order| &*order.click);
        let own: BTreeSet<&str> = own.filter(|click| !click.is_empty()).collect();
        let mut theirs = self.sales.iter().map(|one| &*one.says.click_id);
        self.is_matched() && !own.is_empty() && !theirs.any(|click| own.contains(click))
    }

    pub(super) fn text(&self, column: &str) -> String {
        let of_own = |text: fn(&Order) -> &str| self.own.iter().map(|order| text(order)).max();
        let advertiser = of_own(|order| &order.advertiser).filter(|name| !name.is_empty());
        let text = match column {
            "advertiser" => {
                advertiser.or(self.sales.iter().map(|one| &*one.says.advertiser_id).max())
            }
            "network" => (self.sales.iter().map(|one| one.says.network).max())
                .or(of_own(|order| order.network)),
            _ => {
                of_own(|order| order.source).or(self.sales.iter().map(|one| one.says.source).max())
            }
        };
        text.unwrap_or_default().to_owned()
    }
}

/// Which side is compared, and with whose conversions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum With {
    Orders,
    Statements,
}

impl With {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Statements => "statements",
        }
    }

    pub(super) fn is_compared_with(self, one: &Received) -> bool {
        match self {
            Self::Orders => true,
            // A statement is of its network.
            Self::Statements => one.says.network == "rakuten",
        }
    }
}

/// Every order of the range, and whether they are compared by advertiser as well.
pub(crate) fn sides<'a>(
    world: &'a World<'_>,
    question: &Question,
    with: With,
) -> (Vec<Sides<'a>>, bool) {
    let own = match with {
        With::Orders => &world.own.orders,
        With::Statements => &world.own.lines,
    };
    let around: Vec<&Order> = (own.iter())
        .filter(|order| is_near(question, order.placed))
        .filter(|order| question.fits(|column| own_text(order, column)))
        .collect();
    let (own, around): (Vec<&Order>, Vec<&Order>) =
        (around.into_iter()).partition(|order| question.contains(order.placed));
    let by_advertiser = !own.is_empty() && own.iter().all(|order| !order.advertiser.is_empty());
    let key = |number: &'a str, advertiser: &'a str| {
        (number, if by_advertiser { advertiser } else { "" })
    };
    let near = |one: &&Received| is_near(question, one.says.occurred.unwrap_or(one.at));
    let mut all: BTreeMap<_, Sides<'_>> = BTreeMap::new();
    let nobody = |number| Sides {
        number,
        own: Vec::new(),
        sales: Vec::new(),
        has_signal: false,
        is_known: false,
    };
    for order in own {
        let side = all.entry(key(&order.number, &order.advertiser));
        side.or_insert_with(|| nobody(&*order.number))
            .own
            .push(order);
    }
    let compared = world
        .conversions
        .iter()
        .filter(|one| with.is_compared_with(one));
    for one in compared
        .filter(near)
        .filter(|one| !one.says.order_id.is_empty())
    {
        let side = all.entry(key(&one.says.order_id, &one.says.advertiser_id));
        let side = side.or_insert_with(|| nobody(&*one.says.order_id));
        match one.says.kind {
            "transaction" => side.sales.push(one),
            "signal" => side.has_signal = true,
            _ => {}
        }
    }
    for order in around {
        if let Some(side) = all.get_mut(&key(&order.number, &order.advertiser)) {
            side.is_known = true;
        }
    }
    let is_meant = |side: &Sides<'_>| {
        let is_extra = !side.is_known
            && !side.sales.is_empty()
            && question.only.is_empty()
            && question.contains(side.placed());
        !side.own.is_empty() || is_extra
    };
    (all.into_values().filter(is_meant).collect(), by_advertiser)
}

fn is_near(question: &Question, placed: Timestamp) -> bool {
    question.from - MARGIN <= placed && placed < question.to + MARGIN
}

fn own_text(order: &Order, column: &str) -> String {
    match column {
        "source" => order.source.to_owned(),
        "advertiser" => order.advertiser.clone(),
        "currency" => order.currency.clone(),
        _ => order.status.to_owned(),
    }
}

impl Sides<'_> {
    pub(super) fn listed_under(&self) -> Vec<String> {
        vec![self.number.to_owned(), self.text("advertiser")]
    }

    /// The other columns of a list.
    pub(super) fn listed(&self, question: &Question, class: &'static str) -> Figures {
        let text = |text: &str| Figure::Text(text.to_owned());
        // A side that has nothing to say has no amount.
        let amount = |has_any: bool, units: i128| match has_any {
            true => Figure::Money(units),
            false => Figure::Missing,
        };
        let have_amounts = self.sales.iter().any(|one| one.says.sale.is_some());
        let own_currency = self.own.first().map_or("", |order| &order.currency);
        let status = self.own.iter().map(|order| order.status).max();
        let placed = self.placed().to_zoned(question.zone.clone());
        let form = if placed.offset() == jiff::tz::Offset::UTC {
            "%Y-%m-%dT%H:%M:%SZ"
        } else {
            "%Y-%m-%dT%H:%M:%S%:z"
        };
        vec![
            named(
                "ordered_at",
                Figure::Text(placed.strftime(form).to_string()),
            ),
            named("class", text(class)),
            named("own_status", text(status.unwrap_or_default())),
            named(
                "own_amount",
                amount(!self.own.is_empty(), self.own_amount()),
            ),
            named("own_currency", text(own_currency)),
            named("network_amount", amount(have_amounts, self.their_amount())),
            named("network_currency", text(self.their_currency())),
            named("own_click_id", text(self.own_click())),
            named("network_click_id", text(self.their_click())),
        ]
    }
}
