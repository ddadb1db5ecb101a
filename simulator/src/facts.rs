//! What a reader of one postback can know from it, and no more.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::event::{Event, Kind, utc_day};
use crate::field::Field;
use crate::template::Template;

/// The contents of a postback as its template carries them: a field that the template omits, that
/// the network left empty, or that cannot be read is `None`. The one exception is the currency,
/// which the registration supplies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Transaction, signal, or unknown without an `is_event`.
    pub kind: Kind,
    /// `etransaction_id`
    pub transaction_id: Option<String>,
    /// `advertiser_id`, as text
    pub advertiser_id: Option<String>,
    /// `sid`, as text
    pub publisher_id: Option<String>,
    /// `order_id`
    pub order_id: Option<String>,
    /// `offer_id`
    pub offer_id: Option<String>,
    /// `sku_number`
    pub sku: Option<String>,
    /// `product_name`, exactly as sent, trailing spaces included
    pub product_name: Option<String>,
    /// `quantity`, in pieces
    pub quantity: Option<u32>,
    /// `sale_amount`
    pub sale_amount: Option<Amount>,
    /// `commissions`
    pub commission: Option<Amount>,
    /// `currency`, or the registration's where the template omits it
    pub currency: String,
    /// `transaction_date`
    pub occurred_at: Option<Timestamp>,
    /// `process_date`
    pub processed_at: Option<Timestamp>,
    /// `u1`; an unreplaced macro is none
    pub click_id: Option<String>,
}

impl Facts {
    /// What `template` lets a reader know of `event`.
    #[must_use]
    pub fn of(event: &Event, template: &Template, currency: &str) -> Self {
        let sent = Sent { template };
        Facts {
            kind: sent
                .value(Field::IsEvent, || Some(event.kind))
                .unwrap_or(Kind::Unknown),
            transaction_id: sent.value(Field::EtransactionId, || event.transaction_id.clone()),
            advertiser_id: sent.value(Field::AdvertiserId, || {
                Some(event.advertiser_id.to_string())
            }),
            publisher_id: sent.value(Field::Sid, || Some(event.publisher_id.to_string())),
            order_id: sent.text(Field::OrderId, &event.order_id),
            offer_id: sent.text(Field::OfferId, &event.offer_id),
            sku: sent.value(Field::SkuNumber, || event.sku.clone()),
            product_name: sent.text(Field::ProductName, &event.product_name),
            quantity: sent.value(Field::Quantity, || Some(event.quantity)),
            sale_amount: sent.value(Field::SaleAmount, || Some(event.sale_amount)),
            commission: sent.value(Field::Commissions, || Some(event.commission)),
            currency: sent
                .text(Field::Currency, &event.currency)
                .unwrap_or_else(|| currency.to_owned()),
            occurred_at: sent.value(Field::TransactionDate, || event.transaction_date.instant()),
            processed_at: sent.value(Field::ProcessDate, || event.process_date.instant()),
            click_id: sent.value(Field::U1, || event.click.id().map(str::to_owned)),
        }
    }

    /// The UTC day of the transaction date.
    #[must_use]
    pub fn day(&self) -> Option<Date> {
        self.occurred_at.map(utc_day)
    }

    /// Whether either amount is negative, which is how the network reports a reversal.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.sale_amount.is_some_and(Amount::is_negative)
            || self.commission.is_some_and(Amount::is_negative)
    }
}

/// Lets a value through where the template carries its field.
struct Sent<'a> {
    template: &'a Template,
}

impl Sent<'_> {
    fn value<T>(&self, field: Field, value: impl FnOnce() -> Option<T>) -> Option<T> {
        if self.template.carries(field) {
            value()
        } else {
            None
        }
    }

    fn text(&self, field: Field, text: &str) -> Option<String> {
        self.value(field, || (!text.is_empty()).then(|| text.to_owned()))
    }
}
