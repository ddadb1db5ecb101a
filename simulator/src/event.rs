//! One thing that the network reports, with every value it could put into a URL.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::field::Field;

/// One report about one SKU line of an order: a transaction, its reversal, or an early signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When the network sends it. Only the order of sending follows from it; it is not on the wire.
    pub sent_at: Timestamp,
    /// Transaction or signal.
    pub kind: Kind,
    /// 32 hexadecimal digits; `None` leaves the value empty.
    pub transaction_id: Option<String>,
    /// The advertiser ("MID").
    pub advertiser_id: u64,
    /// The publisher ("SID").
    pub publisher_id: u64,
    /// The shop's order number.
    pub order_id: String,
    /// The offer ("OID").
    pub offer_id: String,
    /// The product's number.
    pub sku: Option<String>,
    /// The product's name as the shop spells it, trailing spaces included.
    pub product_name: String,
    /// Pieces sold, positive in a reversal too.
    pub quantity: u32,
    /// What was paid for the line.
    pub sale_amount: Amount,
    /// What the publisher earns.
    pub commission: Amount,
    /// How the advertiser writes amounts.
    pub amount_form: AmountForm,
    /// ISO 4217 code of both amounts.
    pub currency: String,
    /// When the order was placed.
    pub transaction_date: DateValue,
    /// When the network processed this report.
    pub process_date: DateValue,
    /// Whether the advertiser reports in batches.
    pub batch: bool,
    /// The click id.
    pub click: Click,
    /// The commission list ("newer" field).
    pub commission_list_id: String,
    /// How carefully its values are written into the URL.
    pub spelling: Spelling,
}

/// How the network writes an event's values into a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// Percent-encoded, as RFC 3986 wants it.
    #[default]
    Careful,
    /// Only `&`, `%` and `+` are percent-encoded: spaces, `#`, `"`, `<` and UTF-8 go out raw.
    Raw,
    /// The same, one byte for each character of Latin-1; others are percent-encoded.
    RawLatin1,
}

/// What an event is, in the network's words of `is_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `N`: a sale reported for commission, or its reversal.
    Transaction,
    /// `Y`: an early signal; pays nothing.
    Signal,
    /// No `is_event` at all: nobody can say what it is, and its money is never summed.
    Unknown,
}

/// How amounts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountForm {
    /// Without needless zeros: `180`, `5.4`.
    Short,
    /// With this many decimals: `180.00`, `5.40`.
    Decimals(u8),
}

/// The click id as it leaves the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Click {
    /// The id that the publisher put into the link: 1 to 72 alphanumerics.
    Id(String),
    /// The sale has none: the parameter is there, its value empty.
    Empty,
    /// The sale has none: the parameter is left out.
    Absent,
    /// The macro was not replaced: `<u1>` itself is the value.
    Macro,
}

/// A date as it leaves the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DateValue {
    /// An instant, to the second, and how it is written.
    At(Timestamp, DateForm),
    /// A text that is no date.
    Unreadable(String),
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateForm {
    /// `Sat Mar 14 2020 18:28:18 GMT+0000 (UTC)`, its `+` encoded as `%2B`.
    Long,
    /// The same with a raw `+`, which a receiver decodes to a space.
    LongRawPlus,
    /// `2020-03-14T18:28:18Z`
    Iso,
    /// `2020-03-14T13:28:18-05:00`: the same instant, possibly another calendar day.
    IsoOffset,
}

/// A value before it is encoded into a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// To be percent-encoded; empty when missing.
    Text(String),
    /// To be percent-encoded but for `+`, which stays as it is.
    RawPlus(String),
    /// The whole parameter is left out.
    Absent,
}

impl Event {
    /// A plain attributed sale at `at`, to be changed where a test needs it:
    /// `Event { order_id: "17".into(), ..Event::example(at) }`.
    #[must_use]
    pub fn example(at: Timestamp) -> Self {
        Event {
            sent_at: at,
            kind: Kind::Transaction,
            transaction_id: Some("5a1ec0de5a1ec0de5a1ec0de5a1ec0de".to_owned()),
            advertiser_id: 38605,
            publisher_id: 3_817_122,
            order_id: "M1917799796".to_owned(),
            offer_id: "727010".to_owned(),
            sku: Some("NW-1001".to_owned()),
            product_name: "Trail jacket".to_owned(),
            quantity: 1,
            sale_amount: Amount::from_minor(18_000, 2),
            commission: Amount::from_minor(540, 2),
            amount_form: AmountForm::Short,
            currency: "USD".to_owned(),
            transaction_date: DateValue::At(at, DateForm::Long),
            process_date: DateValue::At(at, DateForm::Long),
            batch: false,
            click: Click::Id("clk0001".to_owned()),
            commission_list_id: "12".to_owned(),
            spelling: Spelling::Careful,
        }
    }

    /// The value of `field` as the network sends it.
    pub(crate) fn value(&self, field: Field) -> Value {
        Value::Text(match field {
            Field::EtransactionId => self.transaction_id.clone().unwrap_or_default(),
            Field::AdvertiserId => self.advertiser_id.to_string(),
            Field::Sid => self.publisher_id.to_string(),
            Field::OrderId => self.order_id.clone(),
            Field::OfferId => self.offer_id.clone(),
            Field::SkuNumber => self.sku.clone().unwrap_or_default(),
            Field::SaleAmount => self.amount_form.write(self.sale_amount),
            Field::Quantity => self.quantity.to_string(),
            Field::Commissions => self.amount_form.write(self.commission),
            Field::ProcessDate => return self.process_date.value(),
            Field::TransactionDate => return self.transaction_date.value(),
            Field::TransactionType => if self.batch { "batch" } else { "realtime" }.to_owned(),
            Field::ProductName => self.product_name.clone(),
            Field::Currency => self.currency.clone(),
            Field::U1 => return self.click.value(),
            Field::IsEvent => return self.kind.value(),
            Field::CommissionListId => self.commission_list_id.clone(),
        })
    }
}

impl Kind {
    fn value(self) -> Value {
        match self {
            Kind::Transaction => Value::Text("N".to_owned()),
            Kind::Signal => Value::Text("Y".to_owned()),
            Kind::Unknown => Value::Absent,
        }
    }
}

impl AmountForm {
    fn write(self, amount: Amount) -> String {
        match self {
            AmountForm::Short => amount.to_string(),
            AmountForm::Decimals(digits) => amount.with_decimals(digits),
        }
    }
}

impl Click {
    /// The id, where there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Click::Id(id) => Some(id),
            Click::Empty | Click::Absent | Click::Macro => None,
        }
    }

    fn value(&self) -> Value {
        match self {
            Click::Id(id) => Value::Text(id.clone()),
            Click::Empty => Value::Text(String::new()),
            Click::Absent => Value::Absent,
            Click::Macro => Value::Text(format!("<{}>", Field::U1)),
        }
    }
}

impl DateValue {
    /// The instant, where the text can be read as one.
    #[must_use]
    pub fn instant(&self) -> Option<Timestamp> {
        match self {
            DateValue::At(at, _) => Some(*at),
            DateValue::Unreadable(_) => None,
        }
    }

    fn value(&self) -> Value {
        match self {
            DateValue::At(at, DateForm::LongRawPlus) => Value::RawPlus(DateForm::Long.write(*at)),
            DateValue::At(at, form) => Value::Text(form.write(*at)),
            DateValue::Unreadable(text) => Value::Text(text.clone()),
        }
    }
}

impl DateForm {
    fn write(self, at: Timestamp) -> String {
        match self {
            DateForm::Long | DateForm::LongRawPlus => at
                .strftime("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)")
                .to_string(),
            DateForm::Iso => at.to_string(),
            DateForm::IsoOffset => at.display_with_offset(Offset::constant(-5)).to_string(),
        }
    }
}

/// The calendar day of `at` in UTC.
pub(crate) fn utc_day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_network_does() {
        let at: Timestamp = "2020-03-14T18:28:18Z".parse().unwrap();
        let written = |form: DateForm| DateValue::At(at, form).value();
        let long = "Sat Mar 14 2020 18:28:18 GMT+0000 (UTC)".to_owned();
        assert_eq!(written(DateForm::Long), Value::Text(long.clone()));
        assert_eq!(written(DateForm::LongRawPlus), Value::RawPlus(long));
        assert_eq!(
            written(DateForm::Iso),
            Value::Text("2020-03-14T18:28:18Z".to_owned())
        );
        let offset = Value::Text("2020-03-14T13:28:18-05:00".to_owned());
        assert_eq!(written(DateForm::IsoOffset), offset);
    }
}
