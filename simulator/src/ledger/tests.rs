use super::*;
use crate::delivery::{Registration, plan};
use crate::event::Event;
use crate::garbage::garbage;
use crate::scenario::{Scenario, Settings};

const URL: &str = "/postback/canary?t=<etransaction_id>&is_event=<is_event>&sale=<sale_amount>\
    &name=<product_name>&date=<transaction_date>";

fn answered(status: u16, id: &str) -> Attempt {
    let postback_id = Some(id.to_owned());
    attempt(Outcome::Answered {
        status,
        postback_id,
    })
}

fn attempt(outcome: Outcome) -> Attempt {
    let sent_at = "2026-03-02T10:00:00.5Z".parse().unwrap();
    Attempt {
        sent_at,
        latency_us: 1_234,
        late_us: 5,
        outcome,
    }
}

fn failed() -> Attempt {
    let detail = "no answer within 400 ms".to_owned();
    attempt(Outcome::Failed {
        failure: Failure::TimedOut,
        detail,
    })
}

/// Every kind of garbage and some postbacks, with every kind of attempt.
fn ledger() -> Ledger {
    let settings = Settings {
        postbacks: 100,
        ..Settings::until("2026-03-02T10:00:00Z".parse().unwrap())
    };
    let events = Scenario::generate(&settings).unwrap().events;
    let registration = Registration::new("rakuten", URL, "USD").unwrap();
    let mut deliveries = garbage(&events[0], &registration);
    deliveries.extend(plan(&events, &registration));
    let entries = deliveries
        .into_iter()
        .enumerate()
        .map(|(index, delivery)| Entry {
            planned: delivery.planned,
            withheld: (index % 8 == 0).then_some(Withheld::Disabled),
            attempt: match index % 4 {
                0 => None,
                1 => Some(failed()),
                2 => Some(answered(200, &format!("id-{index}"))),
                _ => Some(answered(503, "none")),
            },
        });
    Ledger {
        entries: entries.collect(),
    }
}

#[test]
fn comes_back_as_it_was_written() {
    let mut text = Vec::new();
    ledger().write_to(&mut text).unwrap();
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 108);
    assert!(!String::from_utf8_lossy(&text).contains("canary"));
    assert_eq!(Ledger::read_from(text.as_slice()).unwrap(), ledger());
}

#[test]
fn names_the_line_that_is_no_entry() {
    let mut text = Vec::new();
    ledger().write_to(&mut text).unwrap();
    text.extend_from_slice(b"{\"source\":1}\n");
    let error = Ledger::read_from(text.as_slice()).unwrap_err().to_string();
    assert!(
        error.starts_with("line 109 of the ledger is none of a ledger: "),
        "{error}"
    );
}

#[test]
fn a_half_line_at_the_end_is_that_of_a_run_that_was_killed() {
    let mut whole = Vec::new();
    ledger().write_to(&mut whole).unwrap();
    let mut cut = whole.clone();
    cut.extend_from_slice(&whole[..40]);
    assert_eq!(Ledger::read_from(cut.as_slice()).unwrap(), ledger());
    // In the middle it is none.
    cut.push(b'\n');
    cut.extend_from_slice(&whole);
    assert!(Ledger::read_from(cut.as_slice()).is_err());
}

#[test]
fn counts_add_up() {
    let event = Event::example("2026-03-01T12:00:00Z".parse().unwrap());
    let registration = Registration::new("rakuten", URL, "USD").unwrap();
    let planned: Vec<_> = garbage(&event, &registration)
        .into_iter()
        .map(|delivery| delivery.planned)
        .collect();
    // Unknown key, wrong path, PUT, too long, empty, no is_event, no id, no date.
    let attempts = [
        Some(answered(404, "-")),
        Some(answered(200, "a")),
        Some(failed()),
        None,
        Some(answered(200, "b")),
        Some(answered(200, "c")),
        Some(answered(503, "-")),
        Some(answered(200, "c")),
    ];
    let entries = planned
        .into_iter()
        .zip(attempts)
        .map(|(planned, attempt)| Entry {
            attempt,
            ..Entry::unsent(planned)
        });
    let ledger = Ledger {
        entries: entries.collect(),
    };
    let expected = Counts {
        planned: 8,
        unsent: 1,
        withheld: 0,
        acknowledged: 4,
        refused: 2,
        failed: 1,
        to_be_loaded: 1,
        to_be_rejected: 2,
        unexpected: 2,
    };
    assert_eq!(ledger.counts(), expected);
    assert_eq!(ledger.acknowledged_ids(), BTreeSet::from(["a", "b", "c"]));
    assert_eq!(ledger.unexpected().count(), 2);
    assert_eq!(ledger.totals().conversions.len(), 1);
    assert_eq!(ledger.entries[2].failure(), Some(Failure::TimedOut));
}
