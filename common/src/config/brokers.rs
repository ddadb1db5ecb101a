//! `kafka.brokers`
//!
//! librdkafka refuses none of them: it looks up for ever whatever stands there, and takes the remainder
//! of a port that is too large.

use std::net::IpAddr;

use super::fault::{Fault, FaultCode};
use super::section::Section;
use crate::place::{self, WrongPlace};

/// At least one, or a fault says so.
pub(super) fn read(section: &mut Section<'_>) -> Vec<String> {
    let given = section.list("brokers").unwrap_or_default();
    // librdkafka separates at commas as well.
    let parts = given.iter().flat_map(|text| text.split(','));
    let brokers: Vec<String> = (parts.map(str::trim))
        .filter(|broker| !broker.is_empty())
        .map(str::to_owned)
        .collect();
    if brokers.is_empty() {
        section.missing(
            "brokers",
            "give the brokers to begin with, such as brokers = \"127.0.0.1:9092\"",
        );
    }
    // What looks like a URL may hold a password, of which each part between commas is one.
    let is_seen = !given
        .iter()
        .any(|text| text.contains('@') || text.contains("://"));
    for broker in &brokers {
        if let Err(problem) = reachable(broker) {
            let key = section.key("brokers");
            let remedy = "write host:port, several separated by commas";
            let fault = Fault::new(FaultCode::BadValue, &key, problem, remedy);
            section.refuse(match is_seen {
                true => fault.with_value(format_args!("{broker:?}")),
                false => fault,
            });
        }
    }
    brokers
}

/// Whether librdkafka can connect there: `host`, `host:port`, or the same behind its security protocol.
fn reachable(broker: &str) -> Result<(), &'static str> {
    let place = match broker.split_once("://") {
        None => broker,
        Some((protocol, place)) if is_protocol(protocol) => place.trim_end_matches('/'),
        Some(_) => return Err("is a URL, which no broker has"),
    };
    if place.parse::<IpAddr>().is_ok() {
        // One of IPv6 needs brackets only where a port follows.
        return Ok(());
    }
    if place.ends_with(':') {
        return Err(WrongPlace::Port.words());
    }
    place::check(place).map_err(WrongPlace::words)
}

fn is_protocol(text: &str) -> bool {
    let protocols = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    protocols.contains(&text.to_ascii_lowercase().as_str())
}
