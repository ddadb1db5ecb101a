//! The views, and which generation they read.

use clickhouse::Client;

use super::active;
use crate::connection::run;
use crate::error::StoreError;
use crate::tables::{CONVERSIONS, Generation, ORDERS, STATEMENTS, VIEWS};

/// Each table and view with its columns, and what is said of them.
const COLUMNS: &str = "(SELECT table, groupArray((name, comment)) AS names FROM \
    (SELECT table, name, comment FROM system.columns WHERE database = currentDatabase() ORDER BY table, position) \
    GROUP BY table)";

/// Of a row of `system.tables`: the number of the generation that a view reads; 0 for what reads none.
pub(crate) const READS: &str =
    "toUInt32OrZero(extract(as_select, '(?:postbacks|conversions)_g([0-9]+)`? FINAL'))";

/// Lets the views read the tables of `generation`; leaves alone a view that does so already, as it is
/// defined by now, and has all of its columns with their comments.
///
/// # Errors
/// As the server answers.
pub async fn point_views_at(
    client: &Client,
    generation: Generation,
) -> Result<Vec<&'static str>, StoreError> {
    let attempt = format!("let the views read generation {generation}");
    // Orders and statements are rows of the table of conversions.
    let sql = format!(
        "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND name IN ( \
         SELECT seen.table FROM {COLUMNS} AS seen JOIN {COLUMNS} AS read ON concat( \
         if(seen.table IN ('{ORDERS}', '{STATEMENTS}'), '{CONVERSIONS}', seen.table), '_g{generation}') = read.table \
         WHERE seen.names = read.names)"
    );
    let whole: Vec<(String, String)> = run(&attempt, client.query_raw(&sql).fetch_all()).await?;
    let mut changed = Vec::new();
    for (name, view) in VIEWS {
        let comment = view.comment(generation);
        if !whole
            .iter()
            .any(|(own, told)| own == name && *told == comment)
        {
            run(&attempt, client.query_raw(&view.of(generation)).execute()).await?;
            changed.push(name);
        }
    }
    Ok(changed)
}

/// Lets the views read the active generation, which was `known` when the caller asked. Readers may
/// have been switched since: it looks again afterwards, until views and record agree. Returns the
/// active one, and the views that were changed.
///
/// # Errors
/// As the server answers.
pub async fn settle_views(
    client: &Client,
    known: Generation,
) -> Result<(Generation, Vec<&'static str>), StoreError> {
    let (mut settled, mut changed) = (known, Vec::new());
    loop {
        for view in point_views_at(client, settled).await? {
            if !changed.contains(&view) {
                changed.push(view);
            }
        }
        let now = active(client).await?;
        if now == settled {
            return Ok((settled, changed));
        }
        settled = now;
    }
}

/// Before the tables of a generation that readers do not see are dropped: a view that was left on
/// them would fail from then on.
pub(super) async fn leave(client: &Client, generation: Generation) -> Result<(), StoreError> {
    let names = VIEWS.map(|(name, _)| name).join("', '");
    let sql = format!(
        "SELECT count() FROM system.tables \
         WHERE database = currentDatabase() AND name IN ('{names}') AND {READS} = {generation}"
    );
    let attempt = format!("see which views read generation {generation}");
    if run(&attempt, client.query_raw(&sql).fetch_one::<u64>()).await? > 0 {
        settle_views(client, active(client).await?).await?;
    }
    Ok(())
}
