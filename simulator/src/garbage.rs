//! Requests that go wrong, with the answer that the contract demands of each.

use crate::contract::Fate;
use crate::delivery::{Delivery, Method, Registration};
use crate::event::{DateValue, Event, Kind};

/// A query of 20 KiB, well above the 16 KiB that the contract takes by default.
const TOO_LONG: usize = 20 * 1024;

/// One request of each kind of garbage, made from `specimen`, an ordinary event. Four are refused
/// at the door; the others are acknowledged and then judged by what they lack, which depends on
/// what the template carries. Ids of their own keep them apart from all other conversions.
#[must_use]
pub fn garbage(specimen: &Event, registration: &Registration) -> Vec<Delivery> {
    let mut requests = refused(specimen, registration);
    requests.extend(acknowledged(specimen, registration));
    requests
}

fn refused(specimen: &Event, registration: &Registration) -> Vec<Delivery> {
    let request = |number: u32, label: &str, status: u16| {
        let mut delivery = Delivery::of(&with_own_id(specimen, number), registration);
        delivery.planned.label = Some(label.to_owned());
        delivery.planned.fate = Fate::RefusedByIngest { status };
        delivery.planned.conversion = None;
        delivery.planned.facts = None;
        delivery
    };
    let path = registration.template.path();
    let door = path.rsplit_once('/').map_or("", |(door, _key)| door);

    let unknown_key = format!("{door}/no-such-key-0000000000000000000000");
    let mut put = request(3, "PUT", 405);
    put.planned.method = Method::Put;
    let mut too_long = request(4, "query of 20 KiB", 414);
    too_long.planned.query += "&padding=";
    let missing = TOO_LONG.saturating_sub(too_long.planned.query.len());
    too_long.planned.query += &"x".repeat(missing);
    vec![
        request(1, "unknown key", 404).with_path(unknown_key),
        request(2, "wrong path", 404).with_path("/no/such/path".to_owned()),
        put,
        too_long,
    ]
}

fn acknowledged(specimen: &Event, registration: &Registration) -> Vec<Delivery> {
    let request = |label: &str, event: &Event| {
        let mut delivery = Delivery::of(event, registration);
        delivery.planned.label = Some(label.to_owned());
        delivery
    };
    let no_kind = Event {
        kind: Kind::Unknown,
        ..with_own_id(specimen, 5)
    };
    let no_id = Event {
        transaction_id: None,
        ..specimen.clone()
    };
    let no_date = Event {
        transaction_date: DateValue::Unreadable("the day before yesterday".to_owned()),
        ..with_own_id(specimen, 6)
    };
    vec![
        empty_query(specimen, registration),
        request("no is_event", &no_kind),
        request("no transaction id", &no_id),
        request("unreadable transaction date", &no_date),
    ]
}

/// A request without a query: not one parameter, so it cannot be a row, whatever the template.
fn empty_query(specimen: &Event, registration: &Registration) -> Delivery {
    let nothing = Registration {
        template: registration.template.without_parameters(),
        ..registration.clone()
    };
    let mut delivery = Delivery::of(specimen, &nothing);
    delivery.planned.fate = Fate::RejectedByNormaliser;
    delivery.planned.label = Some("empty query".to_owned());
    delivery
}

fn with_own_id(specimen: &Event, number: u32) -> Event {
    Event {
        transaction_id: Some(format!("{:032x}", 0x0bad_0000_u64 + u64::from(number))),
        kind: Kind::Transaction,
        ..specimen.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Fate::{Loaded, RefusedByIngest, RejectedByNormaliser};

    fn fates(url: &str) -> Vec<(String, Fate)> {
        let event = Event::example("2020-03-14T18:28:18Z".parse().unwrap());
        let registration = Registration::new("rakuten", url, "USD").unwrap();
        let name = |delivery: Delivery| {
            (
                delivery.planned.label.unwrap_or_default(),
                delivery.planned.fate,
            )
        };
        garbage(&event, &registration)
            .into_iter()
            .map(name)
            .collect()
    }

    #[test]
    fn each_kind_has_the_fate_that_the_contract_demands() {
        let url = "/postback/k?t=<etransaction_id>&is_event=<is_event>&date=<transaction_date>";
        let unknown = Loaded {
            kind: Kind::Unknown,
        };
        let expected = [
            ("unknown key", RefusedByIngest { status: 404 }),
            ("wrong path", RefusedByIngest { status: 404 }),
            ("PUT", RefusedByIngest { status: 405 }),
            ("query of 20 KiB", RefusedByIngest { status: 414 }),
            ("empty query", RejectedByNormaliser),
            ("no is_event", unknown),
            ("no transaction id", RejectedByNormaliser),
            ("unreadable transaction date", RejectedByNormaliser),
        ];
        assert_eq!(
            fates(url),
            expected.map(|(label, fate)| (label.to_owned(), fate))
        );
    }

    #[test]
    fn what_a_template_does_not_carry_cannot_be_missing() {
        let fates = fates("/postback/k?is_event=<is_event>&commissions=<commissions>");
        let accepted = [Kind::Unknown, Kind::Transaction, Kind::Transaction];
        let seen: Vec<Fate> = fates[5..].iter().map(|(_, fate)| *fate).collect();
        assert_eq!(seen, accepted.map(|kind| Loaded { kind }));
    }

    #[test]
    fn the_paths_and_the_length_are_as_labelled() {
        let event = Event::example("2020-03-14T18:28:18Z".parse().unwrap());
        let url = "/postback/canary?t=<etransaction_id>";
        let registration = Registration::new("rakuten", url, "USD").unwrap();
        let requests = garbage(&event, &registration);
        assert!(requests[0].target().starts_with(b"/postback/no-such-key"));
        assert!(requests[1].target().starts_with(b"/no/such/path?"));
        assert_eq!(requests[2].planned.method, Method::Put);
        assert_eq!(requests[3].planned.query.len(), 20 * 1024);
        assert_eq!(requests[4].target(), b"/postback/canary?");
        assert!(!format!("{requests:?}").contains("canary"));
    }
}
