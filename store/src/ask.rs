//! Questions in SQL that a person writes, answered within limits and without a chance to change
//! anything.

mod question;

use std::time::Duration;

use clickhouse::Client;
use clickhouse::query::Query;
use postback_common::config::ClickHouseSettings;
use serde_json::Value;

use crate::connection::{self, run_within};
use crate::error::{Kind, READONLY, StoreError};
pub use question::Refusal;

/// What an answer may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time that the server may take.
    pub within: Duration,
    /// Most rows; `None` for all.
    pub rows: Option<u64>,
    /// Most memory of the server, in bytes.
    pub memory: u64,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As the query names it.
    pub name: String,
    /// ClickHouse's type.
    pub kind: String,
}

/// What the server answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// In order; empty where the statement has no result.
    pub columns: Vec<Column>,
    /// One value for each column. Decimals and integers beyond 64 bits are texts.
    pub rows: Vec<Vec<Value>>,
    /// Whether there are more rows than the limit lets through.
    pub is_cut: bool,
}

/// What the server is left to send on top of its own limit.
const GRACE: Duration = Duration::from_secs(5);

/// Names, types, then one array a row.
const FORMAT: &str = "JSONCompactEachRowWithNamesAndTypes";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing was asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// As the server says; of [`Kind::Data`] where the query names a format of its own.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user may not be given limits: not a word of the question was looked at.
    #[error(transparent)]
    Unlimited(StoreError),
}

/// `readonly` of a request: neither writes, nor settings, nor other servers.
const STRICT: &str = "1";

/// The same for a user to whom it is given: nothing else may be sent then.
const GIVEN: &str = "2";

/// Asks one question, once the server has said that it is one. It is told to refuse everything that
/// is none.
///
/// # Errors
/// [`AskError`] for what is no question within these limits, and in the server's own words.
pub async fn ask(
    settings: &ClickHouseSettings,
    sql: &str,
    limits: Limits,
) -> Result<Answer, AskError> {
    let client = connection::persons_client(settings)?;
    let mut readonly = STRICT;
    // At once: whether the limits arrive costs no time of its own.
    let (arrive, mut looked) = tokio::join!(
        connection::settings_arrive(&client),
        look(&client, sql, limits, STRICT)
    );
    if let Err(error) = arrive {
        looked?;
        return Err(error.into());
    }
    if let Err(AskError::Store(error)) = &looked
        && connection::is_about_settings(error)
    {
        // It may be the question that sets it; this one sets nothing.
        if let Err(error) = probe(&client, limits, STRICT).await {
            if !is_about_readonly(&error) {
                return Err(unlimited(error));
            }
            probe(&client, limits, GIVEN).await.map_err(unlimited)?;
            readonly = GIVEN;
            looked = look(&client, sql, limits, GIVEN).await;
        }
    }
    looked?;
    let mut query = limited(&client, sql, limits, readonly);
    if let Some(rows) = limits.rows {
        // One more, to know whether there are more.
        query = query.with_setting("limit", rows.saturating_add(1).to_string());
    }
    let mut answer = fetch(query, limits).await?;
    if let Some(rows) = limits.rows {
        let most = usize::try_from(rows).unwrap_or(usize::MAX);
        answer.is_cut = answer.rows.len() > most;
        answer.rows.truncate(most);
    }
    Ok(answer)
}

/// Asks what every user may know, within the same limits.
async fn probe(
    client: &Client,
    limits: Limits,
    readonly: &'static str,
) -> Result<Answer, StoreError> {
    fetch(limited(client, "SELECT 1", limits, readonly), limits).await
}

fn unlimited(error: StoreError) -> AskError {
    if connection::is_about_settings(&error) {
        AskError::Unlimited(error)
    } else {
        error.into()
    }
}

/// Looks at what kind of statement it is.
async fn look(
    client: &Client,
    sql: &str,
    limits: Limits,
    readonly: &'static str,
) -> Result<(), AskError> {
    let sql = format!("{}{sql}", question::TREE);
    let tree = fetch(limited(client, &sql, limits, readonly), limits).await;
    let tree = tree.map_err(|mut error| {
        error.message = question::placed(&error.message);
        error
    })?;
    let lines = tree.rows.iter().filter_map(|row| row.first()?.as_str());
    Ok(question::check(&lines.collect::<Vec<_>>())?)
}

/// Whether `readonly` may not be changed.
fn is_about_readonly(error: &StoreError) -> bool {
    error.code == Some(READONLY) && error.message.contains("'readonly'")
}

fn limited(client: &Client, sql: &str, limits: Limits, readonly: &'static str) -> Query {
    client
        .query_raw(sql)
        .with_setting("readonly", readonly)
        .with_setting("max_execution_time", limits.within.as_secs().to_string())
        .with_setting("max_memory_usage", limits.memory.to_string())
        // A question that nobody waits for any more is not worked on.
        .with_setting("cancel_http_readonly_queries_on_client_close", "1")
        // An error after the first rows is an error, and not a part of them.
        .with_setting("wait_end_of_query", "1")
        .with_setting("output_format_json_quote_64bit_integers", "1")
        .with_setting("output_format_json_quote_decimals", "1")
        .with_setting("output_format_json_quote_denormals", "1")
}

async fn fetch(query: Query, limits: Limits) -> Result<Answer, StoreError> {
    let bytes = run_within(limits.within + GRACE, "ask", async {
        query.fetch_bytes(FORMAT)?.collect().await
    });
    Ok(read(&bytes.await?)?)
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// It is in another format.
    Format,
    /// A text in it is none: the server writes its bytes as they are.
    Text,
}

impl From<Unread> for StoreError {
    fn from(unread: Unread) -> Self {
        let (what, remedy) = match unread {
            Unread::Format => (
                "it is in another format than was asked for",
                "leave FORMAT out of the query",
            ),
            Unread::Text => (
                "a text in it is not UTF-8",
                "ask for hex(…) of it, or for toValidUTF8(…), which shows broken bytes as U+FFFD",
            ),
        };
        Self::own(Kind::Data, "read the answer", what, remedy)
    }
}

fn read(bytes: &[u8]) -> Result<Answer, Unread> {
    let mut lines = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let Some(names) = lines.next() else {
        return Ok(Answer::default());
    };
    let texts = |line| serde_json::from_slice::<Vec<String>>(line).map_err(|_| Unread::Format);
    let names = texts(names)?;
    let kinds = texts(lines.next().ok_or(Unread::Format)?)?;
    if names.len() != kinds.len() {
        return Err(Unread::Format);
    }
    let named = names.into_iter().zip(kinds);
    let columns: Vec<Column> = named.map(|(name, kind)| Column { name, kind }).collect();
    let mut rows = Vec::new();
    for line in lines {
        let values = serde_json::from_slice::<Vec<Value>>(line);
        let values = values.map_err(|_| match str::from_utf8(line) {
            Ok(_) => Unread::Format,
            Err(_) => Unread::Text,
        })?;
        if values.len() != columns.len() {
            return Err(Unread::Format);
        }
        let typed = columns.iter().zip(values);
        let row = typed.map(|(column, value)| typed_value(&column.kind, value));
        rows.push(row.collect());
    }
    Ok(Answer {
        columns,
        rows,
        is_cut: false,
    })
}

/// 64 bits fit into a number of JSON as it is written here; the server quotes them for those who
/// read numbers as floats.
fn typed_value(kind: &str, value: Value) -> Value {
    match (bare(kind), &value) {
        ("UInt64", Value::String(text)) => text.parse::<u64>().map_or(value, Value::from),
        ("Int64", Value::String(text)) => text.parse::<i64>().map_or(value, Value::from),
        _ => value,
    }
}

/// Without `Nullable(…)` and `LowCardinality(…)`.
fn bare(kind: &str) -> &str {
    let mut kind = kind;
    for wrapper in ["LowCardinality(", "Nullable("] {
        let inner = kind
            .strip_prefix(wrapper)
            .and_then(|rest| rest.strip_suffix(')'));
        kind = inner.unwrap_or(kind);
    }
    kind
}

impl Column {
    /// Whether its values are numbers.
    #[must_use]
    pub fn is_number(&self) -> bool {
        let kind = bare(&self.kind);
        ["Int", "UInt", "Float", "BFloat", "Decimal"]
            .iter()
            .any(|number| kind.starts_with(number))
            && !kind.contains("Interval")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_its_types() {
        let bytes = br#"["n", "d", "t", "big"]
["UInt64", "Nullable(Decimal(18, 4))", "LowCardinality(Nullable(String))", "UInt128"]
["18446744073709551615", "1.25", "a\nb", "340282366920938463463374607431768211455"]
["7", null, null, "0"]
"#;
        let answer = read(bytes).unwrap();
        assert_eq!(answer.rows[0][0], Value::from(u64::MAX));
        assert_eq!(answer.rows[0][1], Value::from("1.25"));
        assert_eq!(answer.rows[0][3], Value::from(u128::MAX.to_string()));
        assert_eq!(
            answer.rows[1],
            [Value::from(7), Value::Null, Value::Null, Value::from("0")]
        );
        let numbers: Vec<bool> = answer.columns.iter().map(Column::is_number).collect();
        assert_eq!(numbers, [true, true, false, true]);
    }

    #[test]
    fn a_user_that_may_only_read_keeps_its_own_readonly() {
        let told = |code, message: &str| StoreError {
            code: Some(code),
            ..StoreError::own(Kind::Data, "ask", message, "")
        };
        let given = "Cannot modify 'readonly' setting in readonly mode. (READONLY)";
        assert!(is_about_readonly(&told(164, given)));
        let other = "Cannot modify 'max_threads' setting in readonly mode. (READONLY)";
        assert!(!is_about_readonly(&told(164, other)));
        assert!(!is_about_readonly(&told(62, given)));
    }

    #[test]
    fn another_format_is_not_taken_for_rows() {
        for other in [
            "1\t2\n",
            "{\"a\":1}\n",
            "[\"a\"]\n[1]\n",
            "[\"a\"]\n[\"UInt8\"]\n[1,2]\n",
        ] {
            assert_eq!(read(other.as_bytes()), Err(Unread::Format), "{other}");
        }
        assert_eq!(read(b""), Ok(Answer::default()));
    }

    #[test]
    fn a_text_that_is_none_is_told_from_another_format() {
        let told = |row: &[u8]| read(&[b"[\"a\"]\n[\"String\"]\n", row].concat());
        assert_eq!(told(b"[\"\xff\"]\n"), Err(Unread::Text));
        assert_eq!(told(b"[\"x\"]\n[\"\xff\"]\n"), Err(Unread::Text));
        // Rows of bytes that begin otherwise are of another format.
        assert_eq!(read(b"\x01\xff\n\xfe\n"), Err(Unread::Format));
        assert!(told(b"[\"\xc3\xbf\"]\n").is_ok());
    }
}
