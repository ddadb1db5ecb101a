use super::*;
use crate::delivery::{Registration, plan};
use crate::event::{Click, DateForm, DateValue, Event};

const ALL: &str = "/postback/k?t=<etransaction_id>&is_event=<is_event>&mid=<advertiser_id>\
    &order=<order_id>&sku=<sku_number>&sale=<sale_amount>&commission=<commissions>\
    &currency=<currency>&date=<transaction_date>&processed=<process_date>&unique_id=<u1>";

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn line(id: &str, day: &str, order: &str, sale: &str, commission: &str) -> Event {
    Event {
        transaction_id: Some(id.to_owned()),
        order_id: order.to_owned(),
        sale_amount: amount(sale),
        commission: amount(commission),
        ..Event::example(format!("{day}T23:30:00Z").parse().unwrap())
    }
}

/// Two days, two currencies:
/// order 1 (USD, 1 March): lines of 100.10 and 50.05, the second reversed; a signal before;
/// order 2 (USD, 1 March): 0, no click id; order 2 of another advertiser (USD, 2 March): 7, macro;
/// order 3 (JPY, 2 March): 1980, told twice.
fn shop() -> Vec<Event> {
    let (first, second) = ("2026-03-01", "2026-03-02");
    let yen = Event {
        currency: "JPY".to_owned(),
        transaction_date: DateValue::At(
            "2026-03-02T01:00:00Z".parse().unwrap(),
            DateForm::IsoOffset,
        ),
        ..line("e", second, "3", "1980", "44")
    };
    vec![
        Event {
            kind: Kind::Signal,
            ..line("s", first, "1", "100.10", "3.01")
        },
        line("a", first, "1", "100.10", "3.01"),
        line("b", first, "1", "50.05", "1.50"),
        line("r", first, "1", "-50.05", "-1.50"),
        Event {
            click: Click::Empty,
            ..line("c", first, "2", "0", "0")
        },
        Event {
            click: Click::Macro,
            advertiser_id: 9,
            ..line("d", second, "2", "7", "0.0025")
        },
        yen.clone(),
        yen,
        Event {
            kind: Kind::Unknown,
            ..line("u", first, "4", "1000", "10")
        },
    ]
}

fn totals(url: &str) -> Totals {
    let registration = Registration::new("rakuten", url, "EUR").unwrap();
    let planned = plan(&shop(), &registration)
        .into_iter()
        .map(|delivery| delivery.planned);
    let entries: Vec<Entry> = planned.map(Entry::unsent).collect();
    Totals::of(&entries)
}

fn first_march() -> Sums {
    Sums {
        orders: 2,
        transactions: 3,
        reversals: 1,
        gross_sales: amount("150.15"),
        reversed_sales: amount("-50.05"),
        gross_commission: amount("4.51"),
        reversed_commission: amount("-1.5"),
        signals: 1,
        unknown: 1,
        without_click: 1,
    }
}

fn second_march_usd() -> Sums {
    Sums {
        orders: 1,
        transactions: 1,
        gross_sales: amount("7"),
        gross_commission: amount("0.0025"),
        without_click: 1,
        ..Sums::default()
    }
}

fn yen() -> Sums {
    Sums {
        orders: 1,
        transactions: 1,
        gross_sales: amount("1980"),
        gross_commission: amount("44"),
        ..Sums::default()
    }
}

#[test]
fn sums_by_day_are_those_computed_by_hand() {
    let (first, second) = (jiff::civil::date(2026, 3, 1), jiff::civil::date(2026, 3, 2));
    let expected = BTreeMap::from([
        ((Some(first), "USD".to_owned()), first_march()),
        ((Some(second), "JPY".to_owned()), yen()),
        ((Some(second), "USD".to_owned()), second_march_usd()),
    ]);
    let totals = totals(ALL);
    assert_eq!(totals.by_day(), expected);
    assert_eq!(
        totals.kinds(),
        KindCounts {
            transactions: 6,
            signals: 1,
            unknown: 1
        }
    );
    assert_eq!(
        totals.conversions.iter().map(|c| c.postbacks).sum::<u64>(),
        9
    );

    let only_second = totals
        .between(second, jiff::civil::date(2026, 3, 3))
        .by_day();
    assert_eq!(
        only_second.into_keys().map(|key| key.1).collect::<Vec<_>>(),
        ["JPY", "USD"]
    );
    assert_eq!(first_march().net_sales(), amount("100.1"));
    assert_eq!(first_march().net_commission(), amount("3.01"));
}

#[test]
fn sums_by_advertiser_source_and_currency_are_those_computed_by_hand() {
    let totals = totals(ALL);
    let usd = Sums {
        orders: 3,
        transactions: 4,
        gross_sales: amount("157.15"),
        gross_commission: amount("4.5125"),
        without_click: 2,
        ..first_march()
    };
    let expected = BTreeMap::from([("JPY".to_owned(), yen()), ("USD".to_owned(), usd)]);
    assert_eq!(totals.by_currency(), expected);

    let source = |currency: &str| ("rakuten".to_owned(), currency.to_owned());
    let expected = BTreeMap::from([(source("JPY"), yen()), (source("USD"), usd)]);
    assert_eq!(totals.by_source(), expected);
    assert!(totals.of_source("another").by_source().is_empty());

    let advertiser = |id: &str, currency: &str| (id.to_owned(), currency.to_owned());
    let expected = BTreeMap::from([
        (advertiser("38605", "JPY"), yen()),
        (advertiser("38605", "USD"), first_march()),
        (advertiser("9", "USD"), second_march_usd()),
    ]);
    assert_eq!(totals.by_advertiser(), expected);
}

/// Without any id every postback counts, the repeat included; without a sale amount there are no
/// sales; without a currency all is in the registration's.
#[test]
fn totals_follow_what_the_template_carries() {
    let totals = totals("/p?is_event=<is_event>&d=<transaction_date>&commissions=<commissions>");
    assert_eq!(totals.conversions.len(), 9);
    let expected = Sums {
        orders: 0,
        transactions: 6,
        reversals: 1,
        gross_commission: amount("92.5125"),
        reversed_commission: amount("-1.5"),
        signals: 1,
        unknown: 1,
        without_click: 6,
        ..Sums::default()
    };
    assert_eq!(
        totals.by_currency(),
        BTreeMap::from([("EUR".to_owned(), expected)])
    );
}

#[test]
fn an_order_id_alone_makes_an_identity_that_keeps_reversals() {
    let totals = totals("/p?is_event=<is_event>&order=<order_id>&sale=<sale_amount>");
    assert_eq!(
        totals.kinds(),
        KindCounts {
            transactions: 6,
            signals: 1,
            unknown: 1
        }
    );
    assert_eq!(totals.by_currency()["EUR"].reversals, 1);
}

#[test]
fn the_revision_processed_last_counts() {
    let processed = |at: &str, sale: &str| Event {
        process_date: DateValue::At(at.parse().unwrap(), DateForm::Long),
        ..line("a", "2026-03-01", "1", sale, "1")
    };
    let events = [
        processed("2026-03-03T00:00:00Z", "20"),
        processed("2026-03-02T00:00:00Z", "30"),
    ];
    let registration = Registration::new("rakuten", ALL, "USD").unwrap();
    let planned = plan(&events, &registration)
        .into_iter()
        .map(|delivery| delivery.planned);
    let entries: Vec<_> = planned.map(Entry::unsent).collect();
    assert_eq!(
        Totals::of(&entries).by_currency()["USD"].gross_sales,
        amount("20")
    );
}
