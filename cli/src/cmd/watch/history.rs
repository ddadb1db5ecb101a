//! Rows of the tables as whole series, one for each source.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_detect::{Bin, CELLS, Trial};
use postback_store::reports::series::{Minutes, Received, Refused, Transactions};

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
    pub(super) minutes: Vec<Minutes>,
}

impl Rows {
    /// Gives each row the name that its source has now, where that is another.
    pub(super) fn rename(&mut self, older: &BTreeMap<&str, &str>) {
        if older.is_empty() {
            return;
        }
        let rename = |source: &mut String| {
            if let Some(name) = older.get(source.as_str()) {
                (*name).clone_into(source);
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
    /// The first and the last postback of each minute that has any, in µs since 1970, in order.
    pub(super) minutes: Vec<(i64, i64)>,
}

/// The series of every source of which anything came, up to the last bin that is whole at `through`.
/// Each part is about a later time than the one before it.
pub(super) fn of_rows(
    parts: &[&Rows],
    through: Timestamp,
    zone: impl Fn(&str) -> TimeZone,
) -> Vec<History> {
    let end = bin_of(through);
    let mut first: BTreeMap<&str, u32> = BTreeMap::new();
    for row in parts.iter().flat_map(|rows| &rows.received) {
        let known = first.entry(&row.source).or_insert(row.bin);
        *known = row.bin.min(*known);
    }
    let empty = |(source, bin)| {
        let day = bin - bin % days(1);
        (source, History::empty(source, day, end, &zone(source)))
    };
    let mut histories = first.into_iter().map(empty).collect();
    for rows in parts {
        fill(&mut histories, rows, through);
    }
    histories.into_values().map(History::whole).collect()
}

/// Adds each row to the series of its source.
fn fill(histories: &mut BTreeMap<&str, History>, rows: &Rows, through: Timestamp) {
    for row in &rows.received {
        if let Some(history) = histories.get_mut(row.source.as_str()) {
            history.receive(row);
        }
    }
    for row in &rows.refused {
        if let Some(history) = histories.get_mut(row.source.as_str()) {
            history.refuse(row);
        }
    }
    for row in &rows.transactions {
        if let Some(history) = histories.get_mut(row.source.as_str()) {
            history.add(row);
        }
    }
    let through = through.as_microsecond();
    for row in &rows.minutes {
        if let Some(history) = histories.get_mut(row.source.as_str()) {
            let moments = row.moments.iter().filter(|(_, last)| *last <= through);
            history.minutes.extend(moments);
        }
    }
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

    fn receive(&mut self, row: &Received) {
        if let Some(at) = self.place(row.bin) {
            self.received[at].count += row.postbacks;
            self.rejected[at].of += row.postbacks;
            self.rejected[at].count += row.rejected;
        }
    }

    fn refuse(&mut self, row: &Refused) {
        if let Some(at) = self.place(row.bin) {
            self.refused[at].count += row.refusals;
        }
    }

    /// With everything added: each currency is a part of all transactions, and what came under an
    /// older name stands in its place in time.
    fn whole(mut self) -> Self {
        self.minutes.sort();
        for trials in self.currencies.values_mut() {
            for (trial, all) in trials.iter_mut().zip(&self.unattributed) {
                trial.of = all.of;
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

    fn minute(source: &str, second: i64) -> Minutes {
        Minutes {
            source: source.to_owned(),
            moments: vec![(second * 1_000_000, second * 1_000_000)],
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
        rows.rename(&BTreeMap::from([("old", "new")]));
        let histories = of_rows(&[&rows], start_of(day + 2), |_| TimeZone::UTC);
        assert_eq!(histories.len(), 1, "{histories:?}");
        let history = &histories[0];
        assert_eq!((&*history.source, history.first), ("new", day));
        let counts: Vec<_> = history.received.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [3, 6]);
        let minutes = history
            .minutes
            .iter()
            .map(|(first, _)| first / 1_000_000 - start);
        assert_eq!(minutes.collect::<Vec<_>>(), [1, 901]);
    }

    #[test]
    fn parts_of_several_sources_are_the_series_of_each() {
        let day = days(20_000);
        let start = start_of(day).as_second();
        let transactions = |source: &str, bin, currency: &str, transactions| Transactions {
            source: source.to_owned(),
            bin,
            currency: currency.to_owned(),
            transactions,
            unattributed: 1,
            zero: 0,
            whole: 0,
        };
        let past = Rows {
            received: vec![received("a", day), received("b", day)],
            transactions: vec![
                transactions("a", day, "EUR", 2),
                transactions("a", day, "USD", 3),
                transactions("b", day, "USD", 5),
            ],
            minutes: vec![minute("a", start), minute("b", start + 60)],
            ..Rows::default()
        };
        let refused = |source: &str, bin| Refused {
            source: source.to_owned(),
            bin,
            refusals: 4,
        };
        let recent = Rows {
            received: vec![received("b", day + 1)],
            refused: vec![refused("b", day + 1), refused("nobody", day)],
            minutes: vec![minute("b", start + 900), minute("a", start + 1_801)],
            ..Rows::default()
        };
        let histories = of_rows(&[&past, &recent], start_of(day + 2), |_| TimeZone::UTC);
        let counts = |bins: &[Bin]| bins.iter().map(|bin| bin.count).collect::<Vec<_>>();
        let seen = histories.iter().map(|history| {
            let currencies = history.currencies.iter().map(|(currency, trials)| {
                let trials = trials.iter().map(|trial| (trial.count, trial.of));
                (&**currency, trials.collect::<Vec<_>>())
            });
            (
                &*history.source,
                counts(&history.received),
                counts(&history.refused),
                currencies.collect::<Vec<_>>(),
                history.minutes.len(),
            )
        });
        let of_a = vec![("EUR", vec![(2, 5), (0, 0)]), ("USD", vec![(3, 5), (0, 0)])];
        let of_b = vec![("USD", vec![(5, 5), (0, 0)])];
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [
                // Its later minute is not whole at that time.
                ("a", vec![3, 0], vec![0, 0], of_a, 1),
                ("b", vec![3, 3], vec![0, 4], of_b, 2),
            ]
        );
    }
}
