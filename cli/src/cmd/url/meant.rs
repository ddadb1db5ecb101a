//! Which of a network's fields a person means by a name that the network does not have.

use postback_normalise::profile::{self, Parameter, Profile, Subject};

/// The field that was probably meant: first what the name is known to stand for, then what is
/// spelt nearly like it. Rakuten's `TID` is `etransaction_id`, however near `sid` is.
pub(crate) fn meant<'p>(name: &str, profile: &'p Profile) -> Option<&'p Parameter> {
    let spelt = || nearest(name, profile.parameters.iter().map(|p| p.name.as_str()));
    called(name, profile, profile)
        .or_else(|| in_statements(name, profile))
        .or_else(|| profile.parameter(spelt()?))
        .or_else(|| in_orders(name, profile))
}

/// The field as a template carries it, for "did you mean".
pub(super) fn macro_meant(name: &str, profile: &Profile) -> Option<String> {
    profile.macro_for(meant(name, profile)?)
}

/// The network's own statements call the same things by other names.
fn in_statements<'p>(name: &str, profile: &'p Profile) -> Option<&'p Parameter> {
    let is_its = |other: &&Profile| {
        other
            .statement_of
            .as_ref()
            .is_some_and(|of| *of == profile.network)
    };
    let mut statements = others(profile).filter(is_its);
    statements.find_map(|other| called(name, other, profile))
}

/// What shops call them.
fn in_orders<'p>(name: &str, profile: &'p Profile) -> Option<&'p Parameter> {
    let mut orders = others(profile).filter(|other| other.about == Subject::Orders);
    orders.find_map(|other| called(name, other, profile))
}

fn others(profile: &Profile) -> impl Iterator<Item = &'static Profile> {
    let all = profile::all().iter().map(|other| &**other);
    all.filter(|other| other.network != profile.network)
}

/// The field of `profile` that fills the column which `other` knows under that name, whatever its
/// case and signs.
fn called<'p>(name: &str, other: &Profile, profile: &'p Profile) -> Option<&'p Parameter> {
    let name = bare(name);
    let is_it = |parameter: &&Parameter| parameter.names().any(|known| bare(known) == name);
    let known = other.parameters.iter().find(is_it)?;
    if other.network == profile.network {
        return profile.parameter(&known.name);
    }
    profile.parameter(profile.parameter_for(known.column?)?)
}

fn bare(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// The name that a misspelt one was probably meant to be: at most a third of it is otherwise.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let distance =
        |other: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
    let near = known.min_by_key(|other| distance(other))?;
    let length = name.chars().count();
    // Of `u2` one letter is half: that far goes a slip of the finger.
    (distance(near) <= (length / 3).max(1) && distance(near) < length).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_is_known_to_stand_for_comes_before_how_it_is_spelt() {
        let meant = |name: &str, network: &str| {
            let profile = profile::builtin(network).unwrap();
            meant(name, profile).map(|parameter| parameter.name.clone())
        };
        for (name, expected) in [
            ("TID", Some("etransaction_id")),
            ("tid", Some("etransaction_id")),
            ("MID", Some("advertiser_id")),
            ("OID", Some("offer_id")),
            ("SID", Some("sid")),
            ("member_id", Some("u1")),
            ("member id", Some("u1")),
            ("sku", Some("sku_number")),
            ("subid", Some("u1")),
            ("u2", Some("u1")),
            ("etransaction_idd", Some("etransaction_id")),
            ("Sale-Amount", Some("sale_amount")),
            ("shoe_size", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(meant(name, "rakuten").as_deref(), expected, "{name}");
        }
        assert_eq!(
            meant("u1", "rakuten-item-report").as_deref(),
            Some("Member ID")
        );
    }

    #[test]
    fn a_far_fetched_name_is_none() {
        let near = |name| nearest(name, ["sid", "u1", "quantity"].into_iter());
        assert_eq!(near("quantitty"), Some("quantity"));
        assert_eq!(near("sidd"), Some("sid"));
        for far in ["oids", "qty", "u", "quant"] {
            assert_eq!(near(far), None, "{far}");
        }
    }
}
