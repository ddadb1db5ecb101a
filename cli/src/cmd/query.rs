//! `postback query`: a question in SQL.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use postback_common::config::ClickHouseSettings;
use postback_store::StoreError;
use postback_store::ask::{self, Answer, Limits};
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
    Views: conversions, postbacks, refusals, orders, statements. docs/sql.md has the queries that\n\
    people ask for. One statement at a time; no FORMAT in it: -o says the form.\n\n\
    The server works on it for no longer than --max-time, with no more than --max-memory.")]
pub(crate) struct Query {
    /// The question; - reads it from stdin
    #[arg(
        value_name = "SQL",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    sql: Option<String>,
    /// Read it from a file
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
        let sql = self.text()?;
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
        let answer = answer.map_err(|error| trouble(&error, clickhouse))?;
        self.sheet(answer).write(options, console)?;
        Ok(Ending::Done)
    }

    fn text(&self) -> Result<String, Failure> {
        let unreadable = |of: &str, error: &std::io::Error| {
            Failure::Usage(format!("the question cannot be read from {of}: {error}"))
        };
        match (&self.sql, &self.file) {
            (_, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| unreadable(&file.display().to_string(), &error)),
            (Some(sql), None) if sql != "-" => Ok(sql.clone()),
            _ => {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.map_err(|error| unreadable("stdin", &error))?;
                Ok(text)
            }
        }
    }

    fn sheet(&self, answer: Answer) -> Sheet {
        let columns: Vec<Column> = answer.columns.iter().map(column).collect();
        let mut sheet = Sheet::new(&columns);
        let types = answer.columns.iter();
        let types: serde_json::Map<String, Value> = types
            .map(|column| (column.name.clone(), column.kind.as_str().into()))
            .collect();
        sheet.fact("types", types);
        sheet.fact("rows", answer.rows.len());
        sheet.fact("cut", answer.is_cut);
        if answer.is_cut {
            let shown = plural(answer.rows.len(), "row");
            sheet.notes.push(format!(
                "only the first {shown}: --max-rows {} shows more, --max-rows 0 all",
                self.max_rows.saturating_mul(10)
            ));
        } else if answer.rows.is_empty() {
            sheet.notes.push("no rows".to_owned());
        }
        let rows = answer.rows.into_iter();
        sheet.rows = rows
            .map(|row| row.into_iter().map(cell).collect())
            .collect();
        sheet
    }
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

/// The server's own words, and what to do here.
fn trouble(error: &StoreError, settings: &ClickHouseSettings) -> Trouble {
    let remedy = match error.code {
        // READONLY, UNKNOWN_SETTING's sister of read-only mode.
        Some(164 | 472) => "`postback query` asks and changes nothing",
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
    let code = error.code.map(|code| format!(" [code {code}]"));
    Trouble::new(
        format!("ClickHouse: {}{}", error.message, code.unwrap_or_default()),
        remedy,
    )
}
