//! What the tables hold, asked with plain SQL.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::Deserialize;

use super::site::Site;

/// Counts and sums of everything that was loaded.
pub(super) struct Tables {
    /// Postbacks with a row among the conversions.
    pub(super) accepted: u64,
    /// Postbacks without.
    pub(super) rejected: u64,
    /// Rejected postbacks by reason; one may have several.
    pub(super) rejections: Vec<(String, u64)>,
    /// Conversions, each once.
    pub(super) conversions: u64,
    /// Net sales and net commission of transactions by currency, as text.
    pub(super) money: BTreeMap<String, String>,
}

impl Tables {
    /// Reads them; they must not change meanwhile.
    pub(super) fn read(site: &Site) -> anyhow::Result<Self> {
        Ok(Self {
            accepted: count(
                site,
                "SELECT count() FROM postbacks WHERE outcome = 'accepted'",
            )?,
            rejected: count(
                site,
                "SELECT count() FROM postbacks WHERE outcome = 'rejected'",
            )?,
            rejections: rejections(site)?,
            conversions: count(site, "SELECT count() FROM conversions")?,
            money: money(site)?,
        })
    }
}

/// How money of one currency is written, by the tables and by the ledger alike.
pub(super) fn money_text(
    sales: impl std::fmt::Display,
    commission: impl std::fmt::Display,
) -> String {
    format!("{sales} net sales and {commission} net commission")
}

/// How many postbacks there are.
pub(super) fn postbacks(site: &Site) -> anyhow::Result<u64> {
    count(site, "SELECT count() FROM postbacks")
}

/// The ids of all postbacks.
pub(super) fn ids(site: &Site) -> anyhow::Result<BTreeSet<String>> {
    let rows = query(site, "SELECT id FROM postbacks")?;
    Ok(rows.lines().map(ToOwned::to_owned).collect())
}

/// The queries of these postbacks, as they were sent.
pub(super) fn queries(site: &Site, ids: &BTreeSet<&str>) -> anyhow::Result<Vec<String>> {
    /// One row of the answer.
    #[derive(Deserialize)]
    struct Row {
        query: String,
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let rows = query(
        site,
        &format!(
            "SELECT JSONExtractString(raw, 'query', 'utf8') AS query FROM postbacks \
             WHERE id IN ({}) FORMAT JSONEachRow",
            list.join(",")
        ),
    )?;
    rows.lines()
        .map(|row| Ok(serde_json::from_str::<Row>(row)?.query))
        .collect()
}

fn rejections(site: &Site) -> anyhow::Result<Vec<(String, u64)>> {
    let rows = query(
        site,
        "SELECT reason, count() FROM postbacks ARRAY JOIN reasons AS reason \
         WHERE outcome = 'rejected' GROUP BY reason ORDER BY reason",
    )?;
    let row = |row: &str| {
        let (reason, number) = row.split_once('\t').context("a row without a tab")?;
        Ok((reason.to_owned(), number.parse()?))
    };
    rows.lines().map(row).collect()
}

fn money(site: &Site) -> anyhow::Result<BTreeMap<String, String>> {
    let rows = query(
        site,
        "SELECT currency, ifNull(sum(sale_amount), 0), ifNull(sum(commission), 0) \
         FROM conversions WHERE kind = 'transaction' GROUP BY currency ORDER BY currency",
    )?;
    let row = |row: &str| {
        let mut fields = row.split('\t');
        let mut next = || fields.next().context("a row with too few columns");
        let (currency, sales, commission) = (next()?, next()?, next()?);
        Ok((currency.to_owned(), money_text(sales, commission)))
    };
    rows.lines().map(row).collect()
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
