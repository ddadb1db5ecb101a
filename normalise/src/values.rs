//! From a field's text to its value, and to a flag where the text is none.

use jiff::Timestamp;
use postback_common::reason::Flag;

use crate::conversion::{Kind, Status};
use crate::currency::Currency;
use crate::field::Field;
use crate::intake::Intake;
use crate::money::{Amount, AmountFault};
use crate::profile::StatusRule;
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
        let sale_amount = money(Field::SaleAmount, intake, rules);
        let commission = money(Field::Commission, intake, rules);
        let currency = sale_currency(intake, rules);
        Self {
            kind: kind(intake, rules),
            status: status(rules.profile.status, [sale_amount, commission]),
            quantity: quantity(intake),
            sale_amount,
            commission,
            currency,
            commission_currency: sent_currency(Field::CommissionCurrency, intake)
                .unwrap_or(currency),
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

fn status(rule: StatusRule, money: [Option<Amount>; 2]) -> Status {
    let negative = money.into_iter().flatten().any(Amount::is_negative);
    rule.negative.filter(|_| negative).unwrap_or(rule.default)
}

fn money(field: Field, intake: &mut Intake<'_>, rules: &SourceRules) -> Option<Amount> {
    let sent = intake.text(field);
    if sent.is_empty() {
        if rules.mapping.carries(field) {
            intake.flags.push(Flag::MissingAmount);
        }
        return None;
    }
    match Amount::parse(sent) {
        Ok(amount) => {
            if amount.is_zero() {
                intake.flags.push(Flag::ZeroAmount);
            }
            return Some(amount);
        }
        Err(AmountFault::Unreadable) => intake.set_aside(field, Flag::UnreadableAmount),
        Err(AmountFault::OutOfRange) => intake.set_aside(field, Flag::AmountOutOfRange),
    }
    None
}

fn quantity(intake: &mut Intake<'_>) -> Option<Amount> {
    let sent = intake.text(Field::Quantity);
    if sent.is_empty() {
        return None;
    }
    let quantity = Amount::parse(sent).ok();
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
    match when::parse(sent, &rules.profile.date_forms, &rules.zone) {
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
