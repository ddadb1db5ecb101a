//! Which rows alone.

use clickhouse::query::Query;

use super::column::{Column, Form, Place, Table};

/// A column's value is one of some, or none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The column.
    pub column: Column,
    /// True where the value must be none of them.
    pub negated: bool,
    /// Texts; the empty one means that the value is missing.
    pub values: Vec<String>,
}

/// Conditions that all must hold; none is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter(Vec<Condition>);

/// A column can have no such value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column} is a number, and {value:?} is none")]
pub struct ValueError {
    /// The column.
    pub column: String,
    /// The value.
    pub value: String,
}

impl Filter {
    /// Adds that `column` has that value, or has not; values of one column that are added one after
    /// the other stand beside each other: any of them, or none of them.
    ///
    /// # Errors
    /// [`ValueError`] where the column is of numbers and the value is none.
    pub fn add(&mut self, column: Column, negated: bool, value: &str) -> Result<(), ValueError> {
        if matches!(column.0, Place::Plain(_, Form::Decimal)) && !is_decimal(value) {
            let (column, value) = (column.to_string(), value.to_owned());
            return Err(ValueError { column, value });
        }
        let same = |known: &&mut Condition| known.column == column && known.negated == negated;
        match self.0.iter_mut().find(same) {
            Some(known) => known.values.push(value.to_owned()),
            None => self.0.push(Condition {
                column,
                negated,
                values: vec![value.to_owned()],
            }),
        }
        Ok(())
    }

    /// Whether every row is meant.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The conditions, in the order in which they were added first.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }

    /// The conditions of one column alone, and all others.
    pub(in crate::reports) fn split(self, column: &Column) -> (Self, Self) {
        let (of, others) = self.0.into_iter().partition(|one| one.column == *column);
        (Self(of), Self(others))
    }

    /// Those of them that say something of postbacks, too.
    pub(in crate::reports) fn of_postbacks(&self) -> Self {
        let of_both = |one: &&Condition| {
            let column = Column::of(Table::Postbacks, &one.column.to_string());
            column.as_ref() == Some(&one.column)
        };
        Self(self.0.iter().filter(of_both).cloned().collect())
    }

    pub(in crate::reports) fn sql(&self) -> String {
        self.sql_behind(0)
    }

    /// The same for a query that has so many conditions already.
    pub(in crate::reports) fn sql_behind(&self, others: usize) -> String {
        let conditions = (others..).zip(&self.0);
        let conditions = conditions.map(|(index, condition)| condition.sql(index));
        let all: Vec<String> = std::iter::once("true".to_owned())
            .chain(conditions)
            .collect();
        all.join(" AND ")
    }

    pub(in crate::reports) fn bind(&self, query: Query) -> Query {
        self.bind_behind(0, query)
    }

    /// The same for a query that has so many conditions already.
    pub(in crate::reports) fn bind_behind(&self, others: usize, query: Query) -> Query {
        let conditions = (others..).zip(&self.0);
        conditions.fold(query, |query, (index, condition)| {
            let query = query.param(&format!("only{index}"), condition.values.clone());
            match condition.column.key() {
                Some(key) => query.param(&format!("only{index}_key"), key),
                None => query,
            }
        })
    }
}

impl Condition {
    fn sql(&self, index: usize) -> String {
        let values = format!("{{only{index}:Array(String)}}");
        let key = format!("only{index}_key");
        let holds = match &self.column.0 {
            Place::Plain(name, Form::Text) => format!("{name} IN {values}"),
            Place::Plain(name, Form::Printed) => format!("toString({name}) IN {values}"),
            Place::Plain(name, Form::Decimal) => {
                format!("has(arrayMap(v -> toDecimal64OrNull(v, 4), {values}), {name})")
            }
            Place::Plain(name, Form::Texts) => {
                let texts = format!("arrayMap(t -> toString(t), {name})");
                format!("hasAny(if(empty({name}), [''], {texts}), {values})")
            }
            Place::SubId(_) => format!("sub_ids[{{{key}:String}}] IN {values}"),
            Place::Extra(_) => {
                let texts = format!("extra[{{{key}:String}}]");
                format!("hasAny(if(empty({texts}), [''], {texts}), {values})")
            }
        };
        let not = if self.negated { "NOT " } else { "" };
        format!("{not}({holds})")
    }
}

/// An empty one means that there is none.
fn is_decimal(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match digits.split_once('.') {
        Some((whole, places)) => {
            whole.len() <= 14 && plain(whole) && plain(places) && (1..=4).contains(&places.len())
        }
        None => digits.len() <= 14 && plain(digits) && (!digits.is_empty() || value.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;

    fn column(name: &str) -> Column {
        Column::of(Table::Conversions, name).unwrap()
    }

    #[test]
    fn values_of_one_column_stand_beside_each_other() {
        let mut only = Filter::default();
        for (name, negated, value) in [
            ("status", false, "pending"),
            ("status", false, "approved"),
            ("source", true, "test"),
        ] {
            only.add(column(name), negated, value).unwrap();
        }
        assert_eq!(only.conditions().len(), 2);
        assert_eq!(only.conditions()[0].values, ["pending", "approved"]);
        assert_eq!(
            only.sql(),
            "true AND (status IN {only0:Array(String)}) AND NOT (source IN {only1:Array(String)})"
        );
    }

    #[test]
    fn conditions_of_one_column_stand_behind_the_others() {
        let mut only = Filter::default();
        for (name, value) in [("flags", "zero_amount"), ("source", "us"), ("flags", "")] {
            only.add(column(name), false, value).unwrap();
        }
        let (flags, others) = only.split(&column("flag"));
        assert_eq!(flags.conditions()[0].values, ["zero_amount", ""]);
        let expected = "true AND (source IN {only0:Array(String)})";
        assert_eq!(others.sql(), expected);
        assert!(flags.sql_behind(1).contains("{only1:Array(String)}"));
    }

    #[test]
    fn conditions_on_what_only_conversions_have_say_nothing_of_postbacks() {
        let mut only = Filter::default();
        for (name, value) in [("order", "O-1"), ("source", "us"), ("sub_ids.a", "b")] {
            only.add(column(name), false, value).unwrap();
        }
        let expected = "true AND (source IN {only0:Array(String)})";
        assert_eq!(only.of_postbacks().sql(), expected);
        assert_eq!(only.of_postbacks().conditions()[0].values, ["us"]);
    }

    #[test]
    fn no_value_and_no_key_stands_in_the_text_of_a_query() {
        let mut only = Filter::default();
        only.add(column("extra.CANARY"), false, "CANARY").unwrap();
        only.add(column("sub_ids.CANARY"), true, "CANARY").unwrap();
        assert!(!only.sql().contains("CANARY"), "{}", only.sql());
    }

    #[test]
    fn numbers_are_checked() {
        let mut only = Filter::default();
        for good in ["", "0", "-12.5", "+1", "100.0001"] {
            only.add(column("sale_amount"), false, good).unwrap();
        }
        for bad in ["abc", "1,5", "1.", "1.23456", "-", "1e3", " 1"] {
            let error = only.add(column("sale_amount"), false, bad).unwrap_err();
            assert_eq!(error.value, bad);
        }
    }
}
