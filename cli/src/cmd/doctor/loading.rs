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
    judge(&first, &last, longest)
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
