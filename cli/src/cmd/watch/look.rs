//! One look at the tables.

mod books;
mod endpoints;
mod found;
mod waiting;

use std::mem;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_store::annotations::{self, Annotation};
use postback_store::reports::Reader;
use postback_store::reports::series::Span;
use postback_store::{Role, StoreError, client};

use super::alert::Alert;
use super::book::Book;
use super::finding::Finding;
use super::history::{self, Rows, WIDTH, bin_of, days, start_of};
use super::judge::{Context, Divided, judge, judge_book, pooled};
use crate::cmd::Loaded;
use crate::cmd::names;
use crate::cmd::report::MATURE_AFTER;
use crate::lag;
pub(super) use endpoints::Begun;
use found::Found;
use waiting::Waiting;

/// Days of history: eight weeks to learn from, two to judge.
const HISTORY_DAYS: u32 = 70;

/// What a look found.
pub(super) struct Look {
    pub(super) alerts: Vec<Alert>,
    /// Everything up to here is loaded, and nothing behind it was judged; none: nothing is loaded.
    pub(super) through: Option<Timestamp>,
    /// Sources, and gaps of sources, whose history is shorter than three weeks.
    pub(super) learning: Vec<String>,
    /// Those whose history is too short for any judgement.
    pub(super) new: Vec<String>,
    /// Sources that are judged by what they send.
    pub(super) judged: usize,
    /// Own orders and statements of which the gap is judged.
    pub(super) gaps: usize,
    /// Why nothing behind `through` is judged though it is not now.
    pub(super) unjudged: Option<Unjudged>,
}

/// Why what came last is not judged, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unjudged {
    /// Kafka did not say what waits.
    Unsaid(String),
    /// What was received long ago waits.
    Waits(String),
}

impl Unjudged {
    /// Of what waits, or Kafka's words for why it does not say so.
    fn of(waiting: &Result<Waiting, String>, now: Timestamp) -> Option<Self> {
        match waiting {
            Ok(waiting) => waiting.unjudged(now).map(Self::Waits),
            Err(words) => Some(Self::Unsaid(format!(
                "Kafka does not say what waits ({words}): nothing is judged behind the newest loaded postback."
            ))),
        }
    }

    pub(super) fn words(&self) -> &str {
        match self {
            Self::Unsaid(words) | Self::Waits(words) => words,
        }
    }
}

impl Look {
    /// Whether anything is wrong, or may be: what could not be judged is not known to be well. Where
    /// nothing is there to be judged yet, nothing is expected either.
    pub(super) const fn is_remarkable(&self) -> bool {
        !self.alerts.is_empty() || self.unjudged.is_some()
    }

    /// Whether what is there could be judged, and nothing is wrong. Gaps alone say nothing of senders
    /// that are too new.
    pub(super) const fn is_well(&self) -> bool {
        let could_judge = self.judged > 0 || (self.gaps > 0 && self.new.is_empty());
        self.alerts.is_empty() && could_judge && self.unjudged.is_none()
    }
}

/// Rows of days that are over: read once, until the next day begins. And what earlier looks found.
#[derive(Default)]
pub(super) struct Past {
    generation: Option<u32>,
    /// The bin behind the last.
    end: u32,
    rows: Rows,
    books: Books,
    found: Found,
}

/// Own orders and statements, read once until more of them are mature.
#[derive(Default)]
pub(super) struct Books {
    generation: Option<u32>,
    end: u32,
    books: Vec<Book>,
}

impl Past {
    /// Takes other sources. Rows and books have the names of the old ones, and are read anew; what was
    /// found stays for what is still watched, for the next look may see less.
    pub(super) fn reload(&mut self, watched: &Watched<'_>) {
        let mut found = mem::take(&mut self.found);
        found.rename(|alert| watched.source_of(alert));
        *self = Self {
            found,
            ..Self::default()
        };
    }
}

/// Which sources are looked at.
pub(super) struct Watched<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) only: Option<&'a str>,
    /// Since when there is what is asked of the networks; `None`: this is the only look.
    pub(super) begun: Option<&'a Begun>,
}

impl Watched<'_> {
    /// Looks once.
    pub(super) async fn look(&self, past: &mut Past, now: Timestamp) -> Result<Look, StoreError> {
        let clickhouse = &self.loaded.settings.clickhouse;
        let reader = Reader::of_active(clickhouse).await?;
        let lag = lag::of_generation(&self.loaded.settings, reader.generation()).await;
        let waiting = Waiting::read(&self.loaded.settings.kafka, lag).await;
        let through = through(&reader, &waiting, now).await?;
        let client = client(clickhouse, Role::Query)?;
        let from = start_of(bin_of(through.unwrap_or(now)).saturating_sub(days(HISTORY_DAYS)));
        let annotations = annotations::between(&client, from, now).await?;
        let endpoints = self.endpoints(&client, &annotations, now).await?;
        let unread = waiting.as_ref().ok().and_then(|waiting| waiting.alert(now));
        let certain = endpoints.into_iter().chain(unread);
        let Some(through) = through else {
            let mut look = Look::nothing(Unjudged::of(&waiting, now));
            look.alerts = past.found.complete(Vec::new(), None, now);
            look.alerts.extend(certain);
            return Ok(look);
        };
        let recent = self.read(&reader, past, through).await?;
        let mut look = self.judge(&[&past.rows, &recent], through, &annotations);
        for book in self.books(&reader, past, through).await? {
            let name = format!("the gap of {}", book.source);
            if look.divide(name, book.divided()) {
                look.gaps += 1;
                look.alerts.extend(judge_book(book, through, &annotations));
            }
        }
        look.alerts = past.found.complete(look.alerts, Some(through), now);
        look.alerts.extend(certain);
        look.unjudged = Unjudged::of(&waiting, now);
        Ok(look)
    }

    /// The books that are watched and have anything.
    async fn books<'p>(
        &self,
        reader: &Reader,
        past: &'p mut Past,
        through: Timestamp,
    ) -> Result<&'p [Book], StoreError> {
        let end = bin_of(through - MATURE_AFTER);
        let generation = Some(reader.generation().number());
        let known = &mut past.books;
        if (known.end, known.generation) != (end, generation) {
            known.books = books::read(reader, self.loaded, end, self.only).await?;
            known.end = end;
            known.generation = generation;
        }
        Ok(&known.books)
    }

    fn judge(&self, rows: &[&Rows], through: Timestamp, annotations: &[Annotation]) -> Look {
        let histories = history::of_rows(rows, through, |source| self.zone(source));
        let pooled = pooled(&histories);
        let mut look = Look::nothing(None);
        look.through = Some(through);
        for history in &histories {
            if !self.is_watched(&history.source) {
                continue;
            }
            if !look.divide(history.source.clone(), Divided::of(history.days())) {
                continue;
            }
            look.judged += 1;
            let context = Context {
                through,
                pooled: &pooled,
                annotations,
                zone: &self.zone(&history.source),
            };
            look.alerts.extend(judge(history, &context));
        }
        look
    }

    /// A disabled source is expected to be silent; one that is in no configuration, too.
    fn is_watched(&self, source: &str) -> bool {
        let wanted = self.only.is_none_or(|only| only == source);
        let mut sources = self.loaded.settings.sources.iter();
        wanted && sources.any(|known| known.name.as_str() == source && known.enabled)
    }

    /// What the source of an earlier break is called now; none where it is no longer watched for such.
    fn source_of(&self, alert: &Alert) -> Option<String> {
        let sources = &self.loaded.settings.sources;
        let name = names::now(&alert.source, sources).unwrap_or(&alert.source);
        let is_watched = if matches!(alert.finding, Finding::Gap(_)) {
            books::sides(name, self.loaded, self.only).is_some()
        } else {
            self.is_watched(name)
        };
        is_watched.then(|| name.to_owned())
    }

    fn zone(&self, source: &str) -> TimeZone {
        let mut sources = self.loaded.settings.sources.iter();
        let known = sources.find(|known| known.name.as_str() == source);
        let zone = known.and_then(|known| known.time_zone.clone());
        zone.unwrap_or(TimeZone::UTC)
    }

    /// The rows behind those of days that are over, which are in `past`.
    async fn read(
        &self,
        reader: &Reader,
        past: &mut Past,
        through: Timestamp,
    ) -> Result<Rows, StoreError> {
        let end = bin_of(through) + 1;
        // What comes late, out of a spool, is still seen for a day.
        let over = (end - end % days(1)).saturating_sub(days(1));
        let generation = Some(reader.generation().number());
        if past.end != over || past.generation != generation {
            let first = over.saturating_sub(days(HISTORY_DAYS));
            past.rows = self.rows(reader, first, over).await?;
            past.end = over;
            past.generation = generation;
        }
        self.rows(reader, over, end).await
    }

    async fn rows(&self, reader: &Reader, first: u32, end: u32) -> Result<Rows, StoreError> {
        let span = Span {
            from: start_of(first),
            to: start_of(end),
            width: WIDTH,
        };
        let mut rows = Rows {
            received: reader.received_series(&span).await?,
            transactions: reader.transaction_series(&span).await?,
            refused: reader.refusal_series(&span).await?,
            minutes: reader.minutes(&span).await?,
        };
        rows.rename(&names::older(&self.loaded.settings.sources));
        Ok(rows)
    }
}

impl Look {
    /// Notes how what is called so can be judged; false where it cannot.
    fn divide(&mut self, name: String, divided: Option<Divided>) -> bool {
        match &divided {
            None => self.new.push(name),
            Some(divided) if divided.learning => self.learning.push(name),
            Some(_) => {}
        }
        divided.is_some()
    }

    fn nothing(unjudged: Option<Unjudged>) -> Self {
        Self {
            alerts: Vec::new(),
            through: None,
            learning: Vec::new(),
            new: Vec::new(),
            judged: 0,
            gaps: 0,
            unjudged,
        }
    }
}

/// Up to when everything is loaded; none: nothing is.
async fn through(
    reader: &Reader,
    waiting: &Result<Waiting, String>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let newest = reader.loaded_through().await?;
    Ok(newest.map(|newest| match waiting {
        Ok(waiting) => waiting.through(now),
        // Nobody says what waits: nothing behind the newest row can be judged.
        Err(_) => newest,
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use postback_common::config;
    use postback_detect::Change;
    use postback_normalise::Configured;
    use postback_store::reports::gap::Own;

    use super::*;
    use crate::cmd::watch::finding::{Gap, What};

    /// `store` was renamed and `closed` disabled.
    const RELOADED: &str = "[kafka]\nbrokers = \"h:1\"\n\
        [[source]]\nname = \"shop\"\naliases = [\"store\"]\naccount = \"a\"\nnetwork = \"rakuten\"\n\
        [[source.key]]\nkey = \"0123456789abcdef-0123456789\"\n\
        [[source]]\nname = \"market\"\naccount = \"b\"\nnetwork = \"rakuten\"\n\
        [[source.key]]\nkey = \"0123456789abcdef-abcdefghij\"\n\
        [[source]]\nname = \"closed\"\naccount = \"c\"\nnetwork = \"rakuten\"\nenabled = false\n\
        [[source]]\nname = \"books\"\nnetwork = \"orders\"\nenabled = false\n";

    fn loaded() -> Loaded {
        let settings = config::read(Path::new("t.toml"), RELOADED, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        Loaded {
            settings,
            configured,
        }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(60 * minute).unwrap()
    }

    fn alert(source: &str, finding: Finding) -> Alert {
        Alert {
            source: source.to_owned(),
            finding,
            since: at(5),
            evidence: None,
            learning: false,
            near: None,
        }
    }

    fn silence(source: &str) -> Alert {
        alert(source, Finding::Silence { missing: 20.0 })
    }

    fn gap(source: &str) -> Alert {
        let gap = Gap {
            own: Own::Orders,
            what: What::Orders,
            advertiser: None,
            change: Change {
                usual: 0.02,
                observed: 0.4,
                low: 0.3,
                high: 0.5,
            },
            orders: 10,
            unexplained: 4,
            money: Vec::new(),
        };
        alert(source, Finding::Gap(Box::new(gap)))
    }

    /// What looks after a reload tell that find nothing, the first in less than the one before it.
    fn told(only: Option<&str>) -> [Vec<String>; 2] {
        let mut past = Past {
            generation: Some(1),
            end: 9,
            ..Past::default()
        };
        let seen = ["store", "market", "closed"].map(silence);
        let seen = [&seen[..], &[gap("books"), gap("closed")]].concat();
        past.found.complete(seen, Some(at(99)), at(100));
        past.reload(&Watched {
            loaded: &loaded(),
            only,
            begun: None,
        });
        assert_eq!((past.generation, past.end), (None, 0));
        [(3, 101), (99, 102)].map(|(through, now)| {
            let told = past.found.complete(Vec::new(), Some(at(through)), at(now));
            told.iter().map(Alert::id).collect()
        })
    }

    #[test]
    fn what_was_found_is_not_over_because_the_sources_are_read_again() {
        let all = ["books/gap", "market/silence", "shop/silence"].map(str::to_owned);
        assert_eq!(told(None), [all.to_vec(), Vec::new()]);
        let one = "shop/silence".to_owned();
        assert_eq!(told(Some("shop")), [vec![one], Vec::new()]);
    }
}
