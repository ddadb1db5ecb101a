//! What a change comes to, before it is made.

use postback_common::secret::Secret;
use postback_network::Endpoint;

use super::address::Address;
use super::shown::Shown;
use super::site::Site;
use super::wanted::UrlOption;
use crate::output::{Sheet, text};
use crate::servers::Trouble;

/// What a person wants.
pub(super) enum Intent<'a> {
    Set(&'a UrlOption),
    Switch(bool),
    Delete,
}

/// What that comes to.
pub(super) struct Plan {
    pub(super) before: Option<Endpoint>,
    /// `None`: none.
    pub(super) after: Option<Endpoint>,
    /// The URL is what is wanted.
    is_about_url: bool,
    /// Whether a person wants it on, or off; `None`: it stays as it is, whoever made it so.
    pub(super) by_hand: Option<bool>,
    /// For the mark.
    pub(super) what: &'static str,
    pub(super) question: &'static str,
}

impl Intent<'_> {
    /// `wanted` is the URL of `set`.
    pub(super) fn plan(
        &self,
        site: &Site,
        before: Option<Endpoint>,
        wanted: Option<Secret>,
    ) -> Result<Plan, Trouble> {
        let name = &site.source.name;
        let (after, what, question) = match (self, &before, wanted) {
            (Self::Delete, _, _) => (None, "endpoint deleted", "Delete the endpoint"),
            (Self::Switch(_), None, _) => {
                return Err(Trouble::new(
                    format!(
                        "no endpoint is registered for publisher id {}, so there is none to be switched",
                        site.settings.publisher_id
                    ),
                    format!("register one: postback endpoint set --source {name}"),
                ));
            }
            (Self::Switch(true), Some(_), _) => (
                self.switched(&before),
                "endpoint enabled",
                "Enable the endpoint",
            ),
            (Self::Switch(false), Some(_), _) => (
                self.switched(&before),
                "endpoint disabled",
                "Disable the endpoint",
            ),
            (Self::Set(_), None, Some(url)) => (
                Some(Endpoint {
                    url,
                    is_active: true,
                    created_at: None,
                    updated_at: None,
                }),
                "endpoint set up",
                "Set up the endpoint",
            ),
            (Self::Set(_), Some(now), Some(url)) => (
                Some(Endpoint { url, ..now.clone() }),
                "endpoint changed to another URL",
                "Change the endpoint's URL",
            ),
            // `wanted` gives `set` its URL.
            (Self::Set(_), _, None) => (before.clone(), "", ""),
        };
        let by_hand = match (self, &before) {
            (Self::Switch(is_on), _) => Some(*is_on),
            (Self::Delete, Some(_)) => Some(false),
            // One that is new is on.
            (Self::Set(_), None) => Some(true),
            (Self::Set(_), Some(_)) | (Self::Delete, None) => None,
        };
        Ok(Plan {
            before,
            after,
            by_hand,
            is_about_url: matches!(self, Self::Set(_)),
            what,
            question,
        })
    }

    fn switched(&self, before: &Option<Endpoint>) -> Option<Endpoint> {
        let is_active = matches!(self, Self::Switch(true));
        before.clone().map(|before| Endpoint {
            is_active,
            ..before
        })
    }
}

impl Plan {
    /// What is there against what is to be, or is there afterwards.
    pub(super) fn sheet(&self, site: &Site, after: Option<&Endpoint>) -> Sheet {
        let shown = |endpoint: Option<&Endpoint>| {
            Shown::of(endpoint, &site.source, &site.loaded.settings.sources)
        };
        let mut sheet = Sheet::new(&[
            text("what", "What"),
            text("before", "Before"),
            text("after", "After"),
        ]);
        sheet.rows = shown(self.before.as_ref()).against(shown(after));
        sheet.fact("source", site.source.name.as_str());
        sheet.fact("publisher_id", site.settings.publisher_id.as_str());
        sheet
    }

    /// An endpoint that is off gets its URL.
    pub(super) fn is_set_while_off(&self) -> bool {
        let is_off = |endpoint: &Endpoint| !endpoint.is_active;
        self.is_about_url && self.before.is_some() && self.after.as_ref().is_some_and(is_off)
    }

    /// What a person should know before.
    pub(super) fn warnings(&self, site: &Site) -> Vec<String> {
        let name = &site.source.name;
        let mut warnings = Vec::new();
        match (&self.before, &self.after) {
            (Some(_), Some(after)) if !self.is_about_url && after.is_active => {
                let sources = &site.loaded.settings.sources;
                let address = Address::of(&after.url, &site.source, sources);
                if !address.is_as_expected() {
                    let differences = address.differences.unwrap_or_default().join(", ");
                    warnings.push(format!(
                        "the registered URL is not the newest [[source.template]]'s: {differences}\n  `postback endpoint set --source {name}` registers that one"
                    ));
                }
            }
            (None, Some(_)) if site.settings.scope != site.settings.publisher_id => {
                warnings.push(format!(
                    "whether the network knows publisher id {} only setting it up shows: its token is for another scope",
                    site.settings.publisher_id
                ));
            }
            _ => {}
        }
        warnings
    }
}
