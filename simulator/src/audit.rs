//! A ledger held against what a receiver's tables have: count by count, sum by sum.
//!
//! What must be there is what was acknowledged. A postback without an answer, or with one of 5xx,
//! may be there: nobody may count on it, and where it is, it must be right.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::BufRead;

use jiff::Timestamp;

use crate::amount::Amount;
use crate::contract::Fate;
use crate::event::Kind;
use crate::facts::Facts;
use crate::ledger::line::{self, End, Line, Run, VERSION};
use crate::ledger::{Counts, Entry, LedgerError};

/// What of a ledger is compared, in memory.
#[derive(Debug, Default)]
pub struct Audit {
    run: Option<Run>,
    end: Option<End>,
    counts: Counts,
    sent: Option<(Timestamp, Timestamp)>,
    acknowledged: Vec<Told>,
    /// Without an answer that says what became of it, by its query to the byte.
    open: HashMap<Vec<u8>, Vec<Told>>,
}

/// One postback.
#[derive(Clone, Debug)]
struct Told {
    /// The receiver's id.
    id: Option<u128>,
    is_loaded: bool,
    /// What makes it one conversion with others.
    conversion: Option<Box<str>>,
    /// Of two of one conversion the later counts: processed, then sent.
    order: (Option<Timestamp>, Timestamp),
    group: Group,
    sale: Amount,
    commission: Amount,
    has_click: bool,
}

/// What is summed together.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// ISO 4217 code.
    pub currency: String,
    /// `transaction`, `signal` or `unknown`.
    pub kind: String,
    /// `reported`, or `reversed` where an amount is negative.
    pub status: String,
}

/// A postback in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The receiver's id.
    pub id: u128,
    /// Whether it became a conversion.
    pub is_accepted: bool,
}

/// A conversion in the tables, in the revision that counts there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The postback that it was made of.
    pub id: u128,
    /// What it is summed with.
    pub group: Group,
    /// What was paid; `None` where it is missing.
    pub sale: Option<Amount>,
    /// What the publisher earns; `None` where it is missing.
    pub commission: Option<Amount>,
    /// Whether it is attributed.
    pub has_click: bool,
}

/// A count or a sum, on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What is counted or summed.
    pub what: &'static str,
    /// Of which conversions; `None`: of all postbacks.
    pub group: Option<Group>,
    /// By the ledger.
    pub ledger: Figure,
    /// In the tables.
    pub tables: Figure,
}

/// A count or a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// How many.
    Count(u64),
    /// How much, in the group's currency.
    Sum(Amount),
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Every count and every sum.
    pub compared: Vec<Compared>,
    /// Acknowledged, and not in the tables: some of them.
    pub missing: Vec<u128>,
    /// Not acknowledged, and in the tables all the same: rightly compared with the others.
    pub arrived: u64,
    /// In the tables, of the same source and time, and not of this ledger.
    pub strangers: u64,
}

impl Compared {
    /// Whether both sides say the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.ledger == self.tables
    }
}

/// Most missing ids that are named.
const NAMED: usize = 20;

impl Audit {
    /// Reads a ledger.
    ///
    /// # Errors
    /// When it cannot be read, or is of another version.
    pub fn read(source: impl BufRead) -> Result<Self, LedgerError> {
        let mut audit = Audit::default();
        for line in line::read(source) {
            match line? {
                Line::Run(run) if run.version != VERSION => {
                    return Err(LedgerError::Version { found: run.version });
                }
                Line::Run(run) => audit.run = Some(run),
                Line::Postback { entry, .. } => audit.add(&entry),
                Line::Endpoint(_) => {}
                Line::End(end) => audit.end = Some(end),
            }
        }
        Ok(audit)
    }

    fn add(&mut self, entry: &Entry) {
        self.counts.add(entry);
        let Some(attempt) = &entry.attempt else {
            return;
        };
        let at = attempt.sent_at;
        let (first, last) = self.sent.unwrap_or((at, at));
        self.sent = Some((first.min(at), last.max(at)));
        if entry.is_acknowledged() {
            self.acknowledged.push(Told::of(entry, at));
        } else if entry.is_open() {
            let query = entry.planned.query_bytes();
            let told = Told::of(entry, at);
            self.open.entry(query).or_default().push(told);
        }
    }

    /// How the network was told to behave; `None` in a file without a beginning.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// `None` in a file that was cut off, or is still being written.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// What became of the postbacks.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// When the first and the last attempt began; `None` without any.
    #[must_use]
    pub fn sent(&self) -> Option<(Timestamp, Timestamp)> {
        self.sent
    }

    /// Those of `received` that were not acknowledged to this network. Their queries tell whether
    /// they are its own all the same; none where every attempt had a clear answer.
    #[must_use]
    pub fn to_be_recognised(&self, received: &[Received]) -> Vec<u128> {
        if self.open.is_empty() {
            return Vec::new();
        }
        let known = self.ids();
        let ids = received.iter().map(|row| row.id);
        ids.filter(|id| !known.contains(id)).collect()
    }

    fn ids(&self) -> HashSet<u128> {
        self.acknowledged
            .iter()
            .filter_map(|told| told.id)
            .collect()
    }

    /// Compares. `queries` are those of [`Audit::to_be_recognised`].
    #[must_use]
    pub fn compare(
        &self,
        received: &[Received],
        conversions: &[Counted],
        queries: &[(u128, Vec<u8>)],
    ) -> Comparison {
        let arrived = self.arrived(queries);
        let ours: Vec<&Told> = self.acknowledged.iter().chain(&arrived).collect();
        let ids: HashSet<u128> = ours.iter().filter_map(|told| told.id).collect();
        let (rows, strangers): (Vec<&Received>, Vec<&Received>) =
            received.iter().partition(|row| ids.contains(&row.id));
        let there: HashSet<u128> = rows.iter().map(|row| row.id).collect();
        let loaded = ours.iter().filter(|told| told.is_loaded).count() as u64;
        let accepted = rows.iter().filter(|row| row.is_accepted).count() as u64;
        let count = |what, ledger, tables| Compared {
            what,
            group: None,
            ledger: Figure::Count(ledger),
            tables: Figure::Count(tables),
        };
        let (all, found) = (ours.len() as u64, rows.len() as u64);
        let mut compared = vec![
            count("postbacks", all, found),
            count("ids", all, ids.len() as u64),
            count("accepted", loaded, accepted),
            count("rejected", all - loaded, found - accepted),
        ];
        let expected = sums(winners(&ours).into_iter().map(Summand::of));
        let actual = conversions.iter().filter(|row| ids.contains(&row.id));
        compared.extend(by_group(&expected, &sums(actual.map(Summand::in_tables))));
        let missing = ids.iter().filter(|id| !there.contains(id)).copied();
        Comparison {
            compared,
            missing: missing.take(NAMED).collect(),
            arrived: arrived.len() as u64,
            strangers: strangers.len() as u64,
        }
    }

    /// Those without a clear answer that are there all the same, each under its id.
    fn arrived(&self, queries: &[(u128, Vec<u8>)]) -> Vec<Told> {
        let mut taken: HashMap<&[u8], usize> = HashMap::new();
        let mut arrived = Vec::new();
        for (id, query) in queries {
            let place = taken.entry(query).or_default();
            if let Some(told) = self.open.get(query).and_then(|all| all.get(*place)) {
                *place += 1;
                arrived.push(Told {
                    id: Some(*id),
                    ..told.clone()
                });
            }
        }
        arrived
    }
}

impl Told {
    fn of(entry: &Entry, sent_at: Timestamp) -> Self {
        let planned = &entry.planned;
        let facts = planned.facts.as_ref();
        let amount = |amount: Option<Amount>| amount.unwrap_or_default();
        Told {
            id: entry.postback_id().and_then(id),
            is_loaded: matches!(planned.fate, Fate::Loaded { .. }),
            conversion: planned.conversion.as_deref().map(Into::into),
            order: (facts.and_then(|facts| facts.processed_at), sent_at),
            group: facts.map(Group::of).unwrap_or_default(),
            sale: amount(facts.and_then(|facts| facts.sale_amount)),
            commission: amount(facts.and_then(|facts| facts.commission)),
            has_click: facts.is_some_and(|facts| facts.click_id.is_some()),
        }
    }
}

impl Group {
    fn of(facts: &Facts) -> Self {
        let kind = match facts.kind {
            Kind::Transaction => "transaction",
            Kind::Signal => "signal",
            Kind::Unknown => "unknown",
        };
        let status = if facts.is_negative() {
            "reversed"
        } else {
            "reported"
        };
        Group {
            currency: facts.currency.clone(),
            kind: kind.to_owned(),
            status: status.to_owned(),
        }
    }
}

/// A UUID's bits.
fn id(text: &str) -> Option<u128> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).ok()
}

/// Each conversion once, as it was told last.
fn winners<'a>(told: &[&'a Told]) -> Vec<&'a Told> {
    let mut counting: HashMap<&str, &Told> = HashMap::new();
    let mut alone = Vec::new();
    for told in told.iter().copied().filter(|told| told.is_loaded) {
        let Some(key) = &told.conversion else {
            alone.push(told);
            continue;
        };
        let counts = counting.entry(key).or_insert(told);
        if told.order >= counts.order {
            *counts = told;
        }
    }
    alone.extend(counting.into_values());
    alone
}

/// What one conversion adds to its group.
struct Summand<'a> {
    group: &'a Group,
    sale: Amount,
    commission: Amount,
    has_click: bool,
}

impl<'a> Summand<'a> {
    fn of(told: &'a Told) -> Self {
        Summand {
            group: &told.group,
            sale: told.sale,
            commission: told.commission,
            has_click: told.has_click,
        }
    }

    fn in_tables(row: &'a Counted) -> Self {
        Summand {
            group: &row.group,
            sale: row.sale.unwrap_or_default(),
            commission: row.commission.unwrap_or_default(),
            has_click: row.has_click,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Sums {
    conversions: u64,
    sale: Amount,
    commission: Amount,
    without_click: u64,
}

fn sums<'a>(all: impl Iterator<Item = Summand<'a>>) -> BTreeMap<&'a Group, Sums> {
    let mut groups: BTreeMap<&Group, Sums> = BTreeMap::new();
    for summand in all {
        let sums = groups.entry(summand.group).or_default();
        sums.conversions += 1;
        sums.sale += summand.sale;
        sums.commission += summand.commission;
        sums.without_click += u64::from(!summand.has_click);
    }
    groups
}

fn by_group(expected: &BTreeMap<&Group, Sums>, actual: &BTreeMap<&Group, Sums>) -> Vec<Compared> {
    let mut groups: Vec<&Group> = expected.keys().chain(actual.keys()).copied().collect();
    groups.sort();
    groups.dedup();
    let compare = |group: &Group| {
        let of = |side: &BTreeMap<&Group, Sums>| side.get(group).copied().unwrap_or_default();
        let (ledger, tables) = (of(expected), of(actual));
        let row = |what, figure: fn(&Sums) -> Figure| Compared {
            what,
            group: Some(group.clone()),
            ledger: figure(&ledger),
            tables: figure(&tables),
        };
        [
            row("conversions", |sums| Figure::Count(sums.conversions)),
            row("sale_amount", |sums| Figure::Sum(sums.sale)),
            row("commission", |sums| Figure::Sum(sums.commission)),
            row("without_click", |sums| Figure::Count(sums.without_click)),
        ]
    };
    groups.into_iter().flat_map(compare).collect()
}

#[cfg(test)]
mod tests;
