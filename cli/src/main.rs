//! The postback command.

fn main() {}
