//! Fetches what was missed, and says when it will soon be too late.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use postback_common::config::ApiSettings;
use postback_healing::backfill::{self, Job, Tools};
use postback_healing::due::{self, Fetched, Known};
use postback_network::{NetworkApi, Patience, random};
use postback_service::lifecycle::Shutdown;
use postback_store::endpoints::{self, Heal, Note};
use postback_store::{StoreError, backfills};
use tracing::{debug, info, warn};

use super::Watched;
use super::retry::Retry;

/// Between two looks at what is due, unless the endpoint is polled more often.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(1);

/// What is due, as one look found it.
#[derive(Default)]
struct Due {
    /// One after another.
    heals: Vec<Heal>,
    /// When that was so.
    now: Timestamp,
}

/// It is to be tried again.
#[derive(Default)]
struct NotHealed {
    /// How long the network asks to be left alone.
    retry_after: Option<Duration>,
}

impl Watched {
    /// Works until it is dropped.
    pub(super) async fn heal(&self) {
        let Some(every) = self.settings.poll_every else {
            return;
        };
        let every = every.clamp(SHORTEST, LOOK_EVERY);
        // All sources begin at once: together, ClickHouse would have all their questions in one moment.
        tokio::time::sleep(every.mul_f64(random())).await;
        let (mut retry, mut was_urgent) = (Retry::default(), false);
        let mut is_read = true;
        loop {
            let due = self.look(&mut was_urgent).await;
            self.tell_read(due.as_ref().err(), &mut is_read);
            let due = due.unwrap_or_default();
            let heals = due.heals.iter().filter(|_| self.settings.heal);
            let pause = match retry.first(heals, Instant::now()) {
                Some(heal) => match self.heal_one(heal, due.now).await {
                    Ok(()) => {
                        retry.succeeded();
                        SHORTEST
                    }
                    Err(NotHealed { retry_after }) => {
                        retry.failed(heal, retry_after, Instant::now());
                        every
                    }
                },
                None => every,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// That nothing is fetched because nothing is known, once, and once that it is over.
    fn tell_read(&self, error: Option<&StoreError>, was_read: &mut bool) {
        let source = self.name();
        match error {
            Some(error) if *was_read => warn!(
                source, %error, remedy = %error.remedy,
                "what is due to be fetched cannot be read from ClickHouse: nothing is fetched, and nothing said that will be lost"
            ),
            Some(error) => {
                debug!(source, %error, "what is due to be fetched was not read again");
            }
            None if !*was_read => info!(source, "what is due to be fetched is read again"),
            None => {}
        }
        *was_read = error.is_none();
    }

    /// What is due, after what is urgent was said.
    async fn look(&self, was_urgent: &mut bool) -> Result<Due, StoreError> {
        let (source, names) = (self.name(), self.names());
        // What was not yet, by the tables' clock or by ours, is not to be noted as fetched.
        let now = Timestamp::now().min(endpoints::now(&self.client).await?);
        let keeps = self.keeps();
        let since = Known::since(now, keeps);
        let (outages, refused, heals, fetched) = tokio::try_join!(
            endpoints::outages_of(&self.client, &names, since, now),
            endpoints::refused_minutes(&self.client, &names, since),
            endpoints::heals(&self.client, &names, since),
            backfills::finished(&self.client, &names, since),
        )?;
        let fetched = Fetched::all(&fetched);
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
        let heals = known.all_due();
        Ok(Due { heals, now })
    }

    /// How long the network keeps transactions.
    fn keeps(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.settings.keeps_days))
    }

    async fn heal_one(&self, heal: &Heal, now: Timestamp) -> Result<(), NotHealed> {
        let source = self.name();
        let begun = Note::HealBegun(*heal);
        if let Err(error) = endpoints::note(&self.client, source, Timestamp::now(), &begun).await {
            debug!(source, %error, "nothing is fetched: that it begins was not noted");
            return Err(NotHealed::default());
        }
        info!(source, cause = %heal.cause, from = %heal.from, to = %heal.to, "fetching what was missed");
        let fetched = self.fetch(heal, now).await;
        let sent = fetched.inspect_err(|_| self.metrics.healed(source, None))?;
        let ended = Note::HealEnded(*heal);
        if let Err(error) = endpoints::note(&self.client, source, Timestamp::now(), &ended).await {
            debug!(source, %error, "that it ended was not noted: it is looked through once more");
            return Err(NotHealed::default());
        }
        // Counted once it is noted: a run that is repeated says again what it has sent in all.
        self.metrics.healed(source, Some(sent));
        info!(source, cause = %heal.cause, from = %heal.from, to = %heal.to, sent, "fetched what was missed");
        Ok(())
    }

    /// How many missed transactions are in Kafka now. A run that was interrupted, by whomever, goes
    /// on where it was: it has the same ends.
    async fn fetch(&self, heal: &Heal, now: Timestamp) -> Result<u64, NotHealed> {
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
                return Err(NotHealed::default());
            }
        };
        let job = Job {
            source: self.source.name.clone(),
            from: due::asked_from(heal, self.keeps(), now),
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
            Ok(outcome) => Ok(outcome.run.sent()),
            Err(error) => {
                warn!(
                    source, %error, remedy = error.remedy(), cause = %heal.cause,
                    from = %heal.from, to = %heal.to,
                    "what was missed is not fetched yet; it is tried again"
                );
                Err(NotHealed {
                    retry_after: error.retry_after(),
                })
            }
        }
    }
}
