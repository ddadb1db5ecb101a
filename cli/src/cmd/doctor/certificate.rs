//! The certificate that ingest listens with: whether it can be used, and for how long.

use jiff::{SignedDuration, Timestamp};
use postback_common::config::Settings;
use postback_service::certificate::Pair;

use super::check::Check;
use crate::output::age;

pub(super) const NAME: &str = "certificate";

/// A renewal comes earlier: usually a month before the end.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Nothing where ingest speaks no TLS itself.
pub(super) fn check(settings: &Settings) -> Option<Check> {
    let tls = settings.ingest.tls.as_ref()?;
    let expiry = Pair::read(tls).and_then(Pair::checked);
    let expiry = expiry.and_then(|pair| pair.expiry());
    Some(match expiry {
        Ok(expiry) => judge(expiry, Timestamp::now()),
        Err(error) => {
            let fault = error.fault(tls);
            let value = fault.value.unwrap_or_default();
            let what = format!("{} = {value}: {}", fault.key, fault.problem);
            Check::broken(NAME, what, fault.remedy)
        }
    })
}

fn judge(expiry: Timestamp, now: Timestamp) -> Check {
    let renew = "renew it, put it in its place (ingest takes it up by itself), and see why it was not renewed";
    let left = expiry.duration_since(now);
    if left <= SignedDuration::ZERO {
        let what = format!("expired on {expiry}: networks do not connect");
        return Check::broken(NAME, what, renew);
    }
    let what = format!("fits its key; expires in {}", age(left));
    if left < SOON {
        Check::doubtful(NAME, what, renew)
    } else {
        Check::well(NAME, what)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::check::State;
    use super::*;

    #[test]
    fn the_end_is_told_two_weeks_ahead() {
        let now: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
        for (expiry, state) in [
            ("2026-08-31T23:59:59Z", State::Broken),
            ("2026-09-01T00:00:00Z", State::Broken),
            ("2026-09-01T00:00:01Z", State::Doubtful),
            ("2026-09-14T23:59:59Z", State::Doubtful),
            ("2026-09-15T00:00:00Z", State::Well),
        ] {
            assert_eq!(judge(expiry.parse().unwrap(), now).state, state, "{expiry}");
        }
    }

    /// The check of a certificate with that key; both in files.
    fn checked(certificate: &str, key: &str) -> Check {
        let directory = tempfile::tempdir().unwrap();
        let [cert_file, key_file] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
        std::fs::write(&cert_file, certificate).unwrap();
        std::fs::write(&key_file, key).unwrap();
        let text = format!(
            "[kafka]\nbrokers = \"b:1\"\n[ingest.tls]\ncert_file = '{}'\nkey_file = '{}'\n",
            cert_file.display(),
            key_file.display()
        );
        let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
        check(&settings).unwrap()
    }

    #[test]
    fn a_key_of_another_certificate_is_broken() {
        let make = || rcgen::generate_simple_self_signed(["pb.example.com".to_owned()]).unwrap();
        let (one, other) = (make(), make());
        let own = checked(&one.cert.pem(), &one.signing_key.serialize_pem());
        assert_eq!(own.state, State::Well, "{own:?}");
        let foreign = checked(&one.cert.pem(), &other.signing_key.serialize_pem());
        assert_eq!(foreign.state, State::Broken);
        assert!(foreign.what.contains("ingest.tls.key_file"), "{foreign:?}");
        let none = checked("", &one.signing_key.serialize_pem());
        assert_eq!(none.state, State::Broken);
        assert!(none.what.contains("ingest.tls.cert_file"), "{none:?}");
    }
}
