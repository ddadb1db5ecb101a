//! From a raw record to a conversion, or to the reasons why not: pure and deterministic.
//!
//! [`normalise`] reads one record by the rules of its source ([`SourceRules`]). What a network is
//! known to send stands in its [`profile`]; what a source's URL says about it in its [`template`].
//! Nothing here reads a clock, a file or a socket, so the same record and rules give the same
//! outcome for ever, which is what a replay rests on.
//!
//! Parsing never fails: a field's parser gives a value, or none and a flag. A record is rejected
//! only when it cannot be a row. Nothing that was sent is lost: it is in a column, or in `extra`
//! (bounds apart: texts over 64 KiB and parameters beyond the 200th are flagged, and stand in the
//! raw record alone).
//!
//! ```text
//! query, body ──decode──▶ parameters ──intake (mapping)──▶ fields + extra ──values──▶ columns ──key──▶ row
//! ```
//!
//! What was fetched from the network's API (`via = backfill`) takes the same way, save that its JSON
//! has the network's own names: no template was between. Its key is that of the same transaction's
//! push.

#![warn(missing_docs)]

mod by_name;
pub mod configured;
mod conversion;
mod currency;
pub mod decode;
mod field;
pub mod identity;
mod intake;
mod json;
pub mod key;
mod mapping;
pub mod mask;
pub mod money;
mod payload;
pub mod profile;
mod readings;
pub mod recorded;
mod rules;
mod several;
pub mod template;
mod values;
pub mod when;

pub use by_name::ByName;
pub use configured::Configured;
pub use conversion::{Conversion, Kind, Outcome, Rejected, Status};
pub use currency::{Currency, UnknownCurrency};
pub use field::Field;
pub use identity::{Identity, KeyDayRule};
pub use mapping::{Carrier, Mapping};
pub use money::Amount;
pub use profile::Profile;
pub use readings::Reading;
pub use recorded::{Recorded, RecordedError, RecordedRules, Rules};
pub use rules::{Registered, RulesError, SourceDescription, SourceRules};
pub use template::{MARKER, Template, TemplateError, TemplateNote};

use std::borrow::Cow;

use jiff::civil::Date;
use postback_common::reason::{Flag, Rejection};
use postback_common::record::{RawRecord, Via};
use uuid::Uuid;

use decode::Decoded;
use intake::Intake;
use values::Values;

/// Version of the rules in this crate's code. A generation of rows records the version that made
/// it, and only programs of that version load it.
///
/// Raise it with every change after which some record and the same [`SourceRules`] give another
/// [`Outcome`]: another value, flag, order in `extra`, key, or reason. Refactoring and speed leave
/// it alone. A profile is part of the rules, not of the code: editing one does not raise it.
pub const NORMALISER_VERSION: u32 = 6;

/// Reads one record by the rules of its source.
#[must_use]
pub fn normalise<'a>(record: &'a RawRecord<'_>, rules: &'a SourceRules) -> Outcome<'a> {
    let payload = &rules.profile.payload;
    if record.via == Via::Backfill {
        return judge(payload::read_pulled(record), record, rules);
    }
    match payload::elements(record, payload) {
        None => judge(payload::read(record, payload), record, rules),
        Some(elements) => several::of(elements, record, rules),
    }
}

fn judge<'a>(
    mut decoded: Decoded<'a>,
    record: &'a RawRecord<'_>,
    rules: &'a SourceRules,
) -> Outcome<'a> {
    let mapping = match record.via {
        Via::Backfill => &rules.pulled,
        Via::Http | Via::Import => (rules.readings).mapping_for(&mut decoded, record.received_at),
    };
    let mut intake = Intake::of(decoded, mapping, &rules.profile.macro_style);
    let values = Values::read(&mut intake, rules);
    let key = key::conversion_key(&intake, &values, record.id, rules);
    let day = key::key_day(key, &values, rules);
    match (key, day, intake.is_empty) {
        (Some(key), Some(day), false) => {
            Outcome::Accepted(Box::new(row(intake, &values, (key, day), record, rules)))
        }
        _ => Outcome::Rejected(rejected(key, day, intake.is_empty, rules)),
    }
}

fn rejected(key: Option<Uuid>, day: Option<Date>, is_empty: bool, rules: &SourceRules) -> Rejected {
    let undated = day.is_none() && rules.key_day_rule == KeyDayRule::Date;
    let reasons = [
        (key.is_none(), Rejection::MissingIdentity),
        (is_empty, Rejection::NoParameters),
        (undated, Rejection::UnreadableKeyDate),
    ];
    let reasons = reasons
        .into_iter()
        .filter_map(|(applies, reason)| applies.then_some(reason))
        .collect();
    Rejected {
        reasons,
        conversion_key: key,
        key_day: day,
    }
}

fn row<'a>(
    mut intake: Intake<'a>,
    values: &Values,
    (conversion_key, key_day): (Uuid, Date),
    record: &RawRecord<'_>,
    rules: &'a SourceRules,
) -> Conversion<'a> {
    flag_the_whole(&mut intake, record, rules);
    let mut text = |field| intake.take_text(field);
    Conversion {
        source: Cow::Borrowed(&rules.source),
        network: Cow::Borrowed(&rules.profile.network),
        account: Cow::Borrowed(&rules.account),
        conversion_key,
        key_day,
        postback_id: record.id,
        kind: values.kind,
        status: values.status,
        transaction_id: text(Field::TransactionId),
        order_id: text(Field::OrderId),
        click_id: text(Field::ClickId),
        advertiser_id: text(Field::AdvertiserId),
        publisher_id: text(Field::PublisherId),
        offer_id: text(Field::OfferId),
        sku: text(Field::Sku),
        product_name: intake.take_text_from_start(Field::ProductName),
        quantity: values.quantity,
        sale_amount: values.sale_amount,
        commission: values.commission,
        currency: values.currency,
        commission_currency: values.commission_currency,
        occurred_at: values.occurred_at,
        processed_at: values.processed_at,
        received_at: record.received_at,
        revision: key::revision(values, record.received_at, record.id, rules),
        flags: sorted(intake.flags),
        sub_ids: intake.sub_ids,
        extra: intake.extra,
    }
}

/// Flags that no single field raises.
fn flag_the_whole(intake: &mut Intake<'_>, record: &RawRecord<'_>, rules: &SourceRules) {
    let publisher = intake.text(Field::PublisherId);
    let is_foreign = (rules.publisher_id.as_ref())
        .is_some_and(|own| !publisher.is_empty() && **own != *publisher);
    // An order or a line of a statement may well have none: not every sale has an affiliate.
    let is_unattributed = rules.profile.about == profile::Subject::Conversions
        && intake.text(Field::ClickId).is_empty();
    let flags = [
        (rules.identity == Identity::None, Flag::NoIdentity),
        (is_unattributed, Flag::MissingClickId),
        (
            record.via != Via::Backfill && !rules.profile.sends_by(&record.method),
            Flag::UnexpectedMethod,
        ),
        (is_foreign, Flag::ForeignPublisher),
    ];
    let raised = flags
        .into_iter()
        .filter_map(|(applies, flag)| applies.then_some(flag));
    intake.flags.extend(raised);
}

fn sorted(mut flags: Vec<Flag>) -> Vec<Flag> {
    flags.sort_unstable_by_key(|flag| flag.as_str());
    flags.dedup();
    flags
}
