//! The rules by which a generation is loaded: what it was made with, and what came later.

use clickhouse::Client;
use postback_normalise::{Recorded, RecordedError, RecordedRules};
use postback_store::generations::{Change, LaterRule, later_rules};
use postback_store::{Life, StoreError};

/// Why a generation's rules are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("generation {generation}: {error}")]
    Recorded {
        generation: postback_store::Generation,
        error: RecordedError,
    },
}

/// What a generation is loaded by now.
pub(crate) async fn current(client: &Client, life: &Life) -> Result<RecordedRules, RulesError> {
    let later = later_rules(client, life.generation).await?;
    with_later(&life.record.rules, &later).map_err(|error| RulesError::Recorded {
        generation: life.generation,
        error,
    })
}

fn with_later(made: &str, later: &[LaterRule]) -> Result<RecordedRules, RecordedError> {
    let mut rules = RecordedRules::from_json(made)?;
    for later in later {
        let rule = Recorded::from_json(&later.rule)?;
        match later.change {
            Change::Added => rules.add(rule),
            Change::Accepted => rules.accept(rule),
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use postback_common::config;
    use postback_common::name::SourceName;
    use postback_normalise::Configured;

    use super::*;

    fn recorded(currency: &str) -> Recorded {
        let text = format!(
            "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"us\"\nnetwork = \"rakuten\"\nenabled = false\ncurrency = \"{currency}\"\n"
        );
        let settings = config::read(Path::new("t.toml"), &text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        configured.recorded().sources[0].clone()
    }

    fn later(change: Change, currency: &str) -> LaterRule {
        LaterRule {
            source: "us".to_owned(),
            change,
            rule: recorded(currency).to_json().unwrap(),
        }
    }

    #[test]
    fn the_first_that_is_added_counts_and_the_last_that_is_accepted() {
        let none = RecordedRules::default().to_json().unwrap();
        let of = |made: &str, later: &[LaterRule]| {
            let rules = with_later(made, later).unwrap();
            let us = rules.of(&SourceName::new("us").unwrap()).cloned();
            us.unwrap().currency.unwrap()
        };
        let added = [later(Change::Added, "USD"), later(Change::Added, "EUR")];
        assert_eq!(of(&none, &added), "USD");
        let made = RecordedRules {
            sources: vec![recorded("GBP")],
        };
        let made = made.to_json().unwrap();
        assert_eq!(of(&made, &added), "GBP", "it was there from the beginning");
        let accepted = [
            later(Change::Accepted, "JPY"),
            later(Change::Added, "USD"),
            later(Change::Accepted, "CHF"),
        ];
        assert_eq!(of(&made, &accepted), "CHF");
        assert_eq!(of(&made, &accepted[..2]), "JPY");
    }
}
