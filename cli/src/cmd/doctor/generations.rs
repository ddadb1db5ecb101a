//! Whether what readers see is loaded by these programs and these rules, and what is beside it.

use postback_normalise::NORMALISER_VERSION;
use postback_store::{Life, Lineage};

use super::check::Check;
use super::clickhouse::unknown;
use crate::arguments::Options;
use crate::cmd::Loaded;
use crate::ending::Failure;
use crate::replays::{Phase, Record, changed_sources, remedy_for_changes, renewed};

const NAME: &str = "generations";

pub(super) async fn check(loaded: &Loaded, options: &Options) -> Vec<Check> {
    let record = match Record::of(&loaded.settings) {
        Ok(record) => record,
        Err(failure) => return vec![of_failure(&failure)],
    };
    let lineage = match postback_store::generations::lineage(&record.client).await {
        Ok(lineage) => lineage,
        Err(error) => return vec![unknown(NAME, &error, &loaded.settings)],
    };
    let Some(active) = lineage.active.and_then(|active| lineage.lives.get(&active)) else {
        let what = "no generation is active";
        return vec![Check::broken(
            NAME,
            what,
            "make the tables with `postback migrate`",
        )];
    };
    let mut checks = of_lineage(active, &lineage);
    let changed = record.rules(active).await.and_then(|rules| {
        let file = renewed(&loaded.settings, options, &rules)?;
        let remedy = remedy_for_changes(&rules, &file);
        Ok((changed_sources(&rules, &file), remedy))
    });
    match changed {
        Ok((changed, _)) if changed.is_empty() => {}
        Ok((changed, remedy)) => {
            let what = format!(
                "the configuration has other rules than generation {}, which changes nothing: {}",
                active.generation,
                changed.join("; ")
            );
            checks.push(Check::doubtful(NAME, what, remedy));
        }
        Err(failure) => checks.push(of_failure(&failure)),
    }
    checks
}

fn of_failure(failure: &Failure) -> Check {
    let text = failure.to_string();
    let (what, remedy) = text
        .split_once("\n    remedy: ")
        .unwrap_or((&text, "see the message"));
    Check::broken(NAME, what, remedy)
}

fn of_lineage(active: &Life, lineage: &Lineage) -> Vec<Check> {
    let generation = active.generation;
    let version = active.record.normaliser_version;
    if version != NORMALISER_VERSION {
        let what = format!(
            "generation {generation} is loaded by programs with normaliser version {version}; this one has {NORMALISER_VERSION}"
        );
        let remedy = "keep a postback-consumer of that version running, and load everything anew by this one: `postback replay start`";
        return vec![Check::doubtful(NAME, what, remedy)];
    }
    let Some(beside) = lineage.live().find(|life| life.generation != generation) else {
        let what = format!("readers see generation {generation}, the only one");
        return vec![Check::well(NAME, what)];
    };
    let phase = Phase::of(beside, lineage, None).as_str();
    let what = format!(
        "readers see generation {generation}; beside it is {} ({phase})",
        beside.generation
    );
    vec![Check::well(NAME, what)]
}
