//! The rows of both tables of a generation and of the log of refusals, as they are inserted.
//!
//! They borrow from the batch that they are made of. The columns' meaning stands in
//! `schemas/clickhouse/`.

use clickhouse::Row;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// A number with four decimals, exact: counts ten-thousandths. `Decimal(18, 4)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Decimal4(
    /// Ten-thousandths; the column holds magnitudes below 10^18 of them.
    pub i64,
);

/// One received postback: a row of `postbacks_gN`.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct PostbackRow<'a> {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    #[serde(serialize_with = "micros")]
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
    #[serde(serialize_with = "clickhouse::serde::uuid::option::serialize")]
    pub conversion_key: Option<Uuid>,
    #[serde(serialize_with = "optional_day")]
    pub key_day: Option<Date>,
    pub version: u128,
    pub flags: Vec<&'a str>,
    pub detail: &'a str,
}

/// One revision of one conversion: a row of `conversions_gN`.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct ConversionRow<'a> {
    pub source: &'a str,
    pub network: &'a str,
    pub account: &'a str,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversion_key: Uuid,
    #[serde(serialize_with = "day")]
    pub key_day: Date,
    #[serde(with = "clickhouse::serde::uuid")]
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
    #[serde(serialize_with = "optional_micros")]
    pub occurred_at: Option<Timestamp>,
    #[serde(serialize_with = "optional_micros")]
    pub processed_at: Option<Timestamp>,
    #[serde(serialize_with = "micros")]
    pub received_at: Timestamp,
    pub flags: Vec<&'a str>,
    pub extra: Vec<(&'a str, &'a [String])>,
    pub revision: u128,
}

/// One recorded refusal: a row of `refusals_log`.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct RefusalRow<'a> {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    #[serde(serialize_with = "micros")]
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

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
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

/// `DateTime64(6)`.
fn micros<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(instant.as_microsecond())
}

/// `Nullable(DateTime64(6))`.
fn optional_micros<S: Serializer>(
    instant: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    instant.map(Timestamp::as_microsecond).serialize(serializer)
}

/// `Date`: days since 1970, up to 2149. Days outside are an error here rather than another day there.
fn day<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    days_since_1970(*day)
        .map_err(serde::ser::Error::custom)?
        .serialize(serializer)
}

/// `Nullable(Date)`.
fn optional_day<S: Serializer>(day: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
    let days = day.map(days_since_1970).transpose();
    days.map_err(serde::ser::Error::custom)?
        .serialize(serializer)
}

fn days_since_1970(day: Date) -> Result<u16, String> {
    let epoch = jiff::civil::date(1970, 1, 1);
    let days = (day - epoch).get_days();
    u16::try_from(days).map_err(|_| format!("{day} is outside of 1970-01-01 to 2149-06-06"))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

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

    #[test]
    fn days_count_from_1970() {
        assert_eq!(days_since_1970(date(1970, 1, 16)), Ok(15));
        // 2000-01-01 is day 10,957: 30 years and 7 leap days.
        assert_eq!(days_since_1970(date(2000, 1, 1)), Ok(10_957));
        assert_eq!(days_since_1970(date(2149, 6, 6)), Ok(u16::MAX));
        assert!(days_since_1970(date(2149, 6, 7)).is_err());
        assert!(days_since_1970(date(1969, 12, 31)).is_err());
    }
}
