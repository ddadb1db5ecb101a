//! Lists of addresses and networks, as callers and proxies are named by.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Serialize, Serializer};

/// Addresses and networks in CIDR form. An IPv4 address that came through an IPv6 socket
/// (`::ffff:192.0.2.1`, RFC 4291, section 2.5.5.2) is the IPv4 address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(Vec<IpNet>);

/// Why a text names no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither an address nor a network.
    #[error("is no IP address and no network in CIDR form")]
    Unreadable,
    /// Bits behind the prefix are set, so that it is not clear what was meant.
    #[error("has bits behind its prefix: the network is {0}, the address alone {1}")]
    HostBits(IpNet, IpAddr),
}

impl Addresses {
    /// Whether `address` is one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The networks, in the order of the configuration.
    #[must_use]
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }

    /// Adds an address, or a network in CIDR form.
    ///
    /// # Errors
    /// [`AddressError`] when `text` is neither, or unclear.
    pub fn add(&mut self, text: &str) -> Result<(), AddressError> {
        self.0.push(network(text)?);
        Ok(())
    }
}

fn network(text: &str) -> Result<IpNet, AddressError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network = canonical(IpNet::from_str(text).map_err(|_| AddressError::Unreadable)?);
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(AddressError::HostBits(network.trunc(), network.addr()))
    }
}

/// A network of mapped IPv4 addresses as that of the addresses: it is those that are looked for.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(network) => network
            .addr()
            .to_ipv4_mapped()
            .zip(network.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let mapped = mapped.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    mapped.map_or(network, IpNet::V4)
}

/// A single address without its prefix.
fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", shown(network))?;
        }
        Ok(())
    }
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Addresses {
        let mut addresses = Addresses::default();
        for text in texts {
            addresses.add(text).unwrap();
        }
        addresses
    }

    #[test]
    fn an_address_is_in_its_network_and_in_no_other() {
        let addresses = list(&["192.0.2.0/24", "2001:db8::/32", "203.0.113.7", "::1"]);
        for inside in [
            "192.0.2.0",
            "192.0.2.255",
            "::ffff:192.0.2.9",
            "2001:db8:ffff::1",
            "203.0.113.7",
            "::1",
        ] {
            assert!(addresses.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["192.0.3.0", "203.0.113.8", "2001:db9::", "::2", "0.0.0.1"] {
            assert!(!addresses.contain(outside.parse().unwrap()), "{outside}");
        }
        assert!(!Addresses::default().contain("::1".parse().unwrap()));
        let shown = "192.0.2.0/24, 2001:db8::/32, 203.0.113.7, ::1";
        assert_eq!(addresses.to_string(), shown);
    }

    #[test]
    fn a_network_of_mapped_addresses_is_that_of_the_addresses() {
        let addresses = list(&["::ffff:127.0.0.0/104", "::ffff:192.0.2.7/128"]);
        assert_eq!(addresses.to_string(), "127.0.0.0/8, 192.0.2.7");
        for inside in ["127.255.0.1", "::ffff:127.0.0.1", "192.0.2.7"] {
            assert!(addresses.contain(inside.parse().unwrap()), "{inside}");
        }
        assert!(!addresses.contain("128.0.0.0".parse().unwrap()));
        // All of IPv4, so that it is seen where nobody may mean everyone.
        assert_eq!(list(&["::ffff:0:0/96"]).to_string(), "0.0.0.0/0");
        let unclear = Addresses::default().add("::ffff:127.0.0.1/104");
        let words =
            "has bits behind its prefix: the network is 127.0.0.0/8, the address alone 127.0.0.1";
        assert_eq!(unclear.unwrap_err().to_string(), words);
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for bad in ["", "x", "192.0.2.0/33", "192.0.2", "192.0.2.1:80", "[::1]"] {
            let refused = Addresses::default().add(bad);
            assert_eq!(refused, Err(AddressError::Unreadable), "{bad}");
        }
        let unclear = Addresses::default().add("192.0.2.7/24").unwrap_err();
        let words =
            "has bits behind its prefix: the network is 192.0.2.0/24, the address alone 192.0.2.7";
        assert_eq!(unclear.to_string(), words);
    }
}
