//! Reads what the networks said of the endpoints.

use jiff::{SignedDuration, Timestamp};
use postback_common::config::{ApiSettings, SourceSettings};
use postback_healing::due::{Fetched, Known};
use postback_store::annotations::Annotation;
use postback_store::endpoints::{self, Latest, Outage};
use postback_store::{Client, StoreError, backfills};

use super::Watched;
use crate::cmd::watch::alert::Alert;
use crate::cmd::watch::finding::{Endpoint, Finding};

/// The network's answers are looked at so long before an endpoint was off.
const BEFORE: SignedDuration = SignedDuration::from_mins(15);

/// Nothing known for so long is an alert; longer where it is asked for less often.
const UNKNOWN: SignedDuration = SignedDuration::from_mins(30);

/// A mark so long before the endpoint was off may be why.
const NEAR: SignedDuration = SignedDuration::from_hours(6);

/// Postback's own marks say what it did about it, not why it was.
const OUR_OWN: &str = "postback-consumer";

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
        let (latest, outages) = tokio::try_join!(
            endpoints::latest(client),
            endpoints::outages(client, since, now)
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
                api,
                client,
                outages: &outages,
                now,
            };
            alerts.extend(asked.off(annotations).await?);
            let latest = latest.iter().find(|latest| latest.source == name);
            alerts.extend(latest.and_then(|latest| asked.unknown(latest)));
            alerts.extend(asked.lost().await?);
        }
        Ok(alerts)
    }
}

fn keeps(api: &ApiSettings) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(api.keeps_days))
}

/// One source whose network is asked.
struct Asked<'a> {
    name: &'a str,
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
        let answers = endpoints::answers(self.client, self.name, from, outage.seen_at).await?;
        let finding = Endpoint::Off {
            state: outage.state,
            answers,
            minutes: from.duration_until(outage.seen_at).as_mins(),
        };
        let near = near(annotations, self.name, outage);
        Ok(Some(self.alert(finding, outage.from, near)))
    }

    fn unknown(&self, latest: &Latest) -> Option<Alert> {
        let every = self.api.poll_every.and_then(|every| every.try_into().ok());
        let limit = UNKNOWN.max(every.unwrap_or(SignedDuration::ZERO) * 3);
        let since = latest.unknown_since();
        let (since, reason) = match since {
            Some(since) => (since, Some(latest.reason.clone())),
            None => (latest.at, None),
        };
        let time = since.duration_until(self.now);
        let finding = Endpoint::Unknown { reason, time };
        (time >= limit).then(|| self.alert(finding, since, None))
    }

    async fn lost(&self) -> Result<Option<Alert>, StoreError> {
        let keeps = keeps(self.api);
        let since = Known::since(self.now, keeps);
        let (refused, heals, fetched) = tokio::try_join!(
            endpoints::refused_minutes(self.client, self.name, since),
            endpoints::heals(self.client, self.name, since),
            backfills::finished(self.client, self.name, since)
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
fn near(annotations: &[Annotation], source: &str, outage: &Outage) -> Option<Annotation> {
    let about = |mark: &&Annotation| mark.source.is_empty() || mark.source == source;
    let is_near = |mark: &&Annotation| mark.at >= outage.from - NEAR && mark.at <= outage.seen_at;
    let marks = annotations.iter().filter(about).filter(is_near);
    let by_people = marks.filter(|mark| mark.made_by != OUR_OWN);
    by_people.max_by_key(|mark| mark.at).cloned()
}
