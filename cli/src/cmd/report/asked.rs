//! The options that all reports share, and the question that they make.

use clap::{Args, ValueEnum};
use jiff::Zoned;
use postback_store::reports::question::{Column, DateBy, Dimension, Filter, Question, Table};

use crate::ending::Failure;
use crate::nearest;
use crate::range::RangeOptions;

/// What is asked of conversions.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    pub(super) rows: Rows,
    /// Which date places a conversion in time [default: occurred, for latency received]
    #[arg(long, value_enum, value_name = "DATE")]
    date_by: Option<Date>,
    /// Only this advertiser, by the network's id
    #[arg(long, value_name = "ID")]
    advertiser: Option<String>,
}

/// What is asked of any table: when, for each of what, of which rows alone.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Rows {
    /// One row for each of these, several with commas: hour, day, week, month, source, network, … or nothing
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    by: Vec<String>,
    #[command(flatten)]
    range: RangeOptions,
    #[command(flatten)]
    only: Only,
}

/// Of which rows alone.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Only {
    /// Only rows with this value (COLUMN!=VALUE: without it); again for another one, an empty value means missing
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    conditions: Vec<String>,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only this network
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Date {
    /// When the customer bought
    Occurred,
    /// When the network processed it
    Processed,
    /// When its newest revision was received
    Received,
}

impl From<Date> for DateBy {
    fn from(date: Date) -> Self {
        match date {
            Date::Occurred => Self::Occurred,
            Date::Processed => Self::Processed,
            Date::Received => Self::Received,
        }
    }
}

impl Asked {
    /// The question, as seen at `now`, in the zone that `now` stands in; `by` where no other is given.
    pub(super) fn question(&self, by: &[&str], now: &Zoned) -> Result<Question, Failure> {
        self.question_by(DateBy::Occurred, by, now)
    }

    /// The same, by that date where no other is given.
    pub(super) fn question_by(
        &self,
        date_by: DateBy,
        by: &[&str],
        now: &Zoned,
    ) -> Result<Question, Failure> {
        let date_by = self.date_by.map_or(date_by, DateBy::from);
        let mut question = self.rows.question(Table::Conversions, date_by, by, now)?;
        if let Some(id) = &self.advertiser {
            add(&mut question.only, Column::advertiser(), false, id)?;
        }
        Ok(question)
    }
}

impl Asked {
    /// Everything of a range, by these.
    pub(super) fn whole(range: RangeOptions, by: &[&str]) -> Self {
        Self {
            rows: Rows::whole(range, by),
            ..Self::default()
        }
    }
}

impl Rows {
    /// Everything of a range, by these.
    pub(super) fn whole(range: RangeOptions, by: &[&str]) -> Self {
        Self {
            by: by.iter().map(|by| (*by).to_owned()).collect(),
            range,
            only: Only::default(),
        }
    }

    /// The same about postbacks, which have the date alone on which they were received.
    pub(super) fn of_postbacks(&self, by: &[&str], now: &Zoned) -> Result<Question, Failure> {
        self.question(Table::Postbacks, DateBy::Received, by, now)
    }

    /// The same about orders or statements: by time, advertiser or source, by the date of the order.
    pub(super) fn of_orders(&self, by: &[&str], now: &Zoned) -> Result<Question, Failure> {
        const USABLE: [&str; 6] = ["hour", "day", "week", "month", "advertiser", "source"];
        let question = self.question(Table::Conversions, DateBy::Occurred, by, now)?;
        let mut conditions = question.only.conditions().iter();
        if conditions.any(|condition| condition.column == Column::network()) {
            return Err(Failure::Usage(
                "--network, --where network: what your side knows is not chosen by the network\n  \
                 choose some by --source or --where; which accounts of networks a source of orders or statements \
                 is compared with, its compare_with says in the configuration"
                    .to_owned(),
            ));
        }
        match question
            .by
            .iter()
            .find(|by| !USABLE.contains(&by.name().as_str()))
        {
            None => Ok(question),
            Some(other) => Err(Failure::Usage(format!(
                "--by {} is nothing that both sides have\n  use {}, or nothing",
                other.name(),
                USABLE.join(", ")
            ))),
        }
    }

    /// The same about conversions by when the network processed them.
    pub(super) fn of_events(&self, by: &[&str], now: &Zoned) -> Result<Question, Failure> {
        let question = self.question(Table::Conversions, DateBy::Processed, by, now)?;
        Ok(super::frame::without_currency(question))
    }

    fn question(
        &self,
        table: Table,
        date_by: DateBy,
        by: &[&str],
        now: &Zoned,
    ) -> Result<Question, Failure> {
        let range = self.range.resolve(now)?;
        let mut question = Question::new(range.from, range.to, date_by, now.time_zone().clone());
        let given: Vec<&str> = self.by.iter().map(|name| name.trim()).collect();
        let names = if given.is_empty() { by } else { &given };
        for name in names.iter().filter(|name| **name != "nothing") {
            let dimension = dimension(table, name)?;
            if !question.by.contains(&dimension) {
                question.by.push(dimension);
            }
        }
        // An advertiser is shown with its network.
        if question.by.contains(&Dimension::Advertiser) {
            question.by.retain(|by| by.name() != "network");
        }
        question.only = self.only.filter(table)?;
        Ok(question)
    }
}

impl Only {
    /// The conditions of rows of `table`.
    pub(super) fn filter(&self, table: Table) -> Result<Filter, Failure> {
        let mut only = Filter::default();
        for text in &self.conditions {
            condition(&mut only, table, text)?;
        }
        let shorthands = [
            (Column::source(), &self.source),
            (Column::network(), &self.network),
        ];
        for (column, value) in shorthands {
            if let Some(value) = value {
                add(&mut only, column, false, value)?;
            }
        }
        Ok(only)
    }
}

fn dimension(table: Table, name: &str) -> Result<Dimension, Failure> {
    Dimension::of(table, name).ok_or_else(|| {
        let all = Dimension::all(table);
        Failure::Usage(format!(
            "--by {name:?} is nothing that rows can be of\n  {}",
            nearest::remedy(name, &all)
        ))
    })
}

/// Reads `COLUMN=VALUE` or `COLUMN!=VALUE`.
fn condition(only: &mut Filter, table: Table, text: &str) -> Result<(), Failure> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(Failure::Usage(format!(
            "--where {text:?} has no =\n  write COLUMN=VALUE, as status=pending, or COLUMN!=VALUE"
        )));
    };
    let (name, negated) = match name.strip_suffix('!') {
        Some(name) => (name.trim(), true),
        None => (name.trim(), false),
    };
    let Some(column) = Column::of(table, name) else {
        return Err(unknown_column(table, name));
    };
    add(only, column, negated, value)
}

fn unknown_column(table: Table, name: &str) -> Failure {
    let remedy = if matches!(name, "occurred_at" | "processed_at" | "received_at") {
        "times are chosen by --from, --to and --date-by".to_owned()
    } else if name == "template" {
        "a template is chosen by its marker: extra.pbt=2".to_owned()
    } else {
        nearest::remedy(name, &table.names().collect::<Vec<_>>())
    };
    let of = match table {
        Table::Conversions => "conversions",
        Table::Postbacks => "postbacks",
    };
    Failure::Usage(format!(
        "--where {name:?} is no column of {of} to choose by\n  {remedy}"
    ))
}

fn add(only: &mut Filter, column: Column, negated: bool, value: &str) -> Result<(), Failure> {
    let added = only.add(column, negated, value);
    added.map_err(|error| Failure::Usage(format!("--where: {error}\n  write one such as 12.50")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_column_comes_twice() {
        let now: Zoned = "2026-09-02T12:00:00[UTC]".parse().unwrap();
        for (by, names) in [
            ("network,advertiser", &["network", "advertiser"][..]),
            ("advertiser,network", &["network", "advertiser"]),
            ("day,network,day", &["day", "network"]),
        ] {
            let mut asked = Asked::default();
            asked.rows.by = by.split(',').map(str::to_owned).collect();
            assert_eq!(asked.question(&[], &now).unwrap().names(), names, "{by}");
        }
    }
}
