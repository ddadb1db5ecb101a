//! A profile as it is written: the TOML of `schemas/networks/`.

use serde::Deserialize;

use super::{Confidence, DateForm, Method};
use crate::conversion::Status;
use crate::field::Field;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    pub(super) network: String,
    pub(super) title: String,
    pub(super) method: Method,
    #[serde(rename = "macro")]
    pub(super) macro_style: String,
    pub(super) parameters: Vec<ParameterFile>,
    #[serde(default)]
    pub(super) secret_params: Vec<String>,
    pub(super) signal: Option<SignalFile>,
    pub(super) status: StatusFile,
    pub(super) identity: IdentityFile,
    pub(super) dates: DatesFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterFile {
    pub(super) name: String,
    pub(super) column: Option<Field>,
    #[serde(default)]
    pub(super) confidence: Confidence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignalFile {
    pub(super) signal: Vec<String>,
    pub(super) transaction: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusFile {
    pub(super) default: Status,
    pub(super) negative: Option<Status>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityFile {
    #[serde(default)]
    pub(super) transaction_id: Vec<Field>,
    #[serde(default)]
    pub(super) order: Vec<Field>,
    #[serde(default)]
    pub(super) ignore_case: Vec<Field>,
    pub(super) immutable_date: Option<Field>,
    pub(super) revision_time: Option<Field>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatesFile {
    pub(super) forms: Vec<DateForm>,
}
