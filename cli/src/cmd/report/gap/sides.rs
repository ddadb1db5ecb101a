//! What is compared with what: sources of orders or statements, and accounts of networks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use postback_common::config::SourceSettings;
use postback_common::name::AccountName;
use postback_normalise::Profile;
use postback_normalise::profile::Subject;
use postback_store::reports::gap::Own;
use postback_store::reports::{OwnSource, Reader};

use crate::cmd::Loaded;
use crate::ending::Failure;
use crate::nearest;
use crate::output::Sheet;
use crate::servers::Trouble;

/// Both sides, by their names.
pub(crate) struct Sides {
    pub(crate) own: Own,
    /// Each with the accounts that it is compared with; a source by its older names too.
    pub(crate) sources: Vec<OwnSource>,
    /// Of the sources, as they are called now.
    pub(super) names: Vec<String>,
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
    /// The one that is compared with.
    first: String,
}

/// Names of statements that have something to tell; `None` where it was not looked.
pub(in crate::cmd::report) type Telling<'a> = Option<&'a BTreeSet<String>>;

impl Sides {
    /// `wanted` is `orders`, `statements` or the name of a source of either.
    pub(crate) fn of(wanted: Option<&str>, loaded: &Loaded) -> Result<Self, Failure> {
        Self::telling(wanted, loaded, None)
    }

    /// The same for a range: of several statements of the same sales, the first that has any of it.
    pub(in crate::cmd::report) async fn of_range(
        wanted: Option<&str>,
        loaded: &Loaded,
        reader: &Reader,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Self, Failure> {
        let sides = Self::of(wanted, loaded)?;
        if sides.repeated.is_empty() {
            return Ok(sides);
        }
        let telling = reader.statements_of(from, to).await;
        let telling =
            telling.map_err(|error| Trouble::of_clickhouse(&error, &loaded.settings.clickhouse))?;
        Self::telling(wanted, loaded, Some(&telling))
    }

    fn telling(
        wanted: Option<&str>,
        loaded: &Loaded,
        telling: Telling<'_>,
    ) -> Result<Self, Failure> {
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
                (once, repeated) = told_once(statements, &all, telling);
                (Own::Statements, once)
            }
        };
        if chosen.is_empty() {
            return Err(nothing_to_compare(wanted));
        }
        let sources = own_sources(&chosen, &all);
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
            names: names(&chosen),
            accounts: accounts.into_iter().collect(),
            repeated,
        })
    }

    /// Every source of own orders, and of statements those that tell sales which no earlier one tells.
    pub(in crate::cmd::report) fn all(
        loaded: &Loaded,
        telling: Telling<'_>,
    ) -> (Vec<OwnSource>, Repeated) {
        let all = known(loaded);
        let (statements, repeated) = told_once(about(Subject::Statements, &all), &all, telling);
        let mut both = about(Subject::Orders, &all);
        both.extend(statements);
        (own_sources(&both, &all), repeated)
    }

    /// Whether one order number can be that of two orders.
    pub(super) fn are_several(&self) -> bool {
        let mut accounts = self.sources.windows(2);
        accounts.any(|pair| pair[0].account != pair[1].account)
    }
}

impl Repeated {
    /// Whether there are any.
    pub(in crate::cmd::report) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

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

/// A source for each of its names: until a replay, older rows stand under the one of their time.
fn own_sources(chosen: &[One<'_>], all: &[One<'_>]) -> Vec<OwnSource> {
    let mut own = Vec::new();
    for (source, profile) in chosen {
        let compared_with = accounts(source, profile, all);
        let compared_with: Vec<String> = compared_with.into_iter().map(str::to_owned).collect();
        own.extend(source.names().map(|name| OwnSource {
            name: name.to_owned(),
            account: source.account.to_string(),
            compared_with: compared_with.clone(),
        }));
    }
    own
}

/// Of statements of the same sales the first, or the next one where that has nothing to tell; and the
/// others.
fn told_once<'a>(
    statements: Known<'a>,
    all: &[One<'a>],
    telling: Telling<'_>,
) -> (Known<'a>, Repeated) {
    let tells = |(source, _): &One<'_>| {
        telling.is_none_or(|telling| source.names().any(|name| telling.contains(name)))
    };
    // Each first one with those that tell the same.
    let mut groups: Vec<Known<'a>> = Vec::new();
    for one in statements {
        let same = |group: &&mut Known<'a>| tell_the_same(group[0], one, all);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let (mut once, mut repeated) = (Known::new(), Vec::new());
    for mut group in groups {
        let first = group.remove(group.iter().position(tells).unwrap_or(0));
        repeated.extend(group.iter().map(|(other, _)| Repetition {
            source: other.name.to_string(),
            first: first.0.name.to_string(),
        }));
        once.push(first);
    }
    (once, Repeated(repeated))
}

/// Two forms of statement that are compared with the same accounts of a network. Two of one form are
/// of two accounts, and those to two publishers are of other sales.
fn tell_the_same(first: One<'_>, second: One<'_>, all: &[One<'_>]) -> bool {
    let ((one, one_profile), (other, other_profile)) = (first, second);
    let publishers = (&one.publisher_id, &other.publisher_id);
    let are_two_publishers = matches!(publishers, (Some(one), Some(other)) if one != other);
    one_profile.statement_of.is_some()
        && one_profile.statement_of == other_profile.statement_of
        && one.network != other.network
        && !are_two_publishers
        && accounts(one, one_profile, all) == accounts(other, other_profile, all)
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
            .filter(|(source, _)| source.names().any(|known| known == name))
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
) -> BTreeSet<&'a str> {
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
