use super::*;
use crate::delivery::{Delivery, Registration};
use crate::event::{Click, DateForm, DateValue, Event};
use crate::ledger::{Attempt, Failure, Outcome};

const URL: &str = "/k?t=<etransaction_id>&is_event=<is_event>&s=<sale_amount>&c=<commissions>\
    &m=<currency>&p=<process_date>&u=<u1>";

fn event(id: &str, sale: i64, hour: i8) -> Event {
    let at = format!("2026-03-01T{hour:02}:00:00Z").parse().unwrap();
    Event {
        transaction_id: Some(id.to_owned()),
        sale_amount: Amount::from_minor(sale, 2),
        commission: Amount::from_minor(sale / 10, 2),
        process_date: DateValue::At(at, DateForm::Long),
        ..Event::example(at)
    }
}

fn entry(event: &Event, outcome: Outcome) -> Entry {
    let registration = Registration::new("s", URL, "USD").unwrap();
    let attempt = Attempt {
        sent_at: "2026-03-09T00:00:00Z".parse().unwrap(),
        latency_us: 1,
        late_us: 0,
        outcome,
    };
    Entry::sent(Delivery::of(event, &registration).planned, attempt)
}

fn answered(status: u16, id: u128) -> Outcome {
    let id = format!("{id:032x}");
    let dashed = format!("{}-{}-{}", &id[..8], &id[8..20], &id[20..]);
    Outcome::Answered {
        status,
        postback_id: Some(dashed),
    }
}

fn timed_out() -> Outcome {
    Outcome::Failed {
        failure: Failure::TimedOut,
        detail: String::new(),
    }
}

/// 1: 10.00; 2: a revision of it to 4.00 that was processed before; 3: -5.00; 4 and 5: no answer.
fn audit() -> Audit {
    let mut audit = Audit::default();
    let no_click = Event {
        click: Click::Empty,
        ..event("b", -500, 9)
    };
    for entry in [
        entry(&event("a", 1_000, 9), answered(200, 1)),
        entry(&event("a", 400, 8), answered(200, 2)),
        entry(&no_click, answered(200, 3)),
        entry(&event("c", 700, 9), timed_out()),
        entry(&event("d", 900, 9), answered(503, 0)),
        entry(&event("e", 900, 9), answered(404, 0)),
    ] {
        audit.add(&entry);
    }
    audit
}

fn counted(id: u128, status: &str, sale: i64, has_click: bool) -> Counted {
    Counted {
        id,
        group: Group {
            currency: "USD".to_owned(),
            kind: "transaction".to_owned(),
            status: status.to_owned(),
        },
        sale: Some(Amount::from_minor(sale, 2)),
        commission: Some(Amount::from_minor(sale / 10, 2)),
        has_click,
    }
}

fn received(ids: &[u128]) -> Vec<Received> {
    let row = |id: &u128| Received {
        id: *id,
        is_accepted: true,
    };
    ids.iter().map(row).collect()
}

fn differing(comparison: &Comparison) -> Vec<&'static str> {
    let different = comparison.compared.iter().filter(|row| !row.is_equal());
    different.map(|row| row.what).collect()
}

#[test]
fn equal_books_are_equal_and_what_arrived_unanswered_counts() {
    let audit = audit();
    let rows = received(&[1, 2, 3, 9, 77]);
    assert_eq!(audit.to_be_recognised(&rows), [9, 77]);
    let query = entry(&event("c", 700, 9), timed_out())
        .planned
        .query_bytes();
    let queries = [(9, query.clone()), (77, query)];
    let conversions = [
        counted(1, "reported", 1_000, true),
        counted(3, "reversed", -500, false),
        counted(9, "reported", 700, true),
        counted(77, "reported", 5, true),
    ];
    let comparison = audit.compare(&rows, &conversions, &queries);
    assert_eq!(differing(&comparison), Vec::<&str>::new());
    assert_eq!((comparison.arrived, comparison.strangers), (1, 1));
    let sales = comparison
        .compared
        .iter()
        .filter(|row| row.what == "sale_amount");
    let sums: Vec<Figure> = sales.map(|row| row.ledger).collect();
    let sum = |minor| Figure::Sum(Amount::from_minor(minor, 2));
    assert_eq!(sums, [sum(1_700), sum(-500)]);
}

#[test]
fn whatever_differs_is_found() {
    let audit = audit();
    let right = [
        counted(1, "reported", 1_000, true),
        counted(3, "reversed", -500, false),
    ];
    let found = |ids: &[u128], conversions: &[Counted]| {
        let comparison = audit.compare(&received(ids), conversions, &[]);
        (differing(&comparison).join(" "), comparison.missing)
    };
    assert_eq!(found(&[1, 2, 3], &right), (String::new(), vec![]));
    let (what, missing) = found(&[1, 3], &right);
    assert_eq!((what.as_str(), missing), ("postbacks accepted", vec![2]));
    // The older revision counts.
    let older = [counted(2, "reported", 400, true), right[1].clone()];
    assert_eq!(found(&[1, 2, 3], &older).0, "sale_amount commission");
    let twice = [right[0].clone(), right[0].clone(), right[1].clone()];
    assert_eq!(
        found(&[1, 2, 3], &twice).0,
        "conversions sale_amount commission"
    );
    let unattributed = [counted(1, "reported", 1_000, false), right[1].clone()];
    assert_eq!(found(&[1, 2, 3], &unattributed).0, "without_click");
    let refused = |id| Received {
        id,
        is_accepted: id != 3,
    };
    let comparison = audit.compare(&[1, 2, 3].map(refused), &right, &[]);
    assert_eq!(differing(&comparison), ["accepted", "rejected"]);
}
