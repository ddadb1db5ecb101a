//! Rows of the tables as whole series, one for each source.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_detect::{Bin, CELLS, Trial};
use postback_store::reports::series::{Minute, Received, Refused, Transactions};

/// Width of a bin in seconds: breaks of shares and volumes are found in minutes, and a season has
/// hours.
pub(super) const WIDTH: u32 = 900;

/// Bins of a day.
pub(super) const BINS_A_DAY: usize = 86_400 / WIDTH as usize;

/// What was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) received: Vec<Received>,
    pub(super) transactions: Vec<Transactions>,
    pub(super) refused: Vec<Refused>,
    pub(super) minutes: Vec<Minute>,
}

impl Rows {
    /// Adds what was read later, about a later time.
    pub(super) fn extend(&mut self, later: Self) {
        self.received.extend(later.received);
        self.transactions.extend(later.transactions);
        self.refused.extend(later.refused);
        self.minutes.extend(later.minutes);
    }

    /// Gives each row the name that its source has now, where that is another.
    pub(super) fn rename<'n>(&mut self, now: impl Fn(&str) -> Option<&'n str>) {
        let mut changed = false;
        let mut rename = |source: &mut String| {
            if let Some(name) = now(source) {
                name.clone_into(source);
                changed = true;
            }
        };
        self.received
            .iter_mut()
            .for_each(|row| rename(&mut row.source));
        self.transactions
            .iter_mut()
            .for_each(|row| rename(&mut row.source));
        self.refused
            .iter_mut()
            .for_each(|row| rename(&mut row.source));
        self.minutes
            .iter_mut()
            .for_each(|row| rename(&mut row.source));
        if changed {
            self.minutes.sort_by_key(|row| row.first);
        }
    }
}

/// One source's series. All have the same bins, from the UTC day of its first postback on.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) source: String,
    /// Number of the first bin since 1970.
    pub(super) first: u32,
    pub(super) received: Vec<Bin>,
    pub(super) rejected: Vec<Trial>,
    pub(super) refused: Vec<Bin>,
    pub(super) unattributed: Vec<Trial>,
    pub(super) zero: Vec<Trial>,
    pub(super) whole: Vec<Trial>,
    /// By currency.
    pub(super) currencies: BTreeMap<String, Vec<Trial>>,
    /// The first and the last postback of each minute that has any.
    pub(super) minutes: Vec<(Timestamp, Timestamp)>,
}

/// The series of every source of which anything came, up to the last bin that is whole at `through`.
pub(super) fn of_rows(
    rows: &Rows,
    through: Timestamp,
    zone: impl Fn(&str) -> TimeZone,
) -> Vec<History> {
    let end = bin_of(through);
    let mut first: BTreeMap<&str, u32> = BTreeMap::new();
    for row in &rows.received {
        let known = first.entry(&row.source).or_insert(row.bin);
        *known = row.bin.min(*known);
    }
    first
        .into_iter()
        .map(|(source, bin)| {
            let day = bin - bin % days(1);
            History::empty(source, day, end, &zone(source)).filled(rows, through)
        })
        .collect()
}

/// The bin in which a moment lies.
pub(super) fn bin_of(moment: Timestamp) -> u32 {
    u32::try_from(moment.as_second() / i64::from(WIDTH)).unwrap_or(0)
}

/// Bins of so many days.
pub(super) const fn days(days: u32) -> u32 {
    days * (86_400 / WIDTH)
}

/// When a bin begins.
pub(super) fn start_of(bin: u32) -> Timestamp {
    Timestamp::from_second(i64::from(bin) * i64::from(WIDTH)).unwrap_or(Timestamp::MAX)
}

/// The hour of the week of a moment in a zone.
pub(super) fn cell(moment: Timestamp, zone: &TimeZone) -> usize {
    let local = zone.to_datetime(moment);
    let day = usize::try_from(local.date().weekday().to_monday_zero_offset()).unwrap_or(0);
    let hour = usize::try_from(local.hour()).unwrap_or(0);
    (day * 24 + hour) % CELLS
}

impl History {
    fn empty(source: &str, first: u32, end: u32, zone: &TimeZone) -> Self {
        let bins: Vec<Bin> = (first..end)
            .map(|bin| Bin::whole(cell(start_of(bin), zone), 0))
            .collect();
        let trials = vec![Trial::default(); bins.len()];
        Self {
            source: source.to_owned(),
            first,
            refused: bins.clone(),
            received: bins,
            rejected: trials.clone(),
            unattributed: trials.clone(),
            zero: trials.clone(),
            whole: trials,
            currencies: BTreeMap::new(),
            minutes: Vec::new(),
        }
    }

    fn filled(mut self, rows: &Rows, through: Timestamp) -> Self {
        let source = self.source.clone();
        for row in rows.received.iter().filter(|row| row.source == source) {
            let Some(at) = self.place(row.bin) else {
                continue;
            };
            self.received[at].count += row.postbacks;
            self.rejected[at].of += row.postbacks;
            self.rejected[at].count += row.rejected;
        }
        for row in rows.refused.iter().filter(|row| row.source == source) {
            let Some(at) = self.place(row.bin) else {
                continue;
            };
            self.refused[at].count += row.refusals;
        }
        for row in rows.transactions.iter().filter(|row| row.source == source) {
            self.add(row);
        }
        let minutes = rows.minutes.iter().filter(|row| row.source == source);
        let minutes = minutes.filter(|row| row.last <= through);
        self.minutes = minutes.map(|row| (row.first, row.last)).collect();
        let all: Vec<u32> = self.unattributed.iter().map(|trial| trial.of).collect();
        for trials in self.currencies.values_mut() {
            for (trial, of) in trials.iter_mut().zip(&all) {
                trial.of = *of;
            }
        }
        self
    }

    fn add(&mut self, row: &Transactions) {
        let Some(at) = self.place(row.bin) else {
            return;
        };
        let counted = [
            (&mut self.unattributed, row.unattributed),
            (&mut self.zero, row.zero),
            (&mut self.whole, row.whole),
        ];
        for (trials, count) in counted {
            trials[at].of += row.transactions;
            trials[at].count += count;
        }
        let bins = self.received.len();
        let currency = self.currencies.entry(row.currency.clone());
        let trials = currency.or_insert_with(|| vec![Trial::default(); bins]);
        trials[at].count += row.transactions;
    }

    fn place(&self, bin: u32) -> Option<usize> {
        let place = usize::try_from(bin.checked_sub(self.first)?).ok()?;
        (place < self.received.len()).then_some(place)
    }

    /// Whole days of it.
    pub(super) fn days(&self) -> usize {
        self.received.len() / BINS_A_DAY
    }

    /// When the bin at a place begins.
    pub(super) fn time(&self, place: usize) -> Timestamp {
        start_of(self.first + u32::try_from(place).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(source: &str, second: i64) -> Minute {
        let moment = Timestamp::from_second(second).unwrap();
        Minute {
            source: source.to_owned(),
            first: moment,
            last: moment,
        }
    }

    fn received(source: &str, bin: u32) -> Received {
        Received {
            source: source.to_owned(),
            bin,
            postbacks: 3,
            rejected: 1,
        }
    }

    #[test]
    fn a_source_that_was_renamed_has_one_history() {
        let day = days(20_000);
        let start = start_of(day).as_second();
        // As they are read: by name, so what is newer may stand before what is older.
        let mut rows = Rows {
            received: vec![
                received("new", day + 1),
                received("old", day),
                received("old", day + 1),
            ],
            minutes: vec![minute("new", start + 901), minute("old", start + 1)],
            ..Rows::default()
        };
        rows.rename(|name| (name == "old").then_some("new"));
        let histories = of_rows(&rows, start_of(day + 2), |_| TimeZone::UTC);
        assert_eq!(histories.len(), 1, "{histories:?}");
        let history = &histories[0];
        assert_eq!((&*history.source, history.first), ("new", day));
        let counts: Vec<_> = history.received.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [3, 6]);
        let minutes = history
            .minutes
            .iter()
            .map(|(first, _)| first.as_second() - start);
        assert_eq!(minutes.collect::<Vec<_>>(), [1, 901]);
    }
}
