use std::borrow::Cow;

use clickhouse::Row;
use jiff::Timestamp;
use jiff::civil::date;
use postback_store::insert;
use postback_store::rows::{
    ConversionRow, Decimal4, Outcome, PostbackRow, RefusalRow, postback_version,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::database::with_tables;

fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn postback() -> PostbackRow<'static> {
    PostbackRow {
        id: id("01a05a43-fc00-7f54-8d8e-0023af5570ee"),
        received_at: at("2026-09-01T23:59:59.999999Z"),
        source: "rakuten-us",
        network: "rakuten",
        account: "main",
        via: "http",
        outcome: Outcome::Accepted,
        reasons: vec![],
        raw: "{\"v\":1,\"agent\":\"ä 'quoted' \\\\ \\u0000\"}",
        remote: "2001:db8::7",
        kafka_topic: "postbacks.raw",
        kafka_partition: 11,
        kafka_offset: 9_000_000_000,
        conversion_key: Some(id("00112233-4455-6677-8899-aabbccddeeff")),
        key_day: Some(date(2026, 8, 31)),
        version: postback_version(11, 9_000_000_000),
        flags: vec![],
        detail: "",
    }
}

const EXTRA: &[(&str, &[&str])] = &[("cid", &["7"]), ("tag", &["a", "", "ü"])];

pub(crate) fn conversion() -> ConversionRow<'static> {
    ConversionRow {
        source: "rakuten-us",
        network: "rakuten",
        account: "main",
        conversion_key: id("00112233-4455-6677-8899-aabbccddeeff"),
        key_day: date(2020, 3, 14),
        postback_id: id("01a05a43-fc00-7f54-8d8e-0023af5570ee"),
        kind: "transaction",
        status: "reversed",
        transaction_id: "d41d8cd98f00b204e9800998ecf8427e",
        order_id: "M1917799796",
        click_id: "u1-ä",
        sub_ids: vec![("sub2", "x"), ("sub3", "")],
        advertiser_id: "2149",
        publisher_id: "332111",
        offer_id: "727010",
        sku: "SKU'1",
        product_name: "Shirt #4",
        quantity: Some(Decimal4(10_000)),
        sale_amount: Some(Decimal4(-1_800_000)),
        commission: Some(Decimal4(-54_001)),
        currency: "USD",
        commission_currency: "EUR",
        occurred_at: Some(at("2020-03-14T18:28:18Z")),
        processed_at: Some(at("2020-03-15T00:00:00.000001Z")),
        received_at: at("2026-09-01T23:59:59.999999Z"),
        flags: vec!["assumed_currency", "zero_amount"],
        extra: vec![],
        revision: 0x0005_a0d2_1234_5678_9abc_def0_1234_5678,
    }
}

/// Every column as ClickHouse prints it, so that nothing is read back by the code that wrote it.
#[derive(Row, Deserialize)]
struct Printed {
    line: String,
}

async fn printed(client: &clickhouse::Client, columns: &str, view: &str) -> Vec<String> {
    let sql =
        format!("SELECT concatWithSeparator('|', {columns}) AS line FROM {view} ORDER BY line");
    let rows: Vec<Printed> = client.query_raw(&sql).fetch_all().await.unwrap();
    rows.into_iter().map(|row| row.line).collect()
}

#[test]
fn every_column_of_a_postback_arrives() {
    with_tables(|database| async move {
        let rejected = PostbackRow {
            id: id("01a05a43-fc00-7f54-8d8e-0023af5570ef"),
            source: "",
            network: "",
            account: "",
            via: "",
            outcome: Outcome::Rejected,
            reasons: vec!["not_a_record", "unknown_source"],
            raw: "base64:/w==",
            remote: "",
            kafka_partition: 0,
            kafka_offset: 0,
            conversion_key: None,
            key_day: None,
            version: postback_version(0, 0),
            flags: vec!["raw_replaced"],
            detail: "Constraint 'ä'",
            ..postback()
        };
        let rows = [postback(), rejected];
        database.insert_postbacks(rows).await.unwrap();
        let columns = "toString(id), toString(received_at), source, network, account, via, outcome, toString(reasons), raw, remote, kafka_topic, \
             toString(kafka_partition), toString(kafka_offset), ifNull(toString(conversion_key), 'NULL'), ifNull(toString(key_day), 'NULL'), \
             leftPad(hex(version), 32, '0'), toString(flags), detail";
        assert_eq!(
            printed(&database.client, columns, "postbacks").await,
            [
                // 2^96 + (2^32 - 1 - 11) * 2^64 + 2^64 - 1 - 9,000,000,000 (0x2_1871_1A00).
                "01a05a43-fc00-7f54-8d8e-0023af5570ee|2026-09-01 23:59:59.999999|rakuten-us|rakuten|main|http|accepted|[]\
                 |{\"v\":1,\"agent\":\"ä 'quoted' \\\\ \\u0000\"}|2001:db8::7|postbacks.raw|11|9000000000\
                 |00112233-4455-6677-8899-aabbccddeeff|2026-08-31|00000001FFFFFFF4FFFFFFFDE78EE5FF|[]|",
                "01a05a43-fc00-7f54-8d8e-0023af5570ef|2026-09-01 23:59:59.999999|||||rejected|['not_a_record','unknown_source']\
                 |base64:/w==||postbacks.raw|0|0|NULL|NULL|00000001FFFFFFFFFFFFFFFFFFFFFFFF|['raw_replaced']|Constraint 'ä'",
            ]
        );
    });
}

#[test]
fn every_column_of_a_conversion_arrives() {
    with_tables(|database| async move {
        let extra: Vec<(&str, Vec<Cow<'_, str>>)> = EXTRA
            .iter()
            .map(|(name, values)| (*name, values.iter().map(|value| (*value).into()).collect()))
            .collect();
        let full = ConversionRow {
            extra: extra
                .iter()
                .map(|(name, values)| (*name, &values[..]))
                .collect(),
            ..conversion()
        };
        let bare = ConversionRow {
            account: "bare",
            key_day: date(1970, 1, 16),
            quantity: None,
            sale_amount: None,
            commission: Some(Decimal4(0)),
            currency: "",
            commission_currency: "",
            occurred_at: None,
            processed_at: None,
            sub_ids: vec![],
            flags: vec![],
            revision: u128::MAX,
            ..conversion()
        };
        database.insert_conversions([full, bare]).await.unwrap();
        let columns = "source, network, account, toString(conversion_key), toString(key_day), toString(postback_id), kind, status, transaction_id, \
             order_id, click_id, toString(sub_ids), advertiser_id, publisher_id, offer_id, sku, product_name, \
             ifNull(toString(quantity), 'NULL'), ifNull(toString(sale_amount), 'NULL'), ifNull(toString(commission), 'NULL'), \
             currency, commission_currency, ifNull(toString(occurred_at), 'NULL'), ifNull(toString(processed_at), 'NULL'), toString(received_at), \
             toString(flags), toString(extra), leftPad(hex(revision), 32, '0')";
        assert_eq!(
            printed(&database.client, columns, "conversions").await,
            [
                "rakuten-us|rakuten|bare|00112233-4455-6677-8899-aabbccddeeff|1970-01-16|01a05a43-fc00-7f54-8d8e-0023af5570ee|transaction|reversed\
                 |d41d8cd98f00b204e9800998ecf8427e|M1917799796|u1-ä|{}|2149|332111|727010|SKU'1|Shirt #4|NULL|NULL|0|||NULL|NULL\
                 |2026-09-01 23:59:59.999999|[]|{}|FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
                "rakuten-us|rakuten|main|00112233-4455-6677-8899-aabbccddeeff|2020-03-14|01a05a43-fc00-7f54-8d8e-0023af5570ee|transaction|reversed\
                 |d41d8cd98f00b204e9800998ecf8427e|M1917799796|u1-ä|{'sub2':'x','sub3':''}|2149|332111|727010|SKU'1|Shirt #4|1|-180|-5.4001|USD|EUR\
                 |2020-03-14 18:28:18.000000|2020-03-15 00:00:00.000001|2026-09-01 23:59:59.999999\
                 |['assumed_currency','zero_amount']|{'cid':['7'],'tag':['a','','ü']}|0005A0D2123456789ABCDEF012345678",
            ]
        );
    });
}

fn refusal() -> RefusalRow<'static> {
    RefusalRow {
        id: id("01a05a43-fc00-7f54-8d8e-0023af5570ee"),
        refused_at: at("2026-09-01T23:59:59.999999Z"),
        reason: "wrong_method",
        status: 405,
        source: "rakuten-us",
        key: "k1",
        method: "PUT",
        path: "/postback/[43 characters, sha256 1a2b3c4d]",
        query: "u1='\u{fffd}\u{0}",
        query_bytes: 61_440,
        remote: "2001:db8::7",
        user_agent: "probe/1.0",
        cut: vec!["path", "query"],
        suppressed: u64::from(u32::MAX) + 1,
    }
}

#[test]
fn every_column_of_a_refusal_arrives_and_a_copy_folds() {
    with_tables(|database| async move {
        database.execute("SYSTEM STOP MERGES refusals_log").await;
        let bare = RefusalRow {
            id: id("01a05a43-fc00-7f54-8d8e-0023af5570ef"),
            source: "",
            key: "",
            method: "",
            path: "",
            query: "",
            user_agent: "",
            cut: vec![],
            suppressed: 0,
            ..refusal()
        };
        for rows in [vec![refusal(), bare.clone()], vec![bare]] {
            insert::refusals(&database.client, rows).await.unwrap();
        }
        let physical = database.ask("SELECT count() FROM refusals_log").await;
        assert_eq!(physical, "3", "the copy is there to be folded");
        let columns = "toString(id), toString(refused_at), reason, toString(status), source, key, method, path, query, toString(query_bytes), \
             remote, user_agent, toString(cut), toString(suppressed)";
        assert_eq!(
            printed(&database.client, columns, "refusals").await,
            [
                "01a05a43-fc00-7f54-8d8e-0023af5570ee|2026-09-01 23:59:59.999999|wrong_method|405|rakuten-us|k1|PUT\
                 |/postback/[43 characters, sha256 1a2b3c4d]|u1='\u{fffd}\u{0}|61440|2001:db8::7|probe/1.0|['path','query']|4294967296",
                "01a05a43-fc00-7f54-8d8e-0023af5570ef|2026-09-01 23:59:59.999999|wrong_method|405|||||\
                 |61440|2001:db8::7||[]|0",
            ]
        );
    });
}
