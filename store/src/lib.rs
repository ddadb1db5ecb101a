//! All that knows the ClickHouse tables: migrations, generations, queries.

pub mod reports;
