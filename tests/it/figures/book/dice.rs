//! Numbers that look random and are the same every time (Knuth's MMIX generator).

use jiff::{SignedDuration, Timestamp};

pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From 0 to `sides` - 1.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// In one of so many cases.
    pub(crate) fn hits(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    pub(crate) fn choose<T: Copy>(&mut self, among: &[T]) -> T {
        among[usize::try_from(self.roll(among.len() as u64)).unwrap()]
    }

    /// A length of time below that many seconds.
    pub(crate) fn seconds(&mut self, below: u64) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.roll(below)).unwrap())
    }

    /// A moment of a season; three of ten are within four hours of a change of clocks, or of the same
    /// time a day before or after.
    pub(crate) fn moment(&mut self, season: Season) -> Timestamp {
        let (from, days, changes) = match season {
            // America/New_York on 8 March, Europe/Berlin on 29 March.
            Season::Spring => (
                "2026-02-08T00:00:00Z",
                52,
                ["2026-03-08T07:00:00Z", "2026-03-29T01:00:00Z"],
            ),
            // Europe/Berlin on 25 October, America/New_York on 1 November.
            Season::Autumn => (
                "2026-09-20T00:00:00Z",
                44,
                ["2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z"],
            ),
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        if self.roll(10) < 3 {
            let hours = self.choose(&[-28, -4, 20]);
            let begins = at(self.choose(&changes)) + SignedDuration::from_hours(hours);
            begins + self.seconds(8 * 3_600)
        } else {
            at(from) + self.seconds(days * 86_400)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Season {
    Spring,
    Autumn,
}
