//! The project's tasks: demo, test, stack, check.

fn main() {}
