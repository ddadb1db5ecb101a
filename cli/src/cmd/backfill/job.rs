//! What is to be fetched: which source, which range.

use jiff::{SignedDuration, Timestamp, Zoned};
use postback_common::config::{ApiSettings, Settings, SourceSettings};
use postback_healing::backfill::Job;
use postback_healing::due;

use super::Wanted;
use crate::arguments::Options;
use crate::cmd::source;
use crate::console::Console;
use crate::ending::Failure;
use crate::mark::user;
use crate::output::plural;
use crate::range::{moment, shown};

/// How to give a source an API.
const HOW: &str = "add [source.api] below it in postback.toml, with base_url, client_id and client_secret (docs/backfill.md)";

impl Wanted {
    /// The source to fetch for: the named one, or the only one with an API.
    pub(super) fn source<'a>(
        &self,
        settings: &'a Settings,
    ) -> Result<(&'a SourceSettings, &'a ApiSettings), Failure> {
        if let Some(name) = &self.source {
            let named = source::find(name, settings)?;
            let api = named.api.as_ref();
            let api =
                api.ok_or_else(|| Failure::Usage(format!("source {name} has no API\n  {HOW}")))?;
            return Ok((named, api));
        }
        let all = settings.sources.iter();
        let with: Vec<_> = all
            .filter_map(|source| source.api.as_ref().map(|api| (source, api)))
            .collect();
        match with.as_slice() {
            [only] => Ok(*only),
            [] => Err(Failure::Usage(format!("no source has an API\n  {HOW}"))),
            several => {
                let names: Vec<&str> = several
                    .iter()
                    .map(|(source, _)| source.name.as_str())
                    .collect();
                Err(Failure::Usage(format!(
                    "several sources have an API\n  name one of them with --source: {}",
                    names.join(", ")
                )))
            }
        }
    }

    pub(super) fn job(
        &self,
        source: &SourceSettings,
        api: &ApiSettings,
        options: &Options,
        console: &mut Console,
    ) -> Result<Job, Failure> {
        let now = Zoned::now().with_time_zone(options.time_zone.clone());
        let (from, to) = self.range(api, &now)?;
        if let Some(days) = days_beyond(from, now.timestamp(), api.keeps_days) {
            console.warn(format_args!(
                "network {} keeps transactions for {}: {} of this range may be gone\n    \
                 remedy: compare those with a statement (docs/orders.md), or correct keeps_days in [source.api]",
                source.network,
                plural(api.keeps_days, "day"),
                plural(days, "day"),
            ));
        }
        Ok(Job {
            source: source.name.clone(),
            from,
            to,
            is_dry: self.dry_run,
            made_by: user(),
        })
    }

    fn range(&self, api: &ApiSettings, now: &Zoned) -> Result<(Timestamp, Timestamp), Failure> {
        let from = match &self.from {
            Some(from) => moment("--from", from, now)?,
            None => due::kept_from(kept(api.keeps_days), now.timestamp()),
        };
        // As it is shown: who gives it again goes on with the same range.
        let from = Timestamp::from_second(from.as_second()).unwrap_or(from);
        let to = moment("--to", self.to.as_deref().unwrap_or("now"), now)?;
        let zone = now.time_zone();
        if from >= now.timestamp() {
            return Err(Failure::Usage(format!(
                "--from {} lies in the future, where nothing was processed yet\n  give an earlier beginning",
                shown(from, zone)
            )));
        }
        if from >= to {
            return Err(Failure::Usage(format!(
                "nothing lies between --from {} (inclusive) and --to {} (exclusive)\n  \
                 give an end that is later than the beginning",
                shown(from, zone),
                shown(to, zone)
            )));
        }
        Ok((from, to))
    }
}

fn kept(keeps_days: u16) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(keeps_days))
}

/// Days of the range that the network may have given up, begun ones included.
fn days_beyond(from: Timestamp, now: Timestamp, keeps_days: u16) -> Option<u64> {
    // A whole day at the range's beginning is as meant: `7d` begins at midnight.
    let beyond = now.duration_since(from) - kept(keeps_days) - SignedDuration::from_hours(24);
    let seconds = u64::try_from(beyond.as_secs())
        .ok()
        .filter(|seconds| *seconds > 0)?;
    Some((seconds + 86_400).div_ceil(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_beginning_no_more_is_asked_for_than_the_network_keeps() {
        let text = "[kafka]\nbrokers = \"h:1\"\n[[source]]\nname = \"us\"\nnetwork = \"rakuten\"\nenabled = false\n\
             [source.api]\nbase_url = \"https://api.example.com\"\npublisher_id = \"1\"\nclient_id = \"c\"\n\
             client_secret = \"s\"\nkeeps_days = 7\n";
        let settings = postback_common::config::read(std::path::Path::new("t.toml"), text, []);
        let settings = settings.unwrap();
        let api = settings.sources[0].api.as_ref().unwrap();
        let now: Timestamp = "2026-09-15T10:00:00.5Z".parse().unwrap();
        let now = now.to_zoned(jiff::tz::TimeZone::UTC);
        let from = |from: Option<&str>| {
            let wanted = Wanted {
                source: None,
                from: from.map(str::to_owned),
                to: None,
                dry_run: false,
            };
            wanted.range(api, &now).unwrap().0.to_string()
        };
        // A run asks for ten minutes more, and may wait for as long before it asks.
        assert_eq!(from(None), "2026-09-08T10:20:00Z");
        // What is given is asked for, from midnight on.
        assert_eq!(from(Some("7d")), "2026-09-08T00:00:00Z");
        // As it is shown.
        assert_eq!(from(Some("12h")), "2026-09-14T22:00:00Z");
    }

    #[test]
    fn days_that_the_network_gave_up_are_counted() {
        let now: Timestamp = "2026-09-15T10:00:00Z".parse().unwrap();
        let beyond = |from: &str| days_beyond(from.parse().unwrap(), now, 7);
        assert_eq!(beyond("2026-09-15T09:00:00Z"), None);
        assert_eq!(beyond("2026-09-08T00:00:00Z"), None);
        assert_eq!(beyond("2026-09-07T00:00:00Z"), Some(2));
        assert_eq!(beyond("2026-09-05T10:00:00Z"), Some(3));
    }
}
