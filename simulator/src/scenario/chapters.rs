//! A scenario of any length in bounded memory.

use super::{Scenario, ScenarioError, Settings};
use crate::event::Event;

/// Events of one chapter.
const CHAPTER: u32 = 20_000;

/// One scenario after the other, of at most 20,000 events each, that play the same days with other
/// orders. Equal settings give equal chapters.
#[derive(Clone, Debug)]
pub struct Chapters {
    settings: Settings,
    number: u64,
    left: u64,
}

impl Chapters {
    /// So many events in all, made as `settings` say, whose own number of events is passed over.
    ///
    /// # Errors
    /// When the settings make no sense; see [`ScenarioError`].
    pub fn new(settings: Settings, events: u64) -> Result<Self, ScenarioError> {
        let first = Settings {
            postbacks: 1,
            ..settings.clone()
        };
        Scenario::generate(&first)?;
        Ok(Chapters {
            settings,
            number: 0,
            left: events,
        })
    }
}

impl Iterator for Chapters {
    type Item = Vec<Event>;

    fn next(&mut self) -> Option<Vec<Event>> {
        let postbacks = u32::try_from(self.left).unwrap_or(CHAPTER).min(CHAPTER);
        if postbacks == 0 {
            return None;
        }
        let settings = Settings {
            // Far apart, so that the next seed of a user is no chapter of this one.
            seed: self.settings.seed ^ self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            first_order: self.settings.first_order + self.number * u64::from(CHAPTER),
            postbacks,
            ..self.settings.clone()
        };
        self.number += 1;
        self.left -= u64::from(postbacks);
        // The settings have been checked.
        Scenario::generate(&settings)
            .ok()
            .map(|scenario| scenario.events)
    }
}
