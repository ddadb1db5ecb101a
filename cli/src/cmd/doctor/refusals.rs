//! Whether what ingest refuses leaves its trace. No promise rests on it, so nothing here is broken.

use postback_common::config::Settings;
use postback_service::topic::{self, Purpose, TopicState};

use super::check::Check;
use super::loading::waiting;
use crate::lag::{self, GroupLag};
use crate::output::plural;

const NAME: &str = "refusals";

/// Whether the topic of refusals is there, and somebody loads it.
pub(super) async fn check(settings: &Settings) -> Vec<Check> {
    let topic = match topic::inspect(&settings.kafka, Purpose::Refused).await {
        Ok(TopicState::Present(topic)) => topic,
        Ok(TopicState::Missing { .. }) => {
            let what = format!("there is no topic {}", settings.kafka.refused_topic);
            return vec![Check::doubtful(NAME, what, "run `postback migrate`")];
        }
        Err(error) => return vec![unknown(&error.to_string())],
    };
    let found = topic::findings(&topic, settings, Purpose::Refused);
    let mut checks: Vec<Check> = found
        .into_iter()
        .map(|finding| Check::doubtful(NAME, finding.what, finding.remedy))
        .collect();
    checks.push(match lag::of_refusals(settings).await {
        Ok(lag) => loading(&topic.name, &lag),
        Err(words) => unknown(&words),
    });
    checks
}

fn unknown(words: &str) -> Check {
    Check::doubtful(
        NAME,
        format!("not known: {words}"),
        "see the check of kafka",
    )
}

fn loading(topic: &str, lag: &GroupLag) -> Check {
    let (group, waiting) = (&lag.group, waiting(lag));
    if lag.members == 0 {
        let what = format!("{topic}: no consumer is a member of group {group}; {waiting}");
        let remedy = "start postback-consumer, and see its log";
        return Check::doubtful(NAME, what, remedy);
    }
    let members = plural(lag.members, "member");
    Check::well(
        NAME,
        format!("{topic}: group {group}, {members}; {waiting}"),
    )
}
