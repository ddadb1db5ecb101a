//! The outcome: one row of `conversions`, or the reasons why not.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use postback_common::name::{AccountName, NetworkName, SourceName};
use postback_common::reason::{Flag, Rejection};
use serde::Deserialize;
use uuid::Uuid;

use crate::by_name::ByName;
use crate::currency::Currency;
use crate::money::Amount;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It is a row.
    Accepted(Box<Conversion<'a>>),
    /// It cannot be a row; its raw record stays, and better rules can accept it later.
    Rejected(Rejected),
    /// One record with several orders: what became of each, at least one, none of them several itself.
    /// Each key of an accepted one comes once, where it was first mentioned, in its newest revision;
    /// each element that was rejected comes by itself.
    Several(Vec<Outcome<'a>>),
}

impl Outcome<'_> {
    /// The same, of texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Outcome<'static> {
        match self {
            Self::Accepted(conversion) => Outcome::Accepted(Box::new(conversion.into_owned())),
            Self::Rejected(rejected) => Outcome::Rejected(rejected),
            Self::Several(each) => {
                Outcome::Several(each.into_iter().map(Self::into_owned).collect())
            }
        }
    }
}

/// Why a record cannot be a row, and what could be said of it all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Every reason that applies, at least one, each once, sorted by its tag.
    pub reasons: Vec<Rejection>,
    /// The key it would have had.
    pub conversion_key: Option<Uuid>,
    /// The day it would have been filed under.
    pub key_day: Option<Date>,
}

/// One row of `conversions`. Texts are empty where nothing was sent, numbers and times `None`.
///
/// Texts are borrowed from the record wherever they stand there as they are, names from the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion<'a> {
    /// The source that the URL key named.
    pub source: Cow<'a, SourceName>,
    /// The source's network.
    pub network: Cow<'a, NetworkName>,
    /// Whose conversion it is: conversions are unique by (account, `conversion_key`).
    pub account: Cow<'a, AccountName>,
    /// What it is known by; see [`crate::key`].
    pub conversion_key: Uuid,
    /// The day it is filed under; never changes for one key.
    pub key_day: Date,
    /// The record's id.
    pub postback_id: Uuid,
    /// Transaction or signal.
    pub kind: Kind,
    /// How far it is.
    pub status: Status,
    /// The network's id, as sent.
    pub transaction_id: Cow<'a, str>,
    /// The advertiser's order number.
    pub order_id: Cow<'a, str>,
    /// The publisher's own id from the link; empty: unattributed.
    pub click_id: Cow<'a, str>,
    /// Further values from the link, by the network's name for each.
    pub sub_ids: ByName<'a, Cow<'a, str>>,
    /// The advertiser.
    pub advertiser_id: Cow<'a, str>,
    /// The publisher.
    pub publisher_id: Cow<'a, str>,
    /// The offer or campaign.
    pub offer_id: Cow<'a, str>,
    /// The article.
    pub sku: Cow<'a, str>,
    /// The article's name, without the space that some networks send behind it.
    pub product_name: Cow<'a, str>,
    /// Pieces; may be a fraction, may be negative.
    pub quantity: Option<Amount>,
    /// What the customer paid, in `currency`.
    pub sale_amount: Option<Amount>,
    /// What the publisher earns, in `commission_currency`.
    pub commission: Option<Amount>,
    /// Currency of the sale: as sent, else the source's; `None` where neither is known.
    pub currency: Option<Currency>,
    /// Currency of the commission: as sent, else that of the sale.
    pub commission_currency: Option<Currency>,
    /// When the customer bought; UTC, whole microseconds.
    pub occurred_at: Option<Timestamp>,
    /// When the network processed it; UTC, whole microseconds.
    pub processed_at: Option<Timestamp>,
    /// When the request was read; UTC, whole microseconds.
    pub received_at: Timestamp,
    /// What is remarkable, each once, sorted by its tag.
    pub flags: Vec<Flag>,
    /// Everything that no column took, by its name as sent, in the order sent; secrets hidden.
    pub extra: ByName<'a, Vec<Cow<'a, str>>>,
    /// Of rows with one key, the highest counts; see [`crate::key`].
    pub revision: u128,
}

impl Conversion<'_> {
    /// The same, of texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Conversion<'static> {
        Conversion {
            source: owned(self.source),
            network: owned(self.network),
            account: owned(self.account),
            transaction_id: owned(self.transaction_id),
            order_id: owned(self.order_id),
            click_id: owned(self.click_id),
            sub_ids: self.sub_ids.into_owned(owned),
            advertiser_id: owned(self.advertiser_id),
            publisher_id: owned(self.publisher_id),
            offer_id: owned(self.offer_id),
            sku: owned(self.sku),
            product_name: owned(self.product_name),
            extra: self
                .extra
                .into_owned(|values| values.into_iter().map(owned).collect()),
            ..self
        }
    }
}

fn owned<T: ToOwned + ?Sized>(text: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(text.into_owned())
}

/// What a row speaks of: money of two kinds is never added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A transaction that the advertiser reported for commission.
    Transaction,
    /// An early signal, which pays nothing.
    Signal,
    /// The network tells the two apart, and this postback did not say; never summed.
    Unknown,
    /// An order of the advertiser's own shop, to compare conversions with.
    Order,
    /// A line of a network's statement, to compare conversions with.
    Statement,
}

impl Kind {
    /// As it stands in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Signal => "signal",
            Self::Unknown => "unknown",
            Self::Order => "order",
            Self::Statement => "statement",
        }
    }
}

/// How far a conversion is, by its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Reported by a network that tells no more than that.
    Reported,
    /// Not yet judged by the advertiser.
    Pending,
    /// Accepted by the advertiser.
    Approved,
    /// Refused by the advertiser.
    Rejected,
    /// Taken back.
    Reversed,
    /// An own order that stands.
    Placed,
    /// An own order that was called off before it was delivered.
    Cancelled,
    /// An own order whose goods came back.
    Returned,
    /// An own order that stands, and is no business of the network.
    OutOfNetwork,
}

impl Status {
    /// As it stands in tables and profiles.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Reversed => "reversed",
            Self::Placed => "placed",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
            Self::OutOfNetwork => "out_of_network",
        }
    }

    /// It is said of own orders, and of nothing else.
    #[must_use]
    pub const fn is_of_orders(self) -> bool {
        matches!(
            self,
            Self::Placed | Self::Cancelled | Self::Returned | Self::OutOfNetwork
        )
    }
}
