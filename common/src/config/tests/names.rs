//! Names that become part of other texts.

use super::*;

/// They stand in SQL without quotes, and in names of groups and metrics.
#[test]
fn names_of_databases_and_groups_are_plain() {
    let long = "x".repeat(201);
    let database = |name: &str| with(&format!("[clickhouse]\ndatabase = '{name}'"));
    for wrong in [
        "",
        "1st",
        "a-b",
        "a b",
        "a;b",
        "a`b",
        "a.b",
        "\u{e4}",
        &long[..65],
    ] {
        let refused = refusal(&database(wrong), &[]);
        assert!(
            refused.contains("clickhouse.database"),
            "{wrong}: {refused}"
        );
    }
    for right in ["_", "Post_back1", &long[..64]] {
        assert_eq!(
            read_with(&database(right), &[])
                .unwrap()
                .clickhouse
                .database,
            right
        );
    }
    let group = |name: &str| with(&format!("[consumer]\ngroup = '{name}'"));
    for wrong in ["", "a b", "a/b", "\u{e4}", &long] {
        let refused = refusal(&group(wrong), &[]);
        assert!(refused.contains("consumer.group"), "{wrong}: {refused}");
    }
    for right in ["1", "a-b.c_D", &long[..200]] {
        let consumer = read_with(&group(right), &[]).unwrap().consumer;
        assert_eq!(consumer.group, right);
        assert_eq!(consumer.refused_group(), format!("{right}-refused"));
    }
}
