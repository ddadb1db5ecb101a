//! `[clickhouse]`

use serde::Serialize;

use super::fault::{Fault, FaultCode};
use super::section::Section;
use crate::place;
use crate::secret::Secret;

/// How to reach ClickHouse over HTTP.
#[derive(Debug, Clone, Serialize)]
pub struct ClickHouseSettings {
    /// `http://host:8123` or `https://host:8443`, without user and password.
    pub url: String,
    /// Database that `migrate` makes and everything lives in. Default `postback`.
    pub database: String,
    /// Default `default`.
    pub user: String,
    /// From `password` or `password_file`; `None` for a user without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Days that postbacks and conversions are kept: months that are wholly older are dropped.
    /// `None`: for ever. At least [`LEAST_KEEP_DAYS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
}

/// Fewest days that can be kept. Whole months are dropped, and the month in which a late reversal of
/// last month's sales comes is not over yet.
pub const LEAST_KEEP_DAYS: u32 = 62;

impl ClickHouseSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let url = section
            .text_unseen("url")
            .unwrap_or_else(|| "http://127.0.0.1:8123".to_owned());
        if let Err(problem) = plain_url(&url) {
            let remedy = "write http://host:8123 or https://host:8443, and give user and password by their own keys";
            // The value is not shown: it may hold a password.
            section.refuse(Fault::new(
                FaultCode::BadValue,
                "clickhouse.url",
                problem,
                remedy,
            ));
        }
        let database = section.checked(
            "database",
            "use letters, digits and _, not beginning with a digit",
            identifier,
        );
        let user = section.checked("user", "give the name as ClickHouse has it", |user| {
            sendable(user).map(|()| user.to_owned())
        });
        Self {
            url: url.trim_end_matches('/').to_owned(),
            database: database.unwrap_or_else(|| "postback".to_owned()),
            user: user.unwrap_or_else(|| "default".to_owned()),
            password: password(section),
            keep_days: section.optional_number("keep_days", LEAST_KEEP_DAYS..=36_500),
        }
    }
}

fn plain_url(url: &str) -> Result<(), &'static str> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let host = rest
        .ok_or("must begin with http:// or https://")?
        .trim_end_matches('/');
    if host.contains('@') {
        Err("must not hold user and password")
    } else if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
        Err("must be scheme, host and port only")
    } else {
        place::check(host).map_err(place::WrongPlace::words)
    }
}

fn password(section: &mut Section<'_>) -> Option<Secret> {
    let password = section.secret("password", "password_file")?;
    if let Err(problem) = sendable(password.expose()) {
        let remedy =
            "write the password alone; of a file the line ending at its end is no part of it";
        let key = "clickhouse.password";
        section.refuse(Fault::new(FaultCode::BadValue, key, problem, remedy));
    }
    Some(password)
}

/// User and password are sent in headers, which have one line.
fn sendable(text: &str) -> Result<(), &'static str> {
    if text.contains(|c: char| c.is_ascii_control() && c != '\t') {
        Err("has a line feed or another control character, which cannot be sent")
    } else {
        Ok(())
    }
}

/// Names that need no quoting in SQL, so that they read well in every query.
fn identifier(text: &str) -> Result<String, &'static str> {
    let body = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let begins_well = text
        .bytes()
        .next()
        .is_some_and(|b| body(b) && !b.is_ascii_digit());
    if begins_well && text.len() <= 64 && text.bytes().all(body) {
        Ok(text.to_owned())
    } else {
        Err("is no plain SQL name")
    }
}
