//! What is wrong, or hardly as meant, with a URL as registered.

use postback_common::config::Identity;
use postback_common::secret::HIDDEN;
use postback_normalise::profile::Profile;
use postback_normalise::{Field, Template, TemplateError, TemplateNote, identity};

use super::meant::macro_meant;

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Nothing can be counted by this URL.
    pub(crate) is_error: bool,
    pub(crate) problem: String,
    pub(crate) remedy: String,
}

impl Finding {
    /// Works, but hardly as meant.
    pub(super) fn warning(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            is_error: false,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// Nothing can be counted by this URL.
    pub(super) fn error(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            is_error: true,
            ..Self::warning(problem, remedy)
        }
    }

    /// Why a URL is no template.
    pub(super) fn of_error(error: &TemplateError) -> Self {
        let text = error.to_string();
        let (problem, remedy) = text.split_once("; ").unwrap_or((&text, "give another URL"));
        Self::error(problem, remedy)
    }
}

/// Everything that could be better, the worst first. `has_currency`: the source names one.
pub(super) fn find(template: &Template, profile: &Profile, has_currency: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = template
        .notes()
        .iter()
        .map(|note| of_note(note, profile))
        .collect();
    findings.extend(foreign_macros(template, profile));
    findings.extend(counting_once(template, profile));
    findings.extend(attribution(template, profile));
    findings.extend(money(template, profile, has_currency));
    findings
}

fn of_note(note: &TemplateNote, profile: &Profile) -> Finding {
    let text = note.to_string();
    let (problem, remedy) = text.split_once("; ").unwrap_or((&text, ""));
    let (TemplateNote::UnknownMacro { name, .. } | TemplateNote::UnfitName { name, .. }) = note
    else {
        return Finding::warning(problem, remedy);
    };
    match macro_meant(name, profile) {
        Some(near) => Finding::warning(problem, format!("did you mean {near}? {remedy}")),
        None => Finding::warning(
            problem,
            format!(
                "{remedy}; `postback network show {}` lists the macros",
                profile.network
            ),
        ),
    }
}

/// Static values that look like the macros of another network.
fn foreign_macros<'a>(
    template: &'a Template,
    profile: &'a Profile,
) -> impl Iterator<Item = Finding> + 'a {
    const SIGNS: [(&str, &str); 6] = [
        ("<", ">"),
        ("{", "}"),
        ("!!!", "!!!"),
        ("!!", "!!"),
        ("[", "]"),
        ("%", "%"),
    ];
    let looks_like = |value: &str| {
        SIGNS.iter().any(|(before, after)| {
            value != HIDDEN
                && value.len() > before.len() + after.len()
                && value.starts_with(before)
                && value.ends_with(after)
        })
    };
    let found = template
        .statics()
        .iter()
        .filter(move |(_, value)| looks_like(value));
    found.map(|(parameter, value)| {
        let style = profile.macro_style.write("name");
        Finding::warning(
            format!(
                "parameter {parameter}: {value} looks like a macro, and {} writes them {style}",
                profile.title
            ),
            "the network would send it as it stands: write the macro in its way",
        )
    })
}

fn counting_once(template: &Template, profile: &Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mapping = template.mapping();
    let has_transactions = !profile.identity.transaction_id.is_empty();
    let wanted = if has_transactions {
        Identity::TransactionId
    } else {
        Identity::Order
    };
    let lacking = identity::lacking(wanted, profile, mapping);
    // That its signal field is missing is told as an error: with it the identity may be whole.
    let lacking = lacking.into_iter().find(|field| *field != Field::Signal);
    let problem = match identity::best_of(profile, mapping) {
        Identity::TransactionId => None,
        // Of a shop's own orders, nothing is better.
        Identity::Order if !has_transactions => None,
        Identity::Order => Some(
            "no transaction id: repeats are recognised by order, dates and amounts alone, and two equal lines of one order count once",
        ),
        Identity::None => Some(
            "neither transaction id nor what identifies an order: every postback counts, a repeat too",
        ),
    };
    if let Some((problem, field)) = problem.zip(lacking) {
        findings.push(Finding::warning(problem, adding(profile, field)));
    }
    let carries = |field: Field| template.mapping().carries(field);
    let rules = &profile.identity;
    for (field, problem) in [
        (
            rules.immutable_date,
            "no date that never changes: conversions are kept by their key's hash, and reports by date read more",
        ),
        (
            rules.revision_time,
            "no time of the network's own: of two revisions the one received last counts",
        ),
    ] {
        if let Some(field) = field.filter(|field| !carries(*field)) {
            findings.push(Finding::warning(problem, adding(profile, field)));
        }
    }
    findings
}

fn attribution(template: &Template, profile: &Profile) -> Option<Finding> {
    let is_missing = !template.mapping().carries(Field::ClickId);
    is_missing.then(|| {
        Finding::warning(
            "no click id: every sale will be unattributed",
            adding(profile, Field::ClickId),
        )
    })
}

fn money(template: &Template, profile: &Profile, has_currency: bool) -> Vec<Finding> {
    let is_missing =
        |field: Field| !template.mapping().carries(field) && profile.parameter_for(field).is_some();
    let mut findings = Vec::new();
    for (field, problem) in [
        (
            Field::SaleAmount,
            "no sale amount: reports will show no sales",
        ),
        (
            Field::Commission,
            "no commission: reports will show no earnings",
        ),
    ] {
        if is_missing(field) {
            findings.push(Finding::warning(problem, adding(profile, field)));
        }
    }
    if !template.mapping().carries(Field::Currency) && !has_currency {
        let remedy = match carrying(profile, Field::Currency) {
            Some(carrying) => {
                format!("add {carrying}, or give the source a currency in the configuration")
            }
            None => format!(
                "give the source a currency in the configuration: {} is not known to send one",
                profile.title
            ),
        };
        findings.push(Finding::warning(
            "no currency: amounts without one stand apart in reports",
            remedy,
        ));
    }
    findings
}

/// What to add to the URL for a field.
fn adding(profile: &Profile, field: Field) -> String {
    match carrying(profile, field) {
        Some(carrying) => format!("add {carrying}"),
        None => format!("{} is not known to send {field}", profile.title),
    }
}

/// A parameter for a field, such as `u1=<u1>`; `None` where the network is not known to send it.
fn carrying(profile: &Profile, field: Field) -> Option<String> {
    let known = profile.parameter(profile.parameter_for(field)?)?;
    let written = profile.macro_for(known)?;
    Some(format!("{}={written}", known.name))
}
