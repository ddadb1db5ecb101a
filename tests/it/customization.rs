//! The network's three customization examples, and a reordered template with static values: each
//! an account of its own, each compared with rows worked out by hand.

use postback_simulator::plan;
use postback_tests::Setup;
use postback_tests::raw;
use serde_json::{Value, json};

use crate::main_path::scenario;
use crate::templates::REORDERED;

/// What the network calls example 1: u1 under another name.
const RENAMED: &str = "is_event=<is_event>&etransaction_id=<etransaction_id>&transaction_date=<transaction_date>&currency=<currency>&sale_amount=<sale_amount>&commissions=<commissions>&unique_id=<u1>";
/// Example 2: four fields only.
const FOUR_FIELDS: &str = "is_event=<is_event>&transaction_date=<transaction_date>&sku_number=<sku_number>&quantity=<quantity>&commissions=<commissions>";
/// Both together.
const BOTH: &str = "is_event=<is_event>&transaction_date=<transaction_date>&sku_number=<sku_number>&quantity=<quantity>&commissions=<commissions>&unique_id=<u1>";

fn setup(name: &str) -> Setup {
    Setup::new(name)
        .lines("source", "currency = \"USD\"")
        .source("renamed", RENAMED)
        .source("four-fields", FOUR_FIELDS)
        .source("both", BOTH)
        .source("reordered", REORDERED)
}

/// (source, the query as the network would fill it, the row that it must give).
fn cases() -> [(usize, &'static str, Value); 5] {
    let row = json!({
        "kind": "transaction", "status": "reported", "transaction_id": "", "order_id": "", "click_id": "",
        "advertiser_id": "", "publisher_id": "", "offer_id": "", "sku": "", "product_name": "",
        "quantity": null, "sale_amount": null, "commission": null, "currency": "USD", "commission_currency": "USD",
        "occurred_at": null, "processed_at": null, "extra": {},
    });
    let with = |fields: Value| {
        let mut row = row.clone();
        row.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        row
    };
    [
        (
            0,
            "is_event=N&etransaction_id=0123456789abcdef0123456789abcdef&transaction_date=Sat+Mar+14+2026+18%3A28%3A18+GMT%2B0000+%28UTC%29&currency=EUR&sale_amount=180.00&commissions=5.4&unique_id=click123",
            with(json!({
                "account": "renamed", "transaction_id": "0123456789abcdef0123456789abcdef", "click_id": "click123",
                "sale_amount": "180", "commission": "5.4", "currency": "EUR", "commission_currency": "EUR",
                "occurred_at": "2026-03-14 18:28:18.000000", "key_day": "2026-03-14", "flags": [],
            })),
        ),
        (
            1,
            "is_event=N&transaction_date=Sat%20Mar%2014%202026%2018:28:18%20GMT+0000%20(UTC)&sku_number=A-1&quantity=2&commissions=-5.4",
            with(json!({
                "account": "four-fields", "sku": "A-1", "quantity": "2", "commission": "-5.4", "status": "reversed",
                "occurred_at": "2026-03-14 18:28:18.000000", "key_day": "2026-03-14",
                "flags": ["assumed_currency", "missing_click_id", "no_identity"],
            })),
        ),
        (
            2,
            "is_event=Y&transaction_date=2026-03-14T23:30:00-02:00&sku_number=A-1&quantity=2&commissions=0&unique_id=%3Cu1%3E",
            with(json!({
                "account": "both", "kind": "signal", "sku": "A-1", "quantity": "2", "commission": "0",
                "occurred_at": "2026-03-15 01:30:00.000000", "key_day": "2026-03-15",
                "flags": ["assumed_currency", "missing_click_id", "no_identity", "unreplaced_macro", "zero_amount"],
                "extra": {"unique_id": ["<u1>"]},
            })),
        ),
        (
            3,
            "site=blog&u1=abc&process_date=2026-03-16T10:00:00Z&tdate=2026-03-14T18:28:18Z&cur=GBP&commissions=1.05&cid=7&sale_amount=21&quantity=1&product_name=T%C3%A9e+%234+&sku_number=S&offer_id=727010&oid=M1917799796&sid=3&mid=42&is_event=N&tid=ffffffffffffffffffffffffffffffff&new_field=x",
            with(json!({
                "account": "reordered", "transaction_id": "ffffffffffffffffffffffffffffffff", "order_id": "M1917799796",
                "click_id": "abc", "advertiser_id": "42", "publisher_id": "3", "offer_id": "727010", "sku": "S",
                "product_name": "Tée #4", "quantity": "1", "sale_amount": "21", "commission": "1.05",
                "currency": "GBP", "commission_currency": "GBP", "occurred_at": "2026-03-14 18:28:18.000000",
                "processed_at": "2026-03-16 10:00:00.000000", "key_day": "2026-03-14",
                // 21 pounds without pence.
                "flags": ["unknown_parameter", "whole_amount"],
                "extra": {"cid": ["7"], "new_field": ["x"], "site": ["blog"]},
            })),
        ),
        (
            3,
            "site=blog&u1=&process_date=2026-03-17T10:00:00Z&tdate=2026-03-14T18:28:18Z&cur=GBP&commissions=-1.05&cid=7&sale_amount=-21&quantity=1&product_name=&sku_number=S&offer_id=727010&oid=M1917799796&sid=3&mid=42&is_event=N&tid=0000000000000000000000000000000f",
            with(json!({
                "account": "reordered", "transaction_id": "0000000000000000000000000000000f", "order_id": "M1917799796",
                "advertiser_id": "42", "publisher_id": "3", "offer_id": "727010", "sku": "S", "status": "reversed",
                "quantity": "1", "sale_amount": "-21", "commission": "-1.05",
                "currency": "GBP", "commission_currency": "GBP", "occurred_at": "2026-03-14 18:28:18.000000",
                "processed_at": "2026-03-17 10:00:00.000000", "key_day": "2026-03-14", "flags": ["missing_click_id", "whole_amount"],
                "extra": {"cid": ["7"], "site": ["blog"]},
            })),
        ),
    ]
}

#[test]
fn the_networks_customization_examples_give_the_right_rows() {
    let running = setup("customization").start();
    let pipeline = &running.pipeline;
    let cases = cases();
    for (source, query, expected) in &cases {
        let target = format!("{}?{query}", pipeline.sources[*source].path());
        let answer = raw::exchange(
            pipeline.address,
            &raw::request("GET", target.as_bytes(), "", b""),
        )
        .unwrap();
        assert_eq!(answer.status, 200, "{expected}");
        let id = answer.header("x-postback-id").unwrap().to_owned();
        let find = format!(
            "SELECT account, kind, status, transaction_id, order_id, click_id, advertiser_id, publisher_id, offer_id, sku,
                    product_name, quantity, sale_amount, commission, currency, commission_currency, occurred_at,
                    processed_at, key_day, arraySort(flags) AS flags, extra
             FROM {{db}}.conversions WHERE postback_id = '{id}'"
        );
        let row = postback_tests::wait::until("the row", || {
            let there = pipeline
                .database
                .count("SELECT count() FROM {db}.conversions")
                > 0;
            there
                .then(|| pipeline.database.rows(&find))
                .and_then(|mut rows| rows.pop())
        });
        assert_eq!(&row, expected);
    }
    pipeline.wait_until_loaded(cases.len() as u64);
}

#[test]
fn what_a_template_leaves_out_is_left_out_of_the_sums() {
    let running = setup("subsets").start();
    let pipeline = &running.pipeline;
    let mut ledger = postback_simulator::Ledger::default();
    for source in 0..pipeline.sources.len() {
        let events = scenario(source as u64 + 30, 250).events;
        ledger.append(pipeline.send(plan(&events, &pipeline.registration(source))));
    }
    pipeline.wait_until_loaded(ledger.counts().acknowledged);
    let sums = pipeline.database.rows(
        "SELECT source, currency, countIf(kind = 'signal') AS signals,
                countIf(kind = 'transaction') AS transactions,
                toString(ifNull(sumIf(sale_amount, kind = 'transaction'), 0)) AS sales,
                toString(ifNull(sumIf(commission, kind = 'transaction'), 0)) AS commissions
         FROM {db}.conversions GROUP BY source, currency",
    );
    let expected = ledger.totals().by_source();
    assert_eq!(sums.len(), expected.len());
    for row in sums {
        let key = (
            row["source"].as_str().unwrap().to_owned(),
            row["currency"].as_str().unwrap().to_owned(),
        );
        let sums = &expected[&key];
        let amount = |column: &str| {
            row[column]
                .as_str()
                .unwrap()
                .parse::<postback_simulator::Amount>()
                .unwrap()
        };
        assert_eq!(row["signals"], sums.signals.to_string(), "{key:?}");
        assert_eq!(
            row["transactions"],
            (sums.transactions + sums.reversals).to_string(),
            "{key:?}"
        );
        assert_eq!(amount("sales"), sums.net_sales(), "{key:?}");
        assert_eq!(amount("commissions"), sums.net_commission(), "{key:?}");
    }
}
