//! Asking a ClickHouse server over HTTP.

use std::fmt;
use std::time::Duration;

use ureq::Agent;

use crate::StackError;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The largest answer that is taken, 1 GiB.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// The longest statement that the server is asked to read, 100 MB: lists of ids are long.
const STATEMENT_BYTES_MAX: &str = "100000000";

/// A password that does not print itself.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Takes the text as the password.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// A small client for counts and set-up; without TLS.
#[derive(Clone, Debug)]
pub struct ClickHouseClient {
    agent: Agent,
    url: String,
    user: String,
    password: Password,
    database: Option<String>,
}

impl ClickHouseClient {
    /// For a server's HTTP address, without a path.
    #[must_use]
    pub fn new(url: impl Into<String>, user: impl Into<String>, password: Password) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(LIMIT))
            // An error's text is in the body, so a status must not become an error before it.
            .http_status_as_error(false)
            // A proxy for the outside has nothing to do with it.
            .proxy(None)
            .build()
            .into();
        Self {
            agent,
            url: url.into(),
            user: user.into(),
            password,
            database: None,
        }
    }

    /// The same, for tables that are named without their database.
    #[must_use]
    pub fn in_database(self, name: impl Into<String>) -> Self {
        Self {
            database: Some(name.into()),
            ..self
        }
    }

    /// Runs one statement and returns what it prints: TabSeparated unless it says FORMAT.
    ///
    /// # Errors
    /// [`StackError::Query`] with the server's message.
    pub fn query(&self, statement: &str) -> Result<String, StackError> {
        self.send(statement).map_err(|message| StackError::Query {
            url: self.url.clone(),
            message,
        })
    }

    /// # Errors
    /// Says why the server does not serve this user.
    pub(super) fn check(&self) -> Result<(), String> {
        self.send("SELECT currentUser()").map(drop)
    }

    fn send(&self, statement: &str) -> Result<String, String> {
        let mut response = self
            .agent
            .post(&self.url)
            // Without it a query that fails after its first rows breaks the connection instead of
            // saying why.
            .query("wait_end_of_query", "1")
            .query("max_query_size", STATEMENT_BYTES_MAX)
            .query("database", self.database.as_deref().unwrap_or("default"))
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", self.password.reveal())
            .send(statement)
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|error| error.to_string())?;
        if status == 200 {
            Ok(text)
        } else {
            Err(text.trim().to_owned())
        }
    }
}
