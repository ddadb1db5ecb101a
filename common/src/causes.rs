//! An error in one line, with what caused it.

use std::error::Error;

/// The error's words and those of its causes: the outermost ones of a client library ("client error
/// (Connect)") say nothing, and what a person needs (`Connection refused`) stands at the end. A cause
/// whose words stand there already is not told again.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Told {
        words: &'static str,
        #[source]
        cause: Option<Box<Told>>,
    }

    fn told(words: &'static str, cause: Option<Told>) -> Told {
        let cause = cause.map(Box::new);
        Told { words, cause }
    }

    #[test]
    fn each_cause_is_told_once() {
        let inner = told("Connection refused", None);
        let middle = told("connect to broker: refused", Some(inner));
        assert_eq!(
            with_causes(&told("client error", Some(middle))),
            "client error: connect to broker: refused: Connection refused"
        );
        let repeated = told("no route", None);
        assert_eq!(
            with_causes(&told("cannot send (no route)", Some(repeated))),
            "cannot send (no route)"
        );
    }
}
