//! The rows of both tables of a generation and of the log of refusals, as they are inserted.
//!
//! They borrow from the batch that they are made of. The columns' meaning stands in
//! `schemas/clickhouse/`.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::native::column::{Dictionary, Kept, List, Map, Nullable, Plain, Text};
use crate::native::columns;

/// A number with four decimals, exact: counts ten-thousandths. `Decimal(18, 4)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal4(
    /// Ten-thousandths; the column holds magnitudes below 10^18 of them.
    pub i64,
);

/// What stands before the hash that a raw record is replaced by in the column `raw`. No record begins
/// so.
pub const HASHED: &str = "blake3:";

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
    pub extra: Vec<(&'a str, &'a [Cow<'a, str>])>,
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

impl AsRef<str> for Outcome {
    fn as_ref(&self) -> &str {
        self.as_str()
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

columns! {
    /// Columns of `postbacks_gN`.
    PostbackColumns of PostbackRow {
        id: Plain<Uuid>,
        received_at: Plain<Timestamp>,
        source: Dictionary,
        network: Dictionary,
        account: Dictionary,
        via: Dictionary,
        outcome: Dictionary,
        reasons: List<Dictionary>,
        raw: Kept,
        remote: Text,
        kafka_topic: Dictionary,
        kafka_partition: Plain<u32>,
        kafka_offset: Plain<u64>,
        conversion_key: Nullable<Uuid>,
        key_day: Nullable<Date>,
        version: Plain<u128>,
        flags: List<Dictionary>,
        detail: Text,
    }
}

impl PostbackColumns {
    /// The column `raw` of all rows that are written.
    pub(crate) fn raws(&self) -> impl Iterator<Item = &str> {
        self.raw.texts()
    }
}

columns! {
    /// Columns of `conversions_gN`.
    ConversionColumns of ConversionRow {
        source: Dictionary,
        network: Dictionary,
        account: Dictionary,
        conversion_key: Plain<Uuid>,
        key_day: Plain<Date>,
        postback_id: Plain<Uuid>,
        kind: Dictionary,
        status: Dictionary,
        transaction_id: Text,
        order_id: Text,
        click_id: Text,
        sub_ids: Map<Text, Text>,
        advertiser_id: Text,
        publisher_id: Text,
        offer_id: Text,
        sku: Text,
        product_name: Text,
        quantity: Nullable<Decimal4>,
        sale_amount: Nullable<Decimal4>,
        commission: Nullable<Decimal4>,
        currency: Dictionary,
        commission_currency: Dictionary,
        occurred_at: Nullable<Timestamp>,
        processed_at: Nullable<Timestamp>,
        received_at: Plain<Timestamp>,
        flags: List<Dictionary>,
        extra: Map<Text, List<Text>>,
        revision: Plain<u128>,
    }
}

columns! {
    /// Columns of `refusals_log`.
    RefusalColumns of RefusalRow {
        id: Plain<Uuid>,
        refused_at: Plain<Timestamp>,
        reason: Dictionary,
        status: Plain<u16>,
        source: Dictionary,
        key: Dictionary,
        method: Text,
        path: Text,
        query: Text,
        query_bytes: Plain<u64>,
        remote: Text,
        user_agent: Text,
        cut: List<Dictionary>,
        suppressed: Plain<u64>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::Columns;

    /// Names and types of the columns that a table is made with.
    fn made(sql: &str) -> Vec<(String, String)> {
        let columns = sql.lines().filter_map(|line| {
            let (column, _) = line.strip_prefix("    ")?.split_once(" COMMENT '")?;
            let (name, kind) = column.split_once(' ')?;
            Some((name.to_owned(), kind.to_owned()))
        });
        columns.collect()
    }

    fn written<C: Columns>() -> Vec<(String, String)> {
        let columns = C::described().into_iter();
        columns
            .map(|(name, kind)| (name.to_owned(), kind))
            .collect()
    }

    #[test]
    fn columns_are_those_of_the_tables() {
        let postbacks = made(include_str!(
            "../../schemas/clickhouse/generation/postbacks.sql"
        ));
        assert_eq!(written::<PostbackColumns>(), postbacks);
        let conversions = made(include_str!(
            "../../schemas/clickhouse/generation/conversions.sql"
        ));
        assert_eq!(written::<ConversionColumns>(), conversions);
        assert_eq!(
            written::<RefusalColumns>(),
            made(crate::tables::REFUSALS_SQL)
        );
        assert_eq!((postbacks.len(), conversions.len()), (18, 28));
    }

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
