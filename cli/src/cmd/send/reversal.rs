//! What makes a test count in reports, and what takes that back.

use postback_healing::probe::Values;
use postback_normalise::{Amount, Field, Status};

use crate::cmd::door::quoted;

/// What was chosen that makes it count in reports although it is meant as a test.
pub(super) fn counting(values: &Values<'_>) -> Option<String> {
    let is_counting = |(name, value): &(&String, &String)| {
        let column = values
            .profile
            .parameter(name)
            .and_then(|known| known.column);
        match (column, &values.profile.signal) {
            (Some(Field::Signal), Some(signal)) => {
                let words = &mut signal.transaction.iter();
                words.any(|word| word.eq_ignore_ascii_case(value.trim()))
            }
            (Some(Field::SaleAmount | Field::Commission), None) => {
                !Amount::parse(value.trim()).is_ok_and(Amount::is_zero)
            }
            _ => false,
        }
    };
    let found = values.chosen.iter().find(is_counting);
    found.map(|(name, value)| format!("{name}={value}"))
}

/// It takes something back itself.
pub(super) fn is_reversal(values: &Values<'_>) -> bool {
    let money = [Field::SaleAmount, Field::Commission];
    let is_negative =
        |field| of_field(values, field).is_some_and(|(_, v)| v.trim_start().starts_with('-'));
    let status = of_field(values, Field::Status).map(|(_, value)| value);
    let status = status.and_then(|value| values.profile.status.of_word(&value));
    money.into_iter().any(is_negative) || status == Some(Status::Reversed)
}

/// Options that send it again, taken back: as a revision where the network has a word for that,
/// otherwise as a transaction of its own with the money the other way round.
pub(super) fn reversal(values: &Values<'_>) -> String {
    let mut chosen = values.chosen.clone();
    // What must be as in the one that is taken back, whoever chose it.
    let same = [Field::OrderId, Field::ClickId, Field::OccurredAt];
    let money = [Field::SaleAmount, Field::Commission];
    chosen.extend(
        same.into_iter()
            .chain(money)
            .filter_map(|field| of_field(values, field)),
    );
    let word = values.profile.status.word_for(Status::Reversed);
    match (word, values.profile.parameter_for(Field::Status)) {
        (Some(word), Some(status)) => {
            chosen.extend(of_field(values, Field::TransactionId));
            chosen.insert(status.to_owned(), word.to_owned());
            // The later one counts.
            if let Some(processed) = values.profile.parameter_for(Field::ProcessedAt) {
                chosen.remove(processed);
            }
        }
        _ => {
            for (name, value) in money
                .into_iter()
                .filter_map(|field| of_field(values, field))
            {
                chosen.insert(name, negated(&value));
            }
        }
    }
    let options = chosen
        .iter()
        .map(|(name, value)| format!(" --set {}", quoted(&format!("{name}={value}"))));
    [" --transaction".to_owned()]
        .into_iter()
        .chain(options)
        .collect()
}

/// The network's own name of a field, and what is sent for it.
fn of_field(values: &Values<'_>, field: Field) -> Option<(String, String)> {
    let name = values.profile.parameter_for(field)?;
    Some((name.to_owned(), values.value(name)))
}

/// An amount, the other way round; what is none stays as it is.
fn negated(amount: &str) -> String {
    let bare = amount.trim();
    if Amount::parse(bare).is_err() {
        return amount.to_owned();
    }
    match bare.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None => format!("-{}", bare.strip_prefix('+').unwrap_or(bare)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use postback_common::config;
    use postback_normalise::profile;

    use super::*;

    struct Chosen {
        settings: config::Settings,
        network: &'static str,
        chosen: BTreeMap<String, String>,
    }

    fn with(network: &'static str, chosen: &[(&str, &str)]) -> Chosen {
        let text = format!(
            "[kafka]\nbrokers = \"h:1\"\n[[source]]\nname = \"s\"\nnetwork = \"{network}\"\nenabled = false\n"
        );
        let chosen = chosen
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Chosen {
            settings: config::read(Path::new("t"), &text, []).unwrap(),
            network,
            chosen: chosen.collect(),
        }
    }

    impl Chosen {
        fn values(&self) -> Values<'_> {
            Values {
                source: &self.settings.sources[0],
                profile: profile::builtin(self.network).unwrap(),
                registered: None,
                mark: "0123abcd",
                now: "2026-03-01T12:30:00Z".parse().unwrap(),
                is_transaction: true,
                chosen: &self.chosen,
            }
        }
    }

    #[test]
    fn what_would_count_is_noticed() {
        for (network, name, value, counts) in [
            ("rakuten", "is_event", "n", true),
            ("rakuten", "is_event", "Y", false),
            ("rakuten", "sale_amount", "99", false),
            ("generic", "amount", "99.00", true),
            ("generic", "amount", "0.00", false),
            ("generic", "click_id", "99", false),
        ] {
            let found = counting(&with(network, &[(name, value)]).values());
            assert_eq!(found.is_some(), counts, "{network} {name}={value}");
        }
    }

    #[test]
    fn everything_chosen_is_in_what_takes_it_back() {
        let chosen = [
            ("currency", "EUR"),
            ("sale_amount", "99.99"),
            ("u1", "it's"),
        ];
        let options = reversal(&with("rakuten", &chosen).values());
        for option in [
            "--transaction",
            "--set 'currency=EUR'",
            "--set 'sale_amount=-99.99'",
            "--set 'commissions=-",
            "--set 'order_id=TEST-0123abcd'",
            r"--set 'u1=it'\''s'",
        ] {
            assert!(options.contains(option), "{option}: {options}");
        }
        assert!(
            !options.contains("etransaction_id"),
            "one of its own: {options}"
        );
        assert!(is_reversal(
            &with("rakuten", &[("sale_amount", "-1")]).values()
        ));
        assert!(!is_reversal(&with("rakuten", &[]).values()));

        // The same id again, with the network's word for it.
        let options = reversal(&with("impact", &[("Amount", "5.00")]).values());
        for option in [
            "--set 'Amount=5.00'",
            "--set 'ActionId=7e577e57",
            "--set 'Status=REVERSED'",
        ] {
            assert!(options.contains(option), "{option}: {options}");
        }
        assert!(is_reversal(
            &with("impact", &[("Status", "reversed")]).values()
        ));
    }

    #[test]
    fn amounts_are_taken_back() {
        assert_eq!(
            ["12.50", "-3", "+5", " +5 ", " -7 ", "- 7", "+-5", "abc", ""].map(negated),
            ["-12.50", "3", "-5", "-5", "7", "- 7", "+-5", "abc", ""]
        );
    }
}
