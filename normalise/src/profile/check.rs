//! What must hold inside a profile before anything is read by it.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use postback_common::name::NetworkName;
use postback_common::zone;

use super::confidence::SectionConfidence;
use super::error::{ProfileError, ProfileErrors};
use super::file::{
    DatesFile, EligibleFile, IdentityFile, Methods, ParameterFile, PayloadFile, ProfileFile,
    SignalFile, StatusFile,
};
use super::{
    AmountRules, BodyForm, Confidence, DateForm, DateRules, EligibleWords, IdentityRules,
    MacroStyle, Method, Parameter, PayloadRules, Profile, SignalValues, StatusRules, Subject,
};
use crate::decode::trim;
use crate::field::Field;

/// What is wrong so far.
type Faults = Vec<ProfileError>;

/// Where a profile comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file, whose writer can mend whatever is wrong.
    File,
    /// The rules that a generation is loaded by: what has no effect is no reason to stop it.
    Generation,
}

pub(super) fn check(
    file: ProfileFile,
    text: &str,
    origin: Origin,
) -> Result<Profile, ProfileErrors> {
    let mut faults = Faults::new();
    let sections = sections(&file);
    let network = NetworkName::new(&file.network)
        .map_err(|_| faults.push(ProfileError::Network(file.network)));
    let statement_of = statement_of(file.statement_of, file.about, &mut faults);
    let macro_style = MacroStyle::parse(&file.macro_style);
    if macro_style.is_none() {
        faults.push(ProfileError::MacroStyle(file.macro_style));
    }
    let methods = methods(file.method, &mut faults);
    let parameters = parameters(file.parameters, file.confidence);
    check_parameters(&parameters, &file.secret_params, &mut faults);
    let filled = |field: Field| parameters.iter().any(|p| p.column == Some(field));
    let payload = payload(file.payload, &methods, &mut faults);
    let signal = (file.signal).map(|signal| self::signal(signal, &mut faults));
    if signal.is_some() != filled(Field::Signal) {
        faults.push(ProfileError::SignalHalf);
    }
    let eligible = (file.eligible).map(|eligible| self::eligible(eligible, &mut faults));
    if eligible.is_some() != filled(Field::Eligible) {
        faults.push(ProfileError::EligibleHalf);
    }
    let status = status(file.status, filled(Field::Status), &mut faults);
    if !is_of_one_subject(file.about, &status, &signal, &eligible) {
        faults.push(ProfileError::OtherSubject(file.about));
    }
    let identity = identity(file.identity, filled, &mut faults);
    let dates = dates(file.dates, &mut faults);
    if origin == Origin::Generation {
        faults.retain(ProfileError::has_effect);
    }
    match (network, macro_style, dates) {
        (Ok(network), Some(macro_style), Some(dates)) if faults.is_empty() => Ok(Profile {
            network,
            title: file.title,
            about: file.about,
            statement_of,
            methods,
            macro_style,
            parameters,
            secret_params: file.secret_params,
            payload,
            amounts: AmountRules {
                form: file.amounts.form,
                commission_currency: file.amounts.commission_currency,
            },
            signal,
            eligible,
            status,
            identity,
            dates,
            sections,
            text: text.into(),
        }),
        _ => Err(ProfileErrors(faults)),
    }
}

/// What a section does not say of itself, the file says for all.
fn sections(file: &ProfileFile) -> SectionConfidence {
    let own = |section: Option<Confidence>| section.unwrap_or(file.confidence);
    let signal = file.signal.as_ref();
    let mut sections = vec![
        ("delivery", file.confidence),
        ("payload", own(file.payload.confidence)),
        ("amounts", own(file.amounts.confidence)),
    ];
    sections.extend(signal.map(|signal| ("signal", own(signal.confidence))));
    let eligible = file.eligible.as_ref();
    sections.extend(eligible.map(|eligible| ("eligible", own(eligible.confidence))));
    sections.extend([
        ("status", own(file.status.confidence)),
        ("identity", own(file.identity.confidence)),
        ("dates", own(file.dates.confidence)),
    ]);
    SectionConfidence(sections)
}

/// A statement is of some network, and nothing else is.
fn statement_of(named: Option<String>, about: Subject, faults: &mut Faults) -> Option<NetworkName> {
    if named.is_some() != (about == Subject::Statements) {
        faults.push(ProfileError::StatementHalf);
    }
    let name = NetworkName::new(named.as_ref()?);
    name.map_err(|_| faults.extend(named.map(ProfileError::Network)))
        .ok()
}

/// Own orders have statuses of their own, and nothing of what networks alone say.
fn is_of_one_subject(
    about: Subject,
    status: &StatusRules,
    signal: &Option<SignalValues>,
    eligible: &Option<EligibleWords>,
) -> bool {
    let words = status.words.iter().map(|(_, status)| *status);
    let mut statuses = words.chain([status.default]).chain(status.negative);
    let fits = statuses.all(|status| status.is_of_orders() == (about == Subject::Orders));
    let signal = signal.is_none() || about == Subject::Conversions;
    let eligible = eligible.is_none() || about == Subject::Orders;
    fits && signal && eligible
}

fn eligible(file: EligibleFile, faults: &mut Faults) -> EligibleWords {
    let both = |word: &String| file.yes.iter().any(|yes| yes.eq_ignore_ascii_case(word));
    if file.yes.is_empty() || file.no.is_empty() || file.no.iter().any(both) {
        faults.push(ProfileError::EligibleWords);
    }
    words_alone("eligible", file.yes.iter().chain(&file.no), faults);
    EligibleWords {
        yes: file.yes,
        no: file.no,
    }
}

fn methods(methods: Methods, faults: &mut Faults) -> Vec<Method> {
    let methods = match methods {
        Methods::One(method) => vec![method],
        Methods::Several(methods) => methods,
    };
    if methods.is_empty() {
        faults.push(ProfileError::NoMethod);
    }
    methods
}

fn parameters(parameters: Vec<ParameterFile>, confidence: Confidence) -> Vec<Parameter> {
    let parameter = |p: ParameterFile| Parameter {
        name: p.name,
        aliases: p.aliases,
        column: p.column,
        confidence: p.confidence.unwrap_or(confidence),
    };
    parameters.into_iter().map(parameter).collect()
}

fn check_parameters(parameters: &[Parameter], secrets: &[String], faults: &mut Faults) {
    let (mut names, mut columns) = (BTreeSet::new(), BTreeSet::new());
    for parameter in parameters {
        for name in parameter.names() {
            if !names.insert(name) {
                faults.push(ProfileError::ParameterTwice(name.to_owned()));
            }
        }
        let Some(column) = parameter.column else {
            continue;
        };
        for name in parameter.names() {
            if secrets.iter().any(|secret| secret == name) {
                faults.push(ProfileError::SecretInColumn(name.to_owned()));
            }
        }
        if column != Field::SubId && !columns.insert(column) {
            faults.push(ProfileError::ColumnTwice(column));
        }
    }
}

fn payload(file: PayloadFile, methods: &[Method], faults: &mut Faults) -> PayloadRules {
    if !file.body.is_empty() && !methods.contains(&Method::Post) {
        let problem = "body is read of a POST alone; add \"POST\" to method, or drop body";
        faults.push(ProfileError::Payload(problem));
    }
    if file.json_field.is_some() && !file.body.contains(&BodyForm::Form) {
        let problem = "json_field is a field of a form; add \"form\" to body, or drop json_field";
        faults.push(ProfileError::Payload(problem));
    }
    if file.array && !file.body.contains(&BodyForm::Json) {
        let problem = "array is about a JSON body; add \"json\" to body, or drop array";
        faults.push(ProfileError::Payload(problem));
    }
    PayloadRules {
        bodies: file.body,
        json_field: file.json_field,
        array: file.array,
    }
}

fn signal(file: SignalFile, faults: &mut Faults) -> SignalValues {
    let values = file.values();
    let both = |value: &String| {
        let mut others = values.transaction.iter();
        others.any(|other| other.eq_ignore_ascii_case(value))
    };
    if values.signal.is_empty() || values.transaction.is_empty() || values.signal.iter().any(both) {
        faults.push(ProfileError::SignalValues);
    }
    words_alone(
        "signal",
        values.signal.iter().chain(&values.transaction),
        faults,
    );
    values
}

/// What is sent is compared without the spaces around it. An empty word is what sends nothing.
fn words_alone<'w>(
    section: &'static str,
    words: impl Iterator<Item = &'w String>,
    faults: &mut Faults,
) {
    let spaced = words.filter(|word| trim(word) != word.as_str());
    faults.extend(spaced.map(|word| ProfileError::NoWord {
        section,
        word: word.clone(),
    }));
}

fn status(file: StatusFile, is_filled: bool, faults: &mut Faults) -> StatusRules {
    if file.words.is_empty() == is_filled {
        faults.push(ProfileError::StatusHalf);
    }
    let mut words: Vec<(String, _)> = Vec::new();
    for (status, own) in file.words {
        words_alone("status.words", own.iter(), faults);
        for word in own {
            if word.is_empty() {
                faults.push(ProfileError::NoWord {
                    section: "status.words",
                    word: word.clone(),
                });
            }
            if words
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&word))
            {
                faults.push(ProfileError::StatusWordTwice(word));
            } else {
                words.push((word, status));
            }
        }
    }
    StatusRules {
        default: file.default,
        negative: file.negative,
        words,
    }
}

fn identity(
    file: IdentityFile,
    filled: impl Fn(Field) -> bool,
    faults: &mut Faults,
) -> IdentityRules {
    let transaction_id = recipe("transaction_id", file.transaction_id, faults);
    let order = recipe("order", file.order, faults);
    let recipes = [
        ("transaction_id", &transaction_id, Field::TransactionId),
        ("order", &order, Field::OrderId),
    ];
    for (rule, fields, needed) in recipes {
        if !fields.is_empty() && !fields.contains(&needed) {
            faults.push(ProfileError::RecipeLacks {
                recipe: rule,
                field: needed,
            });
        }
        if fields.contains(&Field::SubId) {
            faults.push(ProfileError::WrongField {
                rule,
                field: Field::SubId,
                usable: "a column with one value",
            });
        }
    }
    let dates = [
        ("immutable_date", file.immutable_date),
        ("revision_time", file.revision_time),
    ];
    let is_date = |field: &Field| matches!(field, Field::OccurredAt | Field::ProcessedAt);
    for (rule, field) in dates {
        faults.extend(field.filter(|field| !is_date(field)).map(|field| {
            ProfileError::WrongField {
                rule,
                field,
                usable: "occurred_at or processed_at",
            }
        }));
    }
    let of_recipes = recipes.iter();
    let of_recipes =
        of_recipes.flat_map(|(rule, fields, _)| fields.iter().map(|field| (*rule, *field)));
    let cases = file.ignore_case.iter().map(|field| ("ignore_case", *field));
    let dates = dates.iter();
    let dates = dates.filter_map(|(rule, field)| field.map(|field| (*rule, field)));
    for (rule, field) in of_recipes.chain(cases).chain(dates) {
        if !filled(field) {
            faults.push(ProfileError::NotFilled { rule, field });
        }
    }
    IdentityRules {
        transaction_id,
        order,
        ignore_case: file.ignore_case,
        immutable_date: file.immutable_date,
        revision_time: file.revision_time,
        repeat: file.repeat,
    }
}

/// An empty list would say twice what a missing key says, or something else that nobody can guess.
fn recipe(name: &'static str, fields: Option<Vec<Field>>, faults: &mut Faults) -> Vec<Field> {
    if fields.as_ref().is_some_and(Vec::is_empty) {
        faults.push(ProfileError::EmptyRecipe(name));
    }
    fields.unwrap_or_default()
}

fn dates(file: DatesFile, faults: &mut Faults) -> Option<DateRules> {
    if file.forms.is_empty() {
        faults.push(ProfileError::NoDateForm);
    }
    let place = |form: DateForm| file.forms.iter().position(|known| *known == form);
    let milliseconds = place(DateForm::UnixMilliseconds);
    if milliseconds.is_some() && milliseconds < place(DateForm::UnixSeconds) {
        faults.push(ProfileError::SecondsBehindMilliseconds);
    }
    let zone = match &file.time_zone {
        None => TimeZone::UTC,
        Some(name) => match zone::named(name) {
            Ok(zone) => zone,
            Err(_) => {
                faults.push(ProfileError::TimeZone(name.clone()));
                return None;
            }
        },
    };
    Some(DateRules {
        forms: file.forms,
        zone,
    })
}

#[cfg(test)]
mod tests;
