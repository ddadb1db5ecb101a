//! What the record of events says: which generations there are, which one readers see, and what
//! is under way. Pure: whoever reads the same events sees the same, so that any process can go on
//! with what another one began.
//!
//! Events count in the order in which the server took them. One that cannot be (a generation is
//! dropped that is active by then, readers are switched after the switch was withdrawn) counts for
//! nothing: two people who act at once are told apart by that order, and nobody has to lock anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EventRow, Record};
use crate::tables::Generation;

/// Next offsets by partition.
pub type Offsets = BTreeMap<i32, i64>;

/// Something that becomes of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Readers see it from now on.
    Activated,
    /// Somebody wants readers to see it.
    ActivationAsked,
    /// Not any more.
    ActivationWithdrawn,
    /// The active generation is held where it is, so that this one can pass it. The text is the
    /// mark that its members commit with their offsets.
    Held(String),
    /// It goes on without a switch.
    Released,
    /// Where the generation that it replays was when it began: past these offsets it has all that
    /// Kafka has of the past.
    Targeted(Offsets),
    /// It has what Kafka has no more, too: so many records were taken over from its base.
    Filled(u64),
    /// Nobody wants it any more.
    Dropped,
}

impl Event {
    /// As it stands in the table.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::ActivationAsked => "activation_asked",
            Self::ActivationWithdrawn => "activation_withdrawn",
            Self::Held(_) => "held",
            Self::Released => "released",
            Self::Targeted(_) => "targeted",
            Self::Filled(_) => "filled",
            Self::Dropped => "dropped",
        }
    }

    /// What the table has beside the word.
    pub(super) fn detail(&self) -> serde_json::Result<String> {
        let detail = match self {
            Self::Held(mark) => Detail {
                mark: Some(mark.clone()),
                ..Detail::default()
            },
            Self::Targeted(offsets) => Detail {
                offsets: Some(offsets.clone()),
                ..Detail::default()
            },
            Self::Filled(records) => Detail {
                records: Some(*records),
                ..Detail::default()
            },
            _ => return Ok(String::new()),
        };
        serde_json::to_string(&detail)
    }

    /// `None` for an event of a later version.
    fn of(row: &EventRow) -> Result<Option<Self>, Unread> {
        let detail = || serde_json::from_str::<Detail>(&row.detail).ok();
        let event = match &*row.event {
            "activated" => Some(Self::Activated),
            "activation_asked" => Some(Self::ActivationAsked),
            "activation_withdrawn" => Some(Self::ActivationWithdrawn),
            "held" => detail().and_then(|detail| Some(Self::Held(detail.mark?))),
            "released" => Some(Self::Released),
            "targeted" => detail().and_then(|detail| Some(Self::Targeted(detail.offsets?))),
            "filled" => detail().and_then(|detail| Some(Self::Filled(detail.records?))),
            "dropped" => Some(Self::Dropped),
            _ => return Ok(None),
        };
        event.map(Some).ok_or_else(|| Unread {
            number: row.number,
            event: row.event.clone(),
        })
    }
}

/// An event without what belongs to it. Were it passed over, a hold would not be seen, or what is
/// filled be filled again.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "generation {number}: what belongs to its event \"{event}\" is not as this version knows it"
)]
pub(super) struct Unread {
    number: u32,
    event: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offsets: Option<Offsets>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
}

/// One generation and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Its number.
    pub generation: Generation,
    /// How it was made.
    pub record: Record,
    /// When readers began to see it, each time: microseconds since 1970, UTC.
    pub activated_at: Vec<i64>,
    /// Where its base was when it began.
    pub target: Option<Offsets>,
    /// Records that were taken over from its base; `None` until that is done.
    pub filled: Option<u64>,
    /// Somebody took a request for its activation back.
    pub is_withdrawn: bool,
    /// When it was dropped, in microseconds since 1970, UTC.
    pub dropped_at: Option<i64>,
}

impl Life {
    /// Not dropped.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.dropped_at.is_none()
    }

    /// The generation that it replays.
    #[must_use]
    pub const fn base(&self) -> Option<Generation> {
        Generation::new(self.record.base)
    }

    /// It has all of the past: the first one by nature, another one once it was filled.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.record.base == 0 || self.filled.is_some()
    }

    /// A replay that is not done.
    #[must_use]
    pub const fn is_replaying(&self) -> bool {
        self.is_live() && !self.is_whole()
    }

    /// It was made to be activated, never was, and nobody thought better of it.
    #[must_use]
    pub const fn wants_activation(&self) -> bool {
        self.record.activate && self.activated_at.is_empty() && !self.is_withdrawn
    }
}

/// A switch that was asked for and is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Whither.
    pub to: Generation,
    /// The mark under which the active generation is held; `None` while it is not.
    pub hold: Option<String>,
    /// When it was held, in microseconds since 1970, UTC.
    pub held_at: Option<i64>,
}

/// All generations and what is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// By number, dropped ones included.
    pub lives: BTreeMap<Generation, Life>,
    /// The one that readers see.
    pub active: Option<Generation>,
    /// The switch that is under way.
    pub activation: Option<Activation>,
}

impl Lineage {
    /// `records`: the first row of each number. `events` in the server's order.
    pub(super) fn of(records: Vec<Record>, events: &[EventRow]) -> Result<Self, Unread> {
        let lives = records.into_iter().filter_map(|record| {
            let generation = Generation::new(record.number)?;
            let life = Life {
                generation,
                record,
                activated_at: Vec::new(),
                target: None,
                filled: None,
                is_withdrawn: false,
                dropped_at: None,
            };
            Some((generation, life))
        });
        let mut lineage = Self {
            lives: lives.collect(),
            ..Self::default()
        };
        for row in events {
            if let (Some(generation), Some(event)) = (Generation::new(row.number), Event::of(row)?)
            {
                lineage.take(generation, event, row.recorded_at);
            }
        }
        Ok(lineage)
    }

    fn take(&mut self, generation: Generation, event: Event, at: i64) {
        let is_active = self.active == Some(generation);
        // Out of a hold alone, the very first one excepted: then it has all that readers have seen.
        let is_switched = self.active.is_none()
            || (self.activation.as_ref()).is_some_and(|a| a.to == generation && a.hold.is_some());
        let is_needed =
            (self.live()).any(|life| life.is_replaying() && life.base() == Some(generation));
        let Some(life) = self
            .lives
            .get_mut(&generation)
            .filter(|life| life.is_live())
        else {
            return;
        };
        match event {
            Event::Activated if is_switched => {
                life.activated_at.push(at);
                self.active = Some(generation);
                self.activation = None;
            }
            // Whoever recorded it did not know yet that it was taken back.
            Event::Activated => {}
            Event::ActivationAsked if !is_active => {
                let hold = None;
                self.activation = Some(Activation {
                    to: generation,
                    hold,
                    held_at: None,
                });
            }
            // Readers are to stay: what was to be switched to is not switched to by itself either.
            Event::ActivationAsked => {
                let taken_back = self.activation.take();
                let life = taken_back.and_then(|asked| self.lives.get_mut(&asked.to));
                if let Some(life) = life {
                    life.is_withdrawn = true;
                }
            }
            Event::ActivationWithdrawn => {
                life.is_withdrawn = true;
                self.give_up(generation);
            }
            Event::Held(mark) => self.hold(generation, Some((mark, at))),
            Event::Released => self.hold(generation, None),
            Event::Targeted(offsets) => {
                life.target.get_or_insert(offsets);
            }
            Event::Filled(records) => {
                life.filled.get_or_insert(records);
            }
            Event::Dropped if !is_active && !is_needed => {
                life.dropped_at = Some(at);
                self.give_up(generation);
            }
            Event::Dropped => {}
        }
    }

    fn give_up(&mut self, generation: Generation) {
        self.activation = self.activation.take().filter(|a| a.to != generation);
    }

    fn hold(&mut self, generation: Generation, hold: Option<(String, i64)>) {
        if let Some(activation) = self.activation.as_mut().filter(|a| a.to == generation) {
            (activation.hold, activation.held_at) = hold.unzip();
        }
    }

    /// Those that are loaded, by number.
    pub fn live(&self) -> impl Iterator<Item = &Life> {
        self.lives.values().filter(|life| life.is_live())
    }

    /// One that is live.
    #[must_use]
    pub fn live_one(&self, generation: Generation) -> Option<&Life> {
        self.lives.get(&generation).filter(|life| life.is_live())
    }

    /// The mark under which `generation` is held now.
    #[must_use]
    pub fn hold_on(&self, generation: Generation) -> Option<&str> {
        let activation = self.activation.as_ref()?;
        let is_leaving = self.active == Some(generation) && activation.to != generation;
        activation.hold.as_deref().filter(|_| is_leaving)
    }

    /// A number that no generation has.
    #[must_use]
    pub fn next(&self) -> Option<Generation> {
        let last = self.lives.keys().last().map_or(0, |last| last.number());
        Generation::new(last.checked_add(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u32, base: u32) -> Record {
        Record {
            number,
            normaliser_version: 1,
            base,
            activate: false,
            rules: String::new(),
            made_by: String::new(),
            made_at: 0,
        }
    }

    fn lineage(events: &[(u32, Event)]) -> Lineage {
        let rows: Vec<EventRow> = events
            .iter()
            .zip(100..)
            .map(|((number, event), recorded_at)| EventRow {
                number: *number,
                event: event.as_str().to_owned(),
                detail: event.detail().unwrap(),
                recorded_at,
            })
            .collect();
        Lineage::of(vec![record(1, 0), record(2, 1)], &rows).unwrap()
    }

    #[test]
    fn an_event_that_lacks_what_belongs_to_it_is_not_passed_over() {
        let recorded = |event: &str, detail: &str| {
            let row = EventRow {
                number: 2,
                event: event.to_owned(),
                detail: detail.to_owned(),
                recorded_at: 1,
            };
            Lineage::of(vec![record(1, 0), record(2, 1)], &[row])
        };
        for (event, detail) in [
            ("held", "{}"),
            ("held", "m"),
            ("targeted", r#"{"offsets": [1]}"#),
            ("filled", r#"{"records": -1}"#),
            ("filled", ""),
        ] {
            let unread = recorded(event, detail).unwrap_err();
            let number = 2;
            let event = event.to_owned();
            assert_eq!(unread, Unread { number, event }, "{detail}");
        }
        // Of a later version, and what it adds to what is known.
        let later = recorded("praised", "well").unwrap();
        assert_eq!(later, lineage(&[]));
        let filled = recorded("filled", r#"{"records": 3, "by": "hand"}"#).unwrap();
        assert_eq!(filled.lives[&generation(2)].filled, Some(3));
    }

    fn generation(number: u32) -> Generation {
        Generation::new(number).unwrap()
    }

    #[test]
    fn a_replay_from_its_beginning_to_the_switch() {
        let offsets = Offsets::from([(0, 7), (1, 0)]);
        let mut events = vec![(1, Event::Activated)];
        let begun = lineage(&events);
        assert!(begun.lives[&generation(2)].is_replaying());
        assert!(!begun.lives[&generation(1)].is_replaying());
        assert_eq!(begun.next(), Some(generation(3)));

        events.push((2, Event::Targeted(offsets.clone())));
        events.push((2, Event::Targeted(Offsets::new())));
        let life = &lineage(&events).lives[&generation(2)];
        assert_eq!(life.target.as_ref(), Some(&offsets), "the first one counts");
        assert!(life.is_replaying());

        events.push((2, Event::Filled(3)));
        events.push((2, Event::ActivationAsked));
        let asked = lineage(&events);
        assert!(asked.lives[&generation(2)].is_whole());
        assert_eq!(asked.activation.as_ref().map(|a| a.to), Some(generation(2)));
        assert_eq!(asked.hold_on(generation(1)), None);

        events.push((2, Event::Held("mark".to_owned())));
        let held = lineage(&events);
        assert_eq!(held.hold_on(generation(1)), Some("mark"));
        assert_eq!(held.hold_on(generation(2)), None);

        let mut released = events.clone();
        released.push((2, Event::Released));
        assert_eq!(lineage(&released).hold_on(generation(1)), None);
        assert!(lineage(&released).activation.is_some());

        events.push((2, Event::Activated));
        let switched = lineage(&events);
        assert_eq!(switched.active, Some(generation(2)));
        assert_eq!(switched.activation, None);
        assert_eq!(switched.hold_on(generation(1)), None);
    }

    #[test]
    fn what_cannot_be_counts_for_nothing() {
        let active = (1, Event::Activated);
        let dropped = lineage(&[active.clone(), (1, Event::Dropped)]);
        assert!(
            dropped.lives[&generation(1)].is_live(),
            "the active one stays"
        );
        let unknown = lineage(&[active.clone(), (9, Event::Activated)]);
        assert_eq!(unknown.active, Some(generation(1)));
        let gone = lineage(&[active.clone(), (2, Event::Dropped), (2, Event::Activated)]);
        assert_eq!(gone.active, Some(generation(1)));
        assert_eq!(gone.live().count(), 1);
        let held = lineage(&[active, (2, Event::Held("m".to_owned()))]);
        assert_eq!(held.activation, None, "nobody asked");
    }

    /// Who switches records it at last, and may not know yet what others recorded meanwhile.
    #[test]
    fn a_switch_that_was_taken_back_does_not_happen() {
        let held = [
            (1, Event::Activated),
            (2, Event::ActivationAsked),
            (2, Event::Held("m".to_owned())),
        ];
        for back in [
            vec![(2, Event::ActivationWithdrawn)],
            vec![(1, Event::ActivationAsked)],
            vec![(2, Event::Released)],
            // It is held anew first, so that it can be passed anew.
            vec![(2, Event::ActivationWithdrawn), (2, Event::ActivationAsked)],
        ] {
            let before = lineage(&[&held[..], &back].concat());
            let late = lineage(&[&held[..], &back, &[(2, Event::Activated)]].concat());
            assert_eq!(late, before, "{back:?}");
            assert_eq!(late.active, Some(generation(1)));
            assert!(late.lives[&generation(2)].activated_at.is_empty());
        }
        let mut twice = held.to_vec();
        twice.extend([(2, Event::Activated), (1, Event::ActivationAsked)]);
        let before = lineage(&twice);
        assert_eq!(before.active, Some(generation(2)));
        twice.push((2, Event::Activated));
        assert_eq!(lineage(&twice), before, "two recorded one switch");
    }

    #[test]
    fn the_first_one_needs_nobody_to_ask() {
        let first = lineage(&[(2, Event::ActivationAsked), (1, Event::Activated)]);
        assert_eq!(first.active, Some(generation(1)));
    }

    #[test]
    fn a_switch_is_given_up_with_its_generation_and_on_request() {
        let asked = [(1, Event::Activated), (2, Event::ActivationAsked)];
        for end in [Event::Dropped, Event::ActivationWithdrawn] {
            let mut events = asked.to_vec();
            events.push((2, end));
            assert_eq!(lineage(&events).activation, None);
        }
        let withdrawn = [(1, Event::Activated), (2, Event::ActivationWithdrawn)];
        let mut life = lineage(&withdrawn).lives[&generation(2)].clone();
        life.record.activate = true;
        assert!(!life.wants_activation(), "before it was whole");
        life.is_withdrawn = false;
        assert!(life.wants_activation());
        let mut back = asked.to_vec();
        back.push((1, Event::ActivationAsked));
        let back = lineage(&back);
        assert_eq!(back.activation, None, "to stay where one is");
        let mut life = back.lives[&generation(2)].clone();
        life.record.activate = true;
        assert!(!life.wants_activation(), "nor is it asked for by itself");
    }
}
