//! What is wrong with a configuration, in words and in tags.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The kind of a [`Fault`], for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// No such key.
    UnknownKey,
    /// The key must be given.
    Missing,
    /// Not of the right type.
    WrongType,
    /// Of the right type, but not acceptable.
    BadValue,
    /// Good by itself, but it contradicts another setting.
    Contradiction,
    /// A file that the setting names cannot be read.
    UnreadableFile,
}

impl FaultCode {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown_key",
            Self::Missing => "missing",
            Self::WrongType => "wrong_type",
            Self::BadValue => "bad_value",
            Self::Contradiction => "contradiction",
            Self::UnreadableFile => "unreadable_file",
        }
    }
}

/// One refused setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind.
    pub code: FaultCode,
    /// The key with its section, or the environment variable that set it.
    pub key: String,
    /// The value as it would stand in the file; `None` where it is, or could be, a secret.
    pub value: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// A fault without a value.
    pub fn new(
        code: FaultCode,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            code,
            key: key.to_owned(),
            value: None,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The same, showing the value.
    #[must_use]
    pub fn with_value(mut self, value: impl fmt::Display) -> Self {
        self.value = Some(value.to_string());
        self
    }

    /// A key nobody knows. Its value is not shown: it may be a misspelt secret.
    pub(super) fn unknown(key: &str, last_part: &str, known: &[&str]) -> Self {
        let distance = |candidate: &&&str| strsim::damerau_levenshtein(last_part, candidate);
        let near = known
            .iter()
            .min_by_key(distance)
            .filter(|near| distance(near) <= 1 + last_part.len() / 3);
        let remedy = match near {
            Some(near) => format!("did you mean `{near}`? Otherwise remove it"),
            None if known.is_empty() => "remove it".to_owned(),
            None => format!("remove it, or use one of: {}", known.join(", ")),
        };
        Self::new(
            FaultCode::UnknownKey,
            key,
            "there is no such setting",
            remedy,
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(
            f,
            ": {} [{}]\n    remedy: {}",
            self.problem,
            self.code.as_str(),
            self.remedy
        )
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {problem}\n    remedy: name the file with --config, or copy postback.example.toml to {}", file.display(), super::DEFAULT_FILE)]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's words.
        problem: String,
    },
    /// The file is no text. The line is not shown: it may hold a secret.
    #[error("{}: line {line} is not UTF-8\n    remedy: save the file as UTF-8", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
        /// The first such line, from 1.
        line: usize,
    },
    /// The file is no TOML. The text names the place, never quotes the line: it may hold a secret.
    #[error("{}: no valid TOML at line {line}, column {column}: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// The parser's words.
        problem: String,
    },
    /// Settings that cannot be.
    #[error("{}: {} refused{}", file.display(), count(faults.len()), listed(faults))]
    Refused {
        /// The file.
        file: PathBuf,
        /// At least one.
        faults: Vec<Fault>,
    },
}

impl ConfigError {
    /// Refuses the settings of `file`; for checks that another crate adds.
    #[must_use]
    pub fn refused(file: &Path, faults: Vec<Fault>) -> Self {
        Self::Refused {
            file: file.to_owned(),
            faults,
        }
    }

    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        Self::Unreadable {
            file: file.to_owned(),
            problem: error.to_string(),
        }
    }

    /// The bytes of the file as its text.
    pub(super) fn utf8(file: &Path, bytes: Vec<u8>) -> Result<String, Self> {
        String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            Self::NotUtf8 {
                file: file.to_owned(),
                line: good.iter().filter(|byte| **byte == b'\n').count() + 1,
            }
        })
    }

    pub(super) fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let before = error
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self::Syntax {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            // Only the first line, and no quoted input: the parser quotes keys and characters.
            problem: error
                .message()
                .lines()
                .next()
                .unwrap_or("unreadable")
                .to_owned(),
        }
    }
}

fn count(faults: usize) -> String {
    if faults == 1 {
        "1 setting is".to_owned()
    } else {
        format!("{faults} settings are")
    }
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}
