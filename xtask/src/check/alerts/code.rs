//! Which metrics the code registers, by its string literals.
//!
//! A metric's name stands in two pieces, as `postback_{part}_` and the rest: `.part("ingest")` or
//! `"postback_spool_{name}"`, and a literal in the same file. That a name is really registered, with
//! its labels, is tested against running services; this check needs none.

use std::collections::BTreeSet;

use super::files::Rules;

/// What the client library or Prometheus adds to a registered name.
const ADDED: [&str; 4] = ["_total", "_bucket", "_count", "_sum"];

/// Names that the code can register.
#[derive(Debug, Default)]
pub(super) struct Registered(BTreeSet<String>);

impl Registered {
    /// Adds what a source file can register.
    pub(super) fn add(&mut self, code: &str) {
        let literals: Vec<&str> = literals(code).collect();
        let parts = code.split(".part(\"").skip(1);
        let parts = parts.filter_map(|after| after.split_once('"'));
        let parts = parts.map(|(part, _)| format!("postback_{part}_"));
        let formats = literals
            .iter()
            .filter_map(|literal| literal.strip_suffix("{name}"));
        let formats = formats.filter(|prefix| prefix.starts_with("postback_"));
        for prefix in parts.chain(formats.map(ToOwned::to_owned)) {
            let names = literals.iter().filter(|literal| is_name(literal));
            self.0.extend(names.map(|name| format!("{prefix}{name}")));
        }
        let whole = literals.iter().filter(|literal| is_name(literal));
        let whole = whole.filter(|name| name.starts_with("postback_"));
        self.0.extend(whole.map(|name| (*name).to_owned()));
    }

    /// What the rules ask for and nothing registers, one line each.
    pub(super) fn unknown(&self, rules: &Rules) -> Vec<String> {
        let metrics = rules.metrics().into_iter();
        metrics
            .filter(|metric| !self.has(metric))
            .map(|metric| format!("no service registers {metric}"))
            .collect()
    }

    fn has(&self, metric: &str) -> bool {
        let stripped = ADDED.iter().filter_map(|added| metric.strip_suffix(added));
        std::iter::once(metric)
            .chain(stripped)
            .any(|name| self.0.contains(name))
    }
}

/// All that stands between quotation marks in one line.
fn literals(code: &str) -> impl Iterator<Item = &str> {
    code.lines()
        .flat_map(|line| line.split('"').skip(1).step_by(2))
}

fn is_name(literal: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !literal.is_empty() && literal.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(code: &str, expression: &str) -> Vec<String> {
        let mut registered = Registered::default();
        registered.add(code);
        let rules = format!(
            "groups: [{{rules: [{{alert: A, expr: {expression}, labels: {{}}, annotations: {{}}}}]}}]"
        );
        registered.unknown(&Rules::read(&rules).unwrap())
    }

    #[test]
    fn names_are_put_together_from_part_and_literal() {
        let code =
            "let part = metrics.part(\"ingest\");\npart.register(\n\"requests\", \"Help\", x);";
        assert_eq!(unknown(code, "postback_ingest_requests_total"), [""; 0]);
        assert_eq!(unknown(code, "postback_ingest_requests"), [""; 0]);
        let missing = ["no service registers postback_ingest_request_total"];
        assert_eq!(unknown(code, "postback_ingest_request_total"), missing);
        let elsewhere = ["no service registers postback_spool_requests_total"];
        assert_eq!(unknown(code, "postback_spool_requests_total"), elsewhere);
    }

    #[test]
    fn formats_and_whole_names_count_too() {
        let code = "(\"ready\", \"Help\"); let name = format!(\"postback_spool_{name}\");";
        assert_eq!(unknown(code, "postback_spool_ready"), [""; 0]);
        let code = "encode(\"postback_probe_ok\", help)";
        assert_eq!(unknown(code, "postback_probe_ok"), [""; 0]);
        assert_eq!(unknown(code, "postback_probe_okay").len(), 1);
    }
}
