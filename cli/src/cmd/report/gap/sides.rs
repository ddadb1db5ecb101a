//! What is compared with what: sources of orders or statements, and accounts of networks.

use std::collections::BTreeSet;

use postback_common::config::SourceSettings;
use postback_common::name::AccountName;
use postback_normalise::Profile;
use postback_normalise::profile::Subject;
use postback_store::reports::OwnSource;
use postback_store::reports::gap::Own;

use crate::cmd::Loaded;
use crate::ending::Failure;
use crate::nearest;
use crate::output::Sheet;

/// Both sides, by their names.
pub(crate) struct Sides {
    pub(crate) own: Own,
    /// Each with the accounts that it is compared with.
    pub(crate) sources: Vec<OwnSource>,
    /// Of all sources together.
    pub(crate) accounts: Vec<String>,
    /// Statements that were left out.
    pub(in crate::cmd::report) repeated: Repeated,
}

/// Further statements of the same sales: all together would be each sale twice.
#[derive(Debug, Default)]
pub(in crate::cmd::report) struct Repeated(Vec<Repetition>);

#[derive(Debug)]
struct Repetition {
    source: String,
    /// The one that is configured first.
    first: String,
}

impl Sides {
    /// `wanted` is `orders`, `statements` or the name of a source of either.
    pub(crate) fn of(wanted: Option<&str>, loaded: &Loaded) -> Result<Self, Failure> {
        let all = known(loaded);
        let (orders, statements) = (
            about(Subject::Orders, &all),
            about(Subject::Statements, &all),
        );
        let mut repeated = Repeated::default();
        let (own, chosen) = match wanted {
            Some(name) if !["orders", "statements"].contains(&name) => {
                one(name, orders, statements)?
            }
            Some("orders") => (Own::Orders, orders),
            None if !orders.is_empty() => (Own::Orders, orders),
            _ => {
                let once;
                (once, repeated) = told_once(statements, &all);
                (Own::Statements, once)
            }
        };
        if chosen.is_empty() {
            return Err(nothing_to_compare(wanted));
        }
        let sources: Vec<OwnSource> = chosen.iter().map(|one| own_source(*one, &all)).collect();
        let accounts: BTreeSet<String> = sources
            .iter()
            .flat_map(|source| source.compared_with.iter().cloned())
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
            sources,
            accounts: accounts.into_iter().collect(),
            repeated,
        })
    }

    /// Every source of own orders, and of statements those that tell sales which no earlier one tells.
    pub(in crate::cmd::report) fn all(loaded: &Loaded) -> (Vec<OwnSource>, Repeated) {
        let all = known(loaded);
        let (statements, repeated) = told_once(about(Subject::Statements, &all), &all);
        let both = about(Subject::Orders, &all).into_iter().chain(statements);
        (both.map(|one| own_source(one, &all)).collect(), repeated)
    }

    /// The sources by their names.
    pub(super) fn names(&self) -> Vec<&str> {
        let sources = self.sources.iter();
        sources.map(|source| source.name.as_str()).collect()
    }

    /// Whether one order number can be that of two orders.
    pub(super) fn are_several(&self) -> bool {
        let mut accounts = self.sources.windows(2);
        accounts.any(|pair| pair[0].account != pair[1].account)
    }
}

impl Repeated {
    /// Adds their names, and how to compare with them.
    pub(in crate::cmd::report) fn tell(&self, sheet: &mut Sheet) {
        let names = self.0.iter().map(|one| one.source.as_str());
        sheet.fact("left_out", names.collect::<Vec<_>>());
        let note = |one: &Repetition| {
            let Repetition { source, first } = one;
            format!(
                "{source} tells the same sales as {first} and is left out: `postback report gap --with {source}` compares with it"
            )
        };
        sheet.notes.extend(self.0.iter().map(note));
    }
}

type One<'a> = (&'a SourceSettings, &'a Profile);
type Known<'a> = Vec<One<'a>>;

/// All sources, each with its profile.
fn known(loaded: &Loaded) -> Known<'_> {
    let sources = loaded.settings.sources.iter();
    let known = sources.filter_map(|source| {
        let rules = loaded.configured.source(source.name.as_str())?;
        Some((source, rules.profile()))
    });
    known.collect()
}

fn about<'a>(subject: Subject, all: &[One<'a>]) -> Known<'a> {
    let fitting = all.iter().filter(|(_, profile)| profile.about == subject);
    fitting.copied().collect()
}

fn own_source((source, profile): One<'_>, all: &[One<'_>]) -> OwnSource {
    let compared_with: BTreeSet<&str> = accounts(source, profile, all).into_iter().collect();
    OwnSource {
        name: source.name.to_string(),
        account: source.account.to_string(),
        compared_with: compared_with.into_iter().map(str::to_owned).collect(),
    }
}

/// Of the statements of one network about the same accounts the first, and the others.
fn told_once<'a>(statements: Known<'a>, all: &[One<'a>]) -> (Known<'a>, Repeated) {
    let (mut once, mut repeated) = (Known::new(), Vec::new());
    for one in statements {
        match once.iter().find(|first| tell_the_same(**first, one, all)) {
            Some((first, _)) => repeated.push(Repetition {
                source: one.0.name.to_string(),
                first: first.name.to_string(),
            }),
            None => once.push(one),
        }
    }
    (once, Repeated(repeated))
}

/// Two that are compared with the same accounts of a network. Statements to two publishers are of
/// other sales, and two sources of one account and one form are one statement.
fn tell_the_same(first: One<'_>, second: One<'_>, all: &[One<'_>]) -> bool {
    let ((one, one_profile), (other, other_profile)) = (first, second);
    let publishers = (&one.publisher_id, &other.publisher_id);
    let are_one = one.account == other.account && one.network == other.network;
    let are_two_publishers = matches!(publishers, (Some(one), Some(other)) if one != other);
    one_profile.statement_of.is_some()
        && one_profile.statement_of == other_profile.statement_of
        && !are_one
        && !are_two_publishers
        && own_source(first, all).compared_with == own_source(second, all).compared_with
}

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
