//! What was told already: each alert once, and its end.

use std::collections::BTreeMap;

use super::alert::Alert;

/// Looks in a row without an alert before it counts as over: a value at the threshold must not be
/// told again and again.
const QUIET_LOOKS: u32 = 3;

/// The alerts that are open.
#[derive(Debug, Default)]
pub(super) struct Told {
    open: BTreeMap<String, Open>,
}

#[derive(Debug)]
struct Open {
    alert: Alert,
    quiet: u32,
}

/// What is to be told now.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Begun(Alert),
    /// As it was last seen.
    Over(Alert),
}

impl Told {
    /// Takes the alerts of one look, and gives what is new.
    pub(super) fn look(&mut self, alerts: Vec<Alert>) -> Vec<Event> {
        let mut events = Vec::new();
        for open in self.open.values_mut() {
            open.quiet += 1;
        }
        for alert in alerts {
            let seen = Open {
                alert: alert.clone(),
                quiet: 0,
            };
            if self.open.insert(alert.id(), seen).is_none() {
                events.push(Event::Begun(alert));
            }
        }
        self.open.retain(|_, open| {
            let stays = open.quiet < QUIET_LOOKS;
            if !stays {
                events.push(Event::Over(open.alert.clone()));
            }
            stays
        });
        events
    }

    /// The open alerts.
    pub(super) fn open(&self) -> impl Iterator<Item = &Alert> {
        self.open.values().map(|open| &open.alert)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cmd::watch::finding::Finding;

    fn alert(source: &str) -> Alert {
        Alert {
            source: source.to_owned(),
            finding: Finding::Silence { missing: 20.0 },
            since: Timestamp::UNIX_EPOCH,
            evidence: None,
            learning: false,
            near: None,
        }
    }

    #[test]
    fn an_alert_is_told_once_and_so_is_its_end() {
        let mut told = Told::default();
        assert_eq!(told.look(vec![alert("a")]), [Event::Begun(alert("a"))]);
        let both = vec![alert("a"), alert("b")];
        assert_eq!(told.look(both), [Event::Begun(alert("b"))]);
        assert_eq!(told.look(vec![alert("a")]), []);
        assert_eq!(told.look(vec![alert("a")]), []);
        assert_eq!(told.look(vec![alert("a")]), [Event::Over(alert("b"))]);
        assert_eq!(told.open().count(), 1);
    }

    #[test]
    fn one_look_without_it_is_no_end() {
        let mut told = Told::default();
        told.look(vec![alert("a")]);
        assert_eq!(told.look(Vec::new()), []);
        assert_eq!(told.look(vec![alert("a")]), []);
        assert_eq!(told.look(Vec::new()), []);
    }
}
