//! Asking ClickHouse what is there, without any of the project's own queries.

use postback_stack::ClickHouseClient;
use postback_stack::clickhouse::Password;
use serde_json::Value;

/// One database, dropped at the end of its test.
#[derive(Debug)]
pub struct Database {
    client: ClickHouseClient,
    name: String,
    dropped: bool,
}

impl Database {
    pub(crate) fn new(url: &str, user: &str, password: Password, name: &str) -> Self {
        Self {
            client: ClickHouseClient::new(url, user, password),
            name: name.to_owned(),
            dropped: false,
        }
    }

    /// It stays when this is dropped.
    pub(crate) fn kept(mut self) -> Self {
        self.dropped = true;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a statement; `{db}` stands for the database.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn run(&self, statement: &str) -> String {
        self.try_run(statement)
            .unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// The same, with the server's words when it refuses.
    ///
    /// # Errors
    /// The server's message.
    pub fn try_run(&self, statement: &str) -> Result<String, String> {
        self.client
            .query(&statement.replace("{db}", &self.name))
            .map_err(|error| error.to_string())
    }

    /// The rows of a query, as JSON objects with 64-bit numbers and decimals as text.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn rows(&self, query: &str) -> Vec<Value> {
        let settings = "SETTINGS output_format_json_quote_64bit_integers=1, output_format_json_quote_decimals=1 FORMAT JSONEachRow";
        let text = self.run(&format!("SELECT * FROM ({query}) {settings}"));
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a row is JSON"))
            .collect()
    }

    /// The single number of a query; 0 while the table is not there yet.
    pub fn count(&self, query: &str) -> u64 {
        self.try_run(query)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.dropped {
            self.dropped = true;
            // The server may be gone by now: then so is the database.
            drop(self.try_run("DROP DATABASE IF EXISTS {db} SYNC"));
        }
    }
}
