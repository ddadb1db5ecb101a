//! What is wrong with the way to us. Says nothing of what stands in the path, nor before the host: it
//! has the key, or a password.

use postback_common::place::{self, WrongPlace};
use postback_normalise::Profile;

use super::finding::Finding;

/// What a URL begins with.
const WHOLE: &str = "give the whole URL, such as https://pb.example.com/postback/KEY?…";

/// Everything that keeps a network's client from us, or shows what should stay secret.
pub(super) fn find(url: &str, profile: &Profile) -> Vec<Finding> {
    let mut findings: Vec<Finding> = cut_short(url, profile).into_iter().collect();
    let address = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let is_plain = scheme.eq_ignore_ascii_case("http");
    if !is_plain && !scheme.eq_ignore_ascii_case("https") {
        findings.push(Finding::error(
            "it begins with neither https:// nor http://: no network can send by it",
            WHOLE,
        ));
        return findings;
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    if user.is_some() {
        findings.push(Finding::warning(
            "a user or password stands before its host: many clients drop or refuse them, and whoever sees the URL reads them",
            "take them out of the URL; a network that sends them has fields of its own for them, and basic_auth of the source takes them",
        ));
    }
    let wrong = wrong_place(place);
    let is_nowhere = wrong.is_some();
    findings.extend(wrong);
    if is_nowhere {
        return findings;
    }
    if is_plain {
        findings.push(Finding::warning(
            "http: whoever is on the way reads the URL key, and can send in the network's name",
            "register https: see [ingest.tls], or put a proxy before ingest",
        ));
    }
    let key = path.strip_prefix("postback/").unwrap_or_default();
    if key.is_empty() || key.contains('/') {
        findings.push(Finding::warning(
            "its path is another than /postback/KEY: ingest answers 404 there, unless a proxy before it makes that of it",
            "put /postback/ and the key of the source behind the host",
        ));
    }
    findings
}

/// A client sends nothing from the first `#` on, unless the network puts a value in its place.
fn cut_short(url: &str, profile: &Profile) -> Option<Finding> {
    let is_cut = profile.macro_style.without_macros(url).contains('#');
    is_cut.then(|| {
        Finding::error(
            "it has a # outside a macro: a client sends nothing of what stands from there on",
            "take it out, or write it %23 where it belongs to a value",
        )
    })
}

/// What is wrong with host and port.
fn wrong_place(place: &str) -> Option<Finding> {
    Some(match place::check(place).err()? {
        WrongPlace::NoHost => Finding::error("it names no host", WHOLE),
        WrongPlace::Host => Finding::error(
            "its host has a character that no host has, such as a space or a second colon",
            "write the host as the network reaches ingest: letters, digits, - and . such as pb.example.com, or an IPv6 address in brackets",
        ),
        WrongPlace::Port => Finding::error(
            "behind its host stands no port: one is a number from 1 through 65535",
            "write the port where the network reaches ingest, or none for that of the scheme",
        ),
    })
}

#[cfg(test)]
mod tests {
    use postback_normalise::profile;

    use super::*;

    /// The errors' first words, and the number of warnings.
    fn found(url: &str, profile: &Profile) -> (Vec<String>, usize) {
        let findings = find(url, profile);
        let errors = findings.iter().filter(|finding| finding.is_error);
        let words = |finding: &Finding| {
            assert!(!finding.problem.contains("CANARY"), "{finding:?}");
            finding
                .problem
                .split(':')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let errors: Vec<_> = errors.map(words).collect();
        let warnings = findings.len() - errors.len();
        (errors, warnings)
    }

    const CUT: &str = "it has a # outside a macro";
    const HOST: &str =
        "its host has a character that no host has, such as a space or a second colon";
    const PORT: &str = "behind its host stands no port";

    #[test]
    fn a_url_that_no_client_can_send_by_is_an_error() {
        let impact = profile::builtin("impact").unwrap();
        let cases: &[(&str, &[&str], usize)] = &[
            (
                "https://pb.example.com/postback/CANARY?a={ActionId}",
                &[],
                0,
            ),
            (
                "HTTPS://pb_1.example.com.:8443/postback/CANARY?a={ActionId}",
                &[],
                0,
            ),
            (
                "https://[2001:db8::7]:8443/postback/CANARY?a={ActionId}",
                &[],
                0,
            ),
            ("https://[2001:db8::7]/postback/CANARY?a=%23", &[], 0),
            ("https://postback.exämple/postback/CANARY", &[], 0),
            ("https://pb.example.com:/postback/CANARY", &[], 0),
            (
                "https://pb.example.com/postback/CANARY?cid=7#&a={ActionId}",
                &[CUT],
                0,
            ),
            (
                "https://pb.example.com/postback/CANARY#?a={ActionId}",
                &[CUT],
                0,
            ),
            (
                "https://pb.example.com#/postback/CANARY?a={ActionId}",
                &[CUT],
                1,
            ),
            ("https://pb.example.com/postback/CANARY?a=#s1#", &[CUT], 0),
            ("https://pb.example .com/postback/CANARY", &[HOST], 0),
            ("https://pb.example.com\\postback\\CANARY", &[HOST], 0),
            ("https://{host}/postback/CANARY", &[HOST], 0),
            ("https://pb%2Eexample.com/postback/CANARY", &[HOST], 0),
            ("https://pb..example.com/postback/CANARY", &[HOST], 0),
            ("https://./postback/CANARY", &[HOST], 0),
            ("https://pb.example.com./postback/CANARY", &[], 0),
            ("https://हिन्दी.भारत/postback/CANARY", &[], 0),
            ("https://2001:db8::7/postback/CANARY", &[HOST], 0),
            ("https://[2001:db8::7/postback/CANARY", &[HOST], 0),
            ("https://pb.example.com:65536/postback/CANARY", &[PORT], 0),
            ("https://pb.example.com:0/postback/CANARY", &[PORT], 0),
            ("https://pb.example.com:+443/postback/CANARY", &[PORT], 0),
            ("https://pb.example.com:https/postback/CANARY", &[PORT], 0),
            ("https:///postback/CANARY", &["it names no host"], 0),
            ("https://:443/postback/CANARY", &["it names no host"], 0),
            ("https://u:CANARY@pb.example.com/postback/CANARY", &[], 1),
            ("http://CANARY@pb.example.com:8080/postback/CANARY", &[], 2),
            (
                "https://u:CANARY@/postback/CANARY",
                &["it names no host"],
                1,
            ),
        ];
        for (url, errors, warnings) in cases {
            let (found, others) = found(url, impact);
            assert_eq!(
                (found.as_slice(), others),
                (
                    &errors.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>()[..],
                    *warnings
                ),
                "{url}"
            );
        }
    }

    #[test]
    fn a_macro_may_be_written_with_it() {
        let text = profile::builtin("impact")
            .unwrap()
            .text
            .replace("macro = \"{name}\"", "macro = \"#name#\"");
        let profile = Profile::parse(&text).unwrap();
        let cut = |query: &str| {
            let url = format!("https://pb.example.com/postback/CANARY?{query}");
            !find(&url, &profile).is_empty()
        };
        assert!(!cut("a=#ActionId#&s=#s1#"));
        for query in ["a=#ActionId", "a=7#&b=#s1#", "a=#&b=#s1#", "a=#not this#"] {
            assert!(cut(query), "{query}");
        }
    }
}
