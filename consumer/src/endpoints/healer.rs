//! Fetches what was missed, and says when it will soon be too late.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use postback_common::config::ApiSettings;
use postback_healing::backfill::{self, Job, Tools};
use postback_healing::due::{Fetched, Known};
use postback_network::{NetworkApi, Patience};
use postback_service::lifecycle::Shutdown;
use postback_store::endpoints::{self, Heal, Note};
use postback_store::{StoreError, backfills};
use tracing::{debug, info, warn};

use super::Watched;
use super::retry::Retry;

/// Between two looks at what is due, unless the endpoint is polled more often.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(1);

impl Watched {
    /// Works until it is dropped.
    pub(super) async fn heal(&self) {
        let Some(every) = self.settings.poll_every else {
            return;
        };
        let every = every.clamp(SHORTEST, LOOK_EVERY);
        let (mut retry, mut was_urgent) = (Retry::default(), false);
        loop {
            let due = match self.look(&mut was_urgent).await {
                Ok(due) => due.filter(|_| self.settings.heal),
                Err(error) => {
                    debug!(source = self.name(), %error, "what is due to be fetched was not read");
                    None
                }
            };
            let pause = match due {
                Some(heal) if !retry.rests(&heal, Instant::now()) => {
                    if self.heal_one(&heal).await {
                        retry.succeeded();
                        SHORTEST
                    } else {
                        retry.failed(&heal, Instant::now());
                        every
                    }
                }
                // What rests must not keep what becomes due meanwhile.
                Some(_) | None => every,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// What is due, after what is urgent was said.
    async fn look(&self, was_urgent: &mut bool) -> Result<Option<Heal>, StoreError> {
        let (source, now) = (self.name(), Timestamp::now());
        let keeps = SignedDuration::from_hours(24 * i64::from(self.settings.keeps_days));
        let since = Known::since(now, keeps);
        let (outages, refused, heals, fetched) = tokio::try_join!(
            endpoints::outages(&self.client, since, now),
            endpoints::refused_minutes(&self.client, source, since),
            endpoints::heals(&self.client, source, since),
            backfills::finished(&self.client, source, since),
        )?;
        let fetched = Fetched::all(&fetched);
        let of_source = |outage: &endpoints::Outage| outage.source == source;
        let outages: Vec<_> = outages.into_iter().filter(of_source).collect();
        let known = Known {
            outages: &outages,
            refused: &refused,
            heals: &heals,
            fetched: &fetched,
            keeps,
            now,
        };
        let lost_from = known.lost_from();
        self.metrics.lost_from(source, lost_from);
        let is_urgent = known.is_urgent();
        if let Some(lost_from) = lost_from.filter(|_| is_urgent && !*was_urgent) {
            warn!(
                source, %lost_from,
                remedy = "fetch it with `postback backfill`, and see why it was not fetched by itself",
                "the network will soon drop what was missed and is not fetched yet"
            );
        }
        *was_urgent = is_urgent;
        Ok(known.due())
    }

    /// False where it is to be tried again.
    async fn heal_one(&self, heal: &Heal) -> bool {
        let source = self.name();
        let begun = Note::HealBegun(*heal);
        if let Err(error) = endpoints::note(&self.client, source, Timestamp::now(), &begun).await {
            debug!(source, %error, "nothing is fetched: that it begins was not noted");
            return false;
        }
        info!(source, cause = %heal.cause, from = %heal.from, to = %heal.to, "fetching what was missed");
        let Some(sent) = self.fetch(heal).await else {
            self.metrics.healed(source, None);
            return false;
        };
        let ended = Note::HealEnded(*heal);
        if let Err(error) = endpoints::note(&self.client, source, Timestamp::now(), &ended).await {
            debug!(source, %error, "that it ended was not noted: it is looked through once more");
            return false;
        }
        // Counted once it is noted: a run that is repeated says again what it has sent in all.
        self.metrics.healed(source, Some(sent));
        info!(source, cause = %heal.cause, from = %heal.from, to = %heal.to, sent, "fetched what was missed");
        true
    }

    /// How many missed transactions are in Kafka now. A run that was interrupted, by whomever, goes
    /// on where it was: it has the same ends.
    async fn fetch(&self, heal: &Heal) -> Option<u64> {
        let source = self.name();
        // The polls go on meanwhile, one call at a time: together no more than the network allows.
        let api = ApiSettings {
            max_calls: self.settings.max_calls.saturating_sub(1).max(1),
            ..self.settings.clone()
        };
        let network = match NetworkApi::new(&api, Patience::default()) {
            Ok(network) => network,
            Err(error) => {
                super::tell_setup(&self.source, &error);
                return None;
            }
        };
        let job = Job {
            source: self.source.name.clone(),
            from: heal.from,
            to: heal.to,
            is_dry: false,
            made_by: "postback-consumer".to_owned(),
        };
        let tools = Tools {
            settings: self.others.clone(),
            api,
            network,
        };
        // Whoever ends this drops it.
        match backfill::run(&job, &tools, &Shutdown::new(), &()).await {
            Ok(outcome) => Some(outcome.run.sent()),
            Err(error) => {
                warn!(
                    source, %error, remedy = error.remedy(), cause = %heal.cause,
                    from = %heal.from, to = %heal.to,
                    "what was missed is not fetched yet; it is tried again"
                );
                None
            }
        }
    }
}
