//! What holds for every amount, every date and every body, however it is written.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_common::name::{AccountName, SourceName};
use postback_common::reason::Flag;
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::money::AmountFault;
use postback_normalise::profile::DateForm;
use postback_normalise::when::{self, DateFault};
use postback_normalise::{
    Amount, Conversion, Identity, KeyDayRule, Outcome, SourceDescription, SourceRules, normalise,
    profile,
};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

static GENERIC: LazyLock<SourceRules> =
    LazyLock::new(|| rules_of(Arc::clone(profile::builtin("generic").unwrap())));

fn rules_of(profile: Arc<profile::Profile>) -> SourceRules {
    SourceRules::new(SourceDescription {
        source: SourceName::new("s").unwrap(),
        account: AccountName::new("a").unwrap(),
        profile,
        currency: None,
        zone: None,
        publisher_id: None,
        templates: Vec::new(),
        identity: Some(Identity::None),
        key_day_rule: Some(KeyDayRule::Bucket),
    })
    .unwrap()
}

fn accepted(query: &str, content_type: Option<&str>, body: &str) -> Box<Conversion<'static>> {
    accepted_by(&GENERIC, query, content_type, body)
}

fn accepted_by(
    rules: &SourceRules,
    query: &str,
    content_type: Option<&str>,
    body: &str,
) -> Box<Conversion<'static>> {
    let record = RawRecord {
        id: Uuid::from_u128(7),
        source: "s".into(),
        key: None,
        received_at: Timestamp::UNIX_EPOCH,
        method: if content_type.is_some() {
            "POST"
        } else {
            "GET"
        }
        .into(),
        query: Payload::of(query.as_bytes()),
        content_type: content_type.map(Into::into),
        body: content_type.map(|_| Payload::of(body.as_bytes())),
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    };
    match normalise(&record, rules).into_owned() {
        Outcome::Accepted(row) => row,
        other => panic!("{query}{body}: {other:?}"),
    }
}

/// Instants that a postback can speak of, in microseconds.
fn micros() -> impl Strategy<Value = i64> {
    946_684_800_000_000_i64..4_133_980_800_000_000
}

/// Names and values that a form and JSON can both carry.
fn parameters() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = proptest::sample::select(
        &[
            "txid", "click_id", "amount", "payout", "cur", "date", "state", "token", "x", "y",
        ][..],
    );
    let value = prop_oneof![
        "[-+]?[0-9]{1,6}(\\.[0-9]{1,5})?",
        "[a-zA-Z ]{0,8}",
        "(19|20|21)[0-9]{2}-[01][0-9]-[0-3][0-9]",
        any::<String>(),
    ];
    vec((name.prop_map(str::to_owned), value), 1..12)
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #[test]
    fn an_amount_is_what_is_written_whatever_surrounds_it(
        units in -99_999_999_999_999_999_i64..=99_999_999_999_999_999,
        zeros in 0..4_usize,
        behind in 0..30_usize,
        plus in any::<bool>(),
        spaces in " {0,2}",
    ) {
        let sign = match units { ..0 => "-", 0.. if plus => "+", _ => "" };
        let (whole, decimals) = (units.abs() / 10_000, units.abs() % 10_000);
        let (before, behind) = ("0".repeat(zeros), "0".repeat(behind));
        let text = format!("{spaces}{sign}{before}{whole}.{decimals:04}{behind}{spaces}");
        let amount = Amount::parse(&text).unwrap();
        prop_assert_eq!(amount.units(), units);
        let again = Amount::parse(&amount.to_string()).unwrap();
        prop_assert_eq!(again.units(), units);
    }

    #[test]
    fn no_text_is_read_as_another_amount(text in "[-+ ]{0,2}[0-9.,' ]{0,20}|.{0,12}") {
        match Amount::parse(&text) {
            Ok(amount) => {
                // All that was written, digit by digit, is in the amount.
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                let decimals = text.split_once('.').map_or("", |(_, behind)| behind.trim_end());
                let exponent = 4 - i32::try_from(decimals.len()).unwrap();
                let written = digits.parse::<f64>().unwrap() * 10_f64.powi(exponent);
                let units = amount.units().unsigned_abs() as f64;
                prop_assert!((written - units).abs() <= written * 1e-12, "{text:?} is {amount}");
                prop_assert_eq!(amount.is_negative(), text.contains('-') && units > 0.0);
            }
            Err(AmountFault::OutOfRange) => {
                prop_assert!(text.trim().len() > 5, "{text:?}");
            }
            Err(AmountFault::Unreadable) => {
                prop_assert!(text.trim().parse::<f64>().is_err() || text.contains(['e', 'E', 'n', 'N']), "{text:?}");
            }
        }
    }

    #[test]
    fn minor_units_are_the_amount_with_its_point_further_right(
        units in -99_999_999_999_999_999_i64..=99_999_999_999_999_999,
        decimals in 0..=4_u8,
    ) {
        let sign = if units < 0 { "-" } else { "" };
        let (digits, point) = (format!("{:018}", units.abs()), 14 + usize::from(decimals));
        let text = format!("{sign}{}.{}", &digits[..point], &digits[point..]);
        let amount = Amount::parse_minor_units(&text, decimals).unwrap();
        prop_assert_eq!(amount.units(), units, "{}", text);
        let beyond = Amount::parse_minor_units(&format!("{sign}1{}", &digits[..point]), decimals);
        prop_assert_eq!(beyond, Err(AmountFault::OutOfRange));
    }

    #[test]
    fn an_instant_is_read_from_each_form_that_can_write_it(micros in micros(), hours in -12..=14_i32) {
        let instant = Timestamp::from_microsecond(micros).unwrap();
        let second = Timestamp::from_second(instant.as_second()).unwrap();
        let offset = TimeZone::fixed(jiff::tz::offset(i8::try_from(hours).unwrap()));
        let local = second.to_zoned(offset.clone());
        let read = |text: &str, form| when::parse(text, &[form], &offset);
        let javascript = local.strftime("%a %b %d %Y %H:%M:%S GMT%z (somewhere)").to_string();
        prop_assert_eq!(read(&javascript, DateForm::Javascript), Ok(second));
        let lost = javascript.replace('+', " ");
        prop_assert_eq!(read(&lost, DateForm::Javascript), Ok(second));
        let iso = local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        prop_assert_eq!(read(&iso, DateForm::Iso8601), Ok(second));
        prop_assert_eq!(read(&iso.replace('+', " "), DateForm::Iso8601), Ok(second));
        prop_assert_eq!(read(&instant.to_string(), DateForm::Iso8601), Ok(instant));
        let plain = local.strftime("%Y-%m-%d %H:%M:%S").to_string();
        prop_assert_eq!(read(&plain, DateForm::DateTime), Ok(second));
        let unix = instant.as_second().to_string();
        prop_assert_eq!(read(&unix, DateForm::UnixSeconds), Ok(second));
        let millis = Timestamp::from_millisecond(instant.as_millisecond()).unwrap();
        let unix = instant.as_millisecond().to_string();
        prop_assert_eq!(read(&unix, DateForm::UnixMilliseconds), Ok(millis));
    }

    #[test]
    fn no_text_is_a_date_out_of_reason(text in "[-+:TZ0-9 GMT()a-zA-Z]{0,40}|.{0,20}") {
        let all = [
            DateForm::Javascript,
            DateForm::Iso8601,
            DateForm::DateTime,
            DateForm::UnixSeconds,
            DateForm::UnixMilliseconds,
        ];
        match when::parse(&text, &all, &TimeZone::UTC) {
            Ok(instant) => prop_assert!((2000..=2100).contains(&instant.to_zoned(TimeZone::UTC).year())),
            Err(DateFault::Unreadable | DateFault::OutOfReason) => {}
        }
    }

    #[test]
    fn a_query_a_form_and_json_say_the_same(parameters in parameters()) {
        let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let text = |text: &str| serde_json::to_string(text).unwrap();
        let members = parameters.iter().map(|(name, value)| format!("{}: {}", text(name), text(value)));
        let json = format!("{{{}}}", members.collect::<Vec<_>>().join(", "));
        let by_query = accepted(&query, None, "");
        let by_form = accepted("", Some("application/x-www-form-urlencoded"), &query);
        let by_json = accepted("", Some("application/json"), &json);
        prop_assert_eq!(&by_query, &by_form);
        prop_assert_eq!(&by_query, &by_json);
        prop_assert!(!by_json.flags.contains(&Flag::UnreadableBody));
    }

    #[test]
    fn numbers_in_json_are_as_they_are_written(units in 0..99_999_999_999_999_999_i64, zeros in 0..20_usize) {
        let written = format!("{}.{:04}{}", units / 10_000, units % 10_000, "0".repeat(zeros));
        let row = accepted("", Some("application/json"), &format!("{{\"amount\":{written},\"n\":{written}}}"));
        prop_assert_eq!(row.sale_amount.unwrap().units(), units);
        prop_assert_eq!(&row.extra["n"], &[written]);
    }
}

#[test]
fn any_of_several_words_tells_a_signal_from_a_transaction() {
    let builtin = profile::builtin("rakuten").unwrap();
    let text = (builtin.text)
        .replace("signal = [\"Y\"]", "signal = [\"Y\", \"early\"]")
        .replace("transaction = [\"N\"]", "transaction = [\"N\", \"final\"]");
    let rules = rules_of(Arc::new(profile::Profile::parse(&text).unwrap()));
    for (word, expected) in [
        ("Y", "signal"),
        ("EARLY", "signal"),
        ("n", "transaction"),
        ("final", "transaction"),
        ("1", "unknown"),
    ] {
        let row = accepted_by(&rules, &format!("is_event={word}&u1=c"), None, "");
        assert_eq!(row.kind.as_str(), expected, "{word}");
    }
}
