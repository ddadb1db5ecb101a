//! What can be wrong with the sources, in words.

use postback_common::config::{Fault, FaultCode, SourceSettings};
use postback_common::name::NetworkName;

use super::Parsed;
use crate::identity::Identity;
use crate::profile::{self, ProfileError};
use crate::rules::RulesError;

pub(super) fn unknown_network(settings: &SourceSettings) -> Fault {
    let known: Vec<&str> = profile::all()
        .iter()
        .map(|profile| profile.network.as_str())
        .collect();
    Fault::new(
        FaultCode::BadValue,
        &key(settings, "network"),
        "no profile of this network is built in",
        format!(
            "use one of: {}; or name a profile of your own with profile_file",
            known.join(", ")
        ),
    )
    .with_value(format_args!("\"{}\"", settings.network))
}

pub(super) fn bad_profile(settings: &SourceSettings, error: &ProfileError) -> Fault {
    let text = error.to_string();
    let (problem, remedy) = text.split_once("; ").unwrap_or((&text, "mend the profile"));
    let key = key(settings, "profile_file");
    let fault = Fault::new(FaultCode::BadValue, &key, problem, remedy);
    match &settings.profile {
        Some(own) => fault.with_value(format_args!("{:?}", own.path)),
        None => fault,
    }
}

pub(super) fn profile_of_another(settings: &SourceSettings, network: &NetworkName) -> Fault {
    let problem = format!("is the profile of network {network}");
    let remedy = "name the network as the profile does";
    contradiction(settings, "profile_file", problem, remedy)
}

pub(super) fn two_profiles(source: &SourceSettings, first: &SourceSettings) -> Fault {
    let problem = format!(
        "source {} of the same account has another profile of the network: one conversion could get two keys",
        first.name
    );
    let remedy = "give the sources of one account the same profile";
    contradiction(source, "profile_file", problem, remedy)
}

pub(super) fn two_networks(source: &SourceSettings, first: &SourceSettings) -> Fault {
    let problem = format!(
        "source {} of the same account is one of network {}: their ids could be the same and mean different sales",
        first.name, first.network
    );
    let remedy = "give each network an account of its own";
    contradiction(source, "account", problem, remedy)
        .with_value(format_args!("\"{}\"", source.account))
}

pub(super) fn two_zones(source: &Parsed<'_>, first: &Parsed<'_>) -> Fault {
    let name = |source: &Parsed<'_>| source.zone().iana_name().unwrap_or("UTC").to_owned();
    let problem = format!(
        "source {} of the same account has {}: a date without an offset would give one conversion two days, and count it twice",
        first.settings.name,
        name(first)
    );
    let remedy = "give the sources of one account the same time zone";
    contradiction(source.settings, "time_zone", problem, remedy)
        .with_value(format_args!("\"{}\"", name(source)))
}

pub(super) fn two_identities(
    source: &SourceSettings,
    identity: Identity,
    demanded: Identity,
    by: &SourceSettings,
) -> Fault {
    let problem = format!("source {} of the same account says \"{demanded}\"", by.name);
    let remedy = "give all sources of an account the same identity";
    contradiction(source, "identity", problem, remedy).with_value(format_args!("\"{identity}\""))
}

pub(super) fn recorded_otherwise(
    source: &SourceSettings,
    identity: Identity,
    recorded: Identity,
) -> Fault {
    let problem = format!(
        "conversions of account {} are known by \"{recorded}\" since it was first loaded; under another identity they would count twice",
        source.account
    );
    let remedy = format!(
        "write \"{recorded}\" for every source of the account, or give the source an account of its own"
    );
    contradiction(source, "identity", problem, remedy).with_value(format_args!("\"{identity}\""))
}

pub(super) fn unserved(source: &SourceSettings, error: &RulesError) -> Fault {
    let text = error.to_string();
    let (problem, remedy) = text
        .split_once("; ")
        .unwrap_or((&text, "change the template"));
    contradiction(source, "template.url", problem, remedy)
}

pub(super) fn contradiction(
    source: &SourceSettings,
    of: &str,
    problem: impl Into<String>,
    remedy: impl Into<String>,
) -> Fault {
    Fault::new(FaultCode::Contradiction, &key(source, of), problem, remedy)
}

pub(super) fn key(source: &SourceSettings, key: &str) -> String {
    format!("source[{}].{key}", source.name)
}
