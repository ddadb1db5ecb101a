//! How far back a replay reaches: what the topic keeps, and what the tables keep.

use jiff::SignedDuration;
use postback_common::config::Settings;

use super::{Finding, Topic};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// How long the topic keeps records, as the broker has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// For so long.
    For(SignedDuration),
    /// For ever.
    ForEver,
}

impl Topic {
    /// How long it keeps records; `None` where the broker does not say.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        let millis: i64 = self.configs.get("retention.ms")?.parse().ok()?;
        Some(if millis < 0 {
            Kept::ForEver
        } else {
            Kept::For(SignedDuration::from_millis(millis))
        })
    }
}

/// What of the history is where, in a sentence.
#[must_use]
pub fn history(topic: &Topic, settings: &Settings) -> String {
    let kafka = match topic.kept() {
        Some(Kept::ForEver) => "Kafka keeps records for ever".to_owned(),
        Some(Kept::For(kept)) => format!(
            "Kafka keeps records for {}; older ones are only in the tables' column raw, from which a replay takes them",
            days(kept)
        ),
        None => "Kafka does not say how long it keeps records".to_owned(),
    };
    let tables = match settings.clickhouse.keep_days {
        None => "the tables keep everything (no clickhouse.keep_days)".to_owned(),
        Some(days) => format!(
            "the tables drop months that are older than {days} days (clickhouse.keep_days), and no replay brings them back"
        ),
    };
    format!("{kafka}; {tables}")
}

/// What does not fit together. Empty when all is well.
#[must_use]
pub fn history_findings(topic: &Topic, settings: &Settings) -> Option<Finding> {
    let keep_days = settings.clickhouse.keep_days?;
    let tables = i64::from(keep_days) * MILLIS_PER_DAY;
    let is_longer = match topic.kept()? {
        Kept::ForEver => true,
        Kept::For(kept) => kept > SignedDuration::from_millis(tables),
    };
    let kept = match topic.kept()? {
        Kept::ForEver => "for ever".to_owned(),
        Kept::For(kept) => format!("for {}", days(kept)),
    };
    is_longer.then(|| Finding {
        code: "topic_outlives_tables",
        what: format!(
            "topic {} keeps records {kept}, and the tables {keep_days} days (clickhouse.keep_days): a replay \
             loads what is older, and its months are dropped again",
            topic.name
        ),
        remedy: format!(
            "raise clickhouse.keep_days, or let Kafka forget sooner: kafka.retention_days, and kafka-configs \
             --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config retention.ms={tables}",
            settings.kafka.brokers.join(","),
            topic.name
        ),
    })
}

fn days(kept: SignedDuration) -> String {
    let hours = kept.as_hours();
    if hours % 24 == 0 {
        format!("{} days", hours / 24)
    } else {
        format!("{hours} hours")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn settings(lines: &str) -> Settings {
        let text = format!("[kafka]\nbrokers = \"a:1\"\n[clickhouse]\n{lines}\n");
        postback_common::config::read(Path::new("t.toml"), &text, []).unwrap()
    }

    fn topic(retention: &str) -> Topic {
        Topic {
            name: "t".to_owned(),
            brokers: 1,
            partitions: 1,
            replication: 1,
            configs: BTreeMap::from([("retention.ms".to_owned(), retention.to_owned())]),
        }
    }

    #[test]
    fn a_topic_that_outlives_the_tables_is_found() {
        let kept = settings("keep_days = 62");
        // 62 days are 5,356,800 s.
        assert_eq!(history_findings(&topic("5356800000"), &kept), None);
        let finding = history_findings(&topic("5443200000"), &kept).unwrap();
        assert_eq!(finding.code, "topic_outlives_tables");
        assert!(finding.what.contains("63 days"), "{finding}");
        assert!(
            finding.remedy.ends_with(
                "kafka-configs --bootstrap-server a:1 --alter --entity-type topics --entity-name t \
                 --add-config retention.ms=5356800000"
            ),
            "{finding}"
        );
        assert!(history_findings(&topic("-1"), &kept).is_some());
        for retention in ["5443200000", "-1"] {
            assert_eq!(history_findings(&topic(retention), &settings("")), None);
        }
    }

    #[test]
    fn what_is_where_is_said_plainly() {
        let said = history(&topic("2592000000"), &settings(""));
        assert!(
            said.starts_with("Kafka keeps records for 30 days; older ones are only in the tables'")
                && said.ends_with("the tables keep everything (no clickhouse.keep_days)"),
            "{said}"
        );
        let said = history(&topic("-1"), &settings("keep_days = 400"));
        assert!(
            said.contains("for ever; the tables drop months that are older than 400 days"),
            "{said}"
        );
        let silent = Topic {
            configs: BTreeMap::new(),
            ..topic("")
        };
        assert_eq!(silent.kept(), None);
        assert!(history(&silent, &settings("")).contains("does not say"));
    }
}
