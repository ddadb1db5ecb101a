//! What a person wants on or off is noted: `reenable` goes by it.

use jiff::Timestamp;

use super::plan::Plan;
use super::site::Site;
use crate::mark;
use crate::servers::Trouble;

/// That a person wants the endpoint off, noted before it is.
pub(super) struct NotedOff {
    /// It stood there before.
    was_off: bool,
}

/// Why an endpoint is off, and so whether it stays so.
#[derive(Debug, Clone, Copy)]
enum Off {
    /// Whoever did it, nothing but a person switches it on.
    ForGood,
    /// `reenable` is on, and leaves what a person wants off.
    ByHand,
    /// `reenable` is on, and switches it on.
    ByNetwork,
    /// `reenable` is on, and who did it cannot be asked.
    Unknown,
}

impl Off {
    fn words(self, name: &str) -> String {
        const WHEN: &str =
            "as soon as the registered URL is the source's own and answers test postbacks in time";
        let enable = format!("postback endpoint enable --source {name}");
        match self {
            Self::ForGood => format!("the endpoint is off and stays off\n  then: {enable}"),
            Self::ByHand => format!(
                "the endpoint is off and stays off: a person wants it so, and reenable leaves it\n  then: {enable}"
            ),
            Self::ByNetwork => format!(
                "the endpoint is off: with reenable the consumer switches it on by itself, {WHEN}\n  at once: {enable}; for it to stay off: postback endpoint disable --source {name}"
            ),
            Self::Unknown => format!(
                "the endpoint is off: with reenable the consumer switches it on by itself, {WHEN}, unless a person wants it off, which ClickHouse does not say now\n  at once: {enable}"
            ),
        }
    }
}

impl Plan {
    /// Notes what a person wants; nothing where the change says nothing of that.
    pub(super) async fn note_by_hand(&self, site: &Site) -> Result<(), Trouble> {
        match self.by_hand {
            Some(is_on) => note(site, is_on).await,
            None => Ok(()),
        }
    }

    /// The same where everything else is as it is wanted already.
    pub(super) async fn note_as_it_is(&self, site: &Site) -> Result<(), Trouble> {
        let noted = self.note_by_hand(site).await;
        noted.map_err(|trouble| {
            let what = format!("{UNNOTED}: {}", trouble.what);
            Trouble::new(what, self.again(site, &trouble))
        })
    }

    /// An endpoint that was off when it was looked at, and is to stay so: `reenable` may have switched it
    /// on before it could know.
    pub(super) async fn stays_off(&self, site: &Site) -> Result<(), Trouble> {
        if !self.switches_off() {
            return Ok(());
        }
        match site.api.endpoint().await {
            Ok(Some(now)) if now.is_active => Err(Trouble::new(
                "the endpoint was off, and was switched on in the same moment; that you want it off is noted",
                format!(
                    "run it again: postback endpoint disable --source {}",
                    site.source.name
                ),
            )),
            Ok(_) => Ok(()),
            Err(error) => Err(site.trouble(&error)),
        }
    }

    /// Notes it before an endpoint is switched off. Noted afterwards, it may come too late for
    /// `reenable`, or not at all; so with `reenable` nothing is switched off without it.
    ///
    /// `None`: nothing is noted yet.
    pub(super) async fn note_off_first(&self, site: &Site) -> Result<Option<NotedOff>, Trouble> {
        if !self.switches_off() {
            return Ok(None);
        }
        match noted_off(site).await {
            Ok(noted) => Ok(Some(noted)),
            Err(_) if !site.settings.reenable => Ok(None),
            Err(trouble) => {
                let what = format!(
                    "nothing is changed: reenable is on, and would switch the endpoint on again, since {UNNOTED}: {}",
                    trouble.what
                );
                let remedy = format!(
                    "{}; or set reenable = false in [source.api] and reload postback-consumer before",
                    self.again(site, &trouble)
                );
                Err(Trouble::new(what, remedy))
            }
        }
    }

    /// What becomes of an endpoint that is off and gets its URL; `None` for any other.
    pub(super) async fn while_off(&self, site: &Site) -> Option<String> {
        if !self.is_set_while_off() {
            return None;
        }
        let name = site.source.name.as_str();
        let whose = if site.settings.reenable {
            match mark::is_off_by_hand(&site.loaded.settings.clickhouse, &site.source).await {
                Ok(true) => Off::ByHand,
                Ok(false) => Off::ByNetwork,
                Err(_) => Off::Unknown,
            }
        } else {
            Off::ForGood
        };
        Some(whose.words(name))
    }

    /// Off, and still there.
    pub(super) fn switches_off(&self) -> bool {
        self.by_hand == Some(false) && self.after.is_some()
    }

    /// What a changed endpoint lacks: the mark, and the note, which the same command makes when it is
    /// run again.
    pub(super) fn unkept(
        &self,
        site: &Site,
        unmarked: Option<Trouble>,
        unnoted: Option<Trouble>,
    ) -> Option<Trouble> {
        let annotate = format!(
            "postback annotate '{}' --source {} --at {}",
            self.what,
            site.source.name,
            Timestamp::now().strftime("%Y-%m-%dT%H:%M")
        );
        let (what, trouble, remedy) = match (unmarked, unnoted) {
            (None, None) => return None,
            (Some(trouble), None) => {
                let remedy = format!("{}; then: {annotate}", trouble.remedy);
                ("no mark was left".to_owned(), trouble, remedy)
            }
            (None, Some(trouble)) => {
                let remedy = self.again(site, &trouble);
                (UNNOTED.to_owned(), trouble, remedy)
            }
            (Some(trouble), Some(_)) => {
                let remedy = format!("{}, and: {annotate}", self.again(site, &trouble));
                (format!("no mark was left, and {UNNOTED}"), trouble, remedy)
            }
        };
        let what = format!("the endpoint was changed, but {what}: {}", trouble.what);
        Some(Trouble::new(what, remedy))
    }

    /// What makes the note later.
    fn again(&self, site: &Site, trouble: &Trouble) -> String {
        let command = if self.switches_off() {
            "disable"
        } else {
            "enable"
        };
        format!(
            "{}; then, for it to be noted: postback endpoint {command} --source {}",
            trouble.remedy, site.source.name
        )
    }
}

const UNNOTED: &str = "it is not noted that a person wants it so";

impl NotedOff {
    /// The endpoint was not switched off: what stood there before holds again. Unless it is sure to be
    /// on, it stays noted, and `trouble` says so.
    pub(super) async fn take_back(&self, site: &Site, is_on: bool, trouble: &mut Trouble) {
        if is_on && (self.was_off || note(site, true).await.is_ok()) {
            return;
        }
        let more = "\n  it stays noted that a person wants it off: reenable does not switch it on";
        trouble.what.push_str(more);
        trouble.remedy.push_str(&format!(
            "; then run it again, or take the note back: postback endpoint enable --source {}",
            site.source.name
        ));
    }
}

async fn noted_off(site: &Site) -> Result<NotedOff, Trouble> {
    let clickhouse = &site.loaded.settings.clickhouse;
    let was_off = mark::is_off_by_hand(clickhouse, &site.source).await?;
    note(site, false).await?;
    Ok(NotedOff { was_off })
}

/// At the server's time, and after what is noted: whatever this clock does, the last note counts.
async fn note(site: &Site, is_on: bool) -> Result<(), Trouble> {
    let clickhouse = &site.loaded.settings.clickhouse;
    let name = site.source.name.as_str();
    mark::note_by_hand(clickhouse, name, is_on).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_an_endpoint_stays_off_is_told_as_it_will_be() {
        for (off, stays, asks) in [
            (Off::ForGood, true, false),
            (Off::ByHand, true, false),
            (Off::ByNetwork, false, true),
            (Off::Unknown, false, true),
        ] {
            let words = off.words("us");
            assert_eq!(words.contains("stays off"), stays, "{words}");
            assert_eq!(words.contains("by itself"), asks, "{words}");
            assert!(words.contains("postback endpoint enable --source us"));
        }
    }
}
