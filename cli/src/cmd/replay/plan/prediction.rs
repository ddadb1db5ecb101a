//! Judging stored postbacks by other rules, and what that changes.

use std::collections::BTreeMap;

use postback_common::reason::Rejection;
use postback_common::record::RawRecord;
use postback_normalise::{Outcome, Rules, normalise};
use postback_store::rows::HASHED;
use postback_store::sample::{SampledConversion, SampledPostback};
use uuid::Uuid;

use super::facts;
use crate::lag::GroupLag;
use crate::output::excerpt;

/// What changes, by what it changes from and to.
#[derive(Debug, Default)]
pub(super) struct Prediction {
    found: BTreeMap<(String, String, String), (usize, Uuid)>,
    /// Postbacks that stay as they are.
    pub(super) unchanged: usize,
    /// Postbacks whose raw records only Kafka has: a replay judges them, a sample of the tables cannot.
    pub(super) unread: usize,
}

/// Which records Kafka has.
#[derive(Debug)]
pub(super) struct InKafka {
    topic: String,
    /// The oldest offset of each partition.
    oldest: BTreeMap<u32, u64>,
}

impl InKafka {
    pub(super) fn of(topic: &str, lag: &GroupLag) -> Self {
        let partitions = lag.partitions.iter();
        let oldest = partitions.filter_map(|found| {
            Some((found.partition.try_into().ok()?, found.low.try_into().ok()?))
        });
        Self {
            topic: topic.to_owned(),
            oldest: oldest.collect(),
        }
    }

    fn has(&self, postback: &SampledPostback) -> bool {
        let oldest = self.oldest.get(&postback.kafka_partition);
        postback.kafka_topic == self.topic
            && oldest.is_some_and(|oldest| postback.kafka_offset >= *oldest)
    }
}

/// One kind of change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) what: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) postbacks: usize,
    pub(super) sample: Uuid,
}

impl Prediction {
    pub(super) fn judge(
        &mut self,
        postbacks: &[SampledPostback],
        conversions: Vec<SampledConversion>,
        rules: &Rules,
        kafka: &InKafka,
    ) {
        let conversions: BTreeMap<Uuid, SampledConversion> = (conversions.into_iter())
            .map(|conversion| (conversion.postback_id, conversion))
            .collect();
        for postback in postbacks {
            let is_hash = postback.raw.starts_with(HASHED);
            if is_hash && kafka.has(postback) {
                self.unread += 1;
                continue;
            }
            let changes = judge_one(postback, conversions.get(&postback.id), rules);
            if changes.is_empty() {
                self.unchanged += 1;
            }
            for change in changes {
                let found = self.found.entry(change).or_insert((0, postback.id));
                found.0 += 1;
            }
        }
    }

    /// The most frequent first.
    pub(super) fn changes(&self) -> Vec<Change> {
        let changes = self
            .found
            .iter()
            .map(|((what, from, to), (postbacks, sample))| Change {
                what: what.clone(),
                from: from.clone(),
                to: to.clone(),
                postbacks: *postbacks,
                sample: *sample,
            });
        let mut changes: Vec<_> = changes.collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.postbacks));
        changes
    }
}

type Changed = (String, String, String);

fn judge_one(
    postback: &SampledPostback,
    conversion: Option<&SampledConversion>,
    rules: &Rules,
) -> Vec<Changed> {
    let record = RawRecord::read(&postback.raw);
    let (outcome, new) = match &record {
        Ok(record) => match rules.source(&record.source) {
            Some(source) => match normalise(record, source) {
                Outcome::Accepted(conversion) => ("accepted".to_owned(), Some(conversion)),
                Outcome::Rejected(rejected) => {
                    let reasons = rejected.reasons.iter().map(|reason| reason.as_str());
                    (rejection(reasons), None)
                }
                Outcome::Several(each) => (of_several(&each), None),
            },
            None => (rejection(["unknown_source"]), None),
        },
        // Neither the table nor Kafka has its text.
        Err(_) if postback.raw.starts_with(HASHED) => {
            (rejection([Rejection::RawNotKept.as_str()]), None)
        }
        // Other bytes that are no record stay what they are under any rules.
        Err(_) => (before(postback), None),
    };
    let was = before(postback);
    if outcome != was {
        return vec![("outcome".to_owned(), was, outcome)];
    }
    let Some(new) = new else { return Vec::new() };
    let mut changes = Vec::new();
    let mut compare = |what: &str, from: &str, to: &str, varies: bool| {
        if from != to {
            // What differs from one postback to the next is told as a kind of change.
            let (from, to) = if varies {
                (presence(from, "a value"), presence(to, "another one"))
            } else {
                (shown(from), shown(to))
            };
            changes.push((what.to_owned(), from, to));
        }
    };
    let key = new.conversion_key.to_string();
    compare("conversion_key", &postback.conversion_key, &key, true);
    compare("key_day", &postback.key_day, &new.key_day.to_string(), true);
    if let Some(old) = conversion {
        for fact in facts::of(old, &new) {
            compare(fact.column, &fact.from, &fact.to, fact.varies);
        }
    }
    changes
}

/// Of several orders in one record: accepted where any is.
fn of_several(each: &[Outcome<'_>]) -> String {
    let mut reasons = Vec::new();
    for outcome in each {
        match outcome {
            Outcome::Rejected(rejected) => {
                reasons.extend(rejected.reasons.iter().map(|reason| reason.as_str()));
            }
            Outcome::Accepted(_) | Outcome::Several(_) => return "accepted".to_owned(),
        }
    }
    reasons.sort_unstable();
    reasons.dedup();
    rejection(reasons)
}

fn before(postback: &SampledPostback) -> String {
    if postback.outcome == "accepted" {
        postback.outcome.clone()
    } else {
        rejection(postback.reasons.iter().map(String::as_str))
    }
}

fn rejection<'a>(reasons: impl IntoIterator<Item = &'a str>) -> String {
    let reasons: Vec<_> = reasons.into_iter().collect();
    format!("rejected: {}", reasons.join(", "))
}

fn presence(value: &str, there: &str) -> String {
    if value.is_empty() { "empty" } else { there }.to_owned()
}

fn shown(value: &str) -> String {
    if value.is_empty() {
        return "empty".to_owned();
    }
    excerpt(value)
}

#[cfg(test)]
mod tests;
