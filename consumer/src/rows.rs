//! Rows of both tables, borrowed from judged records.

use postback_common::reason::{PostbackFlag, Rejection};
use postback_normalise::{Amount, Conversion, Currency};
use postback_store::insert::{Conversions, Postbacks};
use postback_store::rows::{
    ConversionRow, Decimal4, Outcome, PostbackRow, postback_version, refused_version,
};

use crate::judge::{Judged, Origin, Verdict};
use crate::load::{Objection, Objections, Run};
use crate::progress::Partition;

/// All records of some runs, in order.
pub(crate) fn records<'a>(
    runs: &'a [Run<'a>],
) -> impl Iterator<Item = (Partition, &'a Judged<'static>)> + Clone {
    let of_run = |run: &'a Run<'a>| run.records.iter().map(|record| (run.partition, record));
    runs.iter().flat_map(of_run)
}

/// The rows of `conversions`.
pub(crate) fn conversions(runs: &[Run<'_>]) -> Conversions {
    records(runs)
        .flat_map(|(_, record)| of_conversions(record))
        .collect()
}

/// The rows of `postbacks`, and what ClickHouse said against single ones.
pub(crate) fn postbacks(topic: &str, runs: &[Run<'_>], objections: &Objections) -> Postbacks {
    let mut rows = Postbacks::default();
    for (partition, record) in records(runs) {
        let row = postback(topic, partition, record);
        match objections.to(record.id) {
            None => rows.push(&row),
            Some(objection) => rows.push(&objected(row, objection)),
        }
    }
    rows
}

/// The row of `postbacks`: every record has one.
pub(crate) fn postback<'a>(
    topic: &'a str,
    partition: Partition,
    record: &'a Judged<'_>,
) -> PostbackRow<'a> {
    // Kafka numbers both from 0.
    let kafka_partition = partition.unsigned_abs();
    let kafka_offset = record.offset.unsigned_abs();
    let (source, network, account) = match &record.origin {
        Origin::Source(rules) => (
            rules.source().as_str(),
            rules.profile().network.as_str(),
            rules.account().as_str(),
        ),
        Origin::Unknown(source) => (&**source, "", ""),
        Origin::Nowhere => ("", "", ""),
    };
    let (outcome, reasons, conversion_key, key_day) = match &record.verdict {
        Verdict::Accepted(conversion) => (
            Outcome::Accepted,
            Vec::new(),
            Some(conversion.conversion_key),
            Some(conversion.key_day),
        ),
        Verdict::Several { reasons, .. } => (
            Outcome::Accepted,
            reasons.iter().map(|reason| reason.as_str()).collect(),
            None,
            None,
        ),
        Verdict::Rejected {
            reasons,
            conversion_key,
            key_day,
        } => (
            Outcome::Rejected,
            reasons.iter().map(|reason| reason.as_str()).collect(),
            *conversion_key,
            *key_day,
        ),
    };
    PostbackRow {
        id: record.id,
        received_at: record.received_at,
        source,
        network,
        account,
        via: record.via,
        outcome,
        reasons,
        raw: &record.raw,
        remote: &record.remote,
        kafka_topic: topic,
        kafka_partition,
        kafka_offset,
        conversion_key,
        key_day,
        version: postback_version(kafka_partition, kafka_offset),
        flags: Vec::new(),
        detail: "",
    }
}

/// The row of a record that ClickHouse has refused a row of.
fn objected<'a>(row: PostbackRow<'a>, objection: &'a Objection) -> PostbackRow<'a> {
    let mut row = PostbackRow {
        detail: &objection.detail,
        ..row
    };
    if objection.is_rejected {
        row.outcome = Outcome::Rejected;
        row.reasons = vec![Rejection::RefusedByServer.as_str()];
        row.version = refused_version(row.kafka_partition, row.kafka_offset);
    }
    if let Some(hash) = &objection.raw_hash {
        row.raw = hash;
        row.flags = vec![PostbackFlag::RawReplaced.as_str()];
    }
    row
}

/// The rows of `conversions`: only an accepted record has any.
pub(crate) fn of_conversions<'a>(
    record: &'a Judged<'_>,
) -> impl Iterator<Item = ConversionRow<'a>> {
    record.conversions().iter().map(row)
}

fn row<'a>(c: &'a Conversion<'_>) -> ConversionRow<'a> {
    ConversionRow {
        source: c.source.as_str(),
        network: c.network.as_str(),
        account: c.account.as_str(),
        conversion_key: c.conversion_key,
        key_day: c.key_day,
        postback_id: c.postback_id,
        kind: c.kind.as_str(),
        status: c.status.as_str(),
        transaction_id: &c.transaction_id,
        order_id: &c.order_id,
        click_id: &c.click_id,
        sub_ids: c
            .sub_ids
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect(),
        advertiser_id: &c.advertiser_id,
        publisher_id: &c.publisher_id,
        offer_id: &c.offer_id,
        sku: &c.sku,
        product_name: &c.product_name,
        quantity: c.quantity.map(decimal),
        sale_amount: c.sale_amount.map(decimal),
        commission: c.commission.map(decimal),
        currency: code(c.currency),
        commission_currency: code(c.commission_currency),
        occurred_at: c.occurred_at,
        processed_at: c.processed_at,
        received_at: c.received_at,
        flags: c.flags.iter().map(|flag| flag.as_str()).collect(),
        extra: c
            .extra
            .iter()
            .map(|(name, values)| (&**name, &**values))
            .collect(),
        revision: c.revision,
    }
}

fn decimal(amount: Amount) -> Decimal4 {
    Decimal4(amount.units())
}

fn code(currency: Option<Currency>) -> &'static str {
    currency.map_or("", Currency::as_str)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::judge::tests::{RECORD, judge, message, rules};

    #[test]
    fn an_accepted_record_is_a_row_of_each_table() {
        let record = judge(message(RECORD.as_bytes()), &rules()).unwrap();
        let (postback, conversion) = (
            postback("t", 3, &record),
            of_conversions(&record).next().unwrap(),
        );
        assert_eq!(
            (
                postback.source,
                postback.network,
                postback.account,
                postback.via
            ),
            ("rakuten-us", "rakuten", "main", "http")
        );
        assert_eq!(
            (postback.outcome, &postback.reasons[..]),
            (Outcome::Accepted, &[][..])
        );
        assert_eq!(
            (
                postback.kafka_topic,
                postback.kafka_partition,
                postback.kafka_offset
            ),
            ("t", 3, 42)
        );
        assert_eq!((postback.raw, postback.remote), (RECORD, "203.0.113.7"));
        assert_eq!(postback.key_day, Some(date(2026, 8, 31)));
        assert_eq!(postback.conversion_key, Some(conversion.conversion_key));
        assert_eq!(postback.version, postback_version(3, 42));

        assert_eq!(conversion.postback_id, postback.id);
        assert_eq!(conversion.received_at, postback.received_at);
        assert_eq!(
            (conversion.kind, conversion.status),
            ("transaction", "reversed")
        );
        assert_eq!(
            conversion.transaction_id,
            "0123456789abcdef0123456789abcdef"
        );
        assert_eq!((conversion.click_id, conversion.order_id), ("click", ""));
        assert_eq!(conversion.sale_amount, Some(Decimal4(-1_800_000)));
        assert_eq!(
            (conversion.commission, conversion.quantity),
            (Some(Decimal4(54_000)), None)
        );
        assert_eq!(
            (conversion.currency, conversion.commission_currency),
            ("USD", "USD")
        );
        assert_eq!(
            conversion.occurred_at,
            Some("2026-08-31T10:00:00Z".parse().unwrap())
        );
        assert_eq!(conversion.processed_at, None);
        assert_eq!(conversion.extra, [("cid", &["7".into()][..])]);
        assert_eq!(conversion.sub_ids, []);
    }

    #[test]
    fn a_rejected_record_is_a_row_of_postbacks_alone() {
        let undated = RECORD.replace("transaction_date", "other");
        let record = judge(message(undated.as_bytes()), &rules()).unwrap();
        assert_eq!(of_conversions(&record).count(), 0);
        let row = postback("t", 3, &record);
        assert_eq!(
            (row.outcome, &row.reasons[..]),
            (Outcome::Rejected, &["unreadable_key_date"][..])
        );
        assert_eq!(
            (row.source, row.account, row.key_day),
            ("rakuten-us", "main", None)
        );
        assert!(row.conversion_key.is_some(), "its key can be read");
    }

    #[test]
    fn rows_come_in_the_order_of_parts_and_records() {
        let judged = |offset, bytes: &'static str| Judged {
            offset,
            ..judge(message(bytes.as_bytes()), &rules()).unwrap()
        };
        let (zero, nine) = ([judged(5, "x"), judged(6, RECORD)], [judged(1, RECORD)]);
        let runs = [(0, &zero[..]), (4, &[]), (9, &nine)];
        let runs = runs.map(|(partition, records)| Run { partition, records });
        let places: Vec<_> = records(&runs)
            .map(|(partition, record)| (partition, record.offset))
            .collect();
        assert_eq!(places, [(0, 5), (0, 6), (9, 1)]);
        let mut postbacks = postbacks("t", &runs, &Objections::default());
        assert_eq!(postbacks.raws().collect::<Vec<_>>(), ["x", RECORD, RECORD]);
        assert_eq!(conversions(&runs).rows(), 2);
    }

    #[test]
    fn a_row_that_was_refused_says_why() {
        let record = judge(message(RECORD.as_bytes()), &rules()).unwrap();
        let row = postback("t", 3, &record);
        let mut objection = Objection {
            detail: "too odd".to_owned(),
            is_rejected: true,
            raw_hash: None,
        };
        let rejected = objected(row.clone(), &objection);
        assert_eq!(
            (rejected.outcome, &rejected.reasons[..], rejected.detail),
            (Outcome::Rejected, &["refused_by_server"][..], "too odd")
        );
        assert!(rejected.version < 1 << 96 && rejected.flags.is_empty());
        assert_eq!((rejected.raw, rejected.key_day), (row.raw, row.key_day));

        objection.is_rejected = false;
        objection.raw_hash = Some("blake3:00".to_owned());
        let replaced = objected(row.clone(), &objection);
        assert_eq!(
            (replaced.outcome, replaced.version),
            (row.outcome, row.version)
        );
        assert_eq!(
            (replaced.raw, &replaced.flags[..]),
            ("blake3:00", &["raw_replaced"][..])
        );
    }

    #[test]
    fn strangers_have_neither_network_nor_account() {
        let unknown = RECORD.replace("rakuten-us", "long-gone");
        for (bytes, source, reason) in [
            (unknown.as_bytes(), "long-gone", "unknown_source"),
            (&b"nothing"[..], "", "not_a_record"),
        ] {
            let record = judge(message(bytes), &rules()).unwrap();
            let row = postback("t", 0, &record);
            assert_eq!((row.source, row.network, row.account), (source, "", ""));
            assert_eq!(row.reasons, [reason]);
            assert_eq!((row.conversion_key, row.key_day), (None, None));
            assert_eq!(of_conversions(&record).count(), 0);
        }
    }
}
