//! One table of the file, read key by key. What nobody asked for is unknown.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use toml::{Table, Value};

use super::environment::Environment;
use super::fault::{Fault, FaultCode};

/// A value and where it came from.
pub(super) struct Found {
    /// Key with section, or the name of the environment variable.
    pub(super) key: String,
    pub(super) value: Value,
}

/// One table. Each getter takes its key out; dropping the section reports the keys left over.
pub(super) struct Section<'a> {
    name: String,
    table: Table,
    environment: Option<(&'a str, &'a mut Environment)>,
    faults: &'a mut Vec<Fault>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// A top-level table, overridable from the environment. An absent one is an empty one.
    pub(super) fn open(
        name: &'a str,
        root: &mut Table,
        environment: &'a mut Environment,
        faults: &'a mut Vec<Fault>,
    ) -> Self {
        let table = match root.remove(name) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                faults.push(wrong_type(
                    name,
                    "a table",
                    &format!("write it as [{name}]"),
                ));
                Table::new()
            }
        };
        Self {
            name: name.to_owned(),
            table,
            environment: Some((name, environment)),
            faults,
            asked: Vec::new(),
        }
    }

    /// A table below another, or of an array; `name` is how messages call it.
    pub(super) fn nested(name: String, table: Table, faults: &'a mut Vec<Fault>) -> Self {
        Self {
            name,
            table,
            environment: None,
            faults,
            asked: Vec::new(),
        }
    }

    /// The same, overridable from the environment as the section of that name.
    pub(super) fn overridable(
        name: String,
        table: Table,
        environment: (&'a str, &'a mut Environment),
        faults: &'a mut Vec<Fault>,
    ) -> Self {
        let mut section = Self::nested(name, table, faults);
        section.environment = Some(environment);
        section
    }

    /// The table `key` of this one, overridable from the environment as the section
    /// `environment_name`. `None` if neither the file nor the environment has it.
    pub(super) fn below(
        &mut self,
        key: &'static str,
        environment_name: &'static str,
    ) -> Option<Section<'_>> {
        self.asked.push(key);
        let in_environment = (self.environment.as_ref())
            .is_some_and(|(_, variables)| variables.has_section(environment_name));
        let name = self.key(key);
        let table = match self.table.remove(key) {
            None if !in_environment => return None,
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.refuse(wrong_type(
                    &name,
                    "a table",
                    &format!("write it as [{name}]"),
                ));
                return None;
            }
        };
        let environment = self.environment.as_mut();
        Some(Section {
            name,
            table,
            environment: environment.map(|(_, variables)| (environment_name, &mut **variables)),
            faults: self.faults,
            asked: Vec::new(),
        })
    }

    /// How messages call a key of this table.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    pub(super) fn refuse(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(super) fn faults(&mut self) -> &mut Vec<Fault> {
        self.faults
    }

    pub(super) fn find(&mut self, key: &'static str) -> Option<Found> {
        self.asked.push(key);
        let in_file = self.table.remove(key);
        let overridden = self
            .environment
            .as_mut()
            .and_then(|(section, vars)| vars.take(section, key));
        match overridden {
            Some((variable, text)) => Some(Found {
                key: variable,
                value: Value::String(text),
            }),
            None => in_file.map(|value| Found {
                key: self.key(key),
                value,
            }),
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.find(key)? {
            Found {
                value: Value::String(text),
                ..
            } => Some(text),
            Found { key, value } => {
                self.refuse(wrong_type(&key, "a text", "put it in quotes").with_value(value));
                None
            }
        }
    }

    /// A text that parses to `T`; its error is the problem, `remedy` what to do.
    pub(super) fn parsed<T>(&mut self, key: &'static str, remedy: &str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        self.checked(key, remedy, str::parse::<T>)
    }

    /// A text that passes `check`.
    pub(super) fn checked<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        remedy: &str,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.find(key)? {
            Found {
                key,
                value: Value::String(text),
            } => match check(&text) {
                Ok(value) => Some(value),
                Err(problem) => {
                    let fault = Fault::new(FaultCode::BadValue, &key, problem.to_string(), remedy);
                    self.refuse(fault.with_value(format_args!("{text:?}")));
                    None
                }
            },
            Found { key, value } => {
                self.refuse(wrong_type(&key, "a text", "put it in quotes").with_value(value));
                None
            }
        }
    }

    /// A whole number within bounds, or the default.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> T
    where
        T: TryFrom<u64> + PartialOrd + fmt::Display,
    {
        self.optional_number(key, bounds).unwrap_or(default)
    }

    /// A whole number within bounds.
    pub(super) fn optional_number<T>(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: TryFrom<u64> + PartialOrd + fmt::Display,
    {
        let Found { key, value } = self.find(key)?;
        let number = match &value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.and_then(|number| T::try_from(number).ok());
        if let Some(number) = number.filter(|number| bounds.contains(number)) {
            return Some(number);
        }
        let problem = format!(
            "must be a whole number from {} to {}",
            bounds.start(),
            bounds.end()
        );
        self.refuse(
            Fault::new(
                FaultCode::BadValue,
                &key,
                problem,
                "give a number in that range",
            )
            .with_value(value),
        );
        None
    }

    /// `true` or `false`, or the default. An environment variable has them as a text.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(Found { key, value }) = self.find(key) else {
            return default;
        };
        let flag = match &value {
            Value::Boolean(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        flag.unwrap_or_else(|| {
            let remedy = "write true or false, in small letters";
            self.refuse(wrong_type(&key, "true or false", remedy).with_value(value));
            default
        })
    }

    /// A list of texts. A single text is split at commas, as in an environment variable.
    pub(super) fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let Found { key, value } = self.find(key)?;
        let split = |text: &str| {
            text.split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect()
        };
        let texts = match &value {
            Value::String(text) => Some(split(text)),
            Value::Array(values) => values
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        if texts.is_none() {
            self.refuse(
                wrong_type(
                    &key,
                    "a list of texts",
                    "write it as [\"a\", \"b\"] or \"a,b\"",
                )
                .with_value(value),
            );
        }
        texts
    }

    /// A whole sub-table of texts, such as `[kafka.options]`, with its environment variables:
    /// (how messages call it, key, value).
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<(String, String, String)> {
        self.asked.push(key);
        let table = match self.table.remove(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.refuse(wrong_type(
                    &self.key(key),
                    "a table",
                    &format!("write it as [{}]", self.key(key)),
                ));
                Table::new()
            }
        };
        let mut texts = Vec::new();
        for (option, value) in table {
            let name = format!("{}.{key}.\"{option}\"", self.name);
            match value {
                Value::String(text) => texts.push((name, option, text)),
                Value::Integer(_) | Value::Boolean(_) => {
                    texts.push((name, option, value.to_string()));
                }
                _ => self.refuse(wrong_type(
                    &name,
                    "a text, a number or true or false",
                    "see librdkafka's CONFIGURATION.md",
                )),
            }
        }
        if let Some((section, variables)) = &mut self.environment {
            for overriding in variables.take_table(section, key) {
                texts.retain(|(_, option, _)| *option != overriding.1);
                texts.push(overriding);
            }
        }
        texts
    }

    /// An array of tables, such as `[[source.key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Table> {
        self.asked.push(key);
        match self.table.remove(key) {
            None => Vec::new(),
            Some(value) => tables(value).unwrap_or_else(|| {
                self.refuse(wrong_type(
                    &self.key(key),
                    "an array of tables",
                    &format!("write it as [[{}]]", self.key(key)),
                ));
                Vec::new()
            }),
        }
    }

    /// Reports a key that must be there and is not. Call it before the getter.
    pub(super) fn require(&mut self, key: &str, remedy: &str) {
        if !self.table.contains_key(key) {
            self.missing(key, remedy);
        }
    }

    /// Reports that nothing usable was given for a key.
    pub(super) fn missing(&mut self, key: &str, remedy: &str) {
        let key = self.key(key);
        self.refuse(Fault::new(
            FaultCode::Missing,
            &key,
            "must be given",
            remedy,
        ));
    }
}

impl Drop for Section<'_> {
    /// Whatever was not asked for is unknown.
    fn drop(&mut self) {
        for key in self.table.keys() {
            self.faults.push(Fault::unknown(
                &format!("{}.{key}", self.name),
                key,
                &self.asked,
            ));
        }
    }
}

/// The tables of an array of tables, or a single table.
pub(super) fn tables(value: Value) -> Option<Vec<Table>> {
    match value {
        Value::Array(values) => values
            .into_iter()
            .map(|value| match value {
                Value::Table(table) => Some(table),
                _ => None,
            })
            .collect(),
        Value::Table(table) => Some(vec![table]),
        _ => None,
    }
}

pub(super) fn wrong_type(key: &str, wanted: &str, remedy: &str) -> Fault {
    Fault::new(
        FaultCode::WrongType,
        key,
        format!("must be {wanted}"),
        remedy,
    )
}
