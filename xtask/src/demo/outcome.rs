//! What became of the postbacks, in the tables and in the sender's own ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use postback_simulator::{Ledger, Outcome};
use postback_stack::Cancellation;

use super::pipeline::Pipeline;
use super::site::Site;
use crate::report;

/// How long loading may stand still.
const STANDSTILL: Duration = Duration::from_secs(60);

/// How often the table is counted.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until the table holds everything that the ledger says was acknowledged.
///
/// # Errors
/// When loading stands still, or a service ends.
pub(super) fn wait_until_loaded(
    ledger: &Ledger,
    site: &Site,
    pipeline: &Pipeline,
    cancellation: &Cancellation,
) -> anyhow::Result<()> {
    let wanted = ledger.counts().acknowledged;
    report::step("Waiting until all is loaded");
    let (mut loaded, mut changed) = (0, Instant::now());
    loop {
        let now = count(site, "SELECT count() FROM postbacks")?;
        if now >= wanted {
            return Ok(());
        }
        if now > loaded {
            (loaded, changed) = (now, Instant::now());
        }
        if changed.elapsed() > STANDSTILL {
            bail!("loading stands still at {loaded} of {wanted}");
        }
        pipeline.check()?;
        cancellation.sleep(LOOK)?;
    }
}

/// Prints what was sent, answered, loaded and rejected, and compares the tables with the ledger.
/// Returns whether they are equal.
pub(super) fn print(ledger: &Ledger, site: &Site) -> anyhow::Result<bool> {
    let counts = ledger.counts();
    let accepted = count(
        site,
        "SELECT count() FROM postbacks WHERE outcome = 'accepted'",
    )?;
    let rejected = count(
        site,
        "SELECT count() FROM postbacks WHERE outcome = 'rejected'",
    )?;
    println!();
    line("sent", counts.planned);
    line("acknowledged (200)", counts.acknowledged);
    for (answer, number) in other_answers(ledger) {
        line(&answer, number);
    }
    line("loaded", accepted);
    line("rejected", rejected);
    for (reason, number) in rejections(site)? {
        line(&format!("  {reason}"), number);
    }
    let conversions = count(site, "SELECT count() FROM conversions")?;
    line("conversions, repeats counted once", conversions);

    let mut faults = Faults::default();
    faults.compare(
        "answers that the network must not get",
        &counts.unexpected,
        &0,
    );
    faults.compare("requests without an answer", &counts.failed, &0);
    faults.compare("postbacks loaded", &accepted, &counts.to_be_loaded);
    faults.compare("postbacks rejected", &rejected, &counts.to_be_rejected);
    faults.compare_ids(ledger, &ids(site)?);
    faults.compare_conversions(ledger, conversions, site)?;
    if faults.0.is_empty() {
        println!(
            "All of this, and the sums of each currency, is what the sender's own ledger says."
        );
    } else {
        println!("THIS IS NOT WHAT THE SENDER'S OWN LEDGER SAYS:");
    }
    for fault in &faults.0 {
        println!("  {fault}");
    }
    Ok(faults.0.is_empty())
}

fn line(what: &str, number: u64) {
    println!("{what:<36} {number:>8}");
}

/// Differences between tables and ledger, for people.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn compare<T: PartialEq + std::fmt::Display>(&mut self, what: &str, found: &T, expected: &T) {
        if found != expected {
            self.0
                .push(format!("{what}: {found} instead of {expected}"));
        }
    }

    fn compare_ids(&mut self, ledger: &Ledger, found: &BTreeSet<String>) {
        let given = ledger.acknowledged_ids();
        let missing = given.iter().filter(|id| !found.contains(**id)).count();
        let added = found
            .iter()
            .filter(|id| !given.contains(id.as_str()))
            .count();
        self.compare(
            "ids that were acknowledged and are not loaded",
            &missing,
            &0,
        );
        self.compare("ids that are loaded and were not acknowledged", &added, &0);
    }

    fn compare_conversions(
        &mut self,
        ledger: &Ledger,
        conversions: u64,
        site: &Site,
    ) -> anyhow::Result<()> {
        let totals = ledger.totals();
        let expected = u64::try_from(totals.conversions.len())?;
        self.compare("conversions", &conversions, &expected);
        let expected: BTreeMap<String, String> = totals
            .by_currency()
            .into_iter()
            .map(|(currency, sums)| {
                let (sales, commission) = (sums.net_sales(), sums.net_commission());
                (
                    currency,
                    format!("{sales} net sales and {commission} net commission"),
                )
            })
            .collect();
        let found = sums(site)?;
        for currency in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
            let text = |sums: &BTreeMap<String, String>| {
                sums.get(currency)
                    .cloned()
                    .unwrap_or_else(|| "nothing".to_owned())
            };
            self.compare(
                &format!("money in {currency}"),
                &text(&found),
                &text(&expected),
            );
        }
        Ok(())
    }
}

/// What else than 200 the network got, and how often.
fn other_answers(ledger: &Ledger) -> BTreeMap<String, u64> {
    let mut answers = BTreeMap::new();
    for attempt in ledger
        .entries
        .iter()
        .filter_map(|entry| entry.attempt.as_ref())
    {
        let answer = match &attempt.outcome {
            Outcome::Answered { status: 200, .. } => continue,
            Outcome::Answered { status, .. } => format!("refused ({status})"),
            Outcome::Failed { failure, .. } => format!("no answer ({failure:?})"),
        };
        *answers.entry(answer).or_default() += 1;
    }
    answers
}

/// Rejected postbacks by reason; one may have several.
fn rejections(site: &Site) -> anyhow::Result<Vec<(String, u64)>> {
    let rows = query(
        site,
        "SELECT reason, count() FROM postbacks ARRAY JOIN reasons AS reason \
         WHERE outcome = 'rejected' GROUP BY reason ORDER BY reason",
    )?;
    rows.lines()
        .map(|row| {
            let (reason, number) = row.split_once('\t').context("a row without a tab")?;
            Ok((reason.to_owned(), number.parse()?))
        })
        .collect()
}

/// Net sales and net commission of transactions by currency, as text.
fn sums(site: &Site) -> anyhow::Result<BTreeMap<String, String>> {
    let rows = query(
        site,
        "SELECT currency, ifNull(sum(sale_amount), 0), ifNull(sum(commission), 0) \
         FROM conversions WHERE kind = 'transaction' GROUP BY currency ORDER BY currency",
    )?;
    rows.lines()
        .map(|row| {
            let mut fields = row.split('\t');
            let mut next = || fields.next().context("a row with too few columns");
            let (currency, sales, commission) = (next()?, next()?, next()?);
            let text = format!("{sales} net sales and {commission} net commission");
            Ok((currency.to_owned(), text))
        })
        .collect()
}

fn ids(site: &Site) -> anyhow::Result<BTreeSet<String>> {
    let rows = query(site, "SELECT id FROM postbacks")?;
    Ok(rows.lines().map(ToOwned::to_owned).collect())
}

fn count(site: &Site, statement: &str) -> anyhow::Result<u64> {
    Ok(query(site, statement)?.trim().parse()?)
}

/// Asks ClickHouse; tables are those of the demo's database.
fn query(site: &Site, statement: &str) -> anyhow::Result<String> {
    Ok(site
        .clickhouse()
        .in_database(site.database())
        .query(statement)?)
}
