//! `postback query`: a question in SQL.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use postback_common::config::ClickHouseSettings;
use postback_store::StoreError;
use postback_store::ask::{self, Answer, AskError, Limits};
use serde_json::Value;

use super::load;
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Column, Sheet, plural};
use crate::servers::Trouble;

/// Ask ClickHouse in SQL; nothing can be changed by it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback query \"SELECT count() FROM conversions\"\n  \
    postback query \"DESCRIBE TABLE conversions\"\n  \
    postback query -f revenue.sql -o csv > revenue.csv\n  \
    echo \"SELECT 1\" | postback query -\n\n\
    Views: conversions, postbacks, refusals, orders, statements. docs/sql.md has the queries that \
    people ask for. One statement at a time; no FORMAT in it: -o says the form.\n\n\
    Only SELECT, WITH, SHOW, DESCRIBE, EXPLAIN and EXISTS are asked, of this server alone. It works on \
    them for no longer than --max-time, with no more than --max-memory; SETTINGS are refused.")]
pub(crate) struct Query {
    /// The question; - reads it from stdin
    #[arg(
        value_name = "SQL",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    sql: Option<String>,
    /// Read it from a file; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Most rows shown; 0 shows all
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    max_rows: u64,
    /// Longest time, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    max_time: u64,
    /// Most memory that ClickHouse may take, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2_048, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    max_memory: u64,
}

impl Query {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let sql = self.text().await?;
        if sql.trim().is_empty() {
            return Err(Failure::Usage(
                "the question is empty\n  write one such as SELECT count() FROM conversions"
                    .to_owned(),
            ));
        }
        let loaded = load(options, console)?;
        let clickhouse = &loaded.settings.clickhouse;
        let limits = Limits {
            within: Duration::from_secs(self.max_time),
            rows: (self.max_rows > 0).then_some(self.max_rows),
            memory: self.max_memory << 20,
        };
        let answer = ask::ask(clickhouse, &sql, limits).await;
        let answer = answer.map_err(|error| failure(error, clickhouse))?;
        let (is_cut, shown) = (answer.is_cut, plural(answer.rows.len(), "row"));
        sheet(answer).write(options, console)?;
        if is_cut {
            console.warn(format_args!(
                "only the first {shown}: --max-rows {} shows more, --max-rows 0 all",
                self.max_rows.saturating_mul(10)
            ));
        }
        Ok(Ending::Done)
    }

    async fn text(&self) -> Result<String, Failure> {
        let stdin = Path::new("-");
        let file = match (&self.sql, &self.file) {
            (_, Some(file)) if file != stdin => Some(file.clone()),
            (Some(sql), None) if sql != "-" => return Ok(sql.clone()),
            _ => None,
        };
        let of = file
            .as_ref()
            .map_or_else(|| "stdin".to_owned(), |file| file.display().to_string());
        // On a thread of its own, so that Ctrl-C is heard while nothing comes.
        let read = tokio::task::spawn_blocking(move || match file {
            Some(file) => std::fs::read_to_string(file),
            None => {
                let mut text = String::new();
                io::stdin().read_to_string(&mut text).map(|_| text)
            }
        });
        read.await.map_err(Failure::failed)?.map_err(|error| {
            Failure::Usage(format!("the question cannot be read from {of}: {error}"))
        })
    }
}

fn sheet(answer: Answer) -> Sheet {
    let columns: Vec<Column> = answer.columns.iter().map(column).collect();
    let mut sheet = Sheet::new(&columns);
    let types = answer.columns.iter();
    let types: serde_json::Map<String, Value> = types
        .map(|column| (column.name.clone(), column.kind.as_str().into()))
        .collect();
    sheet.fact("types", types);
    sheet.fact("rows", answer.rows.len());
    sheet.fact("cut", answer.is_cut);
    if answer.rows.is_empty() && !answer.is_cut {
        sheet.notes.push("no rows".to_owned());
    }
    let rows = answer.rows.into_iter();
    sheet.rows = rows
        .map(|row| row.into_iter().map(cell).collect())
        .collect();
    sheet
}

fn column(column: &ask::Column) -> Column {
    Column {
        name: column.name.clone().into(),
        heading: column.name.clone().into(),
        right: column.is_number(),
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::String(text) => Cell::Text(text),
        other => Cell::Nested(other),
    }
}

fn failure(error: AskError, settings: &ClickHouseSettings) -> Failure {
    match error {
        AskError::Refused(refusal) => Failure::Usage(format!("{refusal}\n  {}", refusal.remedy())),
        AskError::Store(error) => trouble(&error, settings).into(),
        AskError::Unlimited(error) => {
            let remedy = match error.code {
                // READONLY: of its own settings nothing may be changed under `readonly = 1`.
                Some(164) => "give the user readonly = 2 in place of 1 (docs/sql.md)".into(),
                _ => error.remedy.clone(),
            };
            Trouble::new(words(&error), remedy).into()
        }
    }
}

fn words(error: &StoreError) -> String {
    let code = error.code.map(|code| format!(" [code {code}]"));
    format!("ClickHouse: {}{}", error.message, code.unwrap_or_default())
}

/// The server's own words, and what to do here.
fn trouble(error: &StoreError, settings: &ClickHouseSettings) -> Trouble {
    let remedy = match error.code {
        // READONLY
        Some(164) if error.message.starts_with("Cannot modify") => {
            "leave SETTINGS out: they could lift the limits"
        }
        // SETTING_CONSTRAINT_VIOLATION: of the question's own, too
        Some(452) => "leave SETTINGS out: they could lift the limits",
        Some(164) => "`postback query` reads the tables of this server, and changes nothing",
        // TIMEOUT_EXCEEDED, TOO_SLOW
        Some(159 | 160) => "ask for fewer days, or give --max-time",
        // MEMORY_LIMIT_EXCEEDED
        Some(241) => "ask for fewer days, or give --max-memory",
        // SYNTAX_ERROR, which also answers to several statements
        Some(62) => "write one statement, in ClickHouse's SQL",
        // UNKNOWN_IDENTIFIER, UNKNOWN_TABLE
        Some(47) => "DESCRIBE TABLE conversions lists the columns",
        Some(60) => "the views are conversions, postbacks, refusals, orders and statements",
        Some(516 | 192..=194 | 81) | None => return Trouble::of_clickhouse(error, settings),
        Some(_) => "see what ClickHouse says, and docs/sql.md",
    };
    Trouble::new(words(error), remedy)
}

#[cfg(test)]
mod tests {
    use postback_store::Kind;

    use super::*;

    #[test]
    fn a_user_without_limits_is_told_from_a_question_that_sets_them() {
        let settings = ClickHouseSettings {
            url: "http://clickhouse:8123".to_owned(),
            database: "postback".to_owned(),
            user: "postback".to_owned(),
            password: None,
            keep_days: None,
        };
        let error = |code| StoreError {
            code: Some(code),
            ..StoreError::own(
                Kind::Setup,
                "ask",
                "Cannot modify 'max_execution_time' setting in readonly mode. (READONLY)",
                "let the profile allow it",
            )
        };
        let told = |error| match failure(error, &settings) {
            Failure::Failed(trouble) => trouble.to_string(),
            _ => panic!("the question is not to blame"),
        };
        for (error, words) in [
            (
                AskError::Unlimited(error(164)),
                "give the user readonly = 2",
            ),
            (AskError::Unlimited(error(452)), "let the profile allow it"),
            (AskError::Store(error(164)), "leave SETTINGS out"),
        ] {
            let told = told(error);
            assert!(told.contains(words), "{told}");
        }
    }
}
