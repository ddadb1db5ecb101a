//! `[[source]]`: one registered URL family of one network, and what must hold between all of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use toml::Value;

use super::access;
use super::api::{self, ApiSettings};
use super::environment::Environment;
use super::fault::{Fault, FaultCode};
use super::section::{self, Section};
use super::source::{Identity, ProfileFile, Reply, ReplyContent, SourceKey, SourceSettings};
use super::templates;
use crate::name::{AccountName, KeyName, NetworkName, SourceName};
use crate::url_key::{KeyError, KeyHash};
use crate::zone;

/// Reads all sources and what must hold between them.
pub(super) fn read_all(
    value: Option<Value>,
    environment: &mut Environment,
    faults: &mut Vec<Fault>,
) -> Vec<SourceSettings> {
    let Some(tables) = value.map_or(Some(Vec::new()), section::tables) else {
        faults.push(Fault::new(
            FaultCode::WrongType,
            "source",
            "must be an array of tables",
            "write it as [[source]]",
        ));
        return Vec::new();
    };
    api::refuse_shared_variables(&tables, environment, faults);
    let mut sources = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let called = table
            .get("name")
            .and_then(Value::as_str)
            .map_or_else(|| (index + 1).to_string(), str::to_owned);
        let mut section = Section::nested(format!("source[{called}]"), table, faults);
        sources.extend(read(&mut section, environment));
    }
    check_names(&sources, faults);
    check_aliases(&sources, faults);
    check_comparisons(&sources, faults);
    check_keys(&sources, faults);
    hide_keys(&mut sources);
    sources
}

/// A template may have a key in a parameter, its own or another source's.
fn hide_keys(sources: &mut [SourceSettings]) {
    let keys = sources.iter().flat_map(|source| &source.keys);
    let keys: HashSet<KeyHash> = keys.map(|key| key.sha256).collect();
    let templates = sources.iter_mut().flat_map(|source| &mut source.templates);
    for template in templates {
        template.url.hide(&|hash| keys.contains(&hash));
    }
}

/// Names of the sources that were there before and are not any more. A source is disabled, never
/// removed: a file without one is more likely cut off than meant.
#[must_use]
pub fn dropped_sources(before: &[SourceSettings], after: &[SourceSettings]) -> Vec<SourceName> {
    let kept: BTreeSet<&SourceName> = after.iter().map(|source| &source.name).collect();
    let aliases: BTreeSet<&SourceName> = after.iter().flat_map(|source| &source.aliases).collect();
    let names = before.iter().map(|source| &source.name);
    names
        .filter(|name| !kept.contains(name) && !aliases.contains(name))
        .cloned()
        .collect()
}

fn read(section: &mut Section<'_>, environment: &mut Environment) -> Option<SourceSettings> {
    let remedy = "use a-z, 0-9, - and _, such as rakuten-us";
    let which = "name a network, such as rakuten";
    section.require("name", remedy);
    section.require("network", which);
    let named = section.checked("name", remedy, SourceName::new);
    let network = section.checked("network", which, NetworkName::new);
    let profile = profile(section);
    let account = section.checked("account", remedy, AccountName::new);
    let currency = section.checked(
        "currency",
        "give an ISO 4217 code, such as \"USD\"",
        currency_code,
    );
    let time_zone = section.checked(
        "time_zone",
        "give an IANA name, such as \"America/New_York\"",
        zone::named,
    );
    let identity = section.checked(
        "identity",
        "use \"transaction_id\", \"order\" or \"none\"",
        |text| Identity::from_name(text).ok_or("is no identity"),
    );
    let publisher_id = section.checked(
        "publisher_id",
        "give the id as the network sends it",
        trimmed,
    );
    let enabled = section.flag("enabled", true);
    let reply = reply(section);
    let before = section.faults().len();
    let keys = keys(section);
    // Of a key that is there and wrong, what is wrong was said.
    if keys.is_empty() && enabled && section.faults().len() == before {
        let remedy =
            "make one with `postback source key new`, and add the [[source.key]] it prints";
        section.missing("key", remedy);
    }
    let aliases = aliases(section);
    if !aliases.is_empty() {
        let which = format!(
            "conversions stay under the account that they were loaded under: write account = \"{}\"",
            aliases[0]
        );
        if account.is_none() {
            section.missing("account", &which);
        }
    }
    let compare_with = compare_with(section);
    let templates = templates::read_all(section);
    let allow_from = access::allow_from(section);
    let basic_auth = access::basic_auth(section);
    let called = named.as_ref().map_or("", SourceName::as_str);
    let api = ApiSettings::read(section, environment, called, publisher_id.as_deref());
    let name = named?;
    let own_account = AccountName::new(name.as_str()).ok();
    Some(SourceSettings {
        network: network?,
        profile,
        account: account.or(own_account)?,
        currency,
        time_zone,
        publisher_id,
        enabled,
        identity,
        allow_from,
        basic_auth,
        reply,
        keys,
        templates,
        aliases,
        compare_with,
        api,
        name,
    })
}

fn profile(section: &mut Section<'_>) -> Option<ProfileFile> {
    section.checked(
        "profile_file",
        "name a file that the user whom this program runs as can read, or remove it",
        |path| {
            let text = std::fs::read_to_string(path);
            text.map(|text| ProfileFile {
                path: path.to_owned(),
                text,
            })
        },
    )
}

fn aliases(section: &mut Section<'_>) -> Vec<SourceName> {
    let mut aliases = Vec::new();
    for text in section.list("aliases").unwrap_or_default() {
        match SourceName::new(&text) {
            Ok(alias) => aliases.push(alias),
            Err(problem) => {
                let fault = Fault::new(
                    FaultCode::BadValue,
                    &section.key("aliases"),
                    problem.to_string(),
                    "give the names that the source had before",
                );
                section.refuse(fault.with_value(format_args!("{text:?}")));
            }
        }
    }
    aliases
}

fn compare_with(section: &mut Section<'_>) -> Vec<AccountName> {
    let mut accounts = Vec::new();
    for text in section.list("compare_with").unwrap_or_default() {
        match AccountName::new(&text) {
            Ok(account) => accounts.push(account),
            Err(problem) => {
                let fault = Fault::new(
                    FaultCode::BadValue,
                    &section.key("compare_with"),
                    problem.to_string(),
                    "give the names of accounts of other sources",
                );
                section.refuse(fault.with_value(format_args!("{text:?}")));
            }
        }
    }
    accounts
}

/// What is compared with nothing would show a gap of everything.
fn check_comparisons(sources: &[SourceSettings], faults: &mut Vec<Fault>) {
    for source in sources {
        for account in &source.compare_with {
            let mut others = sources.iter().filter(|other| other.name != source.name);
            if !others.any(|other| other.account == *account) {
                let fault = Fault::new(
                    FaultCode::Contradiction,
                    &format!("source[{}].compare_with", source.name),
                    "is the account of no other source",
                    "give the account of a source of the network; without account that is the source's name",
                );
                faults.push(fault.with_value(format_args!("\"{account}\"")));
            }
        }
    }
}

fn reply(section: &mut Section<'_>) -> Reply {
    let mut tables = section.tables("reply");
    if tables.len() > 1 {
        let key = section.key("reply");
        let problem = "there is one answer only";
        section.refuse(Fault::new(
            FaultCode::Contradiction,
            &key,
            problem,
            "keep one of them",
        ));
    }
    let Some(table) = tables.pop() else {
        return Reply::default();
    };
    let name = section.key("reply");
    let mut reply = Section::nested(name, table, section.faults());
    let status = reply.number("status", 200, 200..=299);
    let body = reply.text("body");
    let remedy = "give one line, such as text/plain";
    let content_type = reply.checked("content_type", remedy, header_value);
    if Reply::has_content(status) {
        let default = ReplyContent::default();
        let content = ReplyContent {
            body: body.unwrap_or(default.body),
            content_type: content_type.unwrap_or(default.content_type),
        };
        return Reply {
            status,
            content: Some(content),
        };
    }
    // An empty body is none.
    let body = body.filter(|body| !body.is_empty());
    for (key, given) in [("body", body), ("content_type", content_type)] {
        if let Some(given) = given {
            let fault = Fault::new(
                FaultCode::Contradiction,
                &reply.key(key),
                format!("an answer with status {status} has no body"),
                "remove it, or give status = 200",
            );
            reply.refuse(fault.with_value(format_args!("{given:?}")));
        }
    }
    Reply {
        status,
        content: None,
    }
}

fn keys(section: &mut Section<'_>) -> Vec<SourceKey> {
    let tables = section.tables("key");
    let mut keys = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let position = format!("k{}", index + 1);
        let name = section.key(&format!(
            "key[{}]",
            table
                .get("name")
                .and_then(Value::as_str)
                .filter(|name| KeyName::new(name).is_ok())
                .unwrap_or(&position)
        ));
        let mut key = Section::nested(name, table, section.faults());
        let name = key
            .checked_unseen("name", "use a-z, 0-9, - and _", KeyName::new)
            .or(KeyName::new(&position).ok());
        keys.extend(
            name.zip(key_hash(&mut key))
                .map(|(name, sha256)| SourceKey { name, sha256 }),
        );
    }
    let mut seen = BTreeSet::new();
    for key in &keys {
        if !seen.insert(&key.name) {
            let problem = format!("two keys of one source are called {}", key.name);
            let fault = Fault::new(
                FaultCode::Contradiction,
                &section.key("key"),
                problem,
                "give each a name of its own",
            );
            section.refuse(fault);
        }
    }
    keys
}

fn key_hash(key: &mut Section<'_>) -> Option<KeyHash> {
    let before = key.faults().len();
    let remedy = "make one with `postback source key new`";
    let hash = key.checked_unseen("sha256", remedy, |text| match KeyHash::from_hex(text) {
        Ok(hash) if hash == KeyHash::of_bytes(b"") => Err(KeyError::Unfit),
        hash => hash,
    });
    let plain = key.secret("key", "key_file");
    match (hash, plain) {
        (Some(_), Some(_)) => {
            let problem = "sha256 and a plain key are both given";
            let fault = Fault::new(
                FaultCode::Contradiction,
                &key.key("sha256"),
                problem,
                "give one of the two",
            );
            key.refuse(fault);
            None
        }
        (Some(hash), None) => Some(hash),
        (None, Some(plain)) => match KeyHash::of_key(&plain) {
            Ok(hash) => Some(hash),
            Err(problem) => {
                let fault = Fault::new(
                    FaultCode::BadValue,
                    &key.key("key"),
                    problem.to_string(),
                    remedy,
                );
                key.refuse(fault);
                None
            }
        },
        (None, None) => {
            if key.faults().len() == before {
                key.missing(
                    "sha256",
                    "give sha256, key or key_file; `postback source key new` makes one",
                );
            }
            None
        }
    }
}

fn check_names(sources: &[SourceSettings], faults: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    let repeated = sources.iter().filter(|source| !seen.insert(&source.name));
    faults.extend(repeated.map(|source| {
        let fault = Fault::new(
            FaultCode::Contradiction,
            "source.name",
            "two sources have this name",
            "rename one of them",
        );
        fault.with_value(format_args!("\"{}\"", source.name))
    }));
}

/// An alias is nobody else's name, or a record could mean either of two sources.
fn check_aliases(sources: &[SourceSettings], faults: &mut Vec<Fault>) {
    let mut taken: BTreeSet<&SourceName> = sources.iter().map(|source| &source.name).collect();
    for source in sources {
        for alias in &source.aliases {
            if !taken.insert(alias) {
                let fault = Fault::new(
                    FaultCode::Contradiction,
                    &format!("source[{}].aliases", source.name),
                    "is the name, or an alias, of a source already",
                    "remove it from one of them",
                );
                faults.push(fault.with_value(format_args!("\"{alias}\"")));
            }
        }
    }
}

fn check_keys(sources: &[SourceSettings], faults: &mut Vec<Fault>) {
    let mut owners: HashMap<KeyHash, &SourceSettings> = HashMap::new();
    for source in sources {
        for key in &source.keys {
            if let Some(first) = owners.insert(key.sha256, source) {
                let place = format!("source[{}].key[{}]", source.name, key.name);
                let problem = format!(
                    "the same key as a key of source {}: a request could not tell them apart",
                    first.name
                );
                let remedy = "make a new one with `postback source key new`";
                faults.push(Fault::new(
                    FaultCode::Contradiction,
                    &place,
                    problem,
                    remedy,
                ));
            }
        }
    }
}

fn trimmed(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("must not be empty"),
        text => Ok(text.to_owned()),
    }
}

fn currency_code(text: &str) -> Result<String, &'static str> {
    if text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err("must be three capital letters")
    }
}

fn header_value(text: &str) -> Result<String, &'static str> {
    if !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        Ok(text.to_owned())
    } else {
        Err("must be printable ASCII")
    }
}
