//! Names and definitions of all tables and views: the one place where they stand.
//!
//! The SQL itself is in `schemas/clickhouse/`, compiled in.

use std::fmt;

use serde::Serialize;

/// Applied migrations.
pub const SCHEMA_MIGRATIONS: &str = "schema_migrations";
/// One row per generation made.
pub const GENERATIONS: &str = "generations";
/// Rules that a generation got after it was made.
pub const GENERATION_RULES: &str = "generation_rules";
/// What became of each generation.
pub const GENERATION_EVENTS: &str = "generation_events";
/// Identity of each account's conversions.
pub const ACCOUNT_IDENTITIES: &str = "account_identities";
/// View: one row per received postback.
pub const POSTBACKS: &str = "postbacks";
/// View: one row per conversion, its newest revision.
pub const CONVERSIONS: &str = "conversions";
/// View: one row per own order, its newest revision.
pub const ORDERS: &str = "orders";
/// View: one row per line of a network's statement, its newest revision.
pub const STATEMENTS: &str = "statements";
/// View: one row per recorded refusal.
pub const REFUSALS: &str = "refusals";
/// The table behind it, which is of no generation.
pub const REFUSALS_LOG: &str = "refusals_log";

/// View: one row per import of a file.
pub const IMPORTS: &str = "imports";
/// The table behind it, which is of no generation.
pub const IMPORTS_LOG: &str = "imports_log";
/// View: one row per run of a backfill.
pub const BACKFILLS: &str = "backfills";
/// The table behind it, which is of no generation.
pub const BACKFILLS_LOG: &str = "backfills_log";
/// What people marked on the time line.
pub const ANNOTATIONS: &str = "annotations";
/// What the networks said of the endpoints, and what was done about it.
pub const ENDPOINT_HISTORY: &str = "endpoint_history";

/// All tables and views that are of no generation of their own: what `migrate` makes once.
pub(crate) const OF_ALL: [&str; 17] = [
    SCHEMA_MIGRATIONS,
    GENERATIONS,
    GENERATION_RULES,
    GENERATION_EVENTS,
    ACCOUNT_IDENTITIES,
    POSTBACKS,
    CONVERSIONS,
    ORDERS,
    STATEMENTS,
    IMPORTS,
    IMPORTS_LOG,
    BACKFILLS,
    BACKFILLS_LOG,
    REFUSALS,
    REFUSALS_LOG,
    ANNOTATIONS,
    ENDPOINT_HISTORY,
];

/// Setting of every query that reads a table of a generation with `FINAL`: a key never changes its
/// partition, so partitions need not be merged with each other.
pub const FINAL_WITHIN_PARTITIONS: &str = "do_not_merge_across_partitions_select_final = 1";

/// Number of a generation: a set of tables, loaded from the raw records with one set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Generation(u32);

impl Generation {
    /// The generation that `migrate` makes.
    pub const FIRST: Self = Self(1);

    /// The generation of that number; `None` for 0, which none has.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its table of postbacks. Read it with `FINAL`.
    #[must_use]
    pub fn postbacks(self) -> String {
        format!("{POSTBACKS}_g{self}")
    }

    /// Its table of conversions. Read it with `FINAL`.
    #[must_use]
    pub fn conversions(self) -> String {
        format!("{CONVERSIONS}_g{self}")
    }

    /// The consumer group that loads it.
    #[must_use]
    pub fn consumer_group(self, group: &str) -> String {
        format!("{group}-g{self}")
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Engine settings of the tables of a generation, and of [`REFUSALS_LOG`].
///
/// - An insert that was answered is on disk, and so is a merge before its sources go: by default
///   neither is, and a power cut would take rows whose offsets are committed. 480 s is how long
///   sources stay where the disk itself is late.
/// - Blocks are not deduplicated: see [`crate::connection::Role::Load`].
/// - A partition that took nothing for an hour is merged to one part, where `FINAL` costs nothing.
///
/// `postbacks` merges ten parts of one size where others merge five (`merge_selector_base`): a merge of
/// raw records costs as much as their insert did, and hardly any report reads that table.
const ENGINE_SETTINGS: &[(&str, u32)] = &[
    ("fsync_after_insert", 1),
    ("fsync_part_directory", 1),
    ("min_rows_to_fsync_after_merge", 1),
    ("min_compressed_bytes_to_fsync_after_merge", 1),
    ("old_parts_lifetime", 480),
    ("non_replicated_deduplication_window", 0),
    ("min_age_to_force_merge_seconds", 3_600),
    ("min_age_to_force_merge_on_partition_only", 1),
];

/// Those of them without which a stored row could be lost: `fsync_after_insert = 1`.
pub(crate) fn safety_settings() -> impl Iterator<Item = String> {
    let is_safety = |(name, _): &&(&str, u32)| !name.starts_with("min_age_");
    ENGINE_SETTINGS.iter().filter(is_safety).map(written)
}

fn written((name, value): &(&str, u32)) -> String {
    format!("{name} = {value}")
}

/// A table or view of a generation, and its definition with the number left open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    sql: &'static str,
    /// Definition of the table that a view reads: a view has the same columns, and takes over none
    /// of their comments by itself.
    columns_of: &'static str,
}

impl Definition {
    pub(crate) fn of(self, generation: Generation) -> String {
        let settings: Vec<String> = ENGINE_SETTINGS.iter().map(written).collect();
        self.sql
            .replace("{generation}", &generation.to_string())
            .replace("{settings}", &settings.join(", "))
            .replace("{columns}", &columns(self.columns_of).join(",\n    "))
    }

    /// What it says of itself: the text of its last `COMMENT`.
    pub(crate) fn comment(self, generation: Generation) -> String {
        let sql = self.of(generation);
        let comment = sql.rsplit("COMMENT '").next().unwrap_or_default();
        let comment = comment.trim_end();
        comment
            .strip_suffix('\'')
            .unwrap_or(comment)
            .replace("''", "'")
    }
}

/// Name, type and comment of each column, as a table's definition has them.
fn columns(table: &'static str) -> Vec<&'static str> {
    let columns = table.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        let (before, _) = line.split_once(" COMMENT '")?;
        let codec = line.find("' CODEC(").map(|end| end + 1);
        let end = codec.unwrap_or(line.trim_end_matches(',').len());
        (!before.is_empty()).then_some(&line[..end])
    });
    columns.collect()
}

const POSTBACKS_SQL: &str = include_str!("../../schemas/clickhouse/generation/postbacks.sql");
const CONVERSIONS_SQL: &str = include_str!("../../schemas/clickhouse/generation/conversions.sql");

pub(crate) const POSTBACKS_TABLE: Definition = Definition {
    sql: POSTBACKS_SQL,
    columns_of: "",
};
/// Columns and indexes that [`POSTBACKS_TABLE`] had not when the first tables were made.
pub(crate) const POSTBACKS_ADDED: Definition = Definition {
    sql: include_str!("../../schemas/clickhouse/generation/postbacks_added.sql"),
    columns_of: "",
};
pub(crate) const CONVERSIONS_TABLE: Definition = Definition {
    sql: CONVERSIONS_SQL,
    columns_of: "",
};
pub(crate) const POSTBACKS_VIEW: Definition = Definition {
    sql: include_str!("../../schemas/clickhouse/generation/postbacks_view.sql"),
    columns_of: POSTBACKS_SQL,
};
pub(crate) const CONVERSIONS_VIEW: Definition = Definition {
    sql: include_str!("../../schemas/clickhouse/generation/conversions_view.sql"),
    columns_of: CONVERSIONS_SQL,
};

pub(crate) const ORDERS_VIEW: Definition = Definition {
    sql: include_str!("../../schemas/clickhouse/generation/orders_view.sql"),
    columns_of: CONVERSIONS_SQL,
};
pub(crate) const STATEMENTS_VIEW: Definition = Definition {
    sql: include_str!("../../schemas/clickhouse/generation/statements_view.sql"),
    columns_of: CONVERSIONS_SQL,
};

/// The views that readers use, all of one generation, in the order in which they are switched.
pub(crate) const VIEWS: [(&str, Definition); 4] = [
    (CONVERSIONS, CONVERSIONS_VIEW),
    (ORDERS, ORDERS_VIEW),
    (STATEMENTS, STATEMENTS_VIEW),
    (POSTBACKS, POSTBACKS_VIEW),
];

/// The migration that makes [`REFUSALS_LOG`] and [`REFUSALS`].
pub(crate) const REFUSALS_SQL: &str = include_str!("../../schemas/clickhouse/0002_refusals.sql");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_as_safe_as_a_generation() {
        let sql = REFUSALS_SQL.replace("\n    ", " ");
        for setting in ENGINE_SETTINGS.iter().map(written) {
            assert!(sql.contains(&setting), "{setting}");
        }
        assert!(sql.contains(FINAL_WITHIN_PARTITIONS));
        for name in [REFUSALS, REFUSALS_LOG] {
            assert!(
                sql.contains(&format!("IF NOT EXISTS {name}\n"))
                    || sql.contains(&format!("IF NOT EXISTS {name} AS")),
                "{name}"
            );
        }
    }

    #[test]
    fn what_was_added_is_as_in_a_new_table() {
        let added = POSTBACKS_ADDED.sql.lines().filter_map(|line| {
            let line = line
                .trim()
                .trim_end_matches(',')
                .replace("IF NOT EXISTS ", "");
            let column = line.strip_prefix("ADD COLUMN ").map(ToOwned::to_owned);
            column.or_else(|| line.strip_prefix("ADD ").map(ToOwned::to_owned))
        });
        let added: Vec<String> = added.collect();
        assert_eq!(added.len(), 3);
        for column in added {
            assert!(POSTBACKS_TABLE.sql.contains(&column), "{column}");
        }
        let told = (POSTBACKS_ADDED.sql.lines())
            .filter_map(|line| line.trim_end_matches(',').split_once("COMMENT COLUMN "));
        let told: Vec<&str> = told.map(|(_, column)| column).collect();
        assert_eq!(told.len(), 2);
        for column in told {
            let (name, comment) = column.split_once(' ').unwrap();
            let mut lines = POSTBACKS_TABLE.sql.lines();
            let is_same = |line: &str| {
                line.trim().starts_with(&format!("{name} "))
                    && line.ends_with(&format!(" COMMENT {comment},"))
            };
            assert!(lines.any(is_same), "{column}");
        }
    }

    #[test]
    fn names_carry_the_number() {
        let seventh = Generation::new(7).unwrap();
        assert_eq!(seventh.postbacks(), "postbacks_g7");
        assert_eq!(seventh.conversions(), "conversions_g7");
        assert_eq!(seventh.consumer_group("loader"), "loader-g7");
        assert_eq!(Generation::new(0), None);
    }

    #[test]
    fn definitions_leave_nothing_open() {
        for definition in [
            POSTBACKS_TABLE,
            POSTBACKS_ADDED,
            CONVERSIONS_TABLE,
            POSTBACKS_VIEW,
            CONVERSIONS_VIEW,
            ORDERS_VIEW,
            STATEMENTS_VIEW,
        ] {
            let sql = definition.of(Generation::FIRST);
            assert!(!sql.contains(['{', '}']), "{sql}");
            assert!(sql.contains("_g1"), "{sql}");
        }
    }
}
