//! What is expected, calculated from what was sent: plain sums in plain Rust, with none of the
//! project's own code.

mod changes;
mod conversion;
mod money;
mod order;
mod quantile;
mod question;
mod rows;

pub(crate) use changes::changes;
pub(crate) use conversion::{Conversion, Received, counting};
pub(crate) use money::{shown as shown_money, written};
pub(crate) use order::Order;
pub(crate) use quantile::quantiles;
pub(crate) use question::Question;
pub(crate) use rows::{Figure, Figures, Rows, assert_figures, assert_rows, named};
