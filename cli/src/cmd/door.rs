//! The URL of a source's postbacks, its key included: for the commands that send some.

use std::path::PathBuf;

use clap::Args;
use postback_common::basic_auth::{BasicAuth, authorization};
use postback_common::config::{Settings, SourceSettings};
use postback_common::secret::Secret;
use postback_common::url_key::KeyHash;

use crate::ending::Failure;

/// The environment variable that may hold the URL key.
const KEY_VARIABLE: &str = "POSTBACK_URL_KEY";

/// Where and as whom to send.
#[derive(Debug, Args)]
pub(super) struct Door {
    /// The source, as in the configuration
    #[arg(long, value_name = "NAME")]
    pub(super) source: String,
    /// Scheme, host and port to send to, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    #[command(flatten)]
    pub(super) key: KeyOption,
    /// User of basic_auth [default: the source's]
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub(super) user: Option<String>,
    /// File with the password of basic_auth [default: the source's, where the configuration has it]
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
}

/// The URL key, which the configuration may know by its hash alone.
#[derive(Debug, Args)]
pub(super) struct KeyOption {
    /// File with the URL key [default: POSTBACK_URL_KEY, or the key in the template's URL]
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
}

/// A text as one word of a shell's command line.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Door {
    /// The same, for another command line.
    pub(super) fn options(&self) -> String {
        let mut options = format!("--source {}", self.source);
        if let Some(url) = &self.url {
            options.push_str(&format!(" --url {}", quoted(url)));
        }
        if let Some(file) = &self.key.key_file {
            options.push_str(&format!(" --key-file {}", quoted(&file.to_string_lossy())));
        }
        if let Some(user) = &self.user {
            options.push_str(&format!(" --user {}", quoted(user)));
        }
        if let Some(file) = &self.password_file {
            options.push_str(&format!(
                " --password-file {}",
                quoted(&file.to_string_lossy())
            ));
        }
        options
    }

    /// The URL before its `?`: a secret, since it holds the key.
    pub(super) fn url(&self, source: &SourceSettings, default: &str) -> Result<Secret, Failure> {
        let base = self.url.as_deref().unwrap_or(default);
        if base.contains('?') || base.contains("/postback/") {
            return Err(Failure::Usage(
                "--url takes scheme, host and port alone, such as http://127.0.0.1:8080\n  \
                 the key comes from --key-file or POSTBACK_URL_KEY, the parameters from the source's template"
                    .to_owned(),
            ));
        }
        let key = self.key.find(source)?;
        let base = base.trim_end_matches('/');
        Ok(Secret::new(format!("{base}/postback/{}", key.expose())))
    }

    /// The header `Authorization`, where the source wants one or a user was given.
    pub(super) fn authorization(&self, source: &SourceSettings) -> Result<Option<Secret>, Failure> {
        let own = source.basic_auth.as_ref();
        let Some(file) = &self.password_file else {
            return match (own, own.and_then(BasicAuth::plain)) {
                (None, _) => Ok(None),
                (Some(auth), Some(password)) => Ok(Some(authorization(auth.user(), password))),
                (Some(_), None) => Err(Failure::Usage(format!(
                    "source {} wants basic_auth, and the configuration holds the hash of its password alone\n  \
                     give the password with --password-file FILE",
                    source.name
                ))),
            };
        };
        let password = std::fs::read_to_string(file).map_err(|error| {
            Failure::Usage(format!(
                "the password file {} cannot be read: {error}\n  name a file that holds the password alone",
                file.display()
            ))
        })?;
        let password = Secret::new(password.trim_end_matches(['\r', '\n']));
        let user = (self.user.as_deref()).or_else(|| own.map(BasicAuth::user));
        let Some(user) = user else {
            return Err(Failure::Usage(format!(
                "source {} has no basic_auth, so nothing says whose password that is\n  \
                 give --user NAME, for a proxy that wants one; or leave --password-file out",
                source.name
            )));
        };
        let sent = authorization(user, &password);
        match own {
            Some(auth) if !auth.admits(sent.expose().as_bytes()) => Err(Failure::Usage(format!(
                "user and password are not those of source {}: its basic_auth has others\n  \
                 give those that the network was given",
                source.name
            ))),
            _ => Ok(Some(sent)),
        }
    }
}

impl KeyOption {
    /// The key itself, which is one of the source's.
    pub(super) fn find(&self, source: &SourceSettings) -> Result<Secret, Failure> {
        let given = match (&self.key_file, std::env::var(KEY_VARIABLE)) {
            (Some(file), _) => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    Failure::Usage(format!(
                        "the key file {} cannot be read: {error}\n  name a file that holds the URL key alone",
                        file.display()
                    ))
                })?;
                Some((text, format!("in {}", file.display())))
            }
            (None, Ok(text)) => Some((text, format!("in {KEY_VARIABLE}"))),
            (None, Err(_)) => None,
        };
        let is_known = |key: &str| {
            let hash = KeyHash::of_bytes(key.as_bytes());
            source.keys.iter().any(|known| known.sha256 == hash)
        };
        if let Some((text, place)) = given {
            let key = text.trim();
            return if is_known(key) {
                Ok(Secret::new(key))
            } else {
                Err(Failure::Usage(format!(
                    "the key {place} is none of source {}\n  its [[source.key]] has another hash; make a new key with `postback source key new`",
                    source.name
                )))
            };
        }
        let templates = source.templates.iter().rev();
        let mut keys = templates.filter_map(|template| template.url.key());
        keys.find(|key| is_known(key.expose())).ok_or_else(|| {
            Failure::Usage(format!(
                "the URL key of source {} is not known here: of what the configuration says only a hash is kept\n  \
                 give it with --key-file FILE or in {KEY_VARIABLE}",
                source.name
            ))
        })
    }
}

/// Ingest's own listener, as this machine reaches it.
pub(super) fn listener(settings: &Settings) -> String {
    let mut address = settings.ingest.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let scheme = if settings.ingest.tls.is_some() {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{address}")
}
