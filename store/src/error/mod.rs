//! What ClickHouse answers when it does not do what it was asked, and what follows from it.

mod codes;

use std::borrow::Cow;
use std::fmt;

use clickhouse::error::Error as ClientError;
use postback_common::causes::with_causes;
use postback_common::terminal::steers;

pub(crate) use codes::{READONLY, SETTING_CONSTRAINT_VIOLATION};
use codes::{kind_of_code, meanwhile, remedy};

/// What kind of trouble it is, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The server cannot be reached, does not answer in time, or is going down. Trying again helps.
    Outage,
    /// The server is there but takes nothing now: too many parts or queries, a full disk,
    /// read-only. Trying again, more slowly, helps; fewer rows at once do not.
    Pressure,
    /// Too much at once for the server's memory, or for a limit of the server or of a proxy before
    /// it. Fewer rows at once help.
    TooLarge,
    /// User, password, grants, database or tables are not as they must be. Trying again helps once
    /// a person has mended it; the rows are not to blame.
    Setup,
    /// The server refuses a value of these rows, or this statement. Trying again changes nothing by
    /// itself.
    Data,
    /// The server answers with a code of which this version does not know whether the rows are to
    /// blame.
    Unknown,
    /// The database holds something that contradicts the configuration.
    Contradiction,
}

impl Kind {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Pressure => "pressure",
            Self::TooLarge => "too_large",
            Self::Setup => "setup",
            Self::Data => "data",
            Self::Unknown => "unknown",
            Self::Contradiction => "contradiction",
        }
    }

    /// True where the same attempt can succeed later, whatever the rows are.
    #[must_use]
    pub const fn passes_with_time(self) -> bool {
        matches!(
            self,
            Self::Outage | Self::Pressure | Self::TooLarge | Self::Setup
        )
    }
}

/// ClickHouse did not do what it was asked.
///
/// Prints what was tried, the server's code and words (one line, cut to [`MAX_MESSAGE`] characters),
/// and the remedy. Holds no password: the client sends it in a header, which no message repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// What kind of trouble it is.
    pub kind: Kind,
    /// The server's error code (`system.errors.code`); `None` where it did not answer with one.
    pub code: Option<u32>,
    /// What was tried: `"insert into conversions_g1"`.
    pub attempt: String,
    /// What went wrong, in the server's or the client's words.
    pub message: String,
    /// What to do.
    pub remedy: Cow<'static, str>,
}

/// Longest message kept, in characters. ClickHouse quotes values, and a value can be 64 KiB.
pub const MAX_MESSAGE: usize = 600;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} [{}",
            self.attempt,
            self.message,
            self.kind.as_str()
        )?;
        if let Some(code) = self.code {
            write!(f, ", ClickHouse code {code}")?;
        }
        write!(f, "]\n    remedy: {}", self.remedy)
    }
}

impl std::error::Error for StoreError {}

impl StoreError {
    /// An error that is found by this crate rather than by the server.
    pub fn own(
        kind: Kind,
        attempt: &str,
        message: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind,
            code: None,
            attempt: attempt.to_owned(),
            message: cut(message.into()),
            remedy: remedy.into(),
        }
    }

    /// The remedy, and what a loader, which waits, does by itself meanwhile. A command does not.
    #[must_use]
    pub fn loaders_remedy(&self) -> String {
        let meanwhile = meanwhile(self.kind).map(|what| format!("; {what}"));
        format!("{}{}", self.remedy, meanwhile.unwrap_or_default())
    }

    /// No answer within the time.
    pub(crate) fn timed_out(attempt: &str, within: std::time::Duration) -> Self {
        let message = format!("no answer within {} s", within.as_secs());
        Self::own(Kind::Outage, attempt, message, remedy(Kind::Outage, None))
    }

    /// Classifies what the client library reports.
    pub(crate) fn from_client(attempt: &str, error: &ClientError) -> Self {
        let (kind, code, message) = match error {
            ClientError::BadResponse(answer) => match error_code(answer) {
                Some(code) => (kind_of_code(code), Some(code), server_words(answer)),
                None => (kind_of_answer(answer), None, answer.clone()),
            },
            ClientError::Network(_) | ClientError::TimedOut => {
                (Kind::Outage, None, with_causes(error))
            }
            ClientError::SchemaMismatch(_) => (Kind::Setup, None, error.to_string()),
            // A value that the column's type cannot hold: our own serialisers say so.
            ClientError::Custom(_) => (Kind::Data, None, error.to_string()),
            _ => (Kind::Unknown, None, with_causes(error)),
        };
        Self {
            kind,
            code,
            attempt: attempt.to_owned(),
            message: cut(message),
            remedy: remedy(kind, code).into(),
        }
    }
}

/// The number in `Code: 241. DB::Exception: …`, which begins every answer of a failed query.
fn error_code(answer: &str) -> Option<u32> {
    let rest = answer.trim_start().strip_prefix("Code:")?.trim_start();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

/// The words after the code, without the version at their end.
fn server_words(answer: &str) -> String {
    let words = answer
        .split_once("Exception:")
        .map_or(answer, |(_, words)| words);
    let words = words
        .rsplit_once("(version ")
        .map_or(words, |(words, _)| words);
    words.trim().to_owned()
}

/// An answer without a code comes from something between us and the server, or from a server that
/// ran out of words: by its HTTP status.
fn kind_of_answer(answer: &str) -> Kind {
    match http_status(answer) {
        Some("401" | "403" | "404" | "407") => Kind::Setup,
        Some("413") => Kind::TooLarge,
        Some("429") => Kind::Pressure,
        _ => Kind::Outage,
    }
}

/// The status that an answer names: where its body was empty the client library says it, and a
/// proxy's page has it as its title.
fn http_status(answer: &str) -> Option<&str> {
    let words = answer
        .split_once("<title>")
        .map_or(answer, |(_, words)| words);
    words.get(..3)
}

/// At most [`MAX_MESSAGE`] characters, in one line. ClickHouse quotes values as a sender wrote them, and
/// a terminal obeys what it is shown.
fn cut(message: String) -> String {
    let mut message = match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    };
    if message.contains(steers) {
        message = message.chars().map(harmless).collect();
    }
    message
}

fn harmless(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' => ' ',
        _ if steers(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answer: &str) -> StoreError {
        StoreError::from_client(
            "insert into t",
            &ClientError::BadResponse(answer.to_owned()),
        )
    }

    #[test]
    fn the_code_is_a_number_and_the_words_are_kept() {
        let error = answered(
            "Code: 241. DB::Exception: Memory limit (total) exceeded: would use 2 GiB. (MEMORY_LIMIT_EXCEEDED) (version 26.7.3.1 (official build))",
        );
        assert_eq!((error.kind, error.code), (Kind::TooLarge, Some(241)));
        assert_eq!(
            error.message,
            "Memory limit (total) exceeded: would use 2 GiB. (MEMORY_LIMIT_EXCEEDED)"
        );
    }

    #[test]
    fn a_code_is_read_only_where_it_stands() {
        assert_eq!(error_code("Code: 60"), Some(60));
        assert_eq!(
            error_code("Code: 469. DB::Exception: the value is 'Code: 241'"),
            Some(469)
        );
        for no_code in [
            "",
            "Code:",
            "Code: x",
            "502 Bad Gateway",
            "the text says Code: 5",
        ] {
            assert_eq!(error_code(no_code), None, "{no_code}");
        }
    }

    #[test]
    fn each_kind_by_its_codes() {
        for (kind, codes) in [
            (Kind::Outage, &[159, 209, 210, 236, 394][..]),
            (Kind::Pressure, &[164, 202, 204, 242, 243, 252]),
            (Kind::TooLarge, &[158, 173, 241, 307]),
            (Kind::Setup, &[16, 60, 81, 497, 516]),
            (Kind::Data, &[6, 27, 53, 69, 117, 321, 349, 395, 407, 469]),
            // CANNOT_READ_ALL_DATA: a row of ours, or a connection that was cut.
            (Kind::Unknown, &[33, 49, 1002, 100_000]),
        ] {
            for code in codes {
                let error = answered(&format!("Code: {code}. DB::Exception: words"));
                assert_eq!((error.kind, error.code), (kind, Some(*code)));
            }
        }
    }

    #[test]
    fn only_a_loader_says_what_it_does_meanwhile() {
        for (code, meanwhile) in [
            (241, "smaller batches are tried meanwhile"),
            (252, "it is tried again"),
            (210, "it is tried again"),
            (452, "it is tried again"),
            (100_000, "it is tried again"),
        ] {
            let error = answered(&format!("Code: {code}. DB::Exception: words"));
            assert!(!error.remedy.contains("tried"), "{error}");
            let expected = format!("{}; {meanwhile}", error.remedy);
            assert_eq!(error.loaders_remedy(), expected);
        }
        let refused = answered("Code: 469. DB::Exception: words");
        assert_eq!(refused.loaders_remedy(), refused.remedy);
    }

    #[test]
    fn a_setting_that_is_not_allowed_is_no_matter_of_tables() {
        for code in [452, 472] {
            let error = answered(&format!("Code: {code}. DB::Exception: words"));
            assert_eq!(error.kind, Kind::Setup);
            assert!(
                error.remedy.contains("profile allow the setting"),
                "{error}"
            );
        }
    }

    #[test]
    fn answers_without_a_code_are_outages_unless_their_status_says_more() {
        assert_eq!(answered("502 Bad Gateway").kind, Kind::Outage);
        assert_eq!(answered("<html>upstream is away</html>").kind, Kind::Outage);
        assert_eq!(answered("429 Too Many Requests").kind, Kind::Pressure);
        assert_eq!(answered("403 Forbidden").kind, Kind::Setup);
        assert_eq!(answered("413 Payload Too Large").kind, Kind::TooLarge);
        let page = "<html>\r\n<head><title>413 Request Entity Too Large</title></head>";
        assert_eq!(answered(page).kind, Kind::TooLarge);
        assert_eq!(answered("").kind, Kind::Outage);
    }

    #[test]
    fn long_words_are_cut_at_a_character() {
        let error = answered(&format!("Code: 6. DB::Exception: {}", "ä".repeat(70_000)));
        assert_eq!(error.message.chars().count(), MAX_MESSAGE + 1);
        assert!(error.message.ends_with('…'));
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_in_one_line_and_not_obeyed() {
        let words =
            "Cannot parse '\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}': \n\tRow 1:\r\nok \0ü";
        let clean = "Cannot parse '\u{fffd}[2J\u{fffd}]0;title\u{fffd}\u{fffd}31m\u{fffd}':   Row 1:  ok \u{fffd}ü";
        let of_a_code = answered(&format!("Code: 6. DB::Exception: {words}"));
        assert_eq!(of_a_code.message, clean);
        assert_eq!(answered(words).message, clean);
        let own = StoreError::own(Kind::Data, "read", words, "look");
        assert_eq!(own.message, clean);
    }

    #[test]
    fn the_end_of_a_chain_of_causes_is_shown() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused");
        let error = StoreError::from_client("ask", &ClientError::Network(Box::new(refused)));
        assert_eq!(error.kind, Kind::Outage);
        assert!(
            error
                .to_string()
                .starts_with("ask: network error: refused [outage]\n    remedy: ")
        );
    }
}
