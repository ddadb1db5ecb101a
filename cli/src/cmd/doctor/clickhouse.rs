//! ClickHouse, its tables, and what is recorded of the accounts.

use postback_common::config::Settings;
use postback_normalise::Configured;
use postback_store::check::{Findings, TESTED_VERSION};
use postback_store::{Kind, Role, StoreError, client, generations, identities};

use super::check::Check;
use crate::cmd::{Loaded, migrate};
use crate::servers::Trouble;

const MIGRATE: &str = "run `postback migrate`";

/// Whether ClickHouse answers, and the tables are those of this version.
pub(super) async fn check(settings: &Settings) -> Vec<Check> {
    let url = &settings.clickhouse.url;
    match postback_store::check::check(&settings.clickhouse).await {
        Err(error) => {
            vec![Check::of_trouble(
                "clickhouse",
                Trouble::of_clickhouse(&error, &settings.clickhouse),
            )]
        }
        Ok(findings) => {
            let mut checks = vec![server(url, &findings)];
            checks.extend(tables(settings, &findings));
            checks
        }
    }
}

fn server(url: &str, findings: &Findings) -> Check {
    let what = format!("answers at {url}, version {}", findings.server_version);
    if findings.is_tested_version {
        return Check::well("clickhouse", what);
    }
    let (year, month) = TESTED_VERSION;
    let remedy = format!("use {year}.{month} or newer: this version is tested with it");
    Check::doubtful("clickhouse", what, remedy)
}

fn tables(settings: &Settings, findings: &Findings) -> Vec<Check> {
    let database = &settings.clickhouse.database;
    let mut checks = Vec::new();
    if !findings.pending_migrations.is_empty() {
        let what = format!(
            "database {database} lacks {}",
            findings.pending_migrations.join(", ")
        );
        checks.push(Check::broken("tables", what, MIGRATE));
    } else if findings.active.is_none() {
        let what = format!("database {database} has no active generation");
        checks.push(Check::broken("tables", what, MIGRATE));
    }
    if !findings.missing_tables.is_empty() {
        let what = format!("missing: {}", findings.missing_tables.join(", "));
        checks.push(Check::broken("tables", what, MIGRATE));
    }
    if let (false, Some(active)) = (findings.strayed_views.is_empty(), findings.active) {
        let what = format!(
            "generation {active} is active, and {}",
            findings.strayed_views.join(", ")
        );
        checks.push(Check::broken("tables", what, MIGRATE));
    }
    for setting in &findings.changed_settings {
        let (table, setting) = setting.split_once(": ").unwrap_or(("", setting));
        let what = format!("{table} is no longer safe: it lacks {setting}");
        let remedy = format!("ALTER TABLE {database}.{table} MODIFY SETTING {setting}");
        checks.push(Check::doubtful("tables", what, remedy));
    }
    if let (true, Some(active)) = (checks.is_empty(), findings.active) {
        checks.push(Check::well(
            "tables",
            format!("database {database}, generation {active} is active"),
        ));
    }
    checks
}

/// What cannot be told because ClickHouse or its tables, which have checks of their own, are not as
/// they must be.
pub(super) fn unknown(name: &'static str, error: &StoreError, settings: &Settings) -> Check {
    let remedy = "see the checks of clickhouse and tables";
    match error.kind {
        Kind::Outage => Check::broken(name, "not known while ClickHouse does not answer", remedy),
        Kind::Setup => Check::broken(name, "not known while the tables cannot be read", remedy),
        Kind::Pressure | Kind::TooLarge | Kind::Data | Kind::Unknown | Kind::Contradiction => {
            Check::of_trouble(name, Trouble::of_clickhouse(error, &settings.clickhouse))
        }
    }
}

/// Whether what is recorded of the accounts agrees with the configuration.
pub(super) async fn identities(loaded: &Loaded) -> Vec<Check> {
    let settings = &loaded.settings.clickhouse;
    let trouble = |error: StoreError| vec![unknown("identities", &error, &loaded.settings)];
    let client = match client(settings, Role::Query) {
        Ok(client) => client,
        Err(error) => return trouble(error),
    };
    let recorded = async {
        let active = generations::active(&client).await?;
        identities::read(&client, active).await
    };
    let recorded = match recorded.await {
        Ok(recorded) => recorded,
        Err(error) => return trouble(error),
    };
    let Ok(fixed) = migrate::fixed(&recorded) else {
        let what = "the tables hold a rule for key_day that this version does not know";
        return vec![Check::broken("identities", what, "upgrade this program")];
    };
    if let Err(faults) = Configured::new(&loaded.settings.sources, &fixed) {
        let check = |fault: postback_common::config::Fault| {
            Check::broken(
                "identities",
                format!("{}: {}", fault.key, fault.problem),
                fault.remedy,
            )
        };
        return faults.into_iter().map(check).collect();
    }
    let accounts = loaded.configured.accounts();
    let unknown = accounts
        .iter()
        .filter(|account| !fixed.contains_key(&account.name));
    let unknown: Vec<&str> = unknown.map(|account| account.name.as_str()).collect();
    if unknown.is_empty() {
        let many = format!("{} recorded, as configured", accounts.len());
        return vec![Check::well("identities", many)];
    }
    let what = format!("not recorded yet: {}", unknown.join(", "));
    vec![Check::doubtful("identities", what, MIGRATE)]
}
