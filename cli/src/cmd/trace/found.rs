//! What belongs to a value, and its form for programs.

use std::collections::BTreeSet;

use postback_normalise::Configured;
use postback_store::StoreError;
use postback_store::reports::trace::{Conversion, Field, MOST_CONVERSIONS, Postback};
use postback_store::reports::{Money, Reader};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::output::{Cell, Sheet, money, number, printable, text};
use crate::record::{Record, kept};

/// Everything that belongs to a value.
pub(super) struct Found {
    /// In the revision that counts.
    pub(super) conversions: Vec<Conversion>,
    /// All of theirs, in the order received; or the one rejected postback.
    pub(super) postbacks: Vec<Postback>,
    /// Other conversions of the same orders.
    pub(super) same_orders: Vec<Conversion>,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.conversions.is_empty() && self.postbacks.is_empty()
    }

    /// The conversions that a postback became: mostly one.
    pub(super) fn conversions_of(&self, postback: &Postback) -> Vec<&Conversion> {
        let found = self.conversions.iter();
        found.filter(|found| postback.became(found)).collect()
    }

    /// The postbacks of a conversion.
    pub(super) fn postbacks_of(&self, conversion: &Conversion) -> Vec<&Postback> {
        let found = self.postbacks.iter();
        found.filter(|found| found.became(conversion)).collect()
    }
}

/// Looks for a postback of that id and for conversions with that value, and for all that belongs to
/// them.
pub(super) async fn search(
    reader: &Reader,
    id: Option<Uuid>,
    fields: &[Field],
    value: &str,
) -> Result<Found, StoreError> {
    let mut conversions = Vec::new();
    let mut lone = None;
    if let Some(id) = id
        && let Some(postback) = reader.postback(id).await?
    {
        conversions.extend(reader.conversions_of(&postback).await?);
        lone = Some(postback);
    }
    let found = by_fields(reader, fields, value).await?;
    let is_new = |found: &Conversion| conversions.iter().all(|known| known.key() != found.key());
    let new: Vec<_> = found.conversions.into_iter().filter(is_new).collect();
    conversions.extend(new);
    // An order that was looked for by its number is here as a whole.
    let is_whole = |conversion: &&Conversion| found.has_whole_order && conversion.order_id == value;
    let of_parts: Vec<_> = conversions.iter().filter(|one| !is_whole(one)).collect();
    let (mut postbacks, same_orders) = tokio::try_join!(
        reader.postbacks_of(&conversions),
        reader.same_orders(&of_parts)
    )?;
    // A rejected one; or one whose conversion is not loaded yet.
    postbacks.extend(lone.filter(|lone| postbacks.iter().all(|known| known.id != lone.id)));
    let known: BTreeSet<_> = conversions.iter().map(Conversion::key).collect();
    let same_orders = same_orders
        .into_iter()
        .filter(|found| !known.contains(&found.key()));
    let same_orders = same_orders.collect();
    Ok(Found {
        conversions,
        postbacks,
        same_orders,
    })
}

/// What one value brought.
struct ByFields {
    conversions: Vec<Conversion>,
    /// Every conversion of the order of that number is among them.
    has_whole_order: bool,
}

/// Conversions with that value in one of the fields. Orders and clicks have indexes, each of its own;
/// transactions, for which all rows must be looked at, are asked for where nothing else is found.
async fn by_fields(reader: &Reader, fields: &[Field], value: &str) -> Result<ByFields, StoreError> {
    let by = async |field: Field| {
        if fields.contains(&field) {
            reader.conversions_by(field, value).await
        } else {
            Ok(Vec::new())
        }
    };
    let (mut found, clicks) = tokio::try_join!(by(Field::Order), by(Field::Click))?;
    let has_whole_order = fields.contains(&Field::Order) && found.len() < MOST_CONVERSIONS;
    for click in clicks {
        if found.iter().all(|known| known.key() != click.key()) {
            found.push(click);
        }
    }
    found.sort_by_key(|found| (found.occurred_at, found.received_at, found.conversion_key));
    if found.is_empty() {
        found = by(Field::Transaction).await?;
    }
    Ok(ByFields {
        conversions: found,
        has_whole_order,
    })
}

/// One row per postback, with the conversion that it became; one for each where there are several.
pub(super) fn sheet(found: &Found, configured: &Configured) -> Sheet {
    let mut sheet = Sheet::new(&[
        text("postback_id", "Postback"),
        text("received_at", "Received"),
        text("source", "Source"),
        text("key", "Key"),
        text("method", "Method"),
        text("via", "Via"),
        text("remote", "Remote"),
        text("kafka_topic", "Topic"),
        number("kafka_partition", "Partition"),
        number("kafka_offset", "Offset"),
        text("outcome", "Outcome"),
        text("reasons", "Reasons"),
        text("flags", "Flags"),
        text("detail", "Detail"),
        text("counts", "Counts"),
        text("query", "Query"),
        text("content_type", "Content type"),
        text("body", "Body"),
        text("conversion", "Conversion"),
    ]);
    sheet.rows = found
        .postbacks
        .iter()
        .flat_map(|postback| {
            let conversions = found.conversions_of(postback);
            let each = |conversion| row(postback, conversion, configured);
            if conversions.is_empty() {
                vec![each(None)]
            } else {
                conversions.into_iter().map(Some).map(each).collect()
            }
        })
        .collect();
    let others = found.same_orders.iter();
    let others: Vec<Value> = others.map(|other| as_json(other, configured)).collect();
    sheet.fact("same_orders", others);
    sheet
}

fn row(postback: &Postback, conversion: Option<&Conversion>, configured: &Configured) -> Vec<Cell> {
    let record = Record::of(
        &postback.raw,
        &postback.source,
        &postback.network,
        configured,
    );
    let optional = |text: Option<String>| text.map_or(Cell::Missing, Cell::Text);
    vec![
        Cell::text(&postback.id),
        Cell::text(&postback.received_at),
        Cell::text(&postback.source),
        optional(record.key),
        optional(record.method),
        Cell::text(&postback.via),
        Cell::text(&postback.remote),
        Cell::text(&postback.kafka_topic),
        Cell::Count(postback.kafka_partition.into()),
        Cell::Count(postback.kafka_offset),
        Cell::text(&postback.outcome),
        Cell::List(postback.reasons.clone()),
        Cell::List(postback.flags.clone()),
        if postback.detail.is_empty() {
            Cell::Missing
        } else {
            Cell::Text(printable(&postback.detail))
        },
        Cell::Flag(conversion.is_some_and(|counts| counts.postback_id == postback.id)),
        optional(record.query),
        optional(record.content_type),
        optional(record.body),
        conversion.map_or(Cell::Missing, |conversion| {
            Cell::Nested(as_json(conversion, configured))
        }),
    ]
}

fn as_json(conversion: &Conversion, configured: &Configured) -> Value {
    let amount = |amount: Option<Money>| amount.map(|amount| money(amount.0));
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
    let Conversion {
        source,
        network,
        sub_ids,
        extra,
        ..
    } = conversion;
    let sub_ids: serde_json::Map<_, _> = sub_ids
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let extra: serde_json::Map<_, _> = kept(extra, source, network, configured)
        .into_iter()
        .map(|(name, values)| (name.to_owned(), json!(values)))
        .collect();
    json!({
        "account": conversion.account,
        "conversion_key": conversion.conversion_key.to_string(),
        "key_day": conversion.key_day.to_string(),
        "postback_id": conversion.postback_id.to_string(),
        "kind": conversion.kind,
        "status": conversion.status,
        "transaction_id": conversion.transaction_id,
        "order_id": conversion.order_id,
        "click_id": conversion.click_id,
        "sub_ids": sub_ids,
        "advertiser_id": conversion.advertiser_id,
        "publisher_id": conversion.publisher_id,
        "offer_id": conversion.offer_id,
        "sku": conversion.sku,
        "product_name": conversion.product_name,
        "quantity": amount(conversion.quantity),
        "sale_amount": amount(conversion.sale_amount),
        "currency": conversion.currency,
        "commission": amount(conversion.commission),
        "commission_currency": conversion.commission_currency,
        "occurred_at": time(conversion.occurred_at),
        "processed_at": time(conversion.processed_at),
        "received_at": conversion.received_at.to_string(),
        "flags": conversion.flags,
        "extra": extra,
    })
}
