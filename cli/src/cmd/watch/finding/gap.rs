//! A gap that has widened: own orders, or those of a statement, that have no postback.

use jiff::Timestamp;
use postback_detect::Change;
use postback_store::reports::Money;
use postback_store::reports::gap::Own;
use serde_json::{Map, Value, json};

use super::of_change;
use crate::cmd::door::quoted;
use crate::output::{money, plural, printable};

/// From this share on all of it is gone, not a part.
const ALL: f64 = 0.9;

/// What widened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gap {
    /// What conversions are compared with.
    pub(crate) own: Own,
    pub(crate) what: What,
    /// Whose orders; empty where the own side names none.
    pub(crate) advertiser: Option<String>,
    /// Unexplained of matched and unexplained, from 0 to 1.
    pub(crate) change: Change,
    /// Matched and unexplained orders since the beginning.
    pub(crate) orders: u64,
    pub(crate) unexplained: u64,
    /// By currency.
    pub(crate) money: Vec<Lost>,
}

/// Which share it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Of the orders.
    Orders,
    /// Of their money in this currency; as many orders as usual are missing.
    Money { currency: String },
}

/// Money of the own side in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) currency: String,
    /// Of all.
    pub(crate) amount: Money,
    /// Of the unexplained ones.
    pub(crate) unexplained: Money,
}

impl Lost {
    fn words(&self) -> String {
        let (unexplained, amount) = (money(self.unexplained.0), money(self.amount.0));
        let currency = printable(&self.currency);
        format!("{unexplained} of {amount} {currency}")
            .trim_end()
            .to_owned()
    }
}

impl Gap {
    pub(crate) fn detail(&self) -> Option<String> {
        let currency = match &self.what {
            What::Orders => None,
            What::Money { currency } => Some(currency.as_str()),
        };
        let parts: Vec<&str> = (self.advertiser.as_deref().into_iter())
            .chain(currency)
            .collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    }

    pub(crate) fn what(&self) -> String {
        let of = match (self.own, &self.advertiser) {
            (Own::Orders, None) => String::new(),
            (Own::Orders, Some(id)) => format!(" of advertiser {}", printable(id)),
            (Own::Statements, None) => " of the statement".to_owned(),
            (Own::Statements, Some(id)) => {
                format!(" of the statement, advertiser {}", printable(id))
            }
        };
        let orders = format!(
            "{} of {}{of}",
            self.unexplained,
            plural(self.orders, "order")
        );
        let amounts = self.money.iter().map(Lost::words);
        let range = self.range();
        match &self.what {
            What::Orders => {
                let head = format!("{orders} have no postback: {range}");
                let all: Vec<String> = std::iter::once(head).chain(amounts).collect();
                all.join("; ")
            }
            What::Money { currency } => {
                let mut fitting = self.money.iter();
                let lost = fitting.find(|lost| lost.currency == *currency);
                let amount = lost.map_or_else(String::new, Lost::words);
                format!("{amount} have no postback: {range}; {orders}, no more than usual")
            }
        }
    }

    fn range(&self) -> String {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        format!(
            "{} % ({} to {} %) where {} % are usual",
            percent(self.change.observed),
            percent(self.change.low),
            percent(self.change.high),
            percent(self.change.usual)
        )
    }

    pub(crate) fn cause(&self) -> &'static str {
        match self.what {
            _ if self.change.observed >= ALL => {
                "endpoint: none of the orders is reported any more, so the URL cannot be reached, is switched off, \
                 or the checkout reports nothing"
            }
            What::Orders => {
                "identifier: a part of the checkout no longer captures or passes on what the network needs"
            }
            What::Money { .. } => {
                "identifier: large orders are no longer reported, as from one part of the checkout"
            }
        }
    }

    pub(crate) fn look(&self, source: &str, since: Timestamp) -> String {
        let only = match &self.advertiser {
            Some(id) => format!(
                " --where {}",
                quoted(&printable(&format!("advertiser={id}")))
            ),
            None => String::new(),
        };
        format!("postback report gap --with {source}{only} --from {since} --class unexplained")
    }

    pub(crate) fn measured(&self) -> Value {
        let money: Vec<Value> = (self.money.iter())
            .map(|lost| {
                json!({
                    "currency": lost.currency,
                    "amount": money(lost.amount.0),
                    "unexplained_amount": money(lost.unexplained.0),
                })
            })
            .collect();
        let mut measured = match of_change(&self.change) {
            Value::Object(measured) => measured,
            _ => Map::new(),
        };
        measured.insert("with".to_owned(), self.own.as_str().into());
        measured.insert("advertiser".to_owned(), self.advertiser.clone().into());
        measured.insert("orders".to_owned(), self.orders.into());
        measured.insert("unexplained".to_owned(), self.unexplained.into());
        measured.insert("money".to_owned(), money.into());
        Value::Object(measured)
    }
}
