//! Secrets that the file holds, or that stand in files of their own.

use std::fmt;
use std::io;
use std::path::Path;

use toml::Value;

use super::fault::{Fault, FaultCode};
use super::section::{Found, Section, wrong_type};
use crate::secret::{HIDDEN, Secret};

impl Section<'_> {
    /// A text that is no secret, but stands where people paste one, such as a URL with a password
    /// in it: refused without its value.
    pub(super) fn checked_unseen<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        remedy: &str,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.unseen(|section| section.checked(key, remedy, check))
    }

    /// The same, unchecked.
    pub(super) fn text_unseen(&mut self, key: &'static str) -> Option<String> {
        self.unseen(|section| section.text(key))
    }

    fn unseen<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.faults().len();
        let found = read(self);
        for fault in self.faults().iter_mut().skip(before) {
            fault.value = None;
        }
        found
    }

    /// A secret from `key`, or from the file that `file_key` names.
    pub(super) fn secret(&mut self, key: &'static str, file_key: &'static str) -> Option<Secret> {
        let inline = self.find(key);
        let file = self.find(file_key);
        let (inline, file) = match (inline, file) {
            (Some(inline), Some(file)) => {
                let problem = format!("{} is given as well", inline.key);
                self.refuse(Fault::new(
                    FaultCode::Contradiction,
                    &file.key,
                    problem,
                    "give one of the two",
                ));
                return None;
            }
            either => either,
        };
        if let Some(found) = inline {
            return match found.value {
                Value::String(text) if text == HIDDEN => {
                    self.refuse(hidden_mark(&found.key));
                    None
                }
                Value::String(text) => Some(Secret::new(text)),
                _ => {
                    self.refuse(wrong_type(&found.key, "a text", "put it in quotes"));
                    None
                }
            };
        }
        let Found { key, value } = file?;
        let Value::String(path) = value else {
            self.refuse(wrong_type(&key, "a path", "put it in quotes"));
            return None;
        };
        read_secret(Path::new(&path), &key, self.faults())
    }
}

/// What was printed is not what was given.
pub(super) fn hidden_mark(key: &str) -> Fault {
    let problem = format!("{HIDDEN} is what is printed in place of a secret");
    Fault::new(FaultCode::BadValue, key, problem, "give the secret")
}

/// Reads a secret's file. The line ending that editors add, Windows' included, is no part of it, nor
/// is the mark of UTF-8 that some put before it.
/// A file without a secret is more likely one that was never filled than meant.
pub(super) fn read_secret(path: &Path, key: &str, faults: &mut Vec<Fault>) -> Option<Secret> {
    let read = std::fs::read_to_string(path);
    let read = read.map(|text| text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned());
    let fault = match read {
        Ok(text) if text.trim().is_empty() => Fault::new(
            FaultCode::BadValue,
            key,
            "the file is empty",
            "write the secret into the file, or remove the key",
        ),
        Ok(text) => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            return Some(Secret::new(text.strip_suffix('\r').unwrap_or(text)));
        }
        Err(error) if may_be_the_secret(path, &error) => {
            let problem =
                "a file that is not there; its name is not shown, for it may be the secret itself";
            let code = FaultCode::UnreadableFile;
            faults.push(Fault::new(code, key, problem, readable(&error)));
            return None;
        }
        Err(error) => Fault::new(
            FaultCode::UnreadableFile,
            key,
            error.to_string(),
            readable(&error),
        ),
    };
    faults.push(fault.with_value(format_args!("{:?}", path.display().to_string())));
    None
}

/// Whether what was given for the path of a secret's file is more likely the secret: nothing stands
/// there, and neither a root nor a folder begins it.
fn may_be_the_secret(path: &Path, error: &io::Error) -> bool {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            !path.is_absolute() && !folder.is_some_and(Path::is_dir)
        }
        // Too long for a name, or with a character that no name has.
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => true,
        _ => false,
    }
}

/// What makes the file readable.
fn readable(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => {
            "name a file that exists; relative paths start at the working directory"
        }
        io::ErrorKind::IsADirectory => "name the file itself, not the directory that it is in",
        io::ErrorKind::InvalidData => "write the secret into the file as plain text (UTF-8)",
        _ => "make the file readable for the user that this program runs as",
    }
}
