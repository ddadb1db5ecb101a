//! Which time is to be fetched from a network without being asked, and how long the network still
//! has it. Pure: all that it goes by stands in tables, so that any process goes on where another
//! one was.
//!
//! - When an endpoint is on again: the time in which it was off.
//! - When refusals of a source have ended: the time in which there were any.
//! - Once a day: the last three days, for what nobody noticed; more where none of it could be fetched
//!   for longer than that, and twice a day where the network keeps no more than a day.
//!
//! In this order: what was certainly missed does not wait for what may have been.

use jiff::{SignedDuration, Timestamp};
use postback_store::endpoints::{Cause, Heal, Healed, Outage};

/// What is fetched once a day.
const DAILY: SignedDuration = SignedDuration::from_hours(3 * 24);
const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// So long without a refusal, and a spell of them is over.
const QUIET: SignedDuration = SignedDuration::from_mins(10);
const A_MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// Clocks differ by so much. What is said to be fetched of a later time was noted by a wrong clock, or of
/// a range that ends in the future: what came since then is not in it.
const CLOCKS: SignedDuration = SignedDuration::from_mins(10);
/// A run asks for ten minutes more before its range, and may wait for as long before it asks.
const AHEAD: SignedDuration = SignedDuration::from_mins(20);
/// Minutes with refusals that make a spell: one alone is a restart, or chance.
const SPELL: usize = 3;

/// What is known of one source.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// When its endpoint was off, oldest first.
    pub outages: &'a [Outage],
    /// Minutes with refusals, as [`postback_store::endpoints::refused_minutes`] gives them.
    pub refused: &'a [Timestamp],
    /// What was healed.
    pub heals: &'a [Healed],
    /// What people fetched, whole: the runs of `postback backfill`.
    pub fetched: &'a [Fetched],
    /// How long the network keeps transactions.
    pub keeps: SignedDuration,
    /// UTC.
    pub now: Timestamp,
}

/// A time that was fetched, `from` inclusive and `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fetched {
    /// UTC.
    pub from: Timestamp,
    /// UTC.
    pub to: Timestamp,
}

/// A time, `from` inclusive and `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl Fetched {
    /// As [`postback_store::backfills::finished`] gives them.
    #[must_use]
    pub fn all(times: &[(Timestamp, Timestamp)]) -> Vec<Self> {
        let times = times.iter();
        times
            .map(|(from, to)| Self {
                from: *from,
                to: *to,
            })
            .collect()
    }
}

impl Known<'_> {
    /// Since when things must be known for this: what is older cannot be fetched, and a day more
    /// shows what had begun before.
    #[must_use]
    pub fn since(now: Timestamp, keeps: SignedDuration) -> Timestamp {
        before(before(now, keeps), A_DAY)
    }

    /// What is to be healed first of [`Self::all_due`].
    #[must_use]
    pub fn due(&self) -> Option<Heal> {
        self.all_due().into_iter().next()
    }

    /// What is to be healed now, one after another. Outages and spells, the oldest first; then what was
    /// begun; then the day's.
    ///
    /// The ends of an outage are those of the table: one that was interrupted is found with the same
    /// ones, and goes on.
    #[must_use]
    pub fn all_due(&self) -> Vec<Heal> {
        let outages = self.outages.iter().filter_map(Span::of_ended);
        let outages = outages.filter(|outage| outage.to <= self.now);
        let spells = self.spells().into_iter();
        let over = spells.filter(|spell| self.is_over(*spell));
        let missed = outages
            .map(|outage| outage.healed_for(Cause::SwitchedOff))
            .chain(over.map(|spell| spell.healed_for(Cause::Refusals)))
            // The day's, mostly; otherwise what the tables tell with other ends by now.
            .chain(self.interrupted());
        let mut due: Vec<Heal> = Vec::new();
        for heal in missed {
            if !due.contains(&heal) && self.missing(Span::of(heal)).is_some() {
                due.push(heal);
            }
        }
        due.extend(self.daily().map(|day| day.healed_for(Cause::Daily)));
        due
    }

    /// When the network begins to drop what was missed and is not fetched; `None` where nothing is
    /// missing that it still has.
    #[must_use]
    pub fn lost_from(&self) -> Option<Timestamp> {
        let outages = self.outages.iter().map(|outage| Span {
            from: outage.from,
            to: outage.to.unwrap_or(self.now),
        });
        let times = outages.chain(self.spells());
        let oldest = times.filter_map(|time| self.missing(time)).min()?;
        oldest.checked_add(self.keeps).ok()
    }

    /// Whether that is soon: within a day, or a quarter of the time where the network keeps little.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        let soon = A_DAY.min(self.keeps / 4);
        self.lost_from()
            .is_some_and(|lost_from| self.now.duration_until(lost_from) <= soon)
    }

    /// What a process began within the last day and did not end goes on, with the same ends.
    fn interrupted(&self) -> impl Iterator<Item = Heal> {
        let yesterday = before(self.now, A_DAY);
        let open = move |healed: &&Healed| {
            let is_open = healed.ended_at.is_none() && healed.begun_at > yesterday;
            is_open && healed.heal.to <= self.now
        };
        self.heals.iter().filter(open).map(|healed| healed.heal)
    }

    fn daily(&self) -> Option<Span> {
        // What is asked for begins later than what is kept: one is to begin before the last one's end.
        let last = before(self.now, A_DAY.min(self.keeps / 2));
        let known = self.known_days();
        if known.clone().any(|healed| healed.heal.to > last) {
            return None;
        }
        // Ends that a table keeps as they are.
        let to = Timestamp::from_second(self.now.as_second()).ok()?;
        let usual = before(to, DAILY);
        let ended = known.clone().filter(|healed| healed.ended_at.is_some());
        // Up to there all was fetched; or from there on nothing was.
        let fetched_to = ended.map(|healed| healed.heal.to).max();
        let fetched_to = fetched_to.or_else(|| known.map(|healed| healed.heal.from).min());
        let from = fetched_to.map_or(usual, |fetched_to| fetched_to.min(usual));
        Some(Span {
            from: from.max(before(to, self.keeps)),
            to,
        })
    }

    fn known_days(&self) -> impl Iterator<Item = &Healed> + Clone {
        let days = self.heals.iter();
        let days = days.filter(|healed| healed.heal.cause == Cause::Daily);
        days.filter(|healed| self.is_known(healed.heal.to))
    }

    /// Times with refusals: minutes with fewer than ten quiet ones between them, three at least.
    fn spells(&self) -> Vec<Span> {
        let mut spells: Vec<(Span, usize)> = Vec::new();
        for minute in self.refused {
            let to = minute.checked_add(A_MINUTE).unwrap_or(*minute);
            match spells.last_mut() {
                Some((spell, minutes)) if spell.to.duration_until(*minute) < QUIET => {
                    spell.to = to;
                    *minutes += 1;
                }
                _ => spells.push((Span { from: *minute, to }, 1)),
            }
        }
        let long = spells.into_iter().filter(|(_, minutes)| *minutes >= SPELL);
        long.map(|(spell, _)| spell).collect()
    }

    fn is_over(&self, spell: Span) -> bool {
        spell.to.duration_until(self.now) >= QUIET
    }

    /// Whether something can have been fetched up to there.
    fn is_known(&self, to: Timestamp) -> bool {
        self.now.duration_until(to) <= CLOCKS
    }

    /// The first moment of a time that nothing has fetched and that the network still has.
    fn missing(&self, time: Span) -> Option<Timestamp> {
        let to = time.to.min(self.now);
        let mut from = time.from.max(before(self.now, self.keeps));
        let ended = self.heals.iter().filter(|healed| healed.ended_at.is_some());
        let healed = ended.map(|healed| Fetched {
            from: healed.heal.from,
            to: healed.heal.to,
        });
        let fetched = healed.chain(self.fetched.iter().copied());
        let mut fetched: Vec<Fetched> = fetched.filter(|one| self.is_known(one.to)).collect();
        fetched.sort_unstable();
        for one in fetched {
            if one.from <= from && one.to > from {
                from = one.to;
            }
        }
        (from < to).then_some(from)
    }
}

impl Span {
    const fn of(heal: Heal) -> Self {
        Self {
            from: heal.from,
            to: heal.to,
        }
    }

    const fn healed_for(self, cause: Cause) -> Heal {
        Heal {
            cause,
            from: self.from,
            to: self.to,
        }
    }

    /// Only what is over can be fetched whole.
    fn of_ended(outage: &Outage) -> Option<Self> {
        let to = outage.to?;
        Some(Self {
            from: outage.from,
            to,
        })
    }
}

/// Where fetching for a heal begins at `now`: not before what the network keeps, since some refuse a
/// question that reaches further back, and all of the heal with it. What is noted is the whole heal.
#[must_use]
pub fn asked_from(heal: &Heal, keeps: SignedDuration, now: Timestamp) -> Timestamp {
    heal.from.max(kept_from(keeps, now)).min(heal.to)
}

/// From when on a network can be asked at `now` for what it keeps: ten minutes more are asked for, and
/// it may take as long to come to it.
#[must_use]
pub fn kept_from(keeps: SignedDuration, now: Timestamp) -> Timestamp {
    let kept = before(now, keeps);
    kept.checked_add(AHEAD).unwrap_or(kept)
}

/// So long before; the beginning of time where that is before it.
fn before(moment: Timestamp, time: SignedDuration) -> Timestamp {
    let earlier = moment.checked_sub(time);
    earlier.unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
