//! What earlier looks found and this one cannot see: less is loaded than they judged.

use std::collections::BTreeMap;
use std::mem;

use jiff::Timestamp;

use crate::cmd::watch::alert::Alert;

/// Breaks by their id.
#[derive(Debug, Default)]
pub(in crate::cmd::watch) struct Found {
    breaks: BTreeMap<String, Break>,
}

/// A break, and up to when everything was judged when it was seen.
#[derive(Debug)]
struct Break {
    alert: Alert,
    through: Timestamp,
}

impl Found {
    /// Completes what a look found by what earlier ones found in more than it judges: that a break is
    /// missing there does not say that it is over. What was judged beyond `now` was so by a wrong
    /// clock and holds nothing.
    pub(super) fn complete(
        &mut self,
        mut alerts: Vec<Alert>,
        through: Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<Alert> {
        let is_unseen = |seen: &Break| {
            through.is_none_or(|through| through < seen.through) && seen.through <= now
        };
        self.breaks.retain(|_, seen| is_unseen(seen));
        for alert in &alerts {
            let known = self.breaks.remove(&alert.id());
            let known = known.map(|known| known.through).max(through);
            if let Some(through) = known {
                let alert = alert.clone();
                self.breaks.insert(alert.id(), Break { alert, through });
            }
        }
        let found: Vec<String> = alerts.iter().map(Alert::id).collect();
        let missing = self.breaks.iter().filter(|(id, _)| !found.contains(id));
        alerts.extend(missing.map(|(_, seen)| seen.alert.clone()));
        alerts
    }

    /// Keeps the breaks of whose source `name` says what it is called from now on. Of the same break of
    /// two sources that are one now, that which was seen in more stays.
    pub(super) fn rename(&mut self, name: impl Fn(&Alert) -> Option<String>) {
        let kept = mem::take(&mut self.breaks).into_values();
        let kept = kept.filter_map(|mut seen| {
            seen.alert.source = name(&seen.alert)?;
            Some(seen)
        });
        let mut kept: Vec<Break> = kept.collect();
        kept.sort_by_key(|seen| seen.through);
        let named = kept.into_iter().map(|seen| (seen.alert.id(), seen));
        self.breaks.extend(named);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::watch::finding::Finding;

    fn alert(source: &str) -> Alert {
        Alert {
            source: source.to_owned(),
            finding: Finding::Silence { missing: 20.0 },
            since: at(5).unwrap(),
            evidence: None,
            learning: false,
            near: None,
        }
    }

    fn at(minute: i64) -> Option<Timestamp> {
        Timestamp::from_second(60 * minute).ok()
    }

    /// What looks tell, each with what it found and up to when, a minute after one another.
    fn told(looks: &[(&[&str], Option<i64>)]) -> Vec<Vec<String>> {
        let mut found = Found::default();
        let looks = (100..).zip(looks).map(|(minute, (sources, through))| {
            let alerts = sources.iter().map(|source| alert(source)).collect();
            let through = through.and_then(at);
            let told = found.complete(alerts, through, at(minute).unwrap());
            told.into_iter().map(|alert| alert.source).collect()
        });
        looks.collect()
    }

    #[test]
    fn a_break_that_cannot_be_seen_goes_on() {
        let looks: [(&[&str], _); 6] = [
            (&["a"], Some(99)),
            // A record from the spool waits: all that is judged is older than the break.
            (&[], Some(3)),
            (&["b"], Some(98)),
            // Nothing is loaded: another generation is active.
            (&[], None),
            (&[], Some(98)),
            (&[], Some(99)),
        ];
        let whole = [&["a"][..], &["a"], &["b", "a"], &["a", "b"], &["a"], &[]];
        assert_eq!(told(&looks), whole);
    }

    #[test]
    fn one_that_is_found_again_in_less_was_seen_in_more_all_the_same() {
        let looks: [(&[&str], _); 4] = [
            (&["a"], Some(99)),
            (&["a"], Some(50)),
            (&[], Some(60)),
            (&[], Some(99)),
        ];
        assert_eq!(told(&looks), [&["a"][..], &["a"], &["a"], &[]]);
    }

    #[test]
    fn a_break_of_two_sources_that_become_one_was_seen_in_more() {
        let mut found = Found::default();
        found.complete(vec![alert("a"), alert("z")], at(99), at(100).unwrap());
        // One more is found where less is judged.
        found.complete(vec![alert("b")], at(50), at(101).unwrap());
        found.rename(|alert| (alert.source != "z").then(|| "a".to_owned()));
        let mut told = |through| found.complete(Vec::new(), at(through), at(102).unwrap());
        assert_eq!(told(98), [alert("a")]);
        assert_eq!(told(99), []);
    }

    #[test]
    fn a_clock_that_was_ahead_holds_nothing() {
        assert_eq!(
            told(&[(&["a"], Some(5_000)), (&[], Some(99))]),
            [&["a"][..], &[]]
        );
    }
}
