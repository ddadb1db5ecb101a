//! Reads what the networks said of the endpoints.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use postback_common::config::{ApiSettings, SourceSettings};
use postback_healing::due::{Fetched, Known};
use postback_store::annotations::Annotation;
use postback_store::endpoints::{self, Latest, Outage};
use postback_store::{Client, StoreError, backfills};

use super::Watched;
use crate::cmd::names;
use crate::cmd::watch::alert::Alert;
use crate::cmd::watch::finding::{Endpoint, Finding};
use crate::cmd::watch::marks::{self, NEAR};

/// The network's answers are looked at so long before an endpoint was off.
const BEFORE: SignedDuration = SignedDuration::from_mins(15);

/// Nothing known for so long is an alert; longer where it is asked for less often.
const UNKNOWN: SignedDuration = SignedDuration::from_mins(30);

impl Watched<'_> {
    /// What is wrong with the endpoints, whether or not anything is loaded.
    pub(super) async fn endpoints(
        &self,
        client: &Client,
        annotations: &[Annotation],
        now: Timestamp,
    ) -> Result<Vec<Alert>, StoreError> {
        let sources = self.loaded.settings.sources.iter();
        let asked: Vec<(&SourceSettings, &ApiSettings)> = sources
            .filter(|source| self.is_watched(source.name.as_str()))
            .filter_map(|source| Some((source, source.api.as_ref()?)))
            .filter(|(_, api)| api.poll_every.is_some())
            .collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let keeps = asked.iter().map(|(_, api)| keeps(api)).max();
        let since = Known::since(now, keeps.unwrap_or_default());
        let older = names::older(&self.loaded.settings.sources);
        let (latest, outages) = tokio::try_join!(
            endpoints::latest(client),
            endpoints::outages(client, &older, since, now)
        )?;
        let mut alerts = Vec::new();
        for (source, api) in asked {
            let name = source.name.as_str();
            let outages: Vec<Outage> = (outages.iter())
                .filter(|outage| outage.source == name)
                .cloned()
                .collect();
            let asked = Asked {
                name,
                names: &source.names().collect::<Vec<_>>(),
                api,
                client,
                outages: &outages,
                now,
            };
            alerts.extend(asked.off(annotations).await?);
            let unknown = match endpoints::newest(&latest, source) {
                Some(latest) => asked.unknown(latest),
                None => self.never_asked(&asked),
            };
            alerts.extend(unknown);
            alerts.extend(asked.lost().await?);
        }
        Ok(alerts)
    }

    /// A look that goes on gives the consumer the time to ask; one look cannot know how long that is.
    fn never_asked(&self, asked: &Asked<'_>) -> Option<Alert> {
        let (since, limit) = match self.begun {
            Some(begun) => (begun.of(asked.name)?, asked.limit()),
            None => (asked.now, SignedDuration::ZERO),
        };
        let is_long = since.duration_until(asked.now) >= limit;
        is_long.then(|| asked.alert(Endpoint::NeverAsked, since, None))
    }
}

/// When a watch that goes on first had each source whose network is asked.
#[derive(Debug, Default)]
pub(in crate::cmd::watch) struct Begun(BTreeMap<String, Timestamp>);

impl Begun {
    /// With the sources that are configured from now on: of those that were there before, the time
    /// stays.
    pub(in crate::cmd::watch) fn read(self, sources: &[SourceSettings], now: Timestamp) -> Self {
        let asked = sources.iter().filter(|source| {
            let api = source.api.as_ref();
            source.enabled && api.is_some_and(|api| api.poll_every.is_some())
        });
        let begun = asked.map(|source| {
            let known = source.names().find_map(|name| self.of(name));
            (source.name.as_str().to_owned(), known.unwrap_or(now))
        });
        Self(begun.collect())
    }

    fn of(&self, source: &str) -> Option<Timestamp> {
        self.0.get(source).copied()
    }
}

fn keeps(api: &ApiSettings) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(api.keeps_days))
}

/// One source whose network is asked.
struct Asked<'a> {
    name: &'a str,
    /// That one, and those that it had before.
    names: &'a [&'a str],
    api: &'a ApiSettings,
    client: &'a Client,
    outages: &'a [Outage],
    now: Timestamp,
}

impl Asked<'_> {
    async fn off(&self, annotations: &[Annotation]) -> Result<Option<Alert>, StoreError> {
        let Some(outage) = self.outages.iter().find(|outage| outage.to.is_none()) else {
            return Ok(None);
        };
        let from = outage.from - BEFORE;
        // Up to the poll that saw it: when exactly it was switched off may not be known.
        let answers = endpoints::answers(self.client, self.names, from, outage.seen_at).await?;
        let finding = Endpoint::Off {
            state: outage.state,
            answers,
            minutes: from.duration_until(outage.seen_at).as_mins(),
        };
        let near = near(annotations, self.names, outage);
        Ok(Some(self.alert(finding, outage.from, near)))
    }

    /// From then on it is an alert that nothing is known.
    fn limit(&self) -> SignedDuration {
        let every = self.api.poll_every.and_then(|every| every.try_into().ok());
        UNKNOWN.max(every.unwrap_or(SignedDuration::ZERO) * 3)
    }

    fn unknown(&self, latest: &Latest) -> Option<Alert> {
        let since = latest.unknown_since();
        let (since, reason) = match since {
            Some(since) => (since, Some(latest.reason.clone())),
            None => (latest.at, None),
        };
        let time = since.duration_until(self.now);
        let finding = Endpoint::Unknown { reason, time };
        (time >= self.limit()).then(|| self.alert(finding, since, None))
    }

    async fn lost(&self) -> Result<Option<Alert>, StoreError> {
        let keeps = keeps(self.api);
        let since = Known::since(self.now, keeps);
        let (refused, heals, fetched) = tokio::try_join!(
            endpoints::refused_minutes(self.client, self.names, since),
            endpoints::heals(self.client, self.names, since),
            backfills::finished(self.client, self.names, since)
        )?;
        let fetched = Fetched::all(&fetched);
        let known = Known {
            outages: self.outages,
            refused: &refused,
            heals: &heals,
            fetched: &fetched,
            keeps,
            now: self.now,
        };
        let Some(from) = known.lost_from().filter(|_| known.is_urgent()) else {
            return Ok(None);
        };
        let left = self.now.duration_until(from);
        let finding = Endpoint::Lost { from, left };
        Ok(Some(self.alert(finding, from - keeps, None)))
    }

    fn alert(&self, finding: Endpoint, since: Timestamp, near: Option<Annotation>) -> Alert {
        Alert {
            source: self.name.to_owned(),
            finding: Finding::Endpoint(Box::new(finding)),
            since,
            evidence: None,
            learning: false,
            near,
        }
    }
}

/// The last mark of a person up to six hours before an endpoint was off, or until that was seen.
fn near(annotations: &[Annotation], names: &[&str], outage: &Outage) -> Option<Annotation> {
    let within = outage.from - NEAR..=outage.seen_at;
    marks::of_people(annotations, names, within)
        .max_by_key(|mark| mark.at)
        .cloned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_common::config;
    use postback_normalise::Configured;

    use super::*;
    use crate::cmd::Loaded;

    const CONFIGURED: &str = "[kafka]\nbrokers = \"h:1\"\n\
        [[source]]\nname = \"shop\"\naliases = [\"old-shop\"]\naccount = \"a\"\nnetwork = \"rakuten\"\n\
        [[source.key]]\nkey = \"0123456789abcdef-0123456789\"\n\
        [source.api]\nbase_url = \"https://api.example.com\"\npublisher_id = \"1\"\nclient_id = \"c\"\nclient_secret = \"s\"\n";

    fn loaded(text: &str) -> Loaded {
        let settings = config::read(Path::new("t.toml"), text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        Loaded {
            settings,
            configured,
        }
    }

    #[test]
    fn an_endpoint_that_nobody_has_ever_asked_for_is_told() {
        let loaded = loaded(CONFIGURED);
        let source = &loaded.settings.sources[0];
        let start: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
        let begun = Begun::default().read(&loaded.settings.sources, start);
        let told = |begun: Option<&Begun>, minutes: i64| {
            let watched = Watched {
                loaded: &loaded,
                only: None,
                begun,
            };
            let asked = Asked {
                name: source.name.as_str(),
                names: &[source.name.as_str()],
                api: source.api.as_ref().unwrap(),
                client: &Client::default(),
                outages: &[],
                now: start + SignedDuration::from_mins(minutes),
            };
            let alert = watched.never_asked(&asked)?;
            let Finding::Endpoint(found) = alert.finding else {
                panic!("{:?}", alert.finding);
            };
            assert_eq!(*found, Endpoint::NeverAsked);
            Some(alert.since)
        };
        assert_eq!(told(None, 7), Some(start + SignedDuration::from_mins(7)));
        assert_eq!(
            [29, 30].map(|at| told(Some(&begun), at)),
            [None, Some(start)]
        );
    }

    #[test]
    fn what_was_asked_under_an_older_name_was_asked() {
        let loaded = loaded(CONFIGURED);
        let poll = |source: &str, at: &str| Latest {
            source: source.to_owned(),
            at: at.parse().unwrap(),
            state: postback_store::endpoints::State::Active,
            reason: String::new(),
            updated_at: None,
            is_template: None,
            first_at: at.parse().unwrap(),
            known_at: None,
        };
        let polls = [
            poll("old-shop", "2026-09-01T10:00:00Z"),
            poll("other", "2026-09-01T12:00:00Z"),
            poll("shop", "2026-09-01T11:00:00Z"),
        ];
        let source = &loaded.settings.sources[0];
        let found = |polls| endpoints::newest(polls, source).map(|latest| latest.source.as_str());
        assert_eq!(found(&polls[..2]), Some("old-shop"));
        assert_eq!(found(&polls), Some("shop"));
        assert_eq!(found(&polls[1..2]), None);
    }

    #[test]
    fn a_source_that_was_there_before_keeps_its_time() {
        let start: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
        let later = start + SignedDuration::from_hours(1);
        let before = loaded(&CONFIGURED.replace(
            "name = \"shop\"\naliases = [\"old-shop\"]",
            "name = \"old-shop\"",
        ));
        let other = CONFIGURED
            .replace("[kafka]\nbrokers = \"h:1\"\n", "")
            .replace("shop", "new")
            .replace("0123456789\"", "abcdefghij\"");
        let after = loaded(&format!("{CONFIGURED}{other}"));
        let never = CONFIGURED.replace("[source.api]\n", "[source.api]\npoll_seconds = 0\n");
        let off = loaded(&never);
        let begun = Begun::default().read(&before.settings.sources, start);
        let begun = begun.read(&after.settings.sources, later);
        assert_eq!(begun.of("old-shop"), None);
        assert_eq!(
            (begun.of("shop"), begun.of("new")),
            (Some(start), Some(later))
        );
        let begun = begun.read(&off.settings.sources, later);
        assert_eq!((begun.of("shop"), begun.of("new")), (None, None));
    }
}
