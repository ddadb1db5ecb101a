//! Columns that a report can choose rows by and group them by.

use std::fmt;

/// The table that a report asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// One row per conversion.
    Conversions,
    /// One row per received postback.
    Postbacks,
}

impl Table {
    const fn known(self) -> &'static [Known] {
        match self {
            Self::Conversions => CONVERSIONS,
            Self::Postbacks => POSTBACKS,
        }
    }

    /// Names of the columns that [`Column::of`] knows, `sub_ids.NAME` and `extra.NAME` included.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let maps = match self {
            Self::Conversions => ["sub_ids.NAME", "extra.NAME"].as_slice(),
            Self::Postbacks => &[],
        };
        self.known()
            .iter()
            .map(|known| known.0)
            .chain(maps.iter().copied())
    }
}

/// How a column's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// A UUID or a date.
    Printed,
    /// A decimal, or NULL.
    Decimal,
    /// An array of texts.
    Texts,
}

/// Name, another one that people write, form.
type Known = (&'static str, &'static str, Form);

const CONVERSIONS: &[Known] = &[
    ("source", "", Form::Text),
    ("network", "", Form::Text),
    ("account", "", Form::Text),
    ("kind", "", Form::Text),
    ("status", "", Form::Text),
    ("transaction_id", "transaction", Form::Text),
    ("order_id", "order", Form::Text),
    ("click_id", "click", Form::Text),
    ("advertiser_id", "advertiser", Form::Text),
    ("publisher_id", "publisher", Form::Text),
    ("offer_id", "offer", Form::Text),
    ("sku", "", Form::Text),
    ("product_name", "product", Form::Text),
    ("currency", "", Form::Text),
    ("commission_currency", "", Form::Text),
    ("quantity", "", Form::Decimal),
    ("sale_amount", "sale", Form::Decimal),
    ("commission", "", Form::Decimal),
    ("flags", "flag", Form::Texts),
    ("key_day", "", Form::Printed),
    ("conversion_key", "", Form::Printed),
    ("postback_id", "", Form::Printed),
];

const POSTBACKS: &[Known] = &[
    ("source", "", Form::Text),
    ("network", "", Form::Text),
    ("account", "", Form::Text),
    ("via", "", Form::Text),
    ("outcome", "", Form::Text),
    ("reasons", "reason", Form::Texts),
    ("remote", "", Form::Text),
];

/// What rows are grouped by, as the server has it: texts are made of the few values that are left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) sql: String,
    /// The text of the value that stands for `{}`.
    pub(super) text: &'static str,
}

impl Value {
    pub(super) const fn printed(sql: String) -> Self {
        let text = "toString({})";
        Self { sql, text }
    }

    /// Rows of the range before, where that is read along, all have one and the same value.
    pub(super) fn in_own_range(&mut self) {
        let sql = &self.sql;
        self.sql = format!("if({{is_now}} = 1, {sql}, defaultValueOfArgumentType({sql}))");
    }
}

/// A column, or one key of a column that is a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column(pub(super) Place);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Plain(&'static str, Form),
    /// Of the publisher's further ids.
    SubId(String),
    /// Of the parameters that no column took; each can have several values.
    Extra(String),
}

impl Column {
    /// The column of that name; `None` where the table has none that can be chosen by.
    #[must_use]
    pub fn of(table: Table, name: &str) -> Option<Self> {
        if table == Table::Conversions {
            let key = |map: &str| name.strip_prefix(map).filter(|key| !key.is_empty());
            if let Some(key) = key("sub_ids.") {
                return Some(Self(Place::SubId(key.to_owned())));
            }
            if let Some(key) = key("extra.") {
                return Some(Self(Place::Extra(key.to_owned())));
            }
        }
        let known = table.known().iter();
        let mut found =
            known.filter(|known| known.0 == name || (known.1 == name && !name.is_empty()));
        found
            .next()
            .map(|known| Self(Place::Plain(known.0, known.2)))
    }

    /// The column that names the source.
    #[must_use]
    pub const fn source() -> Self {
        Self(Place::Plain("source", Form::Text))
    }

    /// The column that names the network.
    #[must_use]
    pub const fn network() -> Self {
        Self(Place::Plain("network", Form::Text))
    }

    /// The column that has the network's id of the advertiser.
    #[must_use]
    pub const fn advertiser() -> Self {
        Self(Place::Plain("advertiser_id", Form::Text))
    }

    /// A value for each row and the text that it is shown by, empty where the row has none; the key of
    /// a map is the parameter `key`. `None` where a row can have several.
    pub(super) fn value(&self, key: &str) -> Option<Value> {
        Some(match &self.0 {
            Place::Plain(name, Form::Text | Form::Printed) => Value::printed((*name).to_owned()),
            Place::Plain(name, Form::Decimal) => Value {
                sql: (*name).to_owned(),
                text: "ifNull(toString({}), '')",
            },
            Place::Plain(_, Form::Texts) => return None,
            Place::SubId(_) => Value::printed(format!("sub_ids[{{{key}:String}}]")),
            Place::Extra(_) => Value::printed(format!("extra[{{{key}:String}}][1]")),
        })
    }

    /// The key of a map.
    pub(super) fn key(&self) -> Option<&str> {
        match &self.0 {
            Place::Plain(..) => None,
            Place::SubId(key) | Place::Extra(key) => Some(key),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Plain(name, _) => f.write_str(name),
            Place::SubId(key) => write!(f, "sub_ids.{key}"),
            Place::Extra(key) => write!(f, "extra.{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_the_names_that_people_write() {
        let name = |text| Column::of(Table::Conversions, text).map(|found| found.to_string());
        assert_eq!(name("advertiser").as_deref(), Some("advertiser_id"));
        assert_eq!(name("order_id").as_deref(), Some("order_id"));
        assert_eq!(
            name("sub_ids.campaign").as_deref(),
            Some("sub_ids.campaign")
        );
        assert_eq!(name("extra.a.b").as_deref(), Some("extra.a.b"));
        for unknown in [
            "", "sub_ids.", "extra.", "sub_ids", "revision", "via", "SOURCE",
        ] {
            assert_eq!(name(unknown), None, "{unknown}");
        }
        assert!(Column::of(Table::Postbacks, "via").is_some());
        assert!(Column::of(Table::Postbacks, "extra.a").is_none());
    }

    #[test]
    fn every_column_is_one_of_its_table() {
        let conversions = include_str!("../../../../schemas/clickhouse/generation/conversions.sql");
        let postbacks = include_str!("../../../../schemas/clickhouse/generation/postbacks.sql");
        for (table, sql) in [
            (Table::Conversions, conversions),
            (Table::Postbacks, postbacks),
        ] {
            for known in table.known() {
                assert!(sql.contains(&format!("\n    {} ", known.0)), "{}", known.0);
            }
        }
    }
}
