//! Secrets that the file holds, or that stand in files of their own.

use std::fmt;
use std::path::Path;

use toml::Value;

use super::fault::{Fault, FaultCode};
use super::section::{Found, Section, wrong_type};
use crate::secret::{HIDDEN, Secret};

impl Section<'_> {
    /// A text that is no secret, but stands where people paste one: refused without its value.
    pub(super) fn checked_unseen<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        remedy: &str,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let before = self.faults().len();
        let checked = self.checked(key, remedy, check);
        for fault in self.faults().iter_mut().skip(before) {
            fault.value = None;
        }
        checked
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
                    let problem = format!("{HIDDEN} is what is printed in place of a secret");
                    let fault =
                        Fault::new(FaultCode::BadValue, &found.key, problem, "give the secret");
                    self.refuse(fault);
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

/// Reads a secret's file. The line ending that editors add, Windows' included, is no part of it.
pub(super) fn read_secret(path: &Path, key: &str, faults: &mut Vec<Fault>) -> Option<Secret> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Some(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
        }
        Err(error) => {
            let remedy = "make the file readable for the user that this program runs as";
            let fault = Fault::new(FaultCode::UnreadableFile, key, error.to_string(), remedy);
            faults.push(fault.with_value(format_args!("{:?}", path.display().to_string())));
            None
        }
    }
}
