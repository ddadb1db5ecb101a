//! Real Kafka and ClickHouse on loopback, for demo, tests and benchmarks.
