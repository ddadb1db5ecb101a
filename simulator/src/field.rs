//! The fields that the network can put into a postback.

use std::fmt;

/// A field of a postback, named as the network's macro names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `etransaction_id`: 32 hexadecimal digits, one per SKU line and per report of it.
    EtransactionId,
    /// `advertiser_id`: the advertiser's integer number ("MID").
    AdvertiserId,
    /// `sid`: the publisher's integer number.
    Sid,
    /// `order_id`: the shop's order number, a text.
    OrderId,
    /// `offer_id`: the offer, a number written as text ("OID").
    OfferId,
    /// `sku_number`: the product's number; may be missing.
    SkuNumber,
    /// `sale_amount`: what was paid for the line; negative in a reversal.
    SaleAmount,
    /// `quantity`: pieces sold; stays positive in a reversal.
    Quantity,
    /// `commissions`: what the publisher earns; negative in a reversal.
    Commissions,
    /// `process_date`: when the network processed this report.
    ProcessDate,
    /// `transaction_date`: when the order was placed; the same in a reversal.
    TransactionDate,
    /// `transaction_type`: `realtime` or `batch`.
    TransactionType,
    /// `product_name`: the product's name.
    ProductName,
    /// `currency`: ISO 4217 code of both amounts.
    Currency,
    /// `u1`: the click id that the publisher put into the link.
    U1,
    /// `is_event`: `Y` for a signal, `N` for a transaction.
    IsEvent,
    /// `commission_list_id`: a newer field, which older receivers do not know.
    CommissionListId,
}

impl Field {
    /// All fields, in the order in which the network's documents list them.
    pub const ALL: [Field; 17] = [
        Field::EtransactionId,
        Field::AdvertiserId,
        Field::Sid,
        Field::OrderId,
        Field::OfferId,
        Field::SkuNumber,
        Field::SaleAmount,
        Field::Quantity,
        Field::Commissions,
        Field::ProcessDate,
        Field::TransactionDate,
        Field::TransactionType,
        Field::ProductName,
        Field::Currency,
        Field::U1,
        Field::IsEvent,
        Field::CommissionListId,
    ];

    /// The network's own name of the field, which is also its macro's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Field::EtransactionId => "etransaction_id",
            Field::AdvertiserId => "advertiser_id",
            Field::Sid => "sid",
            Field::OrderId => "order_id",
            Field::OfferId => "offer_id",
            Field::SkuNumber => "sku_number",
            Field::SaleAmount => "sale_amount",
            Field::Quantity => "quantity",
            Field::Commissions => "commissions",
            Field::ProcessDate => "process_date",
            Field::TransactionDate => "transaction_date",
            Field::TransactionType => "transaction_type",
            Field::ProductName => "product_name",
            Field::Currency => "currency",
            Field::U1 => "u1",
            Field::IsEvent => "is_event",
            Field::CommissionListId => "commission_list_id",
        }
    }

    /// The field of that name, if the network has one.
    #[must_use]
    pub fn named(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.name() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
