use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::event::{Click, DateForm, DateValue, Spelling, utc_day};

fn settings(postbacks: u32) -> Settings {
    let now = "2026-03-02T00:30:00Z".parse().unwrap();
    Settings {
        seed: 42,
        postbacks,
        ..Settings::until(now)
    }
}

fn scenario(postbacks: u32) -> Vec<Event> {
    Scenario::generate(&settings(postbacks)).unwrap().events
}

#[test]
fn one_seed_gives_one_scenario() {
    assert_eq!(scenario(2_000), scenario(2_000));
    let other = Settings {
        seed: 43,
        ..settings(2_000)
    };
    assert_ne!(scenario(2_000), Scenario::generate(&other).unwrap().events);
}

#[test]
fn has_as_many_events_as_asked_for() {
    for postbacks in [0, 1, 7, 199, 20_000] {
        assert_eq!(scenario(postbacks).len(), postbacks as usize);
    }
}

#[test]
fn stays_within_its_days() {
    let settings = settings(5_000);
    assert_eq!(settings.last_day, jiff::civil::date(2026, 3, 1));
    assert_eq!(
        settings.first_day().unwrap(),
        jiff::civil::date(2026, 1, 31)
    );
    let days: BTreeSet<_> = scenario(5_000)
        .iter()
        .flat_map(|event| {
            [
                event.transaction_date.instant(),
                event.process_date.instant(),
            ]
        })
        .map(|at| utc_day(at.unwrap()))
        .collect();
    assert_eq!(days.len(), 30);
    assert_eq!(days.first(), Some(&settings.first_day().unwrap()));
    assert_eq!(days.last(), Some(&settings.last_day));
}

#[test]
fn even_a_short_scenario_shows_one_of_every_kind() {
    let events = scenario(200);
    let some = |what: &str, test: &dyn Fn(&Event) -> bool| {
        assert!(events.iter().any(test), "no {what}");
    };
    some("signal", &|e| e.kind == Kind::Signal);
    some("reversal", &|e| e.sale_amount.is_negative());
    some("zero amount", &|e| e.sale_amount.scaled() == 0);
    some("empty click", &|e| e.click == Click::Empty);
    some("absent click", &|e| e.click == Click::Absent);
    some("unreplaced macro", &|e| e.click == Click::Macro);
    some("order with a letter", &|e| e.order_id.starts_with('M'));
    some("batch", &|e| e.batch);
    some("raw plus", &|e| {
        matches!(e.transaction_date, DateValue::At(_, DateForm::LongRawPlus))
    });
    some("ISO date", &|e| {
        matches!(
            e.transaction_date,
            DateValue::At(_, DateForm::Iso | DateForm::IsoOffset)
        )
    });
    let ids: BTreeSet<_> = events.iter().map(|e| &e.transaction_id).collect();
    assert!(ids.len() < events.len(), "no exact repeat");
}

/// Counted wide, at five standard deviations and more: these are the shares that the documentation
/// promises, not figures that a run happened to give.
#[test]
fn the_shares_are_about_as_set() {
    let events = scenario(20_000);
    let share = |what: &str, percent: std::ops::Range<f64>, test: &dyn Fn(&Event) -> bool| {
        let found = events.iter().filter(|event| test(event)).count();
        let found = f64::from(u32::try_from(found).unwrap()) / 200.0;
        assert!(percent.contains(&found), "{what}: {found} %");
    };
    share("signals", 13.0..17.0, &|e| e.kind == Kind::Signal);
    share("reversals", 2.0..4.0, &|e| e.sale_amount.is_negative());
    share("zero amounts", 0.2..1.0, &|e| e.sale_amount.scaled() == 0);
    share("no click", 4.5..7.5, &|e| {
        matches!(e.click, Click::Empty | Click::Absent)
    });
    share("macros", 0.05..0.5, &|e| e.click == Click::Macro);
    share("raw plus", 1.5..4.5, &|e| {
        matches!(e.transaction_date, DateValue::At(_, DateForm::LongRawPlus))
    });
}

#[test]
fn a_reversal_negates_its_sale_on_a_later_day() {
    let events = scenario(10_000);
    let mut checked = 0;
    for reversal in events
        .iter()
        .filter(|event| event.sale_amount.is_negative())
    {
        let sale = events
            .iter()
            .find(|event| {
                event.kind == Kind::Transaction
                    && event.order_id == reversal.order_id
                    && event.product_name == reversal.product_name
                    && event.sale_amount == -reversal.sale_amount
            })
            // The last order may be cut off by the number of events asked for.
            .unwrap_or_else(|| panic!("{} has no sale", reversal.order_id));
        assert_eq!(sale.commission, -reversal.commission);
        assert_eq!(sale.sku, reversal.sku);
        assert_eq!(sale.offer_id, reversal.offer_id);
        assert_eq!(sale.transaction_date, reversal.transaction_date);
        assert_ne!(sale.transaction_id, reversal.transaction_id);
        assert!(reversal.quantity > 0);
        let later = |event: &Event| event.process_date.instant().unwrap();
        assert!(later(reversal) > later(sale));
        assert!(utc_day(later(reversal)) > utc_day(sale.transaction_date.instant().unwrap()));
        checked += 1;
    }
    assert!(checked > 100, "{checked} reversals");
}

#[test]
fn lines_of_an_order_share_it_and_only_repeats_share_an_id() {
    let events = scenario(5_000);
    let mut orders: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let mut by_id: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in &events {
        orders.entry(&event.order_id).or_default().push(event);
        let id = event.transaction_id.as_deref().unwrap();
        assert!(
            id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{id}"
        );
        if let Some(earlier) = by_id.insert(id, event) {
            assert_eq!(
                &Event {
                    sent_at: event.sent_at,
                    ..earlier.clone()
                },
                event
            );
        }
    }
    assert!(orders.values().any(|lines| lines.len() > 2));
    for lines in orders.values() {
        let shared = |e: &Event| (e.advertiser_id, e.transaction_date.clone(), e.click.clone());
        assert!(lines.iter().all(|line| shared(line) == shared(lines[0])));
    }
}

#[test]
fn the_example_is_a_reversed_sale() {
    for seed in 0..20 {
        let scenario = Scenario::generate(&Settings {
            seed,
            ..settings(300)
        })
        .unwrap();
        let example = scenario.reversed_order_example().unwrap();
        let of = |id: &str| {
            let found = scenario
                .events
                .iter()
                .find(|e| e.transaction_id.as_deref() == Some(id));
            found.unwrap().clone()
        };
        let (sale, reversal) = (of(&example.sale), of(&example.reversal));
        assert_eq!(
            (&sale.order_id, &reversal.order_id),
            (&example.order_id, &example.order_id)
        );
        assert_eq!(sale.sale_amount, -reversal.sale_amount);
        assert!(reversal.sale_amount.is_negative());
    }
}

#[test]
fn what_is_switched_off_does_not_happen() {
    let shares = Shares {
        reversed: 0,
        signals: 0,
        repeats: 0,
        ..Shares::default()
    };
    let events = Scenario::generate(&Settings {
        shares,
        ..settings(1_000)
    })
    .unwrap()
    .events;
    assert!(
        events
            .iter()
            .all(|e| e.kind == Kind::Transaction && !e.sale_amount.is_negative())
    );
    let ids: BTreeSet<_> = events.iter().map(|e| &e.transaction_id).collect();
    assert_eq!(ids.len(), 1_000);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let wrong = [
        Settings {
            days: 0,
            ..settings(1)
        },
        Settings {
            advertisers: Vec::new(),
            ..settings(1)
        },
        Settings {
            shares: Shares {
                batch: 10_001,
                ..Shares::default()
            },
            ..settings(1)
        },
        Settings {
            last_day: jiff::civil::Date::MIN,
            ..settings(1)
        },
        Settings {
            last_day: jiff::civil::Date::MAX,
            ..settings(1)
        },
    ];
    for settings in wrong {
        assert!(Scenario::generate(&settings).is_err(), "{settings:?}");
    }
}

/// What only some receivers take comes when it is asked for, and never changes what was there.
#[test]
fn lifelike_shares_bring_revisions_late_events_and_careless_spelling() {
    let events = Scenario::generate(&Settings {
        shares: Shares::lifelike(),
        ..settings(5_000)
    })
    .unwrap()
    .events;
    let raw = |spelling| events.iter().filter(|e| e.spelling == spelling).count();
    assert!(raw(Spelling::Raw) > 20 && raw(Spelling::RawLatin1) > 10);
    let late = |event: &&Event| {
        let processed = event.process_date.instant().unwrap();
        event.sent_at.duration_since(processed) > SignedDuration::from_mins(55)
    };
    assert!(events.iter().filter(late).count() > 50);
    let mut by_id: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for event in &events {
        let told = format!("{} {:?}", event.sale_amount, event.process_date);
        by_id
            .entry(event.transaction_id.as_deref().unwrap())
            .or_default()
            .insert(told);
    }
    assert!(by_id.values().filter(|told| told.len() == 2).count() > 15);
    assert!(by_id.values().all(|told| told.len() <= 2));
    assert!(
        scenario(5_000)
            .iter()
            .all(|e| e.spelling == Spelling::Careful)
    );
}

#[test]
fn chapters_follow_each_other_without_sharing_an_order() {
    let all: Vec<Vec<Event>> = Chapters::new(settings(1), 45_000).unwrap().collect();
    let sizes: Vec<usize> = all.iter().map(Vec::len).collect();
    assert_eq!(sizes, [20_000, 20_000, 5_000]);
    let orders = |events: &[Event]| -> BTreeSet<String> {
        events
            .iter()
            .map(|e| e.order_id.trim_start_matches('M').to_owned())
            .collect()
    };
    let (first, second, third) = (orders(&all[0]), orders(&all[1]), orders(&all[2]));
    assert!(first.is_disjoint(&second) && second.is_disjoint(&third) && first.is_disjoint(&third));
    assert_eq!(
        Chapters::new(settings(1), 45_000).unwrap().nth(2).unwrap(),
        all[2]
    );
    let wrong = Settings {
        days: 0,
        ..settings(1)
    };
    assert!(Chapters::new(wrong, 1).is_err());
}
