//! A profile as it is written: the TOML of `schemas/networks/`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    AmountForm, BodyForm, CommissionCurrency, Confidence, DateForm, Method, Repeat, SignalValues,
    Subject,
};
use crate::conversion::Status;
use crate::field::Field;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    pub(super) network: String,
    pub(super) title: String,
    #[serde(default)]
    pub(super) about: Subject,
    pub(super) statement_of: Option<String>,
    #[serde(default)]
    pub(super) confidence: Confidence,
    pub(super) method: Methods,
    #[serde(rename = "macro")]
    pub(super) macro_style: String,
    pub(super) parameters: Vec<ParameterFile>,
    #[serde(default)]
    pub(super) secret_params: Vec<String>,
    #[serde(default)]
    pub(super) payload: PayloadFile,
    #[serde(default)]
    pub(super) amounts: AmountsFile,
    pub(super) signal: Option<SignalFile>,
    pub(super) eligible: Option<EligibleFile>,
    pub(super) status: StatusFile,
    pub(super) identity: IdentityFile,
    pub(super) dates: DatesFile,
}

/// One method, or a list of them.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "no such method, expected \"GET\", \"POST\" or [\"GET\", \"POST\"]"
)]
pub(super) enum Methods {
    One(Method),
    Several(Vec<Method>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterFile {
    pub(super) name: String,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    pub(super) column: Option<Field>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PayloadFile {
    pub(super) body: Vec<BodyForm>,
    pub(super) json_field: Option<String>,
    pub(super) array: bool,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AmountsFile {
    pub(super) form: AmountForm,
    pub(super) commission_currency: CommissionCurrency,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignalFile {
    pub(super) signal: Vec<String>,
    pub(super) transaction: Vec<String>,
    pub(super) confidence: Option<Confidence>,
}

impl SignalFile {
    pub(super) fn values(self) -> SignalValues {
        SignalValues {
            signal: self.signal,
            transaction: self.transaction,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EligibleFile {
    pub(super) yes: Vec<String>,
    pub(super) no: Vec<String>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusFile {
    pub(super) default: Status,
    pub(super) negative: Option<Status>,
    #[serde(default)]
    pub(super) words: BTreeMap<Status, Vec<String>>,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityFile {
    pub(super) transaction_id: Option<Vec<Field>>,
    pub(super) order: Option<Vec<Field>>,
    #[serde(default)]
    pub(super) ignore_case: Vec<Field>,
    pub(super) immutable_date: Option<Field>,
    pub(super) revision_time: Option<Field>,
    #[serde(default)]
    pub(super) repeat: Repeat,
    pub(super) confidence: Option<Confidence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatesFile {
    pub(super) forms: Vec<DateForm>,
    pub(super) time_zone: Option<String>,
    pub(super) confidence: Option<Confidence>,
}
