//! What the network says of the endpoint: that it does not send, or nothing.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use postback_store::endpoints::{Answers, State};
use serde_json::{Value, json};

use crate::output::plural;

/// One thing about one source's endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Endpoint {
    /// The network does not send.
    Off {
        /// Disabled or missing.
        state: State,
        /// What the network was answered in the minutes before.
        answers: Answers,
        /// How long these minutes are.
        minutes: i64,
    },
    /// It is not known whether it sends.
    Unknown {
        /// The tag of the API's trouble; none where nobody asks.
        reason: Option<String>,
        /// For so long.
        time: SignedDuration,
    },
    /// Nobody has asked the network yet.
    NeverAsked,
    /// What was missed is not fetched, and the network will soon drop it.
    Lost {
        /// From then on.
        from: Timestamp,
        /// Until then.
        left: SignedDuration,
    },
}

impl Endpoint {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Off { .. } => "endpoint_off",
            Self::Unknown { .. } | Self::NeverAsked => "endpoint_unknown",
            Self::Lost { .. } => "missed_too_old",
        }
    }

    pub(crate) fn what(&self) -> String {
        match self {
            Self::Off {
                state,
                answers,
                minutes,
            } => {
                let says = match state {
                    State::Missing => "the network has no endpoint registered",
                    _ => "the network has switched the endpoint off",
                };
                format!("{says}, and sends nothing; {}", before(answers, *minutes))
            }
            Self::Unknown {
                reason: Some(reason),
                time,
            } => format!(
                "for {} the network's API does not say whether the endpoint is on ({reason})",
                lasting(*time)
            ),
            Self::Unknown { reason: None, time } => format!(
                "for {} nobody has asked whether the endpoint is on",
                lasting(*time)
            ),
            Self::NeverAsked => {
                "never asked: no consumer has asked the network yet whether the endpoint is on"
                    .to_owned()
            }
            Self::Lost { from, left } if left.is_positive() => format!(
                "what was missed is not fetched, and the network drops it from {} on: in {}",
                day_and_minute(*from),
                lasting(*left)
            ),
            Self::Lost { .. } => {
                "what was missed is not fetched, and the network drops it now".to_owned()
            }
        }
    }

    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::Off {
                state: State::Missing,
                ..
            } => "endpoint: somebody deleted it at the network, or none was ever set up",
            Self::Off { answers, .. } if answers.failed() > 0 => {
                "endpoint: it failed or answered too late, so the network switched it off"
            }
            Self::Off { answers, .. } if !answers.refused.is_empty() => {
                "endpoint: requests were refused, so the network switched it off"
            }
            Self::Off { .. } => {
                "endpoint: requests did not get through to ingest, or were answered too late on the way; or a person switched it off"
            }
            Self::Unknown {
                reason: Some(_), ..
            } => "network: its API cannot be reached, or refuses the credentials",
            Self::Unknown { reason: None, .. } => "loading: the consumer that asks is stopped",
            Self::NeverAsked => {
                "loading: the consumer that asks is stopped, or has not read this source's [source.api]"
            }
            Self::Lost { .. } => {
                "healing: it is not switched on (heal = true), fails, or the endpoint is off all the time"
            }
        }
    }

    pub(crate) fn look(&self, source: &str, since: Timestamp) -> String {
        match self {
            Self::Off {
                state: State::Missing,
                ..
            } => format!("postback endpoint set --source {source}"),
            Self::Off { .. } => format!("postback endpoint enable --source {source}"),
            Self::Unknown {
                reason: Some(_), ..
            } => format!("postback endpoint get --source {source}"),
            Self::Unknown { reason: None, .. } | Self::NeverAsked => "postback doctor".to_owned(),
            Self::Lost { .. } => {
                let from = since.to_zoned(TimeZone::UTC).date();
                format!("postback backfill --source {source} --from {from}")
            }
        }
    }

    pub(crate) fn measured(&self) -> Value {
        match self {
            Self::Off {
                state,
                answers,
                minutes,
            } => {
                let refused = answers.refused.iter().map(|refused| {
                    json!({"reason": refused.reason, "status": refused.status, "requests": refused.requests})
                });
                json!({
                    "state": state.as_str(),
                    "minutes_before": minutes,
                    "answered": answers.taken,
                    "failed": answers.failed(),
                    "refused": refused.collect::<Vec<_>>(),
                })
            }
            Self::Unknown { reason, time } => {
                json!({"reason": reason, "seconds": time.as_secs()})
            }
            Self::NeverAsked => json!({"reason": null, "seconds": null}),
            Self::Lost { from, left } => {
                json!({"lost_from": from.to_string(), "seconds_left": left.as_secs()})
            }
        }
    }
}

/// What the network got shortly before.
fn before(answers: &Answers, minutes: i64) -> String {
    let refused: u64 = answers.refused.iter().map(|one| one.requests).sum();
    let mut words = format!(
        "in the {} before it got {} and {}",
        plural(u64::try_from(minutes).unwrap_or(0), "minute"),
        plural(answers.taken, "good answer"),
        plural(refused, "other")
    );
    let reasons: Vec<String> = (answers.refused.iter())
        .map(|one| format!("{} {} ({})", one.requests, one.reason, one.status))
        .collect();
    if !reasons.is_empty() {
        words = format!("{words}: {}", reasons.join(", "));
    }
    words
}

/// In words that fit the size: minutes, hours, days.
fn lasting(time: SignedDuration) -> String {
    let minutes = u64::try_from(time.as_mins()).unwrap_or(0);
    match minutes {
        0..120 => plural(minutes, "minute"),
        120..2_880 => plural(minutes / 60, "hour"),
        _ => plural(minutes / 1_440, "day"),
    }
}

fn day_and_minute(at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use postback_store::endpoints::Refused;

    use super::*;

    fn off(state: State, taken: u64, refused: &[(&str, u16, u64)]) -> Endpoint {
        let refused = refused.iter().map(|(reason, status, requests)| Refused {
            reason: (*reason).to_owned(),
            status: *status,
            requests: *requests,
        });
        Endpoint::Off {
            state,
            answers: Answers {
                taken,
                refused: refused.collect(),
            },
            minutes: 15,
        }
    }

    #[test]
    fn the_answers_before_it_are_told_and_say_why() {
        let failing = off(
            State::Disabled,
            12,
            &[("unavailable", 503, 30), ("not_found", 404, 1)],
        );
        assert_eq!(
            failing.what(),
            "the network has switched the endpoint off, and sends nothing; in the 15 minutes before it got \
             12 good answers and 31 others: 30 unavailable (503), 1 not_found (404)"
        );
        assert!(failing.cause().contains("failed or answered too late"));
        assert_eq!(failing.measured()["failed"], 30);
        assert_eq!(failing.measured()["answered"], 12);
        let refused = off(State::Disabled, 1, &[("not_found", 404, 1)]);
        assert!(
            refused
                .what()
                .ends_with("1 good answer and 1 other: 1 not_found (404)")
        );
        assert!(refused.cause().contains("were refused"));
        let unseen = off(State::Disabled, 5, &[]);
        assert!(unseen.cause().contains("did not get through"));
        for finding in [failing, refused, unseen, off(State::Missing, 0, &[])] {
            assert!(finding.cause().starts_with("endpoint"), "{finding:?}");
        }
    }

    #[test]
    fn each_names_the_command_that_helps() {
        let since = "2026-03-01T12:00:00Z".parse().unwrap();
        let unknown = |reason: Option<&str>| Endpoint::Unknown {
            reason: reason.map(str::to_owned),
            time: SignedDuration::from_mins(31),
        };
        let lost = |hours| Endpoint::Lost {
            from: "2026-03-08T12:00:00Z".parse().unwrap(),
            left: SignedDuration::from_hours(hours),
        };
        for (finding, look) in [
            (
                off(State::Disabled, 0, &[]),
                "postback endpoint enable --source s",
            ),
            (
                off(State::Missing, 0, &[]),
                "postback endpoint set --source s",
            ),
            (
                unknown(Some("timed_out")),
                "postback endpoint get --source s",
            ),
            (unknown(None), "postback doctor"),
            (Endpoint::NeverAsked, "postback doctor"),
            (lost(20), "postback backfill --source s --from 2026-03-01"),
        ] {
            assert_eq!(finding.look("s", since), look);
        }
        assert!(
            lost(20)
                .what()
                .ends_with("from 2026-03-08 12:00 UTC on: in 20 hours")
        );
        assert!(lost(-1).what().ends_with("drops it now"));
        assert!(unknown(Some("timed_out")).what().contains("for 31 minutes"));
    }
}
