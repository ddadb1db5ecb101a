//! What is in the tables at the end, held against what Kafka holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use uuid::Uuid;

use super::books::{Expected, expected};
use super::stage::{BATCH_ROWS, PARTITIONS, Stage};
use super::watcher::Watched;

/// What a scene came to.
#[derive(Debug, Default)]
pub struct Account {
    /// Messages in Kafka.
    pub messages: u64,
    /// Conversions that they tell of.
    pub conversions: u64,
    /// Deaths, departures, arrivals and pauses.
    pub disturbances: u64,
    /// Rows of `postbacks` that were inserted beyond one for each message, as far as they are still
    /// to be found.
    pub copies: u64,
    /// Looks of the reader that ClickHouse answered.
    pub looks: u64,
    /// For who reads the report.
    pub notes: Vec<String>,
    /// Promises that were not held.
    pub broken: Vec<String>,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{self:?}")
    }
}

impl Account {
    /// Waits until everything is loaded and looks at it.
    pub(super) fn draw(stage: &Stage) -> Self {
        let messages = stage.pipeline.topic.messages();
        let expected = expected(messages.iter().map(|(_, bytes)| &**bytes));
        let distinct = expected.ids.len() as u64 + expected.no_records;
        stage.wait_until_settled(distinct);
        let mut account = Self {
            messages: expected.messages,
            conversions: expected.conversions.len() as u64,
            disturbances: stage.disturbances,
            copies: inserted(stage).saturating_sub(expected.messages),
            ..Self::default()
        };
        account.hold_postbacks(stage, &expected);
        account.hold_conversions(stage, &expected);
        let most = stage.disturbances * BATCH_ROWS * u64::from(PARTITIONS);
        let copies = account.copies;
        account.hold(copies <= most, || {
            format!("{copies} copies, more than {most}")
        });
        account.notes.clone_from(&stage.notes);
        account
    }

    pub(super) fn add(&mut self, watched: Watched) {
        self.looks += watched.looks;
        self.hold(watched.looks > 0, || "the reader saw nothing".to_owned());
        self.broken.extend(watched.broken);
    }

    fn hold(&mut self, held: bool, broken: impl FnOnce() -> String) {
        if !held {
            self.broken.push(broken());
        }
    }

    /// Every id that Kafka holds exactly once, and nothing else.
    fn hold_postbacks(&mut self, stage: &Stage, expected: &Expected) {
        let lines = stage.pipeline.database.run(
            "SELECT id, outcome, arrayStringConcat(reasons, ',') FROM {db}.postbacks FORMAT TSV",
        );
        let mut ids = BTreeSet::new();
        let (mut no_records, mut rejected) = (0, 0);
        for line in lines.lines() {
            let mut fields = line.split('\t');
            let id: Uuid = fields.next().and_then(|id| id.parse().ok()).expect("an id");
            self.hold(ids.insert(id), || format!("{id} stands there twice"));
            match (fields.next(), fields.next()) {
                (Some("rejected"), Some("not_a_record")) => {
                    no_records += 1;
                    ids.remove(&id);
                }
                (Some("rejected"), _) => rejected += 1,
                _ => {}
            }
        }
        let missing = expected.ids.difference(&ids).count();
        self.hold(missing == 0, || {
            let first = expected.ids.difference(&ids).next();
            format!("{missing} postbacks are missing, {first:?} among them")
        });
        let extra = ids.difference(&expected.ids).count();
        self.hold(extra == 0, || format!("{extra} postbacks are not in Kafka"));
        let kept = (no_records, rejected) == (expected.no_records, expected.rejected);
        self.hold(kept, || {
            format!(
                "{no_records} no records and {rejected} rejected, not {} and {}",
                expected.no_records, expected.rejected
            )
        });
    }

    /// Every conversion in its newest revision, to the hundredth of a cent, and nothing else.
    fn hold_conversions(&mut self, stage: &Stage, expected: &Expected) {
        let lines = stage
            .pipeline
            .database
            .run("SELECT transaction_id, sale_amount, commission FROM {db}.conversions FORMAT TSV");
        let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
        for line in lines.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let amounts = (fields[1].to_owned(), fields[2].to_owned());
            let before = found.insert(fields[0].to_owned(), amounts);
            self.hold(before.is_none(), || format!("{line} stands there twice"));
        }
        let wrong = |(transaction, amounts): &(&String, &(String, String))| {
            found.get(*transaction) != Some(*amounts)
        };
        let wrong: Vec<_> = expected.conversions.iter().filter(wrong).collect();
        self.hold(wrong.is_empty(), || {
            let first = wrong[0];
            let instead = found.get(first.0);
            format!(
                "{} conversions are missing or of another worth: {first:?}, found {instead:?}",
                wrong.len()
            )
        });
        let (many, most) = (found.len(), expected.conversions.len());
        self.hold(many <= most, || {
            format!("{many} conversions instead of {most}")
        });
    }
}

/// Rows that were inserted into `postbacks`, merged or not: of each insert its part is left for eight
/// minutes.
fn inserted(stage: &Stage) -> u64 {
    stage.pipeline.database.count(
        "SELECT sum(rows) FROM system.parts WHERE database = '{db}' AND table = 'postbacks_g1' \
         AND min_block_number = max_block_number",
    )
}
