//! The spool as its users see it: one file per question.

mod adoption;
mod basic;
mod concurrency;
mod faults;
mod full;
mod model;
mod recovery;
mod rotation;
mod support;
