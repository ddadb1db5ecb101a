//! Sends HTTP/1.1 requests on loopback, and writes down what became of each.
//!
//! Two senders, one thread each:
//!
//! - [`ClosedLoop`]: a number of connections, each of which sends its next request when the one
//!   before is answered. It shows how much a server can do; its latencies say little, because it
//!   waits with a slow server ([coordinated omission]).
//! - [`OpenLoop`]: a fixed rate, whatever the server does. Each request has a planned time, and its
//!   latency runs from there. A request never waits for a busy connection: it takes an idle one or
//!   opens another. The [`Ledger`] has every attempt.
//!
//! On a small machine the sender itself is not always given a processor when it wants one. These
//! stalls are its own and not the server's, so it measures them: [`Attempt::own_stall`].
//!
//! The sender is cheap, because it shares the machine with what it measures: one epoll, a request
//! rendered once of which only the number changes, a parser that reads what it needs.
//!
//! [coordinated omission]: https://www.azul.com/files/HowNotToMeasureLatency_LLSummit_NYC_12Nov2013.pdf

#![warn(missing_docs)]

mod closed_loop;
mod connections;
mod ledger;
mod open_loop;
mod poll;
mod quantiles;
mod report;
mod request;
mod response;
mod stalls;

pub use closed_loop::ClosedLoop;
pub use ledger::{Attempt, Failure, Ledger, Outcome};
pub use open_loop::{OpenLoop, Reuse};
pub use quantiles::Quantiles;
pub use report::{ClosedReport, OpenReport};
pub use request::Request;
