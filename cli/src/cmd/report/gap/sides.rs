//! What is compared with what: sources of orders or statements, and accounts of networks.

use std::collections::BTreeSet;

use postback_common::config::SourceSettings;
use postback_common::name::AccountName;
use postback_normalise::Profile;
use postback_normalise::profile::Subject;
use postback_store::reports::gap::Own;

use crate::cmd::Loaded;
use crate::ending::Failure;
use crate::nearest;

/// Both sides, by their names.
pub(crate) struct Sides {
    pub(crate) own: Own,
    pub(crate) sources: Vec<String>,
    pub(crate) accounts: Vec<String>,
}

impl Sides {
    /// `wanted` is `orders`, `statements` or the name of a source of either.
    pub(crate) fn of(wanted: Option<&str>, loaded: &Loaded) -> Result<Self, Failure> {
        let all: Vec<(&SourceSettings, &Profile)> = (loaded.settings.sources.iter())
            .filter_map(|source| {
                let rules = loaded.configured.source(source.name.as_str())?;
                Some((source, rules.profile()))
            })
            .collect();
        let about = |subject: Subject| -> Vec<(&SourceSettings, &Profile)> {
            let fitting = all.iter().filter(|(_, profile)| profile.about == subject);
            fitting.copied().collect()
        };
        let (orders, statements) = (about(Subject::Orders), about(Subject::Statements));
        let (own, chosen) = match wanted {
            Some("orders") => (Own::Orders, orders),
            Some("statements") => (Own::Statements, statements),
            Some(name) => one(name, orders, statements)?,
            None if orders.is_empty() => (Own::Statements, statements),
            None => (Own::Orders, orders),
        };
        if chosen.is_empty() {
            return Err(nothing_to_compare(wanted));
        }
        let accounts: BTreeSet<&str> = chosen
            .iter()
            .flat_map(|(source, profile)| accounts(source, profile, &all))
            .collect();
        if accounts.is_empty() {
            return Err(Failure::Usage(
                "the configuration has no source of a network to compare with\n  \
                 add the [[source]] that its postbacks come through"
                    .to_owned(),
            ));
        }
        Ok(Self {
            own,
            sources: names(&chosen),
            accounts: accounts.into_iter().map(str::to_owned).collect(),
        })
    }
}

type Known<'a> = Vec<(&'a SourceSettings, &'a Profile)>;

fn one<'a>(
    name: &str,
    orders: Known<'a>,
    statements: Known<'a>,
) -> Result<(Own, Known<'a>), Failure> {
    let known: Vec<String> = [names(&orders), names(&statements)].concat();
    let of = |side: Known<'a>| -> Known<'a> {
        let named = side.into_iter();
        named
            .filter(|(source, _)| source.name.as_str() == name)
            .collect()
    };
    let (orders, statements) = (of(orders), of(statements));
    if !orders.is_empty() {
        return Ok((Own::Orders, orders));
    }
    if !statements.is_empty() {
        return Ok((Own::Statements, statements));
    }
    let mut names = vec!["orders", "statements"];
    names.extend(known.iter().map(String::as_str));
    Err(Failure::Usage(format!(
        "--with {name:?} is neither orders nor statements, nor a source of either\n  {}",
        nearest::remedy(name, &names)
    )))
}

/// What a source is compared with: what it says, or all there is, or what its statement is of.
fn accounts<'a>(
    source: &'a SourceSettings,
    profile: &'a Profile,
    all: &[(&'a SourceSettings, &'a Profile)],
) -> Vec<&'a str> {
    if !source.compare_with.is_empty() {
        return source
            .compare_with
            .iter()
            .map(AccountName::as_str)
            .collect();
    }
    let networks = all.iter().filter(|(_, other)| {
        let fits = profile
            .statement_of
            .as_ref()
            .is_none_or(|network| *network == other.network);
        other.about == Subject::Conversions && fits
    });
    networks.map(|(other, _)| other.account.as_str()).collect()
}

fn names(sources: &[(&SourceSettings, &Profile)]) -> Vec<String> {
    sources
        .iter()
        .map(|(source, _)| source.name.to_string())
        .collect()
}

fn nothing_to_compare(wanted: Option<&str>) -> Failure {
    let what = wanted.unwrap_or("orders or statements");
    Failure::Usage(format!(
        "the configuration has no source of {what}: there is nothing to compare postbacks with\n  \
         bring in your own orders (`postback order import`) or a network's statement (`postback statement import`); \
         docs/orders.md shows how"
    ))
}
