//! The consumer dies at each place that `consumer/src/crash.rs` names, and is started again.

use super::Chance;
use super::stage::Stage;
use crate::wait;

/// Places, and how often they are passed at most before it dies there.
const PLACES: [(&str, u64); 11] = [
    ("assigned", 1),
    ("taken", 1_000),
    ("before_conversions", 4),
    ("in_conversions", 40),
    ("after_conversions", 4),
    ("refused", 1),
    ("before_postbacks", 4),
    ("in_postbacks", 40),
    ("after_postbacks", 4),
    ("before_commit", 3),
    ("after_commit", 3),
];

/// One crash at each place.
pub(super) fn play(stage: &mut Stage, chance: &mut Chance) {
    let member = stage.add_member(true);
    for (place, most) in PLACES {
        let pass = 1 + chance.below(most);
        stage.start_to_crash(member, Some(format!("{place}:{pass}")));
        stage.wait_for_crash(member);
        stage.notes.push(format!("{place}:{pass}"));
    }
    // Partitions are taken from a member when another one comes.
    stage.start_to_crash(member, Some("revoked:1".to_owned()));
    stage.wait_until_ready(member);
    let before = stage.shown();
    wait::until_true("it loads", || stage.shown() > before);
    let other = stage.add_member(true);
    stage.start(other);
    stage.wait_for_crash(member);
    stage.notes.push("revoked:1".to_owned());
    stage.start(member);
}
