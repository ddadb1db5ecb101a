//! What a parameter can say about a conversion.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A column of `conversions` that a network's parameter can fill.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Field {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Field {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As profiles write it; the column's name, except for `signal` (column `kind`),
            /// `sub_id` (an entry of `sub_ids`), `eligible` (column `status`) and `occurrence` (none).
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

fields! {
    /// The network's id of one transaction (with Rakuten: of one SKU line).
    TransactionId = "transaction_id",
    /// The advertiser's order number.
    OrderId = "order_id",
    /// What the publisher put into the link to recognise the click or member.
    ClickId = "click_id",
    /// A further value from the link; any number of parameters can carry one.
    SubId = "sub_id",
    /// The advertiser, as the network numbers it.
    AdvertiserId = "advertiser_id",
    /// The publisher, as the network numbers it.
    PublisherId = "publisher_id",
    /// The offer or campaign.
    OfferId = "offer_id",
    /// The article.
    Sku = "sku",
    /// The article's name, for people.
    ProductName = "product_name",
    /// How many pieces.
    Quantity = "quantity",
    /// What the customer paid, in `currency`.
    SaleAmount = "sale_amount",
    /// What the publisher earns, in `commission_currency`.
    Commission = "commission",
    /// Currency of the sale.
    Currency = "currency",
    /// Currency of the commission, where the network tells it apart.
    CommissionCurrency = "commission_currency",
    /// When the customer bought.
    OccurredAt = "occurred_at",
    /// When the network processed what it reports.
    ProcessedAt = "processed_at",
    /// Tells early signals from transactions.
    Signal = "signal",
    /// How far the network says the conversion is, in its own word.
    Status = "status",
    /// Whether an order counts for the network at all; becomes part of the status.
    Eligible = "eligible",
    /// Which of several equal lines of a statement this is; part of keys alone.
    Occurrence = "occurrence",
}

impl Field {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Position in [`Field::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
