//! Switches a disabled endpoint on again, once it answers.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use postback_healing::probe::{self, ANSWER_WITHIN, ProbeError};
use postback_healing::registered::{Foreign, Own};
use postback_healing::status::{Attempts, MOST_A_DAY, Refusal, SECOND_AFTER, Verdict};
use postback_network::{Change, Endpoint};
use postback_store::StoreError;
use postback_store::annotations::{self, Annotation};
use postback_store::endpoints::{self, Note};
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::Watched;

const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What came of it.
pub(super) enum Switched {
    /// The network says that it is on.
    On,
    /// It is tried again after this time.
    Later(Duration),
    /// Not by us, for now.
    Not,
}

impl Watched {
    pub(super) async fn switch_on(&self, endpoint: &Endpoint, attempts: &mut Attempts) -> Switched {
        match self.may_switch_on(attempts).await {
            Ok(true) => {}
            Ok(false) => return Switched::Not,
            // Unless it can be counted, it is not done.
            Err(error) => {
                debug!(source = self.name(), %error, "not switched on: how often it was is not known");
                return Switched::Not;
            }
        }
        let public_url = self.others.ingest.public_url.as_deref();
        let own = match Own::of(&endpoint.url, &self.source, public_url) {
            Ok(own) => own,
            Err(foreign) => return self.not_ours(foreign, attempts).await,
        };
        if let Err(error) = self.probe_twice(own).await {
            return self.not_answered(&error, attempts).await;
        }
        // Somebody may have switched it off while it was probed.
        match self.is_off_by_hand().await {
            Ok(false) => self.enable(attempts).await,
            Ok(true) => Switched::Not,
            Err(error) => {
                debug!(source = self.name(), %error, "not switched on: whether a person wants it off is not known");
                Switched::Not
            }
        }
    }

    async fn may_switch_on(&self, attempts: &mut Attempts) -> Result<bool, StoreError> {
        let source = self.name();
        let (names, since) = (self.names(), Timestamp::now() - A_DAY);
        let (times, _) = endpoints::reenabled_since(&self.client, &names, since).await?;
        match attempts.verdict(Instant::now(), times) {
            Verdict::Wait => return Ok(false),
            Verdict::Enough => {
                if attempts.is_news(Refusal::Enough) {
                    warn!(
                        source,
                        times = MOST_A_DAY,
                        remedy = "find out why it fails, then `postback endpoint enable`",
                        "the endpoint was switched on as often as it may be within 24 hours: it stays off"
                    );
                }
                return Ok(false);
            }
            Verdict::Probe => {}
        }
        Ok(!self.is_off_by_hand().await?)
    }

    async fn is_off_by_hand(&self) -> Result<bool, StoreError> {
        let source = self.name();
        let by_hand = endpoints::is_off_by_hand(&self.client, &self.names()).await?;
        if by_hand {
            debug!(source, "a person switched the endpoint off: it stays off");
        }
        Ok(by_hand)
    }

    /// What is registered may be anybody's: it gets no password of ours, and nothing of ours comes by it.
    async fn not_ours(&self, foreign: Foreign, attempts: &mut Attempts) -> Switched {
        if attempts.is_news(Refusal::Foreign(foreign)) {
            warn!(
                source = self.name(), reason = %foreign, remedy = foreign.remedy(),
                "the endpoint is not switched on again: what is registered is not the source's own"
            );
            self.note_failure(foreign.as_str()).await;
        }
        Switched::Not
    }

    /// One answer in time may be luck.
    async fn probe_twice(&self, own: Own<'_>) -> Result<(), ProbeError> {
        for pause in [Duration::ZERO, SECOND_AFTER] {
            tokio::time::sleep(pause).await;
            let profile = self.rules.profile();
            let probed = probe::probe(&self.source, profile, own, ANSWER_WITHIN).await;
            self.metrics.probed(self.name(), probed.is_ok());
            let took = probed?;
            debug!(
                source = self.name(),
                ?took,
                "the endpoint answered a test postback"
            );
        }
        Ok(())
    }

    async fn not_answered(&self, error: &ProbeError, attempts: &mut Attempts) -> Switched {
        let source = self.name();
        let pause = attempts.failed(Instant::now());
        warn!(
            source, %error, remedy = error.remedy(), again_after_s = pause.as_secs(),
            "the endpoint is not switched on again yet: it does not answer a test postback in time"
        );
        self.note_failure(error.as_str()).await;
        Switched::Later(pause)
    }

    async fn note_failure(&self, reason: &str) {
        let (source, note) = (self.name(), Note::ProbeFailed(reason.to_owned()));
        if let Err(error) = endpoints::note(&self.client, source, Timestamp::now(), &note).await {
            debug!(source, %error, "why the endpoint stays off was not noted");
        }
    }

    /// It is noted before it is done: whatever ends this process in between, it is counted.
    async fn enable(&self, attempts: &mut Attempts) -> Switched {
        let (source, now) = (self.name(), Timestamp::now());
        if let Err(error) = endpoints::note(&self.client, source, now, &Note::Reenabled).await {
            debug!(source, %error, "not switched on: it could not be noted");
            return Switched::Later(attempts.failed(Instant::now()));
        }
        let on = Change {
            url: None,
            is_active: Some(true),
        };
        if let Err(error) = self.api.change(&on).await {
            warn!(
                source, %error, remedy = error.remedy(),
                "the endpoint answers, but the network did not switch it on again"
            );
            return Switched::Later(attempts.failed(Instant::now()));
        }
        // The network may have taken its time, and a person noted meanwhile found it off already.
        if let Ok(true) = self.is_off_by_hand().await {
            return self.take_back().await;
        }
        attempts.succeeded();
        self.metrics.reenabled(source);
        info!(
            source,
            "the endpoint answers: switched it on again at the network"
        );
        let mark = Annotation {
            id: Uuid::now_v7(),
            at: now,
            text: "endpoint switched on again: it answers test postbacks in time".to_owned(),
            source: source.to_owned(),
            made_by: "postback-consumer".to_owned(),
        };
        if let Err(error) = annotations::add(&self.client, &mark).await {
            warn!(source, %error, "the mark of it was not made");
        }
        Switched::On
    }

    /// What a person wants off is off, also when we switched it on in the same moment.
    async fn take_back(&self) -> Switched {
        let source = self.name();
        let off = Change {
            url: None,
            is_active: Some(false),
        };
        match self.api.change(&off).await {
            Ok(()) => info!(
                source,
                "a person wants the endpoint off: switched it off again"
            ),
            Err(error) => warn!(
                source, %error, remedy = "run `postback endpoint disable` again",
                "a person wants the endpoint off, and it was switched on in the same moment"
            ),
        }
        Switched::Not
    }
}
