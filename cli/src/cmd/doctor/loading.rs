//! Whether what is in Kafka reaches the tables.

use std::time::Duration;

use postback_common::config::Settings;
use postback_store::reports::Reader;

use super::check::Check;
use super::clickhouse;
use crate::lag::{self, GroupLag, PartitionLag};
use crate::output::plural;

/// Beyond the longest wait of a batch: reading, inserting and committing one.
const ONE_BATCH: Duration = Duration::from_secs(5);

/// Pause before Kafka is asked again whether offsets moved.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether a consumer is a member of the active generation's group, and offsets move while records
/// wait.
pub(super) async fn check(settings: &Settings) -> Vec<Check> {
    let reader = match Reader::of_active(&settings.clickhouse).await {
        Ok(reader) => reader,
        Err(error) => return vec![clickhouse::unknown("loading", &error, settings)],
    };
    let ask = || lag::of_generation(settings, reader.generation());
    let first = match ask().await {
        Ok(lag) => lag,
        Err(words) => return vec![unknown(&words)],
    };
    let mut last = first.clone();
    let begun = tokio::time::Instant::now();
    let longest = settings.consumer.batch_max_wait + ONE_BATCH;
    while last.waiting() > 0
        && last.members > 0
        && !moved(&first, &last)
        && begun.elapsed() < longest
    {
        tokio::time::sleep(PAUSE).await;
        last = match ask().await {
            Ok(lag) => lag,
            Err(words) => return vec![unknown(&words)],
        };
    }
    let mut checks = judge(&first, &last, longest);
    // Asked after the offsets: what they say was stored before.
    match reader.loaded_through().await {
        Ok(loaded_through) => checks.extend(emptied(&first, loaded_through.is_none(), settings)),
        Err(error) => checks.push(clickhouse::unknown("loading", &error, settings)),
    }
    checks
}

/// Offsets that say loaded over tables that are empty: the database was dropped, renamed or made
/// anew under the group.
fn emptied(lag: &GroupLag, is_empty: bool, settings: &Settings) -> Option<Check> {
    let read = |found: &PartitionLag| {
        found
            .committed
            .is_some_and(|committed| committed > found.low)
    };
    if !is_empty || !lag.partitions.iter().any(read) {
        return None;
    }
    let (group, topic) = (&lag.group, &settings.kafka.topic);
    let brokers = settings.kafka.brokers.join(",");
    let database = &settings.clickhouse.database;
    let what = format!(
        "group {group} has read the topic, and database {database} has no postback: it was dropped, \
         renamed or made anew, and what was read before is not loaded again by itself"
    );
    let remedy = format!(
        "stop the consumers, then kafka-consumer-groups --bootstrap-server {brokers} --group {group} \
         --topic {topic} --reset-offsets --to-earliest --execute; or correct clickhouse.database, or give consumer.group a new name"
    );
    Some(Check::broken("loading", what, remedy))
}

fn unknown(words: &str) -> Check {
    let remedy = "see the check of kafka";
    Check::broken(
        "loading",
        format!("how far loading is, is not known: {words}"),
        remedy,
    )
}

fn moved(first: &GroupLag, last: &GroupLag) -> bool {
    let next = |lag: &GroupLag| {
        lag.partitions
            .iter()
            .map(|found| found.committed)
            .collect::<Vec<_>>()
    };
    next(first) != next(last)
}

fn judge(first: &GroupLag, last: &GroupLag, longest: Duration) -> Vec<Check> {
    let mut checks = Vec::new();
    let (group, waiting) = (&last.group, waiting(last));
    checks.push(if last.members == 0 {
        let what = format!("no consumer is a member of group {group}; {waiting}");
        Check::broken("loading", what, "start postback-consumer, and see its log")
    } else if last.waiting() > 0 && !moved(first, last) {
        let what = format!("nothing was loaded for {} s; {waiting}", longest.as_secs());
        Check::broken("loading", what, "see the check of consumer, and its log")
    } else {
        let members = plural(last.members, "member");
        let what = format!("group {group}, {members}; {waiting}");
        Check::well("loading", what)
    });
    let lost: u64 = last.partitions.iter().map(PartitionLag::lost).sum();
    if lost > 0 {
        let what = format!("Kafka gave up {lost} records before they were loaded");
        let remedy = "raise kafka.retention_days and the topic's retention.ms, and keep the consumer running";
        checks.push(Check::broken("loading", what, remedy));
    }
    checks
}

/// How many wait, by partition.
pub(super) fn waiting(lag: &GroupLag) -> String {
    let each = lag.partitions.iter().filter(|found| found.waiting() > 0);
    let each: Vec<String> = each
        .map(|found| format!("{} in partition {}", found.waiting(), found.partition))
        .collect();
    if each.is_empty() {
        "nothing waits".to_owned()
    } else {
        format!("{} wait: {}", lag.waiting(), each.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    fn lag(members: usize, committed: i64, low: i64) -> GroupLag {
        GroupLag {
            group: "loader-g1".to_owned(),
            members,
            partitions: vec![PartitionLag {
                partition: 3,
                committed: Some(committed),
                low,
                high: 10,
            }],
        }
    }

    fn judged(first: &GroupLag, last: &GroupLag) -> Vec<(State, String)> {
        let checks = judge(first, last, Duration::from_secs(6));
        checks
            .into_iter()
            .map(|check| (check.state, check.what))
            .collect()
    }

    #[test]
    fn waiting_is_well_while_offsets_move() {
        let what = "group loader-g1, 1 member; 2 wait: 2 in partition 3".to_owned();
        assert_eq!(judged(&lag(1, 4, 0), &lag(1, 8, 0)), [(State::Well, what)]);
        let what = "group loader-g1, 2 members; nothing waits".to_owned();
        assert_eq!(
            judged(&lag(2, 10, 0), &lag(2, 10, 0)),
            [(State::Well, what)]
        );
        let what = "nothing was loaded for 6 s; 6 wait: 6 in partition 3".to_owned();
        assert_eq!(
            judged(&lag(1, 4, 0), &lag(1, 4, 0)),
            [(State::Broken, what)]
        );
    }

    #[test]
    fn nobody_there_is_broken_even_when_nothing_waits() {
        let what = "no consumer is a member of group loader-g1; nothing waits".to_owned();
        assert_eq!(
            judged(&lag(0, 10, 0), &lag(0, 10, 0)),
            [(State::Broken, what)]
        );
    }

    #[test]
    fn empty_tables_under_a_group_that_has_read_are_told() {
        let text = "[kafka]\nbrokers = \"a:1\"\n[clickhouse]\ndatabase = \"other\"\n";
        let settings =
            postback_common::config::read(std::path::Path::new("t.toml"), text, []).unwrap();
        let told = |committed, low, is_empty| emptied(&lag(1, committed, low), is_empty, &settings);
        let check = told(4, 0, true).unwrap();
        assert_eq!(check.state, State::Broken);
        assert!(
            check.what.contains("loader-g1") && check.what.contains("other"),
            "{check:?}"
        );
        let remedy = check.remedy.unwrap();
        assert!(remedy.contains("--bootstrap-server a:1 --group loader-g1"));
        assert_eq!(told(4, 0, false), None);
        // Retention has emptied the topic, or nothing was read yet.
        assert_eq!(told(4, 4, true), None);
    }

    #[test]
    fn records_that_kafka_gave_up_are_told() {
        let judged = judged(&lag(1, 2, 5), &lag(1, 2, 5));
        assert_eq!(
            judged[1],
            (
                State::Broken,
                "Kafka gave up 3 records before they were loaded".to_owned()
            )
        );
    }
}
