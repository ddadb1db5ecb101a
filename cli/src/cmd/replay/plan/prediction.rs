//! Judging stored postbacks by other rules, and what that changes.

use std::collections::BTreeMap;

use postback_common::record::RawRecord;
use postback_normalise::{Amount, Conversion, Outcome, Rules, normalise};
use postback_store::sample::{SampledConversion, SampledPostback};
use uuid::Uuid;

use crate::output::printable;

/// Longest value that is shown.
const SHOWN: usize = 40;

/// What changes, by what it changes from and to.
#[derive(Debug, Default)]
pub(super) struct Prediction {
    found: BTreeMap<(String, String, String), (usize, Uuid)>,
    /// Postbacks that stay as they are.
    pub(super) unchanged: usize,
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
    ) {
        let conversions: BTreeMap<Uuid, SampledConversion> = (conversions.into_iter())
            .map(|conversion| (conversion.postback_id, conversion))
            .collect();
        for postback in postbacks {
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
        // Bytes that are no record stay what they are under any rules.
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
        for (what, from, to, varies) in facts(old, &new) {
            compare(what, &from, &to, varies);
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

/// Name, before, after, and whether the value is another one for each postback.
fn facts(
    old: &SampledConversion,
    new: &Conversion<'_>,
) -> Vec<(&'static str, String, String, bool)> {
    let units = |amount: Option<i64>| amount.map_or(String::new(), |units| units.to_string());
    let amount = |amount: Option<Amount>| units(amount.map(Amount::units));
    let currency = |currency: Option<postback_normalise::Currency>| {
        currency.map_or(String::new(), |currency| currency.as_str().to_owned())
    };
    let time = new.occurred_at.map(jiff::Timestamp::as_microsecond);
    let flags: Vec<_> = new.flags.iter().map(|flag| flag.as_str()).collect();
    vec![
        (
            "kind",
            old.kind.clone(),
            new.kind.as_str().to_owned(),
            false,
        ),
        (
            "status",
            old.status.clone(),
            new.status.as_str().to_owned(),
            false,
        ),
        (
            "transaction_id",
            old.transaction_id.clone(),
            new.transaction_id.to_string(),
            true,
        ),
        (
            "order_id",
            old.order_id.clone(),
            new.order_id.to_string(),
            true,
        ),
        (
            "click_id",
            old.click_id.clone(),
            new.click_id.to_string(),
            true,
        ),
        (
            "advertiser_id",
            old.advertiser_id.clone(),
            new.advertiser_id.to_string(),
            true,
        ),
        (
            "sale_amount",
            units(old.sale_amount),
            amount(new.sale_amount),
            true,
        ),
        (
            "commission",
            units(old.commission),
            amount(new.commission),
            true,
        ),
        (
            "currency",
            old.currency.clone(),
            currency(new.currency),
            false,
        ),
        (
            "commission_currency",
            old.commission_currency.clone(),
            currency(new.commission_currency),
            false,
        ),
        ("occurred_at", units(old.occurred_at), units(time), true),
        ("flags", old.flags.join(", "), flags.join(", "), false),
    ]
}

fn presence(value: &str, there: &str) -> String {
    if value.is_empty() { "empty" } else { there }.to_owned()
}

fn shown(value: &str) -> String {
    if value.is_empty() {
        return "empty".to_owned();
    }
    printable(&value.chars().take(SHOWN).collect::<String>())
}
