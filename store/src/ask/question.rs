//! Whether a statement is a question, by how the server itself reads it.
//!
//! `readonly` alone does not say so: under it queries of the same user can be killed and backups be
//! made, a subquery sets what it likes, `readonly` included, and `DESCRIBE` of a table function asks
//! another server. So the statement's syntax tree is looked at first.

/// Why a statement is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is none that asks.
    #[error("the statement is no question")]
    NoQuestion,
    /// It would lift limits, somewhere in it.
    #[error("the question has SETTINGS of its own")]
    Settings,
    /// The server would ask another one about it.
    #[error("the question describes what no table of the server is")]
    TableFunction,
}

impl Refusal {
    /// What to write instead.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NoQuestion => "ask with SELECT, WITH, SHOW, DESCRIBE, EXPLAIN or EXISTS",
            Self::Settings => "leave SETTINGS out: they could lift the limits",
            Self::TableFunction => "DESCRIBE a table, a view or a SELECT",
        }
    }
}

/// Stands before a statement whose tree is asked for, on a line of its own.
pub(super) const TREE: &str = "EXPLAIN AST\n";

/// What a tree of something that asks begins with.
const QUESTIONS: [&str; 7] = [
    "SelectWithUnionQuery",
    "SelectIntersectExceptQuery",
    "Explain ",
    "DescribeQuery",
    "Show",
    "SHOW ",
    "Exists",
];

/// Looks at a syntax tree: one node a line, each one space deeper than what it belongs to.
pub(super) fn check(tree: &[&str]) -> Result<(), Refusal> {
    let kind = tree.first().copied().unwrap_or_default();
    if !QUESTIONS.iter().any(|known| kind.starts_with(known)) {
        return Err(Refusal::NoQuestion);
    }
    // What EXPLAIN shows is set in the same way, directly below it.
    let own = if kind.starts_with("Explain ") {
        " Set"
    } else {
        ""
    };
    let is_set = |line: &&str| line.trim() == "Set" && *line != own;
    if tree.iter().any(is_set) {
        return Err(Refusal::Settings);
    }
    let is_function = tree.windows(3).any(|lines| {
        let nodes = ["DescribeQuery", "TableExpression", "Function "];
        let mut both = lines.iter().zip(nodes);
        both.all(|(line, node)| line.trim_start().starts_with(node))
    });
    if is_function {
        return Err(Refusal::TableFunction);
    }
    Ok(())
}

/// The server's words about a statement behind [`TREE`], with the places that it has without it.
pub(super) fn placed(message: &str) -> String {
    let moved = less(message, "failed at position ", TREE.len());
    less(&moved, "(line ", 1)
}

/// Takes `by` off the number behind the first `word`.
fn less(message: &str, word: &str, by: usize) -> String {
    let moved = message.split_once(word).and_then(|(before, rest)| {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: usize = rest[..digits].parse().ok()?;
        let number = number.checked_sub(by)?;
        Some(format!("{before}{word}{number}{}", &rest[digits..]))
    });
    moved.unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(tree: &str) -> Result<(), Refusal> {
        check(&tree.lines().collect::<Vec<_>>())
    }

    #[test]
    fn questions_are_let_through() {
        for tree in [
            "SelectWithUnionQuery (children 1)\n ExpressionList (children 1)\n  Literal 'Set' (alias Set)",
            "Explain EXPLAIN (children 2)\n Set\n SelectWithUnionQuery (children 1)",
            "DescribeQuery (children 1)\n TableExpression (children 1)\n  Subquery (children 1)\n   Function now",
            "ShowTables",
            "SHOW CREATE USER query",
            "ExistsTableQuery a b (children 2)",
        ] {
            assert_eq!(checked(tree), Ok(()), "{tree}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for tree in [
            "",
            "KillQueryQuery Literal_UInt64_1 ASYNC (children 1)\n Literal UInt64_1",
            "BackupQuery (children 1)",
            "InsertQuery   (children 1)",
            "Set",
            "ParallelWithQuery 2 SelectWithUnionQuery (children 2)",
        ] {
            assert_eq!(checked(tree), Err(Refusal::NoQuestion), "{tree}");
        }
        for tree in [
            "SelectWithUnionQuery (children 2)\n Set",
            "SelectWithUnionQuery (children 1)\n  Subquery (children 1)\n   Set",
            "Explain EXPLAIN (children 2)\n Set\n SelectWithUnionQuery (children 1)\n  Set",
        ] {
            assert_eq!(checked(tree), Err(Refusal::Settings), "{tree}");
        }
        let tree = "DescribeQuery (children 1)\n TableExpression (children 1)\n  Function url (children 1)";
        assert_eq!(checked(tree), Err(Refusal::TableFunction));
    }

    #[test]
    fn places_are_those_of_the_statement() {
        let told = "Syntax error: failed at position 14 (FROM) (line 2, col 2): FROM (line 9)";
        let expected = "Syntax error: failed at position 2 (FROM) (line 1, col 2): FROM (line 9)";
        assert_eq!(placed(told), expected);
        for other in [
            "failed at position x",
            "failed at position 3 ",
            "(line 0)",
            "",
        ] {
            assert_eq!(placed(other), other);
        }
    }
}
