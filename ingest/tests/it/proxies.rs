//! Whose request it is, behind proxies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use postback_common::addresses::Addresses;
use postback_ingest::caller::origin;
use postback_ingest::limits::Limits;
use proptest::prelude::*;

use crate::support::{Ingest, Kafka, PATH, request, settings};

fn trusted() -> Addresses {
    let mut trusted = Addresses::default();
    for network in ["10.0.0.0/8", "fd00::/8", "127.0.0.1"] {
        trusted.add(network).unwrap();
    }
    trusted
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_first_that_is_not_trusted_counts_from_the_right() {
    let proxy = ip("10.0.0.1");
    let cases: &[(&[&str], &str)] = &[
        (&[], "10.0.0.1"),
        (&[""], "10.0.0.1"),
        (&["203.0.113.7"], "203.0.113.7"),
        (&["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (&["198.51.100.1, 203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        (&["198.51.100.1", "203.0.113.7", "fd00::9"], "203.0.113.7"),
        (&["10.1.1.1,10.2.2.2"], "10.1.1.1"),
        (&["203.0.113.7:4711, [fd00::1]:80"], "203.0.113.7"),
        (&["2001:db8::7"], "2001:db8::7"),
        (&["[2001:db8::7]"], "2001:db8::7"),
        (&["[2001:db8::7]:443"], "2001:db8::7"),
        (&["::ffff:203.0.113.7"], "203.0.113.7"),
        (&["203.0.113.7, , 10.0.0.2,"], "203.0.113.7"),
        (&["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
        (&["203.0.113.7, unknown"], "10.0.0.1"),
        (&["203.0.113.7 10.0.0.2"], "10.0.0.1"),
        (&["[203.0.113.7]"], "10.0.0.1"),
    ];
    for (values, expected) in cases {
        let bytes: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        assert_eq!(
            origin(proxy, &trusted(), &bytes),
            ip(expected),
            "{values:?}"
        );
    }
}

fn as_written(address: IpAddr, form: u8) -> String {
    match (address, form % 3) {
        (IpAddr::V6(v6), 1) => format!("[{v6}]"),
        (IpAddr::V6(v6), 2) => format!("[{v6}]:65535"),
        (IpAddr::V4(v4), 2) => format!("{v4}:1"),
        (address, _) => address.to_string(),
    }
}

fn proxies() -> impl Strategy<Value = Vec<(IpAddr, u8)>> {
    let v4 = any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(10, b, c, d).into());
    let v6 = any::<u128>().prop_map(|bits| Ipv6Addr::from((bits >> 8) | (0xfd_u128 << 120)).into());
    prop::collection::vec((prop_oneof![v4, v6], any::<u8>()), 0..5)
}

proptest! {
    /// Whatever a sender writes into the header, its address is the one that the first proxy saw.
    #[test]
    fn a_sender_cannot_pretend(
        claimed in "[^,\r\n]{0,20}(,[ 0-9a-f.:]{0,20}){0,3}",
        sender in any::<[u8; 3]>(),
        form in any::<u8>(),
        proxies in proxies(),
        cuts in prop::collection::vec(any::<bool>(), 8),
    ) {
        let [b, c, d] = sender;
        // 11.0.0.0/8 is no proxy's.
        let sender = IpAddr::from([11, b, c, d]);
        let mut values = vec![claimed];
        let added = std::iter::once((sender, form)).chain(proxies);
        for ((address, form), cut) in added.zip(cuts) {
            let entry = as_written(address, form);
            match values.last_mut() {
                Some(last) if !cut => { last.push_str(", "); last.push_str(&entry); }
                _ => values.push(entry),
            }
        }
        let bytes: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        prop_assert_eq!(origin(ip("10.0.0.1"), &trusted(), &bytes), sender, "{:?}", values);
    }

    #[test]
    fn any_bytes_give_the_peer_or_an_address_in_them(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..4),
    ) {
        let bytes: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let found = origin(ip("10.0.0.1"), &trusted(), &bytes);
        let joined: Vec<u8> = values.concat();
        let said = String::from_utf8_lossy(&joined);
        prop_assert!(found == ip("10.0.0.1") || said.contains([':', '.']));
    }
}

#[tokio::test]
async fn the_record_and_the_gate_have_the_senders_address() {
    let allowed = settings(
        "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]",
        "allow_from = [\"203.0.113.0/24\"]",
    );
    let ingest = Ingest::with(Kafka::Confirms, &allowed, Limits::default()).await;
    let via = |from: &str| request("GET", PATH, &format!("X-Forwarded-For: {from}\r\n"), "");
    let sent = via("198.51.100.1\r\nx-forwarded-for: 203.0.113.7:99, 10.0.0.5");
    let answer = ingest.exchange(sent).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(ingest.kafka.take()[0]["remote"], "203.0.113.7");
    for from in [
        "198.51.100.1",
        "203.0.113.7, 198.51.100.1",
        "203.0.113.7, x",
    ] {
        let answer = ingest.exchange(via(from)).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{from}: {answer}");
    }
    assert!(ingest.kafka.records().is_empty());

    let direct = Ingest::start(Kafka::Confirms).await;
    direct.exchange(via("203.0.113.7")).await;
    assert_eq!(direct.kafka.take()[0]["remote"], "127.0.0.1");
}
