//! Who may send: addresses, user and password.

use super::fault::{Fault, FaultCode};
use super::section::Section;
use crate::addresses::Addresses;
use crate::basic_auth::{BasicAuth, PasswordHash};
use crate::secret::Secret;
use crate::url_key::KeyHash;

/// `allow_from`; `None` lets everyone in who knows a key.
pub(super) fn allow_from(section: &mut Section<'_>) -> Option<Addresses> {
    let addresses = addresses(section, "allow_from")?;
    if addresses.is_empty() {
        let remedy = "name who may send, or remove it; `enabled = false` closes a source";
        let fault = Fault::new(
            FaultCode::BadValue,
            &section.key("allow_from"),
            "lets nobody in",
            remedy,
        );
        section.refuse(fault.with_value("[]"));
    }
    Some(addresses)
}

/// `trusted_proxies`; empty without it.
pub(super) fn trusted_proxies(section: &mut Section<'_>) -> Addresses {
    let proxies = addresses(section, "trusted_proxies").unwrap_or_default();
    let everyone = |network: &&ipnet::IpNet| network.prefix_len() == 0;
    if let Some(network) = proxies.networks().iter().find(everyone) {
        let fault = Fault::new(
            FaultCode::BadValue,
            &section.key("trusted_proxies"),
            "trusts everyone: any sender could pretend to be at any address",
            "name the addresses of your own proxies only",
        );
        section.refuse(fault.with_value(format_args!("\"{network}\"")));
    }
    proxies
}

/// `webhook_allow`; empty without it.
pub(super) fn webhook_allow(section: &mut Section<'_>) -> Addresses {
    addresses(section, "webhook_allow").unwrap_or_default()
}

fn addresses(section: &mut Section<'_>, key: &'static str) -> Option<Addresses> {
    let mut addresses = Addresses::default();
    for text in section.list(key)? {
        if let Err(problem) = addresses.add(&text) {
            let remedy = "write addresses such as 203.0.113.7, or networks such as 10.0.0.0/8";
            let fault = Fault::new(
                FaultCode::BadValue,
                &section.key(key),
                problem.to_string(),
                remedy,
            );
            section.refuse(fault.with_value(format_args!("{text:?}")));
            // Not left empty: that is reported as another fault.
            addresses.add("::").ok()?;
        }
    }
    Some(addresses)
}

/// `basic_auth = { user, password }`, with `password_file` or `password_sha256` in its place.
pub(super) fn basic_auth(section: &mut Section<'_>) -> Option<BasicAuth> {
    let mut tables = section.tables("basic_auth").into_iter();
    let table = tables.next()?;
    let name = section.key("basic_auth");
    if tables.next().is_some() {
        let problem = "there is one user only";
        section.refuse(Fault::new(
            FaultCode::Contradiction,
            &name,
            problem,
            "keep one of them",
        ));
    }
    let mut section = Section::nested(name, table, section.faults());
    let remedy = "give the user as the network has it";
    section.require("user", remedy);
    // The two are easily exchanged, so neither is shown.
    let user = section.checked_unseen("user", remedy, |user| {
        // Any hash will do to check the user.
        let hash = PasswordHash::from_bytes([0; 32]).ok_or("has no hash")?;
        let checked = BasicAuth::new(user, hash).map_err(|_| USER)?;
        Ok::<_, &str>(checked.user().to_owned())
    });
    let password = password(&mut section);
    let (hash, plain) = password?;
    let auth = BasicAuth::new(&user?, hash).ok()?;
    Some(auth.with_plain(plain))
}

const USER: &str = "a user has at least one character, no colon and no control character";

/// Its hash, and itself where it is given.
fn password(section: &mut Section<'_>) -> Option<(PasswordHash, Option<Secret>)> {
    let before = section.faults().len();
    let remedy = "give the 64 hexadecimal digits of `printf %s PASSWORD | sha256sum`";
    let hash = section.checked_unseen("password_sha256", remedy, |text| {
        let hash = KeyHash::from_hex(text).map_err(|error| error.to_string())?;
        PasswordHash::from_bytes(hash.bytes()).ok_or_else(|| "of the empty password".to_owned())
    });
    let plain = section.secret("password", "password_file");
    match (hash, plain) {
        (Some(_), Some(_)) => {
            let problem = "password_sha256 and a plain password are both given";
            section.refuse(Fault::new(
                FaultCode::Contradiction,
                &section.key("password_sha256"),
                problem,
                "give one of the two",
            ));
            None
        }
        (Some(hash), None) => Some((hash, None)),
        (None, Some(plain)) => {
            let hash = PasswordHash::of(&plain);
            if let Err(problem) = &hash {
                section.refuse(Fault::new(
                    FaultCode::BadValue,
                    &section.key("password"),
                    problem.to_string(),
                    "give the password as the network has it",
                ));
            }
            hash.ok().map(|hash| (hash, Some(plain)))
        }
        (None, None) => {
            // Of one that is there and wrong, what is wrong was said.
            if section.faults().len() == before {
                section.missing(
                    "password",
                    "give password, password_file or password_sha256",
                );
            }
            None
        }
    }
}
