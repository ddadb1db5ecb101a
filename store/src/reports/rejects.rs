//! Why postbacks became no conversions.
//!
//! - Counted are postbacks that were received in the range, each id once.
//! - A *reject* is one of outcome `rejected`; it can have several reasons, and counts for each.
//! - An array of orders of which some were refused is accepted, and no reject: its reasons stand apart.
//! - *share*: of all postbacks received, of the same dimension; a condition on reasons leaves them all.
//! - *sample*: the newest of them.

use super::question::{Question, Table};
use super::tally::Tallies;
use super::{Both, Reader};
use crate::error::StoreError;

impl Reader {
    /// Calculates it, and with `before` the same of the range before; the questions are about postbacks.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn rejects(
        &self,
        asked: &Question,
        before: Option<&Question>,
    ) -> Result<Both<Tallies>, StoreError> {
        let of = (Table::Postbacks, "reasons", "id");
        self.tally("count what was rejected", of, asked, before)
            .await
    }
}
