//! What a file says otherwise than a generation is loaded by: it changes nothing, and is named.
//!
//! It is judged anew whenever the file, the generations or their rules change, and said once each
//! time: after a replay it is other generations that differ.

use std::collections::{BTreeMap, BTreeSet};

use postback_common::config::SourceSettings;
use postback_common::name::SourceName;
use postback_normalise::recorded::Difference;
use postback_normalise::{Configured, RecordedRules};
use postback_store::Generation;
use tracing::{info, warn};

use crate::metrics::ConsumerMetrics;

/// Sources, each with what the file says otherwise.
type Changed = BTreeMap<SourceName, Vec<Difference>>;

/// What is known of the generations that this process loads.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<Generation, Judged>);

#[derive(Debug)]
struct Judged {
    rules: RecordedRules,
    changed: Changed,
    is_active: bool,
}

impl Changes {
    /// The file was read: everything is judged, and said, anew.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Only these are loaded.
    pub(super) fn keep(&mut self, loaded: &BTreeSet<Generation>) {
        self.0.retain(|generation, _| loaded.contains(generation));
    }

    /// Compares the file's sources with the rules of a generation, and says what is new.
    pub(super) fn look_at(
        &mut self,
        generation: Generation,
        rules: &RecordedRules,
        is_active: bool,
        sources: &[SourceSettings],
    ) {
        let Some((before, now)) = self.judge(generation, rules, is_active, sources) else {
            return;
        };
        if !now.is_empty() {
            say(generation, is_active, now, rules);
        } else if before {
            info!(%generation, is_active, "the file has the rules of the generation again");
        }
    }

    /// What differs, and whether anything did before; `None` where that is known already.
    fn judge(
        &mut self,
        generation: Generation,
        rules: &RecordedRules,
        is_active: bool,
        sources: &[SourceSettings],
    ) -> Option<(bool, &Changed)> {
        let known = self.0.remove(&generation);
        let (changed, is_known, before) = match known {
            Some(known) => {
                // What differs from a generation beside matters once readers see it.
                let is_same_role = known.is_active || !is_active;
                let before = !known.changed.is_empty();
                let changed = if known.rules == *rules {
                    known.changed.clone()
                } else {
                    changed(rules, sources)
                };
                let is_known = is_same_role && changed == known.changed;
                (changed, is_known, before)
            }
            None => (changed(rules, sources), false, false),
        };
        let judged = Judged {
            rules: rules.clone(),
            changed,
            is_active,
        };
        let judged = self.0.entry(generation).insert_entry(judged).into_mut();
        (!is_known).then_some((before, &judged.changed))
    }

    /// Shows how many sources differ from what readers see, and from what is beside it.
    pub(super) fn show(&self, active: &ConsumerMetrics, standby: &ConsumerMetrics) {
        active.changed_sources(self.sources(true));
        standby.changed_sources(self.sources(false));
    }

    fn sources(&self, of_active: bool) -> usize {
        let judged = self.0.values().filter(|one| one.is_active == of_active);
        let sources: BTreeSet<_> = judged.flat_map(|one| one.changed.keys()).collect();
        sources.len()
    }
}

/// Sources of which the file says something else than the generation; new ones among them that it
/// does not get, because it loads their account otherwise.
fn changed(rules: &RecordedRules, sources: &[SourceSettings]) -> Changed {
    let file = Configured::new(sources, &rules.fixed())
        // It does not fit under what is fixed: then that is what differs. It was checked when read.
        .or_else(|_| Configured::new(sources, &BTreeMap::new()));
    let Ok(file) = file else {
        return Changed::new();
    };
    let proposed = file.recorded().sources.iter();
    let differs = proposed.filter_map(|proposed| {
        let differences = rules.otherwise_than(proposed);
        (!differences.is_empty()).then(|| (proposed.source.clone(), differences))
    });
    differs.collect()
}

fn say(generation: Generation, is_active: bool, changed: &Changed, rules: &RecordedRules) {
    // Of new ones it is said where they are offered.
    let known = |(source, _): &(&SourceName, &Vec<Difference>)| rules.of(source).is_some();
    for (source, differences) in changed.iter().filter(known) {
        let differs: Vec<_> = differences.iter().map(|found| found.as_str()).collect();
        warn!(
            %generation,
            is_active,
            %source,
            differs = differs.join(", "),
            remedy = remedy(differences),
            "the file has other rules for this source than the generation, which goes on being loaded by its own"
        );
    }
}

/// How the file's rules come into force.
fn remedy(differences: &[Difference]) -> &'static str {
    if differences.iter().any(|found| found.moves_conversions()) {
        "`postback replay start` loads everything anew by the file's; or take the change back"
    } else {
        "`postback generation accept` has what comes from now on loaded by the file's, with the consumers stopped; \
         `postback replay start` loads everything anew; or take the change back"
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_common::config;

    use super::*;

    fn sources(currencies: [&str; 2]) -> Vec<SourceSettings> {
        let mut text = "[kafka]\nbrokers = \"a:1\"\n".to_owned();
        for (name, currency) in ["a", "b"].into_iter().zip(currencies) {
            text.push_str(&format!(
                "[[source]]\nname = \"{name}\"\nnetwork = \"rakuten\"\ncurrency = \"{currency}\"\nenabled = false\n"
            ));
        }
        config::read(Path::new("t.toml"), &text, [])
            .unwrap()
            .sources
    }

    fn rules(currencies: [&str; 2]) -> RecordedRules {
        let configured = Configured::new(&sources(currencies), &BTreeMap::new()).unwrap();
        configured.recorded().clone()
    }

    fn generation(number: u32) -> Generation {
        Generation::new(number).unwrap()
    }

    /// How many differ from what readers see and from what is beside it, and what is said of one.
    #[derive(Debug, Default)]
    struct Looks {
        changes: Changes,
        said: Vec<(u32, usize)>,
    }

    impl Looks {
        fn look(
            &mut self,
            active: u32,
            live: &[(u32, RecordedRules)],
            file: &[SourceSettings],
        ) -> (usize, usize) {
            self.said.clear();
            let numbers = live.iter().map(|(number, _)| generation(*number));
            self.changes.keep(&numbers.collect());
            for (number, rules) in live {
                let judged =
                    self.changes
                        .judge(generation(*number), rules, *number == active, file);
                if let Some((before, changed)) = judged
                    && (before || !changed.is_empty())
                {
                    self.said.push((*number, changed.len()));
                }
            }
            (self.changes.sources(true), self.changes.sources(false))
        }
    }

    #[test]
    fn a_replay_by_the_file_ends_what_differs_from_what_readers_see() {
        let old = rules(["USD", "USD"]);
        let file = sources(["EUR", "GBP"]);
        let new = rules(["EUR", "GBP"]);
        let mut looks = Looks::default();
        assert_eq!(looks.look(1, &[(1, old.clone())], &file), (2, 0));
        assert_eq!(looks.said, [(1, 2)]);
        assert_eq!(looks.look(1, &[(1, old.clone())], &file), (2, 0));
        assert_eq!(looks.said, [], "once");
        let both = [(1, old), (2, new.clone())];
        assert_eq!(looks.look(1, &both, &file), (2, 0));
        assert_eq!(looks.look(2, &both, &file), (0, 2), "readers are switched");
        assert_eq!(looks.said, []);
        assert_eq!(looks.look(2, &[(2, new)], &file), (0, 0), "dropped");
    }

    #[test]
    fn a_file_that_was_left_behind_is_named_when_readers_are_switched() {
        let old = rules(["USD", "USD"]);
        let file = sources(["USD", "USD"]);
        let both = [(1, old.clone()), (2, rules(["USD", "EUR"]))];
        let mut looks = Looks::default();
        assert_eq!(looks.look(1, &[(1, old)], &file), (0, 0));
        assert_eq!(looks.look(1, &both, &file), (0, 1));
        assert_eq!(looks.said, [(2, 1)]);
        assert_eq!(looks.look(2, &both, &file), (1, 0));
        assert_eq!(looks.said, [(2, 1)], "it matters more now");
        assert_eq!(looks.look(2, &both, &file), (1, 0));
        assert_eq!(looks.said, []);
        // The file is read anew, and has it.
        looks.changes.forget();
        assert_eq!(looks.look(2, &both, &sources(["USD", "EUR"])), (0, 1));
        assert_eq!(looks.said, [(1, 1)]);
    }

    #[test]
    fn accepted_rules_differ_no_more() {
        let file = sources(["USD", "EUR"]);
        let mut looks = Looks::default();
        let before = [(1, rules(["USD", "USD"]))];
        assert_eq!(looks.look(1, &before, &file), (1, 0));
        let after = [(1, rules(["USD", "EUR"]))];
        assert_eq!(looks.look(1, &after, &file), (0, 0));
        assert_eq!(looks.said, [(1, 0)]);
    }

    #[test]
    fn a_new_source_that_its_account_is_not_loaded_like_counts() {
        let of = |names: &[&str], zone: &str| {
            let sources = names.iter().map(|name| {
                format!(
                    "[[source]]\nname = \"{name}\"\naccount = \"shop\"\nnetwork = \"generic\"\n\
                     time_zone = \"{zone}\"\nenabled = false\n"
                )
            });
            let sources: String = sources.collect();
            let text = format!("[kafka]\nbrokers = \"a:1\"\n{sources}");
            let settings = config::read(Path::new("t.toml"), &text, []).unwrap();
            settings.sources
        };
        let loaded = Configured::new(&of(&["eu"], "Europe/Berlin"), &BTreeMap::new()).unwrap();
        let found = changed(loaded.recorded(), &of(&["eu", "de"], "UTC"));
        let zone = vec![Difference::TimeZone];
        let expected = ["eu", "de"].map(|name| (SourceName::new(name).unwrap(), zone.clone()));
        assert_eq!(found, expected.into());
        assert_eq!(
            changed(loaded.recorded(), &of(&["eu", "de"], "Europe/Berlin")),
            Changed::new()
        );
    }

    #[test]
    fn a_file_that_does_not_fit_under_what_is_fixed_differs() {
        let known = rules(["USD", "USD"]);
        let mut file = sources(["USD", "USD"]);
        let identity = &known.sources[0].identity;
        let other = [config::Identity::TransactionId, config::Identity::Order];
        file[0].identity = other.into_iter().find(|other| other != identity);
        let found = changed(&known, &file);
        assert!(
            found[&file[0].name].contains(&Difference::Identity),
            "{found:?}"
        );
        assert_eq!(found.len(), 1);
    }
}
