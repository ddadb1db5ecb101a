//! Types as ClickHouse names them.

/// How the values of a type are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// So many bytes each, little-endian.
    Fixed(usize),
    Text,
    /// `LowCardinality(String)`.
    Dictionary,
    Optional(Box<Kind>),
    List(Box<Kind>),
    Map(Box<Kind>, Box<Kind>),
}

impl Kind {
    /// `None` for a type that our tables do not have.
    pub(super) fn named(name: &str) -> Option<Self> {
        let inside = |of: &str| name.strip_prefix(of)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(inner) = inside("Nullable") {
            return Some(Self::Optional(Self::named(inner)?.into()));
        }
        if let Some(inner) = inside("Array") {
            return Some(Self::List(Self::named(inner)?.into()));
        }
        if let Some(inner) = inside("Map") {
            // No type of a key here has a comma of its own.
            let (key, value) = inner.split_once(", ")?;
            return Some(Self::Map(
                Self::named(key)?.into(),
                Self::named(value)?.into(),
            ));
        }
        Some(match name {
            "String" => Self::Text,
            "LowCardinality(String)" => Self::Dictionary,
            "UInt8" | "Bool" => Self::Fixed(1),
            "UInt16" | "Date" => Self::Fixed(2),
            "UInt32" => Self::Fixed(4),
            "UInt64" | "Int64" => Self::Fixed(8),
            "UUID" | "UInt128" => Self::Fixed(16),
            _ if name.starts_with("DateTime64(6") || name == "Decimal(18, 4)" => Self::Fixed(8),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_our_tables_are_known_and_others_are_not_guessed() {
        let text = || Box::new(Kind::Text);
        for (name, kind) in [
            ("UUID", Kind::Fixed(16)),
            ("DateTime64(6, 'UTC')", Kind::Fixed(8)),
            (
                "Nullable(Decimal(18, 4))",
                Kind::Optional(Box::new(Kind::Fixed(8))),
            ),
            (
                "Array(LowCardinality(String))",
                Kind::List(Box::new(Kind::Dictionary)),
            ),
            ("Map(String, String)", Kind::Map(text(), text())),
            (
                "Map(String, Array(String))",
                Kind::Map(text(), Box::new(Kind::List(text()))),
            ),
        ] {
            assert_eq!(Kind::named(name), Some(kind), "{name}");
        }
        for other in [
            "DateTime64(3, 'UTC')",
            "Decimal(38, 4)",
            "FixedString(16)",
            "Nullable(Float64)",
            "LowCardinality(Nullable(String))",
            "",
        ] {
            assert_eq!(Kind::named(other), None, "{other}");
        }
    }
}
