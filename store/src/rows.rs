//! The rows of both tables of a generation and of the log of refusals, as they are inserted.
//!
//! They borrow from the batch that they are made of. The columns' meaning stands in
//! `schemas/clickhouse/`.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::native::{NativeRow, Value};

/// A number with four decimals, exact: counts ten-thousandths. `Decimal(18, 4)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal4(
    /// Ten-thousandths; the column holds magnitudes below 10^18 of them.
    pub i64,
);

/// One received postback: a row of `postbacks_gN`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct PostbackRow<'a> {
    pub id: Uuid,
    pub received_at: Timestamp,
    pub source: &'a str,
    pub network: &'a str,
    pub account: &'a str,
    pub via: &'a str,
    pub outcome: Outcome,
    pub reasons: Vec<&'a str>,
    pub raw: &'a str,
    pub remote: &'a str,
    pub kafka_topic: &'a str,
    pub kafka_partition: u32,
    pub kafka_offset: u64,
    pub conversion_key: Option<Uuid>,
    pub key_day: Option<Date>,
    pub version: u128,
    pub flags: Vec<&'a str>,
    pub detail: &'a str,
}

/// One revision of one conversion: a row of `conversions_gN`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct ConversionRow<'a> {
    pub source: &'a str,
    pub network: &'a str,
    pub account: &'a str,
    pub conversion_key: Uuid,
    pub key_day: Date,
    pub postback_id: Uuid,
    pub kind: &'a str,
    pub status: &'a str,
    pub transaction_id: &'a str,
    pub order_id: &'a str,
    pub click_id: &'a str,
    pub sub_ids: Vec<(&'a str, &'a str)>,
    pub advertiser_id: &'a str,
    pub publisher_id: &'a str,
    pub offer_id: &'a str,
    pub sku: &'a str,
    pub product_name: &'a str,
    pub quantity: Option<Decimal4>,
    pub sale_amount: Option<Decimal4>,
    pub commission: Option<Decimal4>,
    pub currency: &'a str,
    pub commission_currency: &'a str,
    pub occurred_at: Option<Timestamp>,
    pub processed_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub flags: Vec<&'a str>,
    pub extra: Vec<(&'a str, &'a [String])>,
    pub revision: u128,
}

/// One recorded refusal: a row of `refusals_log`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct RefusalRow<'a> {
    pub id: Uuid,
    pub refused_at: Timestamp,
    pub reason: &'a str,
    pub status: u16,
    pub source: &'a str,
    pub key: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub query_bytes: u64,
    pub remote: &'a str,
    pub user_agent: &'a str,
    pub cut: Vec<&'a str>,
    pub suppressed: u64,
}

/// What became of a postback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// There is a row in `conversions`.
    Accepted,
    /// There is none, and the reasons say why.
    Rejected,
}

impl Outcome {
    /// As it stands in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

/// `postbacks.version`: of rows with one id, which are copies of one record, the highest counts.
///
/// A row whose conversion the server took, or that has none, beats one whose conversion it refused
/// (bit 96, see [`refused_version`]); among those the lower (partition, offset) wins, so that every
/// replay ends with the same row.
#[must_use]
pub const fn postback_version(partition: u32, offset: u64) -> u128 {
    const TAKEN: u128 = 1 << 96;
    TAKEN | refused_version(partition, offset)
}

/// The version of a row that is rejected because the server refused its conversion: every copy with
/// a normal outcome beats it.
#[must_use]
pub const fn refused_version(partition: u32, offset: u64) -> u128 {
    (!partition as u128) << 64 | !offset as u128
}

impl NativeRow for PostbackRow<'_> {
    fn values(&self) -> impl AsRef<[(&'static str, Value<'_>)]> {
        [
            ("id", Value::Uuid(self.id)),
            ("received_at", Value::Instant(self.received_at)),
            ("source", Value::Text(self.source)),
            ("network", Value::Text(self.network)),
            ("account", Value::Text(self.account)),
            ("via", Value::Text(self.via)),
            ("outcome", Value::Text(self.outcome.as_str())),
            ("reasons", Value::Texts(&self.reasons)),
            ("raw", Value::Text(self.raw)),
            ("remote", Value::Text(self.remote)),
            ("kafka_topic", Value::Text(self.kafka_topic)),
            ("kafka_partition", Value::U32(self.kafka_partition)),
            ("kafka_offset", Value::U64(self.kafka_offset)),
            (
                "conversion_key",
                Value::optional(self.conversion_key, Value::Uuid),
            ),
            ("key_day", Value::optional(self.key_day, Value::Day)),
            ("version", Value::U128(self.version)),
            ("flags", Value::Texts(&self.flags)),
            ("detail", Value::Text(self.detail)),
        ]
    }
}

impl NativeRow for ConversionRow<'_> {
    fn values(&self) -> impl AsRef<[(&'static str, Value<'_>)]> {
        let decimal = |value| Value::optional(value, Value::Decimal);
        let instant = |value| Value::optional(value, Value::Instant);
        [
            ("source", Value::Text(self.source)),
            ("network", Value::Text(self.network)),
            ("account", Value::Text(self.account)),
            ("conversion_key", Value::Uuid(self.conversion_key)),
            ("key_day", Value::Day(self.key_day)),
            ("postback_id", Value::Uuid(self.postback_id)),
            ("kind", Value::Text(self.kind)),
            ("status", Value::Text(self.status)),
            ("transaction_id", Value::Text(self.transaction_id)),
            ("order_id", Value::Text(self.order_id)),
            ("click_id", Value::Text(self.click_id)),
            ("sub_ids", Value::Pairs(&self.sub_ids)),
            ("advertiser_id", Value::Text(self.advertiser_id)),
            ("publisher_id", Value::Text(self.publisher_id)),
            ("offer_id", Value::Text(self.offer_id)),
            ("sku", Value::Text(self.sku)),
            ("product_name", Value::Text(self.product_name)),
            ("quantity", decimal(self.quantity)),
            ("sale_amount", decimal(self.sale_amount)),
            ("commission", decimal(self.commission)),
            ("currency", Value::Text(self.currency)),
            ("commission_currency", Value::Text(self.commission_currency)),
            ("occurred_at", instant(self.occurred_at)),
            ("processed_at", instant(self.processed_at)),
            ("received_at", Value::Instant(self.received_at)),
            ("flags", Value::Texts(&self.flags)),
            ("extra", Value::Lists(&self.extra)),
            ("revision", Value::U128(self.revision)),
        ]
    }
}

impl NativeRow for RefusalRow<'_> {
    fn values(&self) -> impl AsRef<[(&'static str, Value<'_>)]> {
        [
            ("id", Value::Uuid(self.id)),
            ("refused_at", Value::Instant(self.refused_at)),
            ("reason", Value::Text(self.reason)),
            ("status", Value::U16(self.status)),
            ("source", Value::Text(self.source)),
            ("key", Value::Text(self.key)),
            ("method", Value::Text(self.method)),
            ("path", Value::Text(self.path)),
            ("query", Value::Text(self.query)),
            ("query_bytes", Value::U64(self.query_bytes)),
            ("remote", Value::Text(self.remote)),
            ("user_agent", Value::Text(self.user_agent)),
            ("cut", Value::Texts(&self.cut)),
            ("suppressed", Value::U64(self.suppressed)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_partition_and_offset_win() {
        // Highest first, as FINAL decides.
        let order = [
            (0, 0),
            (0, 1),
            (0, u64::MAX),
            (1, 0),
            (11, 5),
            (u32::MAX, u64::MAX),
        ];
        let versions = order.map(|(partition, offset)| postback_version(partition, offset));
        assert!(
            versions.is_sorted_by(|higher, lower| higher > lower),
            "{versions:x?}"
        );
        assert_eq!(versions[5], 1 << 96);
        assert_eq!(versions[0], 0x1_ffff_ffff_ffff_ffff_ffff_ffff);
        let refused = order.map(|(partition, offset)| refused_version(partition, offset));
        assert!(refused.is_sorted_by(|higher, lower| higher > lower));
        assert!(
            refused[0] < versions[5],
            "the worst copy beats a refused one"
        );
    }
}
