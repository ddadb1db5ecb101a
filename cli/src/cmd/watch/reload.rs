//! SIGHUP: a watch that goes on reads the sources again.

use std::io::{self, IsTerminal as _};

use postback_common::config::{self, Settings};
use postback_service::lifecycle::Reloads;

use super::Watch;
use crate::arguments::Options;
use crate::cmd::{Loaded, load};
use crate::console::Console;
use crate::ending::Failure;

/// The signals that ask for it.
pub(super) struct Hangups(Option<Reloads>);

impl Hangups {
    /// A terminal that closes sends the same signal: a watch that somebody has there ends with it.
    pub(super) fn listen() -> io::Result<Self> {
        if io::stdin().is_terminal() {
            return Ok(Self(None));
        }
        Reloads::listen().map(Some).map(Self)
    }

    /// Waits for the next one. Safe to cancel.
    pub(super) async fn next(&mut self) {
        match &mut self.0 {
            Some(reloads) => reloads.next().await,
            None => std::future::pending().await,
        }
    }
}

impl Watch {
    /// What runs, with the sources that the file has now. `None`: the file is refused, which is said.
    pub(super) fn load_again(
        &self,
        running: &Loaded,
        options: &Options,
        console: &mut Console,
    ) -> Option<Loaded> {
        let loaded = match self.acceptable(running, options, console) {
            Ok(loaded) => loaded,
            Err(error) => {
                console.warn(format_args!(
                    "configuration refused, the old sources stay: {error}"
                ));
                return None;
            }
        };
        if running.settings.differ_beside_sources(&loaded.settings) {
            console.warn(
                "other settings than sources have changed; they take effect only at a restart",
            );
        }
        let sources = loaded.settings.sources;
        console.note(format_args!("sources reloaded: {}", sources.len()));
        Some(Loaded {
            settings: Settings {
                sources,
                ..running.settings.clone()
            },
            configured: loaded.configured,
        })
    }

    fn acceptable(
        &self,
        running: &Loaded,
        options: &Options,
        console: &mut Console,
    ) -> Result<Loaded, Failure> {
        let loaded = load(options, console)?;
        let (before, after) = (&running.settings.sources, &loaded.settings.sources);
        // The file may have been read half-written: breaks of these sources would seem to be over.
        if let Some(source) = config::dropped_sources(before, after).first() {
            return Err(Failure::failed(format!(
                "source {source} is missing in the file\n    remedy: disable a source with enabled = false; removing it takes a restart"
            )));
        }
        self.only(&loaded.settings)?;
        Ok(loaded)
    }
}
