//! What is remarkable about conversions.
//!
//! - Counted are all conversions of networks in the range, of every kind and status, in the revision
//!   that counts; one can have several flags, and counts for each.
//! - *share*: of all these conversions, of the same dimension; a condition on flags leaves them all.
//! - *sample*: the postback of the one that was received last.

use super::question::{Question, Table};
use super::tally::Tallies;
use super::{Both, Reader};
use crate::error::StoreError;

impl Reader {
    /// Calculates it, and with `before` the same of the range before.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn flags(
        &self,
        asked: &Question,
        before: Option<&Question>,
    ) -> Result<Both<Tallies>, StoreError> {
        let of = (Table::Conversions, "flags", "postback_id");
        self.tally("count the flags", of, asked, before).await
    }
}
