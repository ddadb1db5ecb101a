//! `postback endpoint set|enable|disable|delete`: shown, agreed to, made, read back, marked.

use clap::Args;
use jiff::Timestamp;
use postback_common::secret::Secret;
use postback_healing::registered::are_the_same;
use postback_network::{Change, Endpoint};

use super::plan::{Intent, Plan};
use super::site::Site;
use super::until_interrupted;
use crate::arguments::Options;
use crate::cmd::{source, url};
use crate::consent::agreed;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::mark;
use crate::output::write_table;
use crate::servers::Trouble;

/// Whether a person is asked.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// What became of it.
struct Made {
    /// As the network shows it afterwards.
    now: Option<Endpoint>,
    /// Why no mark was left.
    unmarked: Option<Trouble>,
    /// Why it is not noted that a person wants it so.
    unnoted: Option<Trouble>,
    remarks: Vec<String>,
}

impl Intent<'_> {
    pub(super) async fn run(
        &self,
        name: &str,
        asking: &Asking,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let site = Site::open(name, options, console)?;
        let wanted = self.wanted(&site, console)?;
        let asked = async {
            let endpoint = site.api.endpoint().await;
            endpoint.map_err(|error| site.trouble(&error).into())
        };
        let before = until_interrupted(asked).await?;
        console.detail(format_args!(
            "preflight: the network gives a token for scope {}, and {} for publisher id {}",
            site.settings.scope,
            before
                .as_ref()
                .map_or("has no endpoint", |_| "has an endpoint"),
            site.settings.publisher_id
        ));
        let plan = match self.plan(&site, before, wanted) {
            Ok(plan) => plan,
            Err(trouble) => return Err(trouble.into()),
        };
        let while_off = until_interrupted(async { Ok(plan.while_off(&site).await) }).await?;
        for words in while_off.into_iter().chain(plan.warnings(&site)) {
            console.warn(words);
        }
        if plan.before == plan.after {
            // It may be off because it failed; now it is because a person wants it so.
            let noted = match asking.dry_run {
                true => Ok(()),
                false => {
                    let noting = async {
                        plan.note_as_it_is(&site).await?;
                        Ok(plan.stays_off(&site).await?)
                    };
                    until_interrupted(noting).await
                }
            };
            let mut sheet = plan.sheet(&site, plan.after.as_ref());
            sheet.fact("changed", false);
            sheet
                .notes
                .push("It is so already: nothing was changed.".to_owned());
            sheet.write(options, console)?;
            return noted.map(|()| Ending::Done);
        }
        if asking.dry_run {
            let mut sheet = plan.sheet(&site, plan.after.as_ref());
            sheet.fact("changed", false);
            sheet
                .notes
                .push("Nothing was changed: --dry-run.".to_owned());
            sheet.write(options, console)?;
            return Ok(Ending::Done);
        }
        if !asking.yes {
            let question = format!("{} of source {name}? [y/N] ", plan.question);
            let mut shown = Vec::new();
            write_table(&plan.sheet(&site, plan.after.as_ref()), &mut shown)?;
            console.note(String::from_utf8_lossy(&shown));
            until_interrupted(agreed(&question, console)).await?;
        }
        let made = until_interrupted(Box::pin(plan.make(&site))).await;
        if matches!(made, Err(Failure::Interrupted)) {
            console.warn(format_args!(
                "interrupted while the network was asked: the endpoint may be changed, and no mark says so\n  \
                 look: postback endpoint get --source {name}{}",
                if plan.switches_off() {
                    "\n  that a person wants it off may be noted: `enable` takes that back, `disable` does the rest"
                } else {
                    ""
                }
            ));
        }
        tell(&plan, &site, made?, options, console)
    }

    /// The URL of `set`, checked.
    fn wanted(&self, site: &Site, console: &mut Console) -> Result<Option<Secret>, Failure> {
        let Self::Set(option) = self else {
            return Ok(None);
        };
        let (settings, name) = (&site.loaded.settings, site.source.name.as_str());
        let wanted = option.read(&site.source, settings)?;
        let Some(rules) = site.loaded.configured.source(name) else {
            return Err(source::unknown(name, settings));
        };
        let whose = (&site.source, rules.profile());
        let findings = url::findings(wanted.expose(), whose, &settings.sources);
        url::tell(&findings, console);
        if findings.iter().any(|finding| finding.is_error) {
            return Err(Failure::Usage(
                "this URL is not registered: nothing that comes by it would count\n  correct what is told above; `postback url check` says more"
                    .to_owned(),
            ));
        }
        Ok(Some(wanted))
    }
}

impl Plan {
    async fn ask(&self, site: &Site) -> Result<(), postback_network::ApiError> {
        match (&self.before, &self.after) {
            (_, None) => site.api.delete().await,
            (None, Some(after)) => site.api.set_up(&after.url, after.is_active).await,
            (Some(before), Some(after)) => {
                let change = Change {
                    url: (before.url != after.url).then(|| after.url.clone()),
                    is_active: (before.is_active != after.is_active).then_some(after.is_active),
                };
                site.api.change(&change).await
            }
        }
    }

    /// As `endpoint get` compares: a network may show `<u1>` as `%3Cu1%3E`.
    fn is_met(&self, now: Option<&Endpoint>) -> bool {
        match (now, &self.after) {
            (Some(now), Some(after)) => {
                now.is_active == after.is_active && are_the_same(&now.url, &after.url)
            }
            (now, after) => now.is_none() && after.is_none(),
        }
    }

    /// Makes the change, looks at what is there then, and marks it.
    async fn make(&self, site: &Site) -> Result<Made, Failure> {
        let noted = self.note_off_first(site).await?;
        let asked = self.ask(site).await;
        let now = site.api.endpoint().await;
        let mut remarks = Vec::new();
        let now = match (asked, now) {
            (Ok(()), Ok(now)) => {
                if !self.is_met(now.as_ref()) {
                    remarks.push(
                        "The network accepted the change, and shows something else: look again in a minute.".to_owned(),
                    );
                }
                now
            }
            (Ok(()), Err(error)) => {
                remarks.push(format!(
                    "The network accepted the change; what it has now could not be asked: {}.",
                    site.trouble(&error).what
                ));
                self.after.clone()
            }
            // The answer was lost, and nothing else.
            (Err(_), Ok(now)) if self.is_met(now.as_ref()) => now,
            (Err(error), now) => {
                let mut trouble = site.trouble(&error);
                let after = match now {
                    Ok(_) => "\n  nothing is changed at the network",
                    Err(_) => "\n  what the network has now is not known",
                };
                trouble.what.push_str(after);
                if let Some(noted) = noted {
                    let is_on = |now: &Endpoint| now.is_active;
                    let is_still_on = now.is_ok_and(|now| now.as_ref().is_some_and(is_on));
                    noted.take_back(site, is_still_on, &mut trouble).await;
                }
                return Err(trouble.into());
            }
        };
        let words = format!("{} at the network (postback endpoint)", self.what);
        let name = site.source.name.as_str();
        let clickhouse = &site.loaded.settings.clickhouse;
        let marked = mark::add(clickhouse, &words, name, Timestamp::now()).await;
        let unnoted = match noted {
            Some(_) => None,
            // One that is deleted is switched on by nothing.
            None => (self.note_by_hand(site).await.err()).filter(|_| self.after.is_some()),
        };
        Ok(Made {
            now,
            unmarked: marked.err(),
            unnoted,
            remarks,
        })
    }
}

fn tell(
    plan: &Plan,
    site: &Site,
    made: Made,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let mut sheet = plan.sheet(site, made.now.as_ref());
    let is_doubtful = !made.remarks.is_empty();
    sheet.fact("changed", true);
    sheet.fact("marked", made.unmarked.is_none() && made.unnoted.is_none());
    sheet.notes = made.remarks;
    if !is_doubtful {
        sheet
            .notes
            .push("Changed, and read back from the network.".to_owned());
    }
    sheet.write(options, console)?;
    if let Some(trouble) = plan.unkept(site, made.unmarked, made.unnoted) {
        return Err(trouble.into());
    }
    Ok(if is_doubtful {
        Ending::Found
    } else {
        Ending::Done
    })
}
