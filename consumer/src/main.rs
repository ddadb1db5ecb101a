//! Normalises postbacks from Kafka and loads ClickHouse.

fn main() {}
