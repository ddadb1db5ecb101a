//! URLs of servers that others run.

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
    } else {
        Ok(())
    }
}
