//! The network's own API: whether it still sends to our endpoint, and what it sent.
//!
//! Rakuten switches an endpoint that fails off by itself, and tells nobody; only its API does. It
//! never sends a postback again; its Events API has the transaction for one to two weeks. Paths and
//! names are those that third parties describe, and each can be configured
//! ([`postback_common::config::ApiSettings`]).
//!
//! ```text
//! NetworkApi ── token (kept until it expires)
//!            ├─ endpoint, set_up, change, delete      /v1/postback
//!            └─ page                                  /events/1.0/transactions
//!                each through Patience: at most `max_calls` at once, 429 and Retry-After honoured,
//!                a bounded number of attempts, and an ApiError that names the call
//! ```

#![warn(missing_docs)]

mod api;
mod call;
mod endpoint;
mod error;
mod exchange;
mod http;
mod page;
mod patience;
mod request;
mod token;

pub use api::NetworkApi;
pub use call::Call;
pub use endpoint::{Change, Endpoint};
pub use error::{ApiError, Trouble};
pub use page::{Page, Window};
pub use patience::{Patience, random};
