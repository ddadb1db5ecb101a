//! A network that sends postbacks, and the ledger of what it sent.
//!
//! The simulator behaves like Rakuten Advertising as its publishers see it: it fills a registered
//! URL template for every SKU line of every order, sends one GET request, waits 400 ms, and never
//! sends again. It is written from the network's facts alone and knows nothing of the programs
//! under test: what its [`Ledger`] adds up is an independent calculation that their reports are
//! compared with. Money is held in whole ten-thousandths ([`Amount`]), never in floating point.
//!
//! The way of a postback through the modules:
//!
//! 1. [`scenario`]: what happens in the shops, made from a seed, without clock or I/O.
//! 2. [`template`]: the URL as registered with the network, and how its macros are filled.
//! 3. [`delivery`]: one planned request, with what a reader of it can know ([`Facts`]) and what the
//!    contract demands of the receiver ([`Fate`]); [`mod@garbage`] plans the requests that go wrong.
//! 4. [`push`]: pushes on a [`schedule`] to the endpoint of a [`network`], which disables it in
//!    silence when it fails and answers on its API; [`sender`] sends deliveries as fast as they are
//!    answered, to fill a receiver. One attempt each, by the same connection and [`exchange`].
//! 5. [`ledger`] and [`totals`]: planned, sent and answered; counts and sums per group. [`book`]
//!    writes a ledger as it comes, and [`audit`] holds it against a receiver's tables.
//!
//! ```no_run
//! use jiff::Timestamp;
//! use postback_simulator::{Registration, Scenario, Sender, Settings, plan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings { seed: 7, postbacks: 500, ..Settings::until(Timestamp::now()) };
//! let scenario = Scenario::generate(&settings)?;
//! let url = "http://127.0.0.1:8080/postback/KEY?tid=<etransaction_id>&is_event=<is_event>";
//! let registration = Registration::new("rakuten-us", url, "USD")?;
//! let deliveries = plan(&scenario.events, &registration);
//! let ledger = Sender::new("127.0.0.1:8080".parse()?, 8).send_blocking(deliveries, |_| {})?;
//! for ((day, currency), sums) in ledger.totals().by_day() {
//!     let _line = format!("{day:?} {currency}: {} net", sums.net_sales());
//! }
//! # Ok(())
//! # }
//! ```

pub mod amount;
pub mod audit;
pub mod book;
pub mod contract;
pub mod delivery;
pub mod event;
pub mod exchange;
pub mod facts;
pub mod field;
pub mod garbage;
pub mod ledger;
pub mod network;
pub mod push;
pub mod scenario;
pub mod schedule;
pub mod sender;
pub mod template;
pub mod totals;

mod connection;

pub use amount::Amount;
pub use audit::Audit;
pub use book::Book;
pub use contract::{Fate, Identity};
pub use delivery::{Authorization, Charset, Delivery, Method, Planned, Registration, plan};
pub use event::{AmountForm, Click, DateForm, DateValue, Event, Kind, Spelling};
pub use facts::Facts;
pub use field::Field;
pub use garbage::garbage;
pub use ledger::{Attempt, Counts, Entry, Failure, Ledger, LedgerError, Outcome, Withheld};
pub use network::Network;
pub use push::Push;
pub use scenario::{
    Advertiser, Chapters, ReversedOrder, Scenario, ScenarioError, Settings, Shares,
};
pub use sender::{PATIENCE, Progress, Sender};
pub use template::{Authority, Template, TemplateError};
pub use totals::{Conversion, KindCounts, Sums, Totals};
