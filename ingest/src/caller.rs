//! Whose request it is: the other end of the connection, or who a trusted proxy says it was.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use postback_common::addresses::Addresses;

/// De facto standard; RFC 7239, section 7.4, describes it.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request comes from, without port. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Caller {
    address: IpAddr,
    text: Arc<str>,
}

impl Caller {
    /// An IPv4 address that came through an IPv6 socket is the IPv4 address.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let text = address.to_string().into();
        Self { address, text }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The address as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who sent a request with these headers over a connection of ours: we ourselves, unless we are
    /// one of the `trusted` proxies.
    #[must_use]
    pub fn behind(&self, trusted: &Addresses, headers: &HeaderMap) -> Self {
        if !trusted.contain(self.address) {
            return self.clone();
        }
        let values = headers.get_all(X_FORWARDED_FOR).iter();
        let values: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
        let address = origin(self.address, trusted, &values);
        if address == self.address {
            return self.clone();
        }
        Self::new(address)
    }
}

/// The address from which a request reached the first trusted proxy. `values` are the headers in
/// their order; each proxy has added the address that it saw at the end, so they are read from there:
/// the first that is not trusted is the sender, and what stands before it is what the sender says of
/// itself. Where an entry is no address the chain ends, and its last good link counts.
#[must_use]
pub fn origin(peer: IpAddr, trusted: &Addresses, values: &[&[u8]]) -> IpAddr {
    let mut last = peer;
    let entries = values
        .iter()
        .rev()
        .flat_map(|value| value.rsplit(|byte| *byte == b','));
    // Lists may have empty elements (RFC 9110, section 5.6.1.2).
    for entry in entries
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
    {
        let Some(address) = address(entry) else { break };
        last = address;
        if !trusted.contain(address) {
            break;
        }
    }
    last
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?;
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let plain = match bracketed {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    plain
        .or_else(with_port)
        .map(|address| address.to_canonical())
}
