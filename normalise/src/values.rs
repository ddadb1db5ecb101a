//! From a field's text to its value, and to a flag where the text is none.

use jiff::Timestamp;
use postback_common::reason::Flag;

use crate::conversion::{Kind, Status};
use crate::currency::Currency;
use crate::field::Field;
use crate::intake::Intake;
use crate::money::{self, Amount, AmountFault};
use crate::profile::{AmountForm, CommissionCurrency, Subject};
use crate::rules::SourceRules;
use crate::when::{self, DateFault};

/// Everything of a conversion that is no plain text.
pub(crate) struct Values {
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    pub(crate) quantity: Option<Amount>,
    pub(crate) sale_amount: Option<Amount>,
    pub(crate) commission: Option<Amount>,
    pub(crate) currency: Option<Currency>,
    pub(crate) commission_currency: Option<Currency>,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) processed_at: Option<Timestamp>,
}

impl Values {
    /// Reads every field that is no plain text; what cannot be read is set aside in the intake.
    pub(crate) fn read(intake: &mut Intake<'_>, rules: &SourceRules) -> Self {
        if !intake.text(Field::Occurrence).is_empty() {
            intake.keep_word(Field::Occurrence);
        }
        let currency = sale_currency(intake, rules);
        let commission_currency = commission_currency(currency, intake, rules);
        let sale_amount = money_in(Field::SaleAmount, currency, intake, rules);
        let commission = money_in(Field::Commission, commission_currency, intake, rules);
        Self {
            kind: kind(intake, rules),
            status: status([sale_amount, commission], intake, rules),
            quantity: quantity(intake),
            sale_amount,
            commission,
            currency,
            commission_currency,
            occurred_at: date(Field::OccurredAt, intake, rules),
            processed_at: date(Field::ProcessedAt, intake, rules),
        }
    }

    /// The instant of a date field.
    pub(crate) fn instant(&self, field: Field) -> Option<Timestamp> {
        match field {
            Field::OccurredAt => self.occurred_at,
            Field::ProcessedAt => self.processed_at,
            _ => None,
        }
    }

    /// The number of a field that holds one.
    pub(crate) fn amount(&self, field: Field) -> Option<Amount> {
        match field {
            Field::Quantity => self.quantity,
            Field::SaleAmount => self.sale_amount,
            Field::Commission => self.commission,
            _ => None,
        }
    }
}

fn kind(intake: &mut Intake<'_>, rules: &SourceRules) -> Kind {
    match rules.profile.about {
        Subject::Conversions => {}
        Subject::Orders => return Kind::Order,
        Subject::Statements => return Kind::Statement,
    }
    let Some(values) = &rules.profile.signal else {
        return Kind::Transaction;
    };
    let sent = intake.text(Field::Signal);
    let is_one_of = |values: &[String]| values.iter().any(|value| value.eq_ignore_ascii_case(sent));
    if is_one_of(&values.transaction) {
        return Kind::Transaction;
    }
    if is_one_of(&values.signal) {
        return Kind::Signal;
    }
    if sent.is_empty() {
        intake.flags.push(Flag::MissingSignalField);
    } else {
        intake.set_aside(Field::Signal, Flag::MissingSignalField);
    }
    Kind::Unknown
}

/// By the network's word, and only without one by the money. A word that is not the status's own
/// name is kept: two of them may mean one status.
fn status(money: [Option<Amount>; 2], intake: &mut Intake<'_>, rules: &SourceRules) -> Status {
    let of_word = status_of_word(intake, rules);
    let is_outside = is_out_of_network(intake, rules);
    let told = of_word.filter(|status| *status != Status::Placed);
    if let Some(told) = told {
        return told;
    }
    let known = &rules.profile.status;
    let negative = money.into_iter().flatten().any(Amount::is_negative);
    let usual = || known.negative.filter(|_| negative).unwrap_or(known.default);
    if is_outside {
        Status::OutOfNetwork
    } else {
        of_word.unwrap_or_else(usual)
    }
}

fn status_of_word(intake: &mut Intake<'_>, rules: &SourceRules) -> Option<Status> {
    let sent = intake.text(Field::Status);
    if sent.is_empty() {
        return None;
    }
    let status = rules.profile.status.of_word(sent);
    match status {
        Some(status) if status.as_str().eq_ignore_ascii_case(sent) => {}
        Some(_) => intake.keep_word(Field::Status),
        None => intake.set_aside(Field::Status, Flag::UnknownStatus),
    }
    status
}

/// The order stands, and does not count for the network.
fn is_out_of_network(intake: &mut Intake<'_>, rules: &SourceRules) -> bool {
    let Some(words) = &rules.profile.eligible else {
        return false;
    };
    let sent = intake.text(Field::Eligible);
    let is_one_of = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(sent));
    let is_outside = is_one_of(&words.no);
    if is_outside || is_one_of(&words.yes) {
        intake.keep_word(Field::Eligible);
    } else if !sent.is_empty() {
        intake.set_aside(Field::Eligible, Flag::UnknownEligibility);
    }
    is_outside
}

fn money_in(
    field: Field,
    currency: Option<Currency>,
    intake: &mut Intake<'_>,
    rules: &SourceRules,
) -> Option<Amount> {
    let sent = intake.text(field);
    if sent.is_empty() {
        if intake.carries(field) {
            intake.flags.push(Flag::MissingAmount);
        }
        return None;
    }
    let form = rules.profile.amounts.form;
    let read = in_form(&intake.number(field), form, currency);
    match read {
        Ok(amount) => {
            if amount.is_zero() {
                intake.flags.push(Flag::ZeroAmount);
            } else if form == AmountForm::Decimal && is_whole(sent) && has_decimals(currency) {
                intake.flags.push(Flag::WholeAmount);
            }
            Some(amount)
        }
        Err(flag) => {
            if money::has_doubtful_separator(sent) {
                intake.flags.push(Flag::DoubtfulSeparator);
            }
            intake.set_aside(field, flag);
            None
        }
    }
}

fn in_form(sent: &str, form: AmountForm, currency: Option<Currency>) -> Result<Amount, Flag> {
    let flag_of = |fault| match fault {
        AmountFault::Unreadable => Flag::UnreadableAmount,
        AmountFault::OutOfRange => Flag::AmountOutOfRange,
    };
    match form {
        AmountForm::Decimal => Amount::parse(sent).map_err(flag_of),
        AmountForm::MinorUnits => match currency.and_then(Currency::decimals) {
            Some(decimals) => Amount::parse_minor_units(sent, decimals).map_err(flag_of),
            // What is no number is that first.
            None => Amount::parse(sent)
                .map_err(flag_of)
                .and(Err(Flag::AmountWithoutCurrency)),
        },
    }
}

/// No decimals are written; `1.25E7` does not say how many there were.
fn is_whole(sent: &str) -> bool {
    let mut behind = sent.bytes().skip_while(|byte| *byte != b'.').skip(1);
    behind.next().is_none()
}

fn has_decimals(currency: Option<Currency>) -> bool {
    let decimals = currency.and_then(Currency::decimals);
    decimals.is_some_and(|decimals| decimals > 0)
}

fn quantity(intake: &mut Intake<'_>) -> Option<Amount> {
    let sent = intake.text(Field::Quantity);
    if sent.is_empty() {
        return None;
    }
    let quantity = Amount::parse(&intake.number(Field::Quantity)).ok();
    if quantity.is_none() {
        intake.set_aside(Field::Quantity, Flag::UnreadableQuantity);
    }
    quantity
}

fn date(field: Field, intake: &mut Intake<'_>, rules: &SourceRules) -> Option<Timestamp> {
    let sent = intake.text(field);
    if sent.is_empty() {
        return None;
    }
    match when::parse(sent, &rules.profile.dates.forms, &rules.zone) {
        Ok(instant) => return Some(instant),
        Err(DateFault::Unreadable) => intake.set_aside(field, Flag::UnreadableDate),
        Err(DateFault::OutOfReason) => intake.set_aside(field, Flag::DateOutOfReason),
    }
    None
}

/// A code that nobody knows is not replaced by the source's: its money would be added to another.
fn sale_currency(intake: &mut Intake<'_>, rules: &SourceRules) -> Option<Currency> {
    sent_currency(Field::Currency, intake).unwrap_or_else(|| {
        let assumed = rules.currency;
        intake.flags.push(if assumed.is_some() {
            Flag::AssumedCurrency
        } else {
            Flag::MissingCurrency
        });
        assumed
    })
}

/// As sent, else by the network's rule.
fn commission_currency(
    of_sale: Option<Currency>,
    intake: &mut Intake<'_>,
    rules: &SourceRules,
) -> Option<Currency> {
    sent_currency(Field::CommissionCurrency, intake).unwrap_or_else(|| {
        match rules.profile.amounts.commission_currency {
            CommissionCurrency::Sale => of_sale,
            CommissionCurrency::Source => {
                if rules.currency.is_none() {
                    intake.flags.push(Flag::MissingCurrency);
                }
                rules.currency
            }
        }
    })
}

/// `None` where nothing was sent, `Some(None)` where what was sent is no currency.
fn sent_currency(field: Field, intake: &mut Intake<'_>) -> Option<Option<Currency>> {
    let sent = intake.text(field);
    if sent.is_empty() {
        return None;
    }
    let currency = sent.parse().ok();
    if currency.is_none() {
        intake.set_aside(field, Flag::UnknownCurrency);
    }
    Some(currency)
}
