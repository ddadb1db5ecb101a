//! Asks whether an endpoint is on, again and again.

use std::time::Duration;

use postback_healing::status::{self, Answer, Attempts, Pace};
use postback_network::random;
use postback_store::endpoints::{self, Note, Poll, State};
use tracing::{debug, info, warn};

use super::Watched;
use super::switch::Switched;

/// After an endpoint was switched on, the next poll shows whether it is.
const AT_ONCE: Duration = Duration::from_millis(200);

impl Watched {
    /// Works until it is dropped.
    pub(super) async fn poll(&self) {
        let Some(every) = self.settings.poll_every else {
            return;
        };
        let mut pace = Pace::new(every);
        let mut attempts = Attempts::polled(every);
        let mut was: Option<Poll> = None;
        loop {
            let answer = status::ask(&self.api, &self.source).await;
            let state = answer.poll.state;
            self.metrics.polled(self.name(), state, answer.at);
            self.tell(&answer, was.as_ref());
            let note = Note::Poll(answer.poll.clone());
            if let Err(error) = endpoints::note(&self.client, self.name(), answer.at, &note).await {
                debug!(source = self.name(), %error, "a poll was not noted");
            }
            let mut pause = match state {
                State::Unknown => pace.after_failure(answer.retry_after(), random()),
                _ => pace.after_success(random()),
            };
            match (state, &answer.endpoint) {
                (State::Disabled, Some(endpoint)) if self.settings.reenable => {
                    match self.switch_on(endpoint, &mut attempts).await {
                        Switched::On => pause = AT_ONCE,
                        Switched::Later(again) => pause = pause.min(again),
                        Switched::Not => {}
                    }
                }
                (State::Active, _) => attempts.succeeded(),
                _ => {}
            }
            was = Some(answer.poll);
            tokio::time::sleep(pause).await;
        }
    }

    /// What has changed, once.
    fn tell(&self, answer: &Answer, was: Option<&Poll>) {
        let (source, state) = (self.name(), answer.poll.state);
        let is_other = answer.poll.is_template == Some(false);
        if is_other && was.is_none_or(|was| was.is_template != Some(false)) {
            warn!(
                source,
                remedy = "compare them with `postback endpoint get`",
                "the network has another URL registered than the source's newest template"
            );
        }
        if was.is_some_and(|was| was.state == state) {
            if let Some(error) = &answer.error {
                debug!(source, %error, "the network's API still does not say whether the endpoint is on");
            }
            return;
        }
        match (state, &answer.error) {
            (State::Active, _) if was.is_none() => {
                info!(source, "the network sends to the endpoint");
            }
            (State::Active, _) => info!(source, "the network sends to the endpoint again"),
            (State::Disabled, _) => warn!(
                source,
                remedy = remedy(self.settings.reenable),
                "the network has the endpoint disabled, and sends nothing"
            ),
            (State::Missing, _) => warn!(
                source,
                remedy = "set it up with `postback endpoint set`",
                "the network has no endpoint registered, and sends nothing"
            ),
            (State::Unknown, Some(error)) => warn!(
                source, %error, remedy = error.remedy(),
                "the network's API does not say whether the endpoint is on"
            ),
            (State::Unknown, None) => {}
        }
    }
}

const fn remedy(reenables: bool) -> &'static str {
    if reenables {
        "it is switched on again once it answers a test postback in time; see `postback doctor` for why it failed"
    } else {
        "see `postback doctor` for why it failed, then `postback endpoint enable`"
    }
}
