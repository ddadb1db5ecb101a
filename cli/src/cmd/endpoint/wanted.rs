//! The URL that is to be registered.

use clap::Args;
use postback_common::config::{Settings, SourceSettings, TemplateUrl};
use postback_common::secret::Secret;

use crate::cmd::door::KeyOption;
use crate::ending::Failure;

/// What stands in the key's place in a configuration, and in what `postback url build` prints.
const NO_KEY: &str = "KEY";

/// Which URL.
#[derive(Debug, Args)]
pub(super) struct UrlOption {
    /// The whole URL with its parameters; - reads it from stdin [default: the newest template's]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    key: KeyOption,
}

impl UrlOption {
    /// The URL with its key.
    pub(super) fn read(
        &self,
        source: &SourceSettings,
        settings: &Settings,
    ) -> Result<Secret, Failure> {
        let Some(given) = &self.url else {
            return self.of_template(source, settings);
        };
        let text = match given.as_str() {
            "-" => std::io::read_to_string(std::io::stdin()).map_err(Failure::failed)?,
            url => url.to_owned(),
        };
        let url = TemplateUrl::new(text.trim());
        let key = url.key();
        let has_none = key.is_none_or(|key| key.expose() == NO_KEY);
        let url = if has_none || self.key.key_file.is_some() {
            url.with_key(&self.key.find(source)?)
        } else {
            Secret::new(text.trim())
        };
        whole(url)
    }

    fn of_template(&self, source: &SourceSettings, settings: &Settings) -> Result<Secret, Failure> {
        let name = &source.name;
        let Some(template) = source.newest_template() else {
            return Err(Failure::Usage(format!(
                "source {name} has no [[source.template]], so nothing says which URL to register\n  \
                 make one with `postback url build --source {name}`, or give --url"
            )));
        };
        let url = template.url.with_key(&self.key.find(source)?);
        if !url.expose().starts_with('/') {
            return whole(url);
        }
        let Some(host) = &settings.ingest.public_url else {
            return Err(Failure::Usage(format!(
                "the newest template of source {name} names no host, and ingest.public_url is not configured\n  \
                 set ingest.public_url to scheme and host as the network reaches ingest"
            )));
        };
        let host = host.trim_end_matches('/');
        Ok(Secret::new(format!("{host}{}", url.expose())))
    }
}

/// With scheme and host, which is no placeholder.
fn whole(url: Secret) -> Result<Secret, Failure> {
    let text = url.expose();
    let rest = (text.strip_prefix("https://")).or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next());
    match host {
        Some("YOUR-HOST") => Err(Failure::Usage(
            "the URL has YOUR-HOST where the host belongs\n  put in the host as the network reaches ingest".to_owned(),
        )),
        Some(host) if !host.is_empty() => Ok(url),
        _ => Err(Failure::Usage(
            "the URL names no host that the network could send to\n  write https://HOST/postback/KEY?… as it is to be registered".to_owned(),
        )),
    }
}
