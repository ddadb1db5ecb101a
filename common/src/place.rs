//! Host and port of a URL: where a client connects to.

use std::net::Ipv6Addr;

/// Why no client can connect there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongPlace {
    /// Nothing stands before the port.
    NoHost,
    /// The host has a character that no host has, or an empty label.
    Host,
    /// Behind the host stands something that is no port.
    Port,
}

impl WrongPlace {
    /// What is wrong, said of what was given.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoHost => "names no host",
            Self::Host => "has a host that no client can look up or connect to",
            Self::Port => "has a port that is no number from 1 through 65535",
        }
    }
}

/// Judges `host` or `host:port`, as it stands in a URL behind the user and before the path.
///
/// # Errors
/// [`WrongPlace`]
pub fn check(place: &str) -> Result<(), WrongPlace> {
    let (host, port) = match place.rsplit_once(':') {
        // A colon within brackets belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    if host.is_empty() {
        return Err(WrongPlace::NoHost);
    }
    if !is_host(host) {
        return Err(WrongPlace::Host);
    }
    // None behind the colon is the scheme's own.
    let is_port = |port: &str| {
        let is_number = port.bytes().all(|b| b.is_ascii_digit());
        port.is_empty() || (is_number && port.parse::<u16>().is_ok_and(|port| port != 0))
    };
    if port.is_none_or(is_port) {
        Ok(())
    } else {
        Err(WrongPlace::Port)
    }
}

/// A name that clients look up or translate, or an address.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let can_stand = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'),
        // Marks of a script (a vowel sign) are no letters, and stand in names all the same.
        false => !c.is_whitespace() && !c.is_control(),
    };
    // One dot at the end is that of the root.
    let labels = host.strip_suffix('.').unwrap_or(host).split('.');
    labels
        .into_iter()
        .all(|label| !label.is_empty() && label.chars().all(can_stand))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_where_a_client_can_connect_to() {
        for (place, expected) in [
            ("pb.example.com", Ok(())),
            ("PB_1.example.com.:8443", Ok(())),
            ("[2001:db8::7]:65535", Ok(())),
            ("pb.example.com:", Ok(())),
            ("m\u{fc}ller.example", Ok(())),
            // With a vowel sign, which is no letter.
            ("\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}.example", Ok(())),
            ("", Err(WrongPlace::NoHost)),
            (":443", Err(WrongPlace::NoHost)),
            ("pb..example.com", Err(WrongPlace::Host)),
            ("[::1", Err(WrongPlace::Host)),
            ("a b", Err(WrongPlace::Host)),
            ("a\u{3000}b", Err(WrongPlace::Host)),
            ("a\u{85}b", Err(WrongPlace::Host)),
            ("a\u{9f}b", Err(WrongPlace::Host)),
            ("h:99999", Err(WrongPlace::Port)),
            ("h:0", Err(WrongPlace::Port)),
        ] {
            assert_eq!(check(place), expected, "{place}");
        }
    }
}
