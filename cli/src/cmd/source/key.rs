//! `postback source key new`

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use postback_common::config::{self, ConfigError, Fault};
use postback_common::name::KeyName;
use postback_common::url_key::KeyHash;

use crate::arguments::{Form, Options};
use crate::console::{Console, Tone};
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, text};

#[derive(Debug, Args)]
pub(super) struct New {
    /// How the configuration, metrics and records call the key
    #[arg(long, value_name = "NAME", default_value = "k1", value_parser = name)]
    name: KeyName,
}

fn name(text: &str) -> Result<KeyName, String> {
    KeyName::new(text).map_err(|error| error.to_string())
}

/// A new key, in the clear. Has no `Debug`.
struct NewKey {
    key: String,
    hash: KeyHash,
}

impl NewKey {
    fn make() -> Result<Self, Failure> {
        let mut bits = [0_u8; 32];
        getrandom::fill(&mut bits).map_err(Failure::failed)?;
        let key = URL_SAFE_NO_PAD.encode(bits);
        let hash = KeyHash::of_bytes(key.as_bytes());
        Ok(Self { key, hash })
    }
}

impl New {
    pub(super) fn run(&self, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
        let new = NewKey::make()?;
        // Without a usable configuration too: a source needs a key before it can be configured.
        let host = public_url(&options.config);
        let path = format!("/postback/{}", new.key);
        let url = host.map(|host| format!("{}{path}", host.trim_end_matches('/')));
        let block = format!(
            "[[source.key]]\nname = \"{}\"\nsha256 = \"{}\"\n",
            self.name, new.hash
        );
        if options.output == Form::Table {
            self.print(&new, &block, url, console)?;
        } else {
            let mut sheet = Sheet::new(&[
                text("name", "Name"),
                text("key", "Key"),
                text("sha256", "SHA-256"),
                text("url", "URL"),
                text("toml", "TOML"),
            ]);
            let url = url.map_or_else(|_| Cell::Missing, Cell::Text);
            sheet.rows = vec![vec![
                Cell::text(&self.name),
                Cell::text(&new.key),
                Cell::text(&new.hash),
                url,
                Cell::Text(block),
            ]];
            sheet.write(options, console)?;
        }
        console.note("The key is shown once and stored nowhere: keep it like a password.");
        Ok(Ending::Done)
    }

    fn print(
        &self,
        new: &NewKey,
        block: &str,
        url: Result<String, String>,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let placeholder = || format!("https://YOUR-HOST/postback/{}", new.key);
        let mut out = console.page();
        writeln!(out, "{}     {}", Tone::Strong.paint("key"), new.key)?;
        writeln!(out, "{}  {}", Tone::Strong.paint("sha256"), new.hash)?;
        writeln!(
            out,
            "\nUnder its [[source]] in the configuration. Let every consumer read it first, then ingest (SIGHUP, or a restart):\n\n{block}"
        )?;
        writeln!(
            out,
            "The URL to register with the network, with ? and its parameters behind it:\n\n{}",
            url.as_ref().map_or_else(|_| placeholder(), String::clone)
        )?;
        if let Err(why) = url {
            console.note(format_args!(
                "\n{why}: put your host in place of YOUR-HOST."
            ));
        }
        Ok(())
    }
}

/// `ingest.public_url`, or why it is not known. A file that is refused, as one is whose new source has
/// no key yet, may have it all the same.
fn public_url(file: &Path) -> Result<String, String> {
    const KEY: &str = "ingest.public_url";
    let mut found = None;
    let read = config::load_checked(file, |draft| {
        found.clone_from(&draft.settings.ingest.public_url);
        Vec::new()
    });
    let is_about_it = |fault: &Fault| {
        let key = fault.key.replace("__", ".").to_lowercase();
        key.ends_with(KEY)
    };
    match (found, read) {
        (Some(url), _) => Ok(url),
        (None, Ok(_)) => Err(format!("{KEY} is not configured")),
        (None, Err(ConfigError::Refused { faults, .. })) => {
            Err(match faults.iter().any(is_about_it) {
                true => format!("{KEY} is refused (`postback config check` says why)"),
                false => format!("{KEY} is not configured"),
            })
        }
        (None, Err(error)) => {
            let words = error.to_string();
            let why = words.lines().next().unwrap_or_default();
            Err(format!("{KEY} is not known ({why})"))
        }
    }
}
