//! A network of the tests' own, and what is read of it.

mod fake;
mod planning;
mod reading;
mod resuming;
mod server;
mod verdicts;
