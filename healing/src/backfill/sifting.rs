//! Which of the fetched transactions are sent: each is read by the source's rules, and held against
//! what the tables have under its key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use postback_normalise::{Amount, Conversion, Field, Outcome, SourceRules, normalise};
use postback_store::backfills::{Backfill, Total};
use postback_store::reports::held::Held;
use postback_store::reports::{Money, Reader};
use postback_store::retention::Horizon;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::carried::Carried;
use super::error::BackfillError;
use super::record::Origin;
use super::said::Said;
use super::verdict::{Verdict, is_too_old, judge};
use super::{Finding, Why};

/// With fewer than these, all rejected, nothing is said about the rest.
const FEW: usize = 20;

type Key = (Date, Uuid);

/// Sifts the transactions of one run.
pub(super) struct Sieve {
    pub(super) rules: Arc<SourceRules>,
    pub(super) carried: Carried,
    pub(super) reader: Reader,
    pub(super) origin: Origin,
    /// What was rejected is looked for from then on.
    pub(super) since: Timestamp,
    /// What the tables keep; `None`: all.
    pub(super) horizon: Option<Horizon>,
    /// What was processed until then, inclusive, was counted before the run was interrupted. `None`:
    /// nothing was.
    pub(super) counted_through: Option<Timestamp>,
}

/// One to be sent.
pub(super) struct Sending {
    pub(super) finding: Finding,
    /// The raw record; `None` where this run sent it before.
    pub(super) record: Option<Vec<u8>>,
}

/// One that can be a row.
struct Candidate<'t> {
    json: &'t str,
    row: Box<Conversion<'static>>,
}

/// What a batch has, each transaction once.
#[derive(Default)]
struct Candidates<'t> {
    rows: HashMap<Key, Candidate<'t>>,
    rejected: HashMap<Uuid, (&'t str, &'static str)>,
    superseded: u64,
}

impl Sieve {
    /// What of a batch is sent; all of it is counted in `run`.
    pub(super) async fn sift(
        &self,
        transactions: &[Box<RawValue>],
        run: &mut Backfill,
    ) -> Result<Vec<Sending>, BackfillError> {
        let candidates = self.read(transactions);
        if run.pulled == 0 && transactions.len() >= FEW && candidates.rows.is_empty() {
            let reason = candidates
                .rejected
                .values()
                .next()
                .map_or("", |(_, reason)| reason);
            return Err(BackfillError::Unreadable {
                seen: transactions.len(),
                reason,
            });
        }
        let held = self.held(&candidates).await?;
        let known = self.rejected_before(&candidates).await?;
        let rows = candidates.rows.values();
        let again = rows.filter(|candidate| is_counted(self.counted_through, &candidate.row));
        run.pulled += (transactions.len() - again.count()) as u64;
        run.superseded += candidates.superseded;
        let mut sendings = Vec::new();
        for (key, candidate) in &candidates.rows {
            sendings.extend(self.settle(candidate, held.get(key), run));
        }
        for (id, (json, _)) in &candidates.rejected {
            if known.contains(id) {
                run.matched += 1;
            } else {
                run.rejected += 1;
                sendings.push(self.rejection(json));
            }
        }
        Ok(sendings)
    }

    fn read<'t>(&self, transactions: &'t [Box<RawValue>]) -> Candidates<'t> {
        let mut candidates = Candidates::default();
        for transaction in transactions {
            let json = transaction.get();
            let record = self.origin.record(json);
            match normalise(&record, &self.rules).into_owned() {
                Outcome::Accepted(row) => candidates.take(Candidate { json, row }),
                Outcome::Rejected(why) => {
                    let reason = why
                        .reasons
                        .first()
                        .map_or("", |reason| reason.explanation());
                    let id = self.origin.rejected(json).id;
                    if candidates.rejected.insert(id, (json, reason)).is_some() {
                        candidates.superseded += 1;
                    }
                }
                // One object is not several.
                Outcome::Several(_) => {}
            }
        }
        candidates
    }

    async fn held(&self, candidates: &Candidates<'_>) -> Result<HashMap<Key, Held>, BackfillError> {
        let keys: Vec<Key> = candidates.rows.keys().copied().collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let account = self.rules.account().as_str();
        let held = self.reader.held(account, &keys).await?;
        let keyed = held.into_iter();
        Ok(keyed
            .map(|held| ((held.key_day, held.conversion_key), held))
            .collect())
    }

    async fn rejected_before(
        &self,
        candidates: &Candidates<'_>,
    ) -> Result<Vec<Uuid>, BackfillError> {
        if candidates.rejected.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = candidates.rejected.keys().copied().collect();
        Ok(self.reader.fetched_before(&ids, self.since).await?)
    }

    fn settle(
        &self,
        candidate: &Candidate<'_>,
        held: Option<&Held>,
        run: &mut Backfill,
    ) -> Option<Sending> {
        let row = &candidate.row;
        let verdict = match held {
            None if is_too_old(row, self.horizon) => Verdict::Undecided,
            Some(held) => judge(
                row,
                held,
                &self.carried,
                &Said::new(candidate.json, &self.rules),
            ),
            None => Verdict::Sent(Why::Missing),
        };
        if is_counted(self.counted_through, row) {
            return self.count(candidate, verdict, &mut run.clone());
        }
        self.count(candidate, verdict, run)
    }

    fn count(
        &self,
        candidate: &Candidate<'_>,
        verdict: Verdict,
        run: &mut Backfill,
    ) -> Option<Sending> {
        let row = &candidate.row;
        let (why, is_sent) = match verdict {
            Verdict::Matched => {
                run.matched += 1;
                return None;
            }
            Verdict::Undecided => {
                run.undecided += 1;
                return None;
            }
            // Most of what is sent was missing.
            Verdict::SentBefore => (Why::Missing, true),
            Verdict::Sent(why) => (why, false),
        };
        match why {
            Why::Missing => run.missing += 1,
            Why::Changed => run.changed += 1,
            Why::Newer => run.newer += 1,
            Why::Rejected => run.rejected += 1,
        }
        add(&mut run.totals, why, row);
        Some(Sending {
            finding: finding(why, row),
            record: (!is_sent).then(|| encoded(&self.origin.record(candidate.json))),
        })
    }

    fn rejection(&self, json: &str) -> Sending {
        let said = Said::new(json, &self.rules);
        Sending {
            finding: Finding {
                why: Why::Rejected,
                kind: None,
                transaction_id: said.of_field(Field::TransactionId),
                order_id: said.of_field(Field::OrderId),
                click_id: said.of_field(Field::ClickId),
                occurred_at: None,
                processed_at: None,
                sale_amount: None,
                currency: None,
                commission: None,
                commission_currency: None,
            },
            record: Some(encoded(&self.origin.rejected(json))),
        }
    }
}

/// Cells overlap, and where a run goes on it reads again what stood in the last cell's end.
pub(super) fn is_counted(through: Option<Timestamp>, row: &Conversion<'_>) -> bool {
    through.is_some_and(|through| row.processed_at.is_some_and(|at| at <= through))
}

impl<'t> Candidates<'t> {
    /// Of two contents of one transaction the newer one stays, of equally old ones the one read later.
    fn take(&mut self, candidate: Candidate<'t>) {
        let key = (candidate.row.key_day, candidate.row.conversion_key);
        match self.rows.entry(key) {
            Entry::Vacant(place) => {
                place.insert(candidate);
            }
            Entry::Occupied(mut place) => {
                self.superseded += 1;
                if candidate.row.processed_at >= place.get().row.processed_at {
                    place.insert(candidate);
                }
            }
        }
    }
}

fn encoded(record: &postback_common::record::RawRecord<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode_into(&mut bytes);
    bytes
}

fn finding(why: Why, row: &Conversion<'_>) -> Finding {
    Finding {
        why,
        kind: Some(row.kind),
        transaction_id: row.transaction_id.to_string(),
        order_id: row.order_id.to_string(),
        click_id: row.click_id.to_string(),
        occurred_at: row.occurred_at,
        processed_at: row.processed_at,
        sale_amount: row.sale_amount,
        currency: row.currency,
        commission: row.commission,
        commission_currency: row.commission_currency,
    }
}

/// Adds a transaction's money to the sums of its currencies; what is of an unknown one is counted alone.
fn add(totals: &mut Vec<Total>, why: Why, row: &Conversion<'_>) {
    let code = |currency: Option<postback_normalise::Currency>| {
        currency.map_or("", postback_normalise::Currency::as_str)
    };
    let money = |amount: Option<Amount>, currency: Option<postback_normalise::Currency>| {
        let known = amount.filter(|_| currency.is_some());
        Money(known.map_or(0, |amount| i128::from(amount.units())))
    };
    let sale = total(totals, why, row, code(row.currency));
    sale.transactions += 1;
    sale.sale_amount = sale.sale_amount + money(row.sale_amount, row.currency);
    let commission = total(totals, why, row, code(row.commission_currency));
    commission.commission = commission.commission + money(row.commission, row.commission_currency);
}

fn total<'t>(
    totals: &'t mut Vec<Total>,
    why: Why,
    row: &Conversion<'_>,
    currency: &str,
) -> &'t mut Total {
    let (why, kind) = (why.as_str(), row.kind.as_str());
    let is_it = |one: &Total| one.why == why && one.kind == kind && one.currency == currency;
    let place = totals.iter().position(is_it).unwrap_or_else(|| {
        totals.push(Total {
            why: why.to_owned(),
            kind: kind.to_owned(),
            currency: currency.to_owned(),
            transactions: 0,
            sale_amount: Money(0),
            commission: Money(0),
        });
        totals.len() - 1
    });
    &mut totals[place]
}
