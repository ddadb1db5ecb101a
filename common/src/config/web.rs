//! URLs of servers that others run.

use crate::place;

/// What is wrong with it, if anything. The text is not shown: it may hold a token.
pub(super) fn plain_url(url: &str) -> Result<(), &'static str> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let rest = rest.ok_or("must begin with http:// or https://")?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if url.contains(|c: char| c.is_control() || c == ' ' || c == '#') {
        Err("must not hold spaces, control characters or #")
    } else if host.contains('@') {
        Err("must not hold user and password")
    } else if host.is_empty() {
        Err("must name a host")
    } else if !host.is_ascii() {
        Err("must have its host in ASCII, xn--… where it is a name of other letters")
    } else {
        place::check(host).map_err(place::WrongPlace::words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_a_port_to_connect_to() {
        for good in [
            "https://hooks.example.com/t0ken",
            "http://h:65535?a:b",
            "http://[::1]:9093/x:99999",
        ] {
            assert_eq!(plain_url(good), Ok(()), "{good}");
        }
        for (url, expected) in [
            ("http://h:99999/x", "has a port"),
            ("http://h:0", "has a port"),
            ("https://h:https", "has a port"),
            ("http://:80/x", "names no host"),
            ("http://a;b", "has a host"),
            ("http://a:1:2", "has a host"),
            ("https://b\u{fc}cher.example", "in ASCII"),
        ] {
            let why = plain_url(url).unwrap_err();
            assert!(why.contains(expected), "{url}: {why}");
        }
    }
}
