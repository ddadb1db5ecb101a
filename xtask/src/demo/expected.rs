//! What the tables must hold, by the sender's own ledger.
//!
//! Everything that was answered with 200. A postback that got no answer in time, or a 503 because
//! Kafka's confirmation came late, may be in Kafka all the same: nobody may count on it, and where
//! it is loaded it must be right. Such a one is recognised by its query.

use std::collections::{BTreeMap, BTreeSet};

use postback_simulator::{Entry, Fate, Ledger, Totals};

use super::tables::money_text;

/// The status of an ingest whose Kafka does not confirm in time.
const NOT_CONFIRMED: u16 = 503;

/// More than this share of the requests in percent, and something is wrong with this demo.
const LATE_PERCENT_MAX: usize = 5;

/// The expectation.
pub(super) struct Expected {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) conversions: u64,
    /// By currency.
    pub(super) money: BTreeMap<String, String>,
    /// Loaded although the network got no 200.
    pub(super) late: u64,
    /// Loaded, and nobody sent it.
    pub(super) unexplained: u64,
}

impl Expected {
    /// Out of the ledger, and the queries of what is loaded and was not acknowledged.
    pub(super) fn of(ledger: &Ledger, unacknowledged: &[String]) -> Self {
        let mut open: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in ledger.entries.iter().filter(|entry| is_open(entry)) {
            open.entry(&entry.planned.query).or_default().push(entry);
        }
        let mut next = |query: &String| open.get_mut(query.as_str()).and_then(Vec::pop);
        let late: Vec<&Entry> = unacknowledged.iter().filter_map(&mut next).collect();
        let held: Vec<&Entry> = ledger.acknowledged().chain(late.iter().copied()).collect();
        let number = |wanted: fn(&Fate) -> bool| {
            held.iter()
                .filter(|entry| wanted(&entry.planned.fate))
                .count() as u64
        };
        let totals = Totals::of(held.iter().copied());
        let money = totals.by_currency().into_iter().map(|(currency, sums)| {
            (
                currency,
                money_text(sums.net_sales(), sums.net_commission()),
            )
        });
        Self {
            accepted: number(|fate| matches!(fate, Fate::Loaded { .. })),
            rejected: number(|fate| matches!(fate, Fate::RejectedByNormaliser)),
            conversions: totals.conversions.len() as u64,
            money: money.collect(),
            late: late.len() as u64,
            unexplained: (unacknowledged.len() - late.len()) as u64,
        }
    }
}

/// Whether it is unknown what becomes of a request: no answer, or one that Kafka was late for.
fn is_open(entry: &Entry) -> bool {
    match entry.status() {
        Some(status) => status == NOT_CONFIRMED,
        None => entry.failure().is_some(),
    }
}

/// Whether any request's fate is unknown.
pub(super) fn has_open(ledger: &Ledger) -> bool {
    ledger.entries.iter().any(is_open)
}

/// What is wrong with the answers themselves.
pub(super) fn wrong_answers(ledger: &Ledger) -> Vec<String> {
    let mut faults = Vec::new();
    let wrong = ledger.unexpected().filter(|entry| !is_open(entry)).count();
    if wrong > 0 {
        faults.push(format!("answers that the network must not get: {wrong}"));
    }
    let open = ledger.entries.iter().filter(|entry| is_open(entry)).count();
    if open * 100 > ledger.entries.len() * LATE_PERCENT_MAX {
        faults.push(format!(
            "requests without a 200 in time: {open}, more than {LATE_PERCENT_MAX} %"
        ));
    }
    let ids = ledger.acknowledged_ids();
    let acknowledged = ledger.acknowledged().count();
    if ids.len() != acknowledged {
        faults.push(format!(
            "{acknowledged} acknowledged requests have {} ids",
            ids.len()
        ));
    }
    faults
}

/// Of the loaded ids, those that were not acknowledged; and how many acknowledged ones are missing.
pub(super) fn hold_against<'a>(
    ledger: &Ledger,
    loaded: &'a BTreeSet<String>,
) -> (BTreeSet<&'a str>, usize) {
    let acknowledged = ledger.acknowledged_ids();
    let added = loaded
        .iter()
        .map(String::as_str)
        .filter(|id| !acknowledged.contains(id));
    let missing = acknowledged
        .iter()
        .filter(|id| !loaded.contains(**id))
        .count();
    (added.collect(), missing)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use postback_simulator::{Attempt, Event, Outcome, Planned, Registration, plan};

    use super::*;

    /// One postback per status, each with a transaction id of its own.
    fn ledger(statuses: &[u16]) -> Ledger {
        let url = "/postback/k?t=<etransaction_id>&is_event=<is_event>&a=<sale_amount>";
        let registration = Registration::new("s", url, "USD").unwrap();
        let at: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
        let entry = |(number, status): (usize, &u16)| {
            let event = Event {
                transaction_id: Some(format!("{number:032x}")),
                ..Event::example(at)
            };
            let planned: Planned = plan(&[event], &registration).remove(0).planned;
            let id = (*status == 200).then(|| number.to_string());
            let outcome = Outcome::Answered {
                status: *status,
                postback_id: id,
            };
            let attempt = Some(Attempt {
                sent_at: at,
                latency_us: 1,
                late_us: 0,
                outcome,
            });
            Entry {
                attempt,
                ..Entry::unsent(planned)
            }
        };
        Ledger {
            entries: statuses.iter().enumerate().map(entry).collect(),
        }
    }

    #[test]
    fn what_is_loaded_late_is_expected_and_what_nobody_sent_is_not() {
        let ledger = ledger(&[200, 503, 503, 404]);
        let query = |index: usize| ledger.entries[index].planned.query.clone();
        let expected = Expected::of(&ledger, &[query(1)]);
        assert_eq!(
            (expected.accepted, expected.late, expected.unexplained),
            (2, 1, 0)
        );
        assert_eq!(expected.conversions, 2);
        // Refused for good, and a second copy of what was sent once.
        let expected = Expected::of(&ledger, &[query(3), query(1), query(1)]);
        assert_eq!(
            (expected.accepted, expected.late, expected.unexplained),
            (2, 1, 2)
        );
    }

    #[test]
    fn missing_and_added_ids_are_found() {
        let loaded = BTreeSet::from(["0".to_owned(), "9".to_owned()]);
        let (added, missing) = hold_against(&ledger(&[200, 200]), &loaded);
        assert_eq!((added, missing), (BTreeSet::from(["9"]), 1));
    }

    #[test]
    fn wrong_answers_are_named() {
        assert_eq!(wrong_answers(&ledger(&[200; 20])), [""; 0]);
        let mut statuses = [200; 20];
        statuses[0] = 404;
        assert_eq!(
            wrong_answers(&ledger(&statuses)),
            ["answers that the network must not get: 1"]
        );
        statuses[0] = 503;
        assert_eq!(wrong_answers(&ledger(&statuses)), [""; 0]);
        statuses[1] = 503;
        assert_eq!(
            wrong_answers(&ledger(&statuses)),
            ["requests without a 200 in time: 2, more than 5 %"]
        );
    }
}
