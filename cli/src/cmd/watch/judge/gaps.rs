//! Whether more of a book's orders than usual have no postback.

use jiff::Timestamp;
use postback_detect::{Change, Episode, Share, Trial, UsualShare};
use postback_store::annotations::Annotation;

use super::Divided;
use super::frame::{Frame, open};
use crate::cmd::watch::alert::Alert;
use crate::cmd::watch::book::{Book, Series, trials};
use crate::cmd::watch::finding::{Finding, Gap, What};
use crate::cmd::watch::history::BINS_A_DAY;

/// So many advertisers are judged by themselves, the largest; the others together.
const MOST_ADVERTISERS: usize = 100;

impl Book {
    /// How its history is divided; none where it is too short, or has nothing.
    pub(in crate::cmd::watch) fn divided(&self) -> Option<Divided> {
        let bins = self.end.checked_sub(self.first()?)?;
        Divided::of(usize::try_from(bins).ok()? / BINS_A_DAY)
    }
}

/// The gaps of one book that are wider than usual.
///
/// Advertisers first, each by itself; then all those together whose own gap is as usual, so that one
/// break is told once. Orders before money: what has no postback by count lacks the money as well.
pub(in crate::cmd::watch) fn judge(
    book: &Book,
    through: Timestamp,
    annotations: &[Annotation],
) -> Vec<Alert> {
    let (Some(first), Some(divided)) = (book.first(), book.divided()) else {
        return Vec::new();
    };
    let mut about = book.networks.clone();
    about.push(book.source.clone());
    let judge = Judge {
        book,
        through,
        frame: Frame {
            source: &book.source,
            about: &about,
            first,
            divided,
            annotations,
        },
    };
    let advertisers = book.largest(MOST_ADVERTISERS);
    let charts = u32::try_from(advertisers.len()).unwrap_or(u32::MAX);
    let mut wide: Vec<&str> = Vec::new();
    let mut alerts = Vec::new();
    if advertisers.len() > 1 {
        for advertiser in advertisers {
            let series = book.series(first, |other| other == advertiser);
            let found = judge.series(&series, Some(advertiser), charts);
            if !found.is_empty() {
                wide.push(advertiser);
            }
            alerts.extend(found);
        }
    }
    let rest = book.series(first, |advertiser| !wide.contains(&advertiser));
    alerts.extend(judge.series(&rest, None, 1));
    alerts
}

struct Judge<'a> {
    book: &'a Book,
    through: Timestamp,
    frame: Frame<'a>,
}

impl Judge<'_> {
    fn series(&self, series: &Series, advertiser: Option<&str>, charts: u32) -> Vec<Alert> {
        if let Some((episode, change)) = self.open(&series.orders, charts) {
            return vec![self.alert(series, advertiser, What::Orders, (episode, change), charts)];
        }
        let currencies = series.money.iter();
        currencies
            .filter_map(|(currency, sums)| {
                let found = self.open(&trials(sums), charts)?;
                let currency = currency.clone();
                Some(self.alert(series, advertiser, What::Money { currency }, found, charts))
            })
            .collect()
    }

    /// The break that goes on, and its size.
    fn open(&self, trials: &[Trial], charts: u32) -> Option<(Episode, Change)> {
        let (learned, judged) = trials.split_at(self.frame.divided.learned);
        let usual = UsualShare::learn(learned, BINS_A_DAY)?;
        let settled = self.book.settled(judged.len(), self.through.as_second());
        let chart = Share::settling(judged, usual, settled);
        let episode = open(&chart, judged.len(), charts)?;
        let change = chart.change(episode.since..judged.len());
        Some((episode, change))
    }

    fn alert(
        &self,
        series: &Series,
        advertiser: Option<&str>,
        what: What,
        (episode, change): (Episode, Change),
        charts: u32,
    ) -> Alert {
        let (orders, unexplained, money) = series.since(self.frame.divided.learned + episode.since);
        let gap = Gap {
            own: self.book.own,
            what,
            advertiser: advertiser.map(str::to_owned),
            change,
            orders,
            unexplained,
            money,
        };
        self.frame
            .alert(Finding::Gap(Box::new(gap)), &episode, charts)
    }
}

#[cfg(test)]
mod tests;
