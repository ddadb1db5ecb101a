//! What one knows oneself: an order of the shop, or a line of a statement.

use jiff::Timestamp;

/// In the state that counts.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) source: &'static str,
    pub(crate) network: &'static str,
    pub(crate) number: String,
    /// Empty where it is not told.
    pub(crate) advertiser: String,
    pub(crate) placed: Timestamp,
    pub(crate) status: &'static str,
    pub(crate) currency: String,
    /// Ten-thousandths.
    pub(crate) amount: i128,
    pub(crate) click: String,
}
