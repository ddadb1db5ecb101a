//! What a conversion is known by, the day it is filed under, and which of its revisions counts.
//!
//! Every hash here is BLAKE3 over *length-prefixed* values: for each value eight bytes of its length
//! in bytes (little-endian), then the value. "Leading bits" are those of the digest's first bytes,
//! most significant first.
//!
//! **Conversion key**: the leading 128 bits of the hash over the recipe's name (`transaction_id` or
//! `order`, as a value of its own) and the recipe's values in the profile's order. The account is
//! not hashed: it stands beside the key wherever the key is used. Values are in this form, UTF-8:
//!
//! - texts: as sent, decoded, without spaces around, in lower case where the profile ignores case;
//! - amounts: all four decimals, a minus sign only below zero (`-5.4000`);
//! - dates: microseconds since 1970-01-01 UTC, decimal;
//! - the currency: three capital letters (as sent, or the source's);
//! - the signal field: the profile's first value of that kind (Rakuten: `Y`, `N`), empty for neither;
//! - an amount, date or currency that cannot be read: the text as sent, without spaces around;
//! - what was not sent, or came as an unreplaced macro: empty.
//!
//! So Rakuten's key of transaction id `9F2C…` and `is_event=N` hashes
//! `14 0 0 0 0 0 0 0 transaction_id 32 0 0 0 0 0 0 0 9f2c… 1 0 0 0 0 0 0 0 N`. With identity `none`
//! the key is the postback's own id.
//!
//! **`key_day`**: the UTC day of the immutable date, or for accounts without one 1970-01-01 plus
//! (leading 64 bits of the hash over the key's 16 bytes) mod 16 days.
//!
//! **Revision**, 128 bits from the most significant: 64 bits of the network's own time in
//! microseconds since 1970 (`received_at` where it is missing), 44 bits of `received_at` in
//! milliseconds, the leading 20 bits of the hash over the id's 16 bytes. Where a network's repeats
//! are duplicates, all 128 bits are inverted, so that the first counts.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::conversion::Kind;
use crate::currency::Currency;
use crate::field::Field;
use crate::identity::{self, KeyDayRule};
use crate::intake::Intake;
use crate::profile::{Profile, Repeat};
use crate::rules::SourceRules;
use crate::values::Values;
use crate::when;

/// Days that conversions without an immutable date are spread over.
const BUCKETS: u64 = 16;

/// The conversion's key; `None` when the postback lacks what the recipe is named after.
pub(crate) fn conversion_key(
    intake: &Intake<'_>,
    values: &Values,
    id: Uuid,
    rules: &SourceRules,
) -> Option<Uuid> {
    let Some(needed) = identity::named_after(rules.identity) else {
        return Some(id);
    };
    if intake.text(needed).is_empty() {
        return None;
    }
    let mut hashed = Hashed::with_room(RECIPE_BYTES);
    hashed.push(rules.identity.as_str().as_bytes());
    for field in identity::recipe(rules.identity, &rules.profile) {
        hashed.push(normal_form(*field, intake, values, &rules.profile).as_bytes());
    }
    Some(Uuid::from_bytes(hashed.leading()))
}

/// The day the conversion is filed under; `None` without what the account's rule goes by.
pub(crate) fn key_day(key: Option<Uuid>, values: &Values, rules: &SourceRules) -> Option<Date> {
    match rules.key_day_rule {
        KeyDayRule::Date => rules
            .profile
            .identity
            .immutable_date
            .and_then(|date| values.instant(date))
            .map(when::utc_date),
        KeyDayRule::Bucket => key.map(bucket_day),
    }
}

/// Orders the postbacks of one key: the same in every replay, a tie only between copies.
pub(crate) fn revision(
    values: &Values,
    received_at: Timestamp,
    id: Uuid,
    rules: &SourceRules,
) -> u128 {
    let own_time = rules
        .profile
        .identity
        .revision_time
        .and_then(|time| values.instant(time));
    let own_time = own_time.unwrap_or(received_at);
    // Times of postbacks are after 1970; a clock that says otherwise must not wrap around to the top.
    let micros = u64::try_from(own_time.as_microsecond()).unwrap_or(0);
    let millis = u64::try_from(received_at.as_millisecond()).unwrap_or(0) & ((1 << 44) - 1);
    let tie = leading_64(id.as_bytes()) >> (64 - 20);
    let newest_first = u128::from(micros) << 64 | u128::from(millis) << 20 | u128::from(tie);
    match rules.profile.identity.repeat {
        Repeat::Revision => newest_first,
        Repeat::Duplicate => !newest_first,
    }
}

fn bucket_day(key: Uuid) -> Date {
    let bucket = leading_64(key.as_bytes()) % BUCKETS;
    let day = i8::try_from(1 + bucket).unwrap_or(1);
    Date::new(1970, 1, day).unwrap_or(Date::constant(1970, 1, 1))
}

fn normal_form<'i>(
    field: Field,
    intake: &'i Intake<'_>,
    values: &Values,
    profile: &'i Profile,
) -> Cow<'i, str> {
    let code =
        |currency: Option<Currency>| currency.map(|currency| Cow::Borrowed(currency.as_str()));
    let read = match field {
        Field::Signal => Some(Cow::Borrowed(signal_word(values.kind, profile))),
        Field::Quantity | Field::SaleAmount | Field::Commission => values
            .amount(field)
            .map(|amount| Cow::Owned(amount.to_string())),
        Field::OccurredAt | Field::ProcessedAt => values
            .instant(field)
            .map(|instant| Cow::Owned(instant.as_microsecond().to_string())),
        Field::Currency => code(values.currency),
        Field::CommissionCurrency => code(values.commission_currency),
        _ => None,
    };
    let form = read.unwrap_or_else(|| Cow::Borrowed(intake.text(field)));
    if profile.identity.ignore_case.contains(&field) {
        Cow::Owned(form.to_ascii_lowercase())
    } else {
        form
    }
}

fn signal_word(kind: Kind, profile: &Profile) -> &str {
    let words = profile.signal.as_ref().and_then(|values| match kind {
        Kind::Transaction => values.transaction.first(),
        Kind::Signal => values.signal.first(),
        Kind::Unknown | Kind::Order | Kind::Statement => None,
    });
    words.map_or("", String::as_str)
}

fn leading_64(value: &[u8; ID_BYTES]) -> u64 {
    let mut prefixed = [0; 8 + ID_BYTES];
    prefixed[..8].copy_from_slice(&(ID_BYTES as u64).to_le_bytes());
    prefixed[8..].copy_from_slice(value);
    let digest = blake3::hash(&prefixed);
    u64::from_be_bytes(std::array::from_fn(|at| digest.as_bytes()[at]))
}

/// What the values of a recipe take, mostly.
const RECIPE_BYTES: usize = 256;

/// An id.
const ID_BYTES: usize = 16;

/// Length-prefixed values on their way into a hash. They are few and short: hashing them at once
/// costs half of what an incremental hash does, whose state is larger than they are.
struct Hashed(Vec<u8>);

impl Hashed {
    fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    fn push(&mut self, value: &[u8]) {
        self.0
            .extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value);
    }

    /// The digest's first bytes; `N` is at most 32.
    fn leading<const N: usize>(&self) -> [u8; N] {
        let digest = blake3::hash(&self.0);
        std::array::from_fn(|at| digest.as_bytes()[at])
    }
}
