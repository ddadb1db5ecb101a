//! Why postbacks became no conversions.
//!
//! - Counted are postbacks that were received in the range, each id once.
//! - A *reject* is one of outcome `rejected`; it can have several reasons, and counts for each.
//! - An array of orders of which some were refused is accepted, and no reject: its reasons stand apart.
//! - *share*: of all postbacks received, of the same dimension; a condition on reasons leaves them all.
//! - *sample*: the newest of them.

use super::Reader;
use super::question::{Question, Table};
use super::tally::Tallies;
use crate::error::StoreError;

impl Reader {
    /// Calculates it; the question is about postbacks.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn rejects(&self, asked: &Question) -> Result<Tallies, StoreError> {
        let of = (Table::Postbacks, "reasons", "id");
        self.tally("count what was rejected", of, asked).await
    }
}
