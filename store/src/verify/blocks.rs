//! Rows by the block of offsets that they stand under: how many, and the exclusive or of their ids.

use clickhouse::Row;
use serde::Deserialize;

use super::{Scope, Tables};
use crate::error::StoreError;
use crate::history::received_on;

/// Some offsets of a partition that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// The partition.
    pub partition: u32,
    /// Offset / size of a block.
    pub number: u64,
}

/// Where a row stands, seen from the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Under an offset that the topic has.
    Block(Block),
    /// Under an offset that the topic no longer has.
    Older,
    /// Under an offset that is not loaded yet, or in a partition that the topic does not have.
    Beyond,
    /// It came from another topic.
    OtherTopic,
}

/// How many, and which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// The exclusive or of the ids' 128 bits.
    pub ids: u128,
}

impl Sum {
    /// One more.
    pub const fn add(&mut self, id: uuid::Uuid) {
        self.count += 1;
        self.ids ^= id.as_u128();
    }

    /// All of another.
    pub const fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.ids ^= other.ids;
    }
}

#[derive(Row, Deserialize)]
struct Day {
    day: u16,
    rows: u64,
}

#[derive(Row, Deserialize)]
struct Summed {
    partition: u32,
    block: i64,
    rows: u64,
    ids: u128,
}

const BEYOND: i64 = -1;
const OLDER: i64 = -2;
const OTHER_TOPIC: i64 = -3;

impl Tables {
    /// The days of receipt that have rows in the scope, since 1970-01-01, with how many, copies
    /// included.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn days(&self, scope: &Scope) -> Result<Vec<(u16, u64)>, StoreError> {
        let sql = "SELECT toUInt16(toDate(received_at)) AS day, count() AS rows FROM {postbacks} \
             WHERE {range} GROUP BY day ORDER BY day";
        let days: Vec<Day> = self
            .all("read the days of the postbacks", self.query(sql, scope))
            .await?;
        Ok(days.into_iter().map(|day| (day.day, day.rows)).collect())
    }

    /// The sums of one day's rows, by block of `size` offsets.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn blocks(
        &self,
        scope: &Scope,
        day: u16,
        size: u64,
    ) -> Result<Vec<(Group, Sum)>, StoreError> {
        let sql = format!(
            "SELECT kafka_partition AS partition, \
             multiIf(kafka_topic != {{topic:String}}, toInt64({OTHER_TOPIC}), \
             kafka_offset < {{low}}, toInt64({OLDER}), kafka_offset >= {{end}}, toInt64({BEYOND}), \
             toInt64(intDiv(kafka_offset, {size}))) AS block, \
             count() AS rows, groupBitXor(toUInt128(id)) AS ids \
             FROM {{postbacks}} FINAL WHERE {} AND {{range}} \
             GROUP BY partition, block",
            received_on(day)
        );
        let query = self.query(&sql, scope);
        let summed: Vec<Summed> = self.all("sum up the ids of a day", query).await?;
        Ok(summed.into_iter().map(Summed::placed).collect())
    }
}

impl Summed {
    fn placed(self) -> (Group, Sum) {
        let group = match u64::try_from(self.block) {
            Ok(number) => Group::Block(Block {
                partition: self.partition,
                number,
            }),
            Err(_) if self.block == OTHER_TOPIC => Group::OtherTopic,
            Err(_) if self.block == OLDER => Group::Older,
            Err(_) => Group::Beyond,
        };
        let sum = Sum {
            count: self.rows,
            ids: self.ids,
        };
        (group, sum)
    }
}
