//! Answers postbacks and hands them to Kafka.

fn main() {}
