//! Own orders and statements: from files and by POST, through Kafka, into the gap report; the same
//! after a replay. What is expected follows from the network's ledger and the files alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use postback_simulator::{Kind, Ledger, plan};
use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::raw::{exchange, request};
use postback_tests::{Setup, secret, wait};
use serde_json::Value;

use crate::main_path::scenario;
use crate::templates::COMPLETE;

/// Sources without a URL of their own, but for the shop.
fn more_sources(shop_key: &str) -> String {
    format!(
        "[[source]]\nname = \"shop\"\nnetwork = \"orders\"\ncurrency = \"USD\"\n\
         [[source.key]]\nkey = \"{shop_key}\"\n\
         [[source]]\nname = \"items\"\nnetwork = \"rakuten-item-report\"\npublisher_id = \"3861234\"\nenabled = false\n\
         [[source]]\nname = \"feed\"\nnetwork = \"rakuten-signature-feed\"\nenabled = false"
    )
}

/// What the network says of an order: its number and advertiser, and what stands of it.
#[derive(Default, Clone)]
struct Told {
    standing: i128,
    is_taken: bool,
    currency: String,
    placed: String,
    lines: u64,
}

fn told(ledger: &Ledger) -> BTreeMap<(String, String), Told> {
    let mut orders: BTreeMap<_, Told> = BTreeMap::new();
    for conversion in ledger.totals().conversions {
        let facts = conversion.facts;
        let (Some(number), Some(advertiser), Kind::Transaction) =
            (facts.order_id, facts.advertiser_id, facts.kind)
        else {
            continue;
        };
        let order = orders.entry((number, advertiser)).or_default();
        let amount = facts.sale_amount.unwrap().scaled();
        order.standing += amount;
        order.is_taken |= amount < 0 || facts.commission.unwrap().scaled() < 0;
        order.currency = facts.currency;
        order.placed = facts.occurred_at.unwrap().to_string();
        order.lines += 1;
    }
    orders
}

/// A file of own orders, and how many of each class it has.
fn own_orders(orders: &BTreeMap<(String, String), Told>) -> (String, BTreeMap<&'static str, u64>) {
    let mut file =
        "order_id,advertiser_id,ordered_at,amount,currency,status,eligible\r\n".to_owned();
    let mut expected = BTreeMap::new();
    let mut count = |class| *expected.entry(class).or_default() += 1;
    for (index, ((number, advertiser), order)) in orders.iter().enumerate() {
        let is_reversed = order.is_taken && order.standing <= 0;
        if index % 10 == 0 {
            count("extra");
            continue;
        }
        count("orders");
        let (mut amount, mut status) = (order.standing, "paid");
        if is_reversed {
            count("reversed");
        } else if index % 10 == 1 {
            amount += 5_000;
            count("matched");
            count("other_amounts");
        } else if index % 10 == 2 {
            status = "cancelled";
            count("matched");
            count("standing");
        } else {
            count("matched");
        }
        let (placed, currency) = (&order.placed, &order.currency);
        writeln!(
            file,
            "{number},{advertiser},{placed},{}.{:04},{currency},{status},\r",
            amount / 10_000,
            amount.abs() % 10_000
        )
        .unwrap();
    }
    let fates = [
        ("missing", "paid", ""),
        ("cancelled", "canceled", ""),
        ("returned", "refunded", "yes"),
        ("out_of_network", "paid", "no"),
    ];
    for n in 0..40 {
        let (class, status, eligible) = fates[n % 4];
        count(class);
        count("orders");
        writeln!(
            file,
            "OWN-{n},1,2026-09-15T10:00:00Z,10.00,USD,{status},{eligible}\r"
        )
        .unwrap();
    }
    for class in ["reversed", "extra", "standing", "other_amounts"] {
        assert!(
            expected.contains_key(class),
            "the book has no order of class {class}"
        );
    }
    let mut count = |class| *expected.entry(class).or_default() += 1;
    // No number; no date; and the same order twice, whose later line counts.
    file.push_str(",1,2026-09-15,1.00,USD,,\r\nOWN-X,1,yesterday,1.00,USD,,\r\n");
    file.push_str(
        "OWN-Y,1,2026-09-15,1.00,USD,cancelled,\r\nOWN-Y,1,2026-09-15,2.00,USD,paid,\r\n",
    );
    count("orders");
    count("missing");
    (file, expected)
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

fn import(pipeline: &Pipeline, what: &str, file: &Path, source: &str) -> (i32, Value) {
    let file = file.to_str().unwrap();
    let finished = pipeline.postback(&["-o", "json", what, "import", file, "--source", source]);
    let shown = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    (finished.code, shown)
}

/// Exit code, the sums of all currencies, the meta data.
fn gap(pipeline: &Pipeline, with: &str) -> (i32, BTreeMap<String, u64>, Value) {
    let range = ["--from", "2026-08-01", "--to", "2026-10-02"];
    let options = [
        "-o", "json", "report", "gap", "--by", "nothing", "--with", with,
    ];
    let finished = pipeline.postback(&[&options[..], &range].concat());
    let shown: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    let mut sums = BTreeMap::new();
    for row in shown["rows"].as_array().unwrap() {
        for name in [
            "orders",
            "matched",
            "explained",
            "immature",
            "unexplained",
            "extra",
        ] {
            *sums.entry(name.to_owned()).or_default() += row[name].as_u64().unwrap();
        }
    }
    (finished.code, sums, shown["meta"].clone())
}

fn assert_gap(pipeline: &Pipeline, expected: &BTreeMap<&str, u64>) {
    let (code, sums, meta) = gap(pipeline, "orders");
    let of = |name: &str| expected.get(name).copied().unwrap_or_default();
    assert_eq!(code, 3, "orders are missing");
    assert_eq!(
        [
            sums["orders"],
            sums["matched"],
            sums["immature"],
            sums["unexplained"],
            sums["extra"]
        ],
        [of("orders"), of("matched"), 0, of("missing"), of("extra")],
        "{sums:?} {meta}"
    );
    for reason in ["reversed", "cancelled", "returned", "out_of_network"] {
        assert_eq!(meta["explained_by"][reason], of(reason), "{reason}: {meta}");
    }
    for remark in ["standing", "other_amounts", "other_currencies"] {
        assert_eq!(meta[remark], of(remark), "{remark}: {meta}");
    }
}

/// The page for people has the same figures, in each form.
fn assert_digest(pipeline: &Pipeline, expected: &BTreeMap<&str, u64>) {
    let range = ["--from", "2026-08-01", "--to", "2026-10-02"];
    let run = |options: &[&str]| {
        let finished = pipeline.postback(&[&["report", "digest"], &range[..], options].concat());
        assert_eq!(finished.code, 3, "{}", finished.shown());
        finished.stdout
    };
    let shown: Value = serde_json::from_str(&run(&["-o", "json"])).unwrap();
    let gap = &shown["meta"]["sections"]["gap"];
    assert_eq!(gap["standing"], expected["standing"], "{shown}");
    assert_eq!(
        gap["explained_by"]["reversed"], expected["reversed"],
        "{shown}"
    );
    let words = format!(
        "{} orders cancelled, returned or out of network",
        expected["standing"]
    );
    let found = shown["rows"].as_array().unwrap().iter();
    let found = found.filter(|row| row["finding"].as_str().unwrap().starts_with(&words));
    assert_eq!(found.count(), 1, "{shown}");
    let text = run(&[]);
    let markdown = run(&["--form", "markdown"]);
    let html = run(&["--form", "html"]);
    for (page, heading) in [
        (&text, "Gap\n───"),
        (&markdown, "## Gap"),
        (&html, "<h2>Gap</h2>"),
    ] {
        assert!(page.contains(heading) && page.contains(&words), "{page}");
        assert!(page.contains("preliminary: networks settle by their own statements"));
    }
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    assert!(!html.contains("<script") && !html.contains("http://"));
}

fn started(name: &str, shop_key: &str) -> Running {
    Setup::new(name)
        .lines("consumer", &more_sources(shop_key))
        .source("rakuten-us", COMPLETE)
        .start()
}

#[test]
fn own_orders_are_compared_with_the_networks_and_a_replay_keeps_them() {
    let shop_key = secret::fresh();
    let running = started("orders", &shop_key);
    let pipeline = &running.pipeline;
    let ledger = pipeline.send(plan(&scenario(91, 1_500).events, &pipeline.registration(0)));
    let orders = told(&ledger);
    let (text, mut expected) = own_orders(&orders);
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "orders.csv", &text);

    let dry = pipeline.postback(&["order", "import", file.to_str().unwrap(), "--dry-run"]);
    assert_eq!(dry.code, 3, "{}", dry.shown());
    let sent_before = pipeline.topic.end();
    let (code, shown) = import(pipeline, "order", &file, "shop");
    let lines = text.lines().count() as u64;
    let last = lines - 2;
    let expected_refusals = serde_json::json!([
        {"line": last - 1, "reason": "order_id is missing"},
        {"line": last, "reason": "ordered_at is missing or no date that can be read"},
    ]);
    assert_eq!((code, &shown["rows"]), (3, &expected_refusals), "{shown}");
    let sent = lines - 1 - 2;
    assert_eq!(shown["meta"]["sent"], sent, "{shown}");
    assert_eq!(pipeline.topic.end() - sent_before, sent);

    // Again: nothing is sent.
    let again = pipeline.postback(&["order", "import", file.to_str().unwrap()]);
    assert!(
        again.code == 0 && again.stderr.contains("Nothing to do"),
        "{}",
        again.shown()
    );
    assert_eq!(pipeline.topic.end() - sent_before, sent);

    let acknowledged = ledger.counts().acknowledged;
    pipeline.wait_until_loaded(acknowledged + sent);
    assert_gap(pipeline, &expected);
    let conversions = pipeline
        .database
        .count("SELECT count() FROM {db}.conversions");
    assert_eq!(
        conversions,
        ledger.totals().conversions.len() as u64,
        "orders are none"
    );

    // The shop itself says that two orders are new, one of them twice, and that one was cancelled.
    let body = br#"[{"order_id":"LIVE-1","mid":1,"time":"2026-09-20T00:00:00Z","amount":5.5},
        {"order_id":"LIVE-2","mid":1,"time":"2026-09-20T00:00:00Z","amount":5.5,"status":"paid"},
        {"order_id":"LIVE-2","mid":1,"time":"2026-09-20T00:00:00Z","amount":5.5,"status":"cancelled"},
        {"order_id":"","time":"2026-09-20"},
        {"order_id":"OWN-0","mid":1,"time":"2026-09-15T10:00:00Z","amount":10,"status":"cancelled"}]"#;
    let headers = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let target = format!("/postback/{shop_key}");
    let posted = request("POST", target.as_bytes(), &headers, body);
    let answer = exchange(pipeline.address, &posted).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.shown());
    pipeline.wait_until_loaded(acknowledged + sent + 1);
    *expected.get_mut("orders").unwrap() += 2;
    // LIVE-1 is missing, OWN-0 is no longer.
    *expected.get_mut("cancelled").unwrap() += 2;
    assert_gap(pipeline, &expected);
    let id = answer.header("x-postback-id").unwrap();
    let row = pipeline.database.rows(&format!(
        "SELECT toString(outcome) AS outcome, arrayMap(r -> toString(r), reasons) AS reasons FROM {{db}}.postbacks WHERE id = '{id}'"
    ));
    assert_eq!(row[0]["outcome"], "accepted");
    assert_eq!(row[0]["reasons"], serde_json::json!(["missing_identity"]));
    // It was accepted: nothing of it counts as rejected, and its reason is told all the same.
    let rejects = pipeline.json(&["report", "rejects", "--from", "1d", "--to", "now"]);
    let counts = ["rejected", "partly_refused"].map(|name| rejects["meta"][name].clone());
    assert_eq!(counts, [0, 1]);

    let shown = pipeline.json(&["trace", id]);
    let rows = shown["rows"].as_array().unwrap().iter();
    let mut orders: Vec<_> = rows
        .map(|row| {
            let order = row["conversion"]["order_id"].as_str().unwrap();
            (order.to_owned(), row["via"] == "http")
        })
        .collect();
    orders.sort_unstable();
    // One of them was imported before.
    let traced = [
        ("LIVE-1", true),
        ("LIVE-2", true),
        ("OWN-0", false),
        ("OWN-0", true),
    ];
    assert_eq!(orders, traced.map(|(order, http)| (order.to_owned(), http)));
    let shown = pipeline.json(&["trace", "LIVE-2", "--as", "order"]);
    assert_eq!(shown["rows"][0]["postback_id"], id, "{shown}");
    assert_eq!(shown["rows"][0]["counts"], true, "{shown}");

    assert_digest(pipeline, &expected);

    // A replay has everything, and readers see it from the new tables.
    pipeline.json(&["replay", "start", "--wait"]);
    pipeline.json(&["generation", "activate", "2"]);
    wait::until_true("readers see generation 2", || {
        let view = "SELECT count() FROM system.tables WHERE database = '{db}' AND name = 'orders' AND comment LIKE '%Reads generation 2.'";
        pipeline.database.count(view) == 1
    });
    assert_gap(pipeline, &expected);
    let verified = pipeline.postback(&["verify"]);
    assert_eq!(verified.code, 0, "{}", verified.shown());
}

#[test]
fn statements_are_compared_line_by_line_and_count_once() {
    let running = started("statements", &secret::fresh());
    let pipeline = &running.pipeline;
    let ledger = pipeline.send(plan(&scenario(92, 900).events, &pipeline.registration(0)));
    let acknowledged = ledger.counts().acknowledged;
    let orders = told(&ledger);
    let folder = tempfile::tempdir().unwrap();

    // Every seventh order is missing in the report, and three are there that never came.
    let left_out = |number: &str| {
        orders
            .keys()
            .position(|(known, _)| known == number)
            .unwrap()
            % 7
            == 0
    };
    let mut csv = "Individual Item Report\r\n\r\nMember ID,MID,SID,Order ID,Transaction Date,SKU Number,Sales,# of Items,Total Commission,Currency,Process Date\r\n".to_owned();
    let mut xml = "<?xml version=\"1.0\"?>\n<XROOT>\n".to_owned();
    let mut lines = 0;
    for conversion in ledger.totals().conversions {
        let facts = conversion.facts;
        let (Some(order), Kind::Transaction) = (&facts.order_id, facts.kind) else {
            continue;
        };
        if facts.advertiser_id.is_none() || left_out(order) {
            continue;
        }
        lines += 1;
        let day = facts.occurred_at.unwrap().strftime("%-m/%-d/%Y");
        writeln!(
            csv,
            "{},{},3861234,{order},{day},{},{},1,{},{},{day}\r",
            facts.click_id.as_deref().unwrap_or_default(),
            facts.advertiser_id.as_deref().unwrap(),
            facts.sku.as_deref().unwrap_or_default(),
            facts.sale_amount.unwrap(),
            facts.commission.unwrap(),
            facts.currency,
        )
        .unwrap();
        writeln!(
            xml,
            "<T><TID>{}</TID><MID>{}</MID><OrderID>{order}</OrderID><SaleAmount>{}</SaleAmount><Currency>{}</Currency><TransactionDate>{}</TransactionDate></T>",
            facts.transaction_id.as_deref().unwrap(),
            facts.advertiser_id.as_deref().unwrap(),
            facts.sale_amount.unwrap(),
            facts.currency,
            facts.occurred_at.unwrap(),
        )
        .unwrap();
    }
    // Two equal lines are two sales, and so is one of another member; one line of somebody else.
    csv.push_str("c,1,3861234,ONLY-1,9/15/2026,s,2.00,1,0.20,USD,9/15/2026\r\n");
    csv.push_str("c,1,3861234,ONLY-1,9/15/2026,s,2.00,1,0.20,USD,9/15/2026\r\n");
    csv.push_str("d,1,3861234,ONLY-1,9/15/2026,s,2.00,1,0.20,USD,9/15/2026\r\n");
    csv.push_str("c,1,777,ONLY-2,9/15/2026,s,2.00,1,0.20,USD,9/15/2026\r\n");
    xml.push_str("</XROOT>\n");

    let report = written(folder.path(), "items.csv", &csv);
    let (code, shown) = import(pipeline, "statement", &report, "items");
    assert_eq!(code, 3, "{shown}");
    assert_eq!(shown["rows"].as_array().unwrap().len(), 1, "{shown}");
    assert!(
        shown["rows"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("publisher 777"),
        "{shown}"
    );
    let mut sent = lines + 3;
    pipeline.wait_until_loaded(acknowledged + sent);

    // An overlapping report: the same lines, and nothing counts twice.
    let half: Vec<&str> = csv.lines().collect();
    let half = written(
        folder.path(),
        "again.csv",
        &(half[..half.len() / 2].join("\r\n") + "\r\n"),
    );
    let (code, shown) = import(pipeline, "statement", &half, "items");
    assert_eq!(code, 0, "{shown}");
    sent += shown["meta"]["sent"].as_u64().unwrap();
    pipeline.wait_until_loaded(acknowledged + sent);
    assert_eq!(
        pipeline
            .database
            .count("SELECT count() FROM {db}.statements"),
        lines + 3
    );
    assert_eq!(
        pipeline.database.count("SELECT toUInt64(sum(sale_amount) * 10000) FROM {db}.statements WHERE order_id = 'ONLY-1'"),
        60_000
    );

    let feed = written(folder.path(), "3861234_Dailyu1_20260930.xml", &xml);
    let (code, shown) = import(pipeline, "statement", &feed, "feed");
    assert_eq!(
        (code, &shown["meta"]["sent"]),
        (0, &lines.into()),
        "{shown}"
    );
    pipeline.wait_until_loaded(acknowledged + sent + lines);

    let numbers = |is_kept: bool| {
        let names = orders
            .keys()
            .filter(|(number, _)| left_out(number) != is_kept);
        names.count() as u64
    };
    for (with, missing) in [("items", 1), ("feed", 0)] {
        let (code, sums, meta) = gap(pipeline, with);
        assert_eq!(code, if missing > 0 { 3 } else { 0 }, "{meta}");
        assert_eq!(sums["orders"], numbers(true) + missing, "{with}: {sums:?}");
        assert_eq!(sums["unexplained"], missing, "{with}: {sums:?}");
        assert_eq!(
            sums["matched"] + sums["explained"],
            numbers(true),
            "{with}: {sums:?}"
        );
        assert_eq!(sums["extra"], numbers(false), "{with}: {sums:?}");
        assert_eq!(
            (&meta["other_amounts"], &meta["other_currencies"]),
            (&0.into(), &0.into()),
            "{with}"
        );
    }
    let listed = pipeline.json(&["statement", "ls"]);
    let files: Vec<&str> = listed["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        ["3861234_Dailyu1_20260930.xml", "again.csv", "items.csv"]
    );
}

#[test]
fn an_import_that_is_killed_goes_on_and_sends_nothing_twice() {
    let running = started("import_killed", &secret::fresh());
    let pipeline = &running.pipeline;
    let folder = tempfile::tempdir().unwrap();
    const ROWS: u64 = 60_000;
    let mut csv = "order_id,ordered_at,amount,currency\n".to_owned();
    for n in 0..ROWS {
        writeln!(csv, "N{n},2026-09-{:02},{}.50,USD", 1 + n % 28, n % 100).unwrap();
    }
    let file = written(folder.path(), "orders.csv", &csv);
    let importer = pipeline.start_with("postback", &["order", "import", file.to_str().unwrap()]);
    let noted = "SELECT count() FROM {db}.imports WHERE rows > 0";
    wait::until_true("how far it is was noted", || {
        pipeline.database.count(noted) == 1
    });
    importer.process().kill();
    drop(importer);
    let shown = import(pipeline, "order", &file, "shop").1;
    assert_eq!(
        (&shown["meta"]["rows"], &shown["meta"]["sent"]),
        (&ROWS.into(), &ROWS.into()),
        "{shown}"
    );
    pipeline.wait_until_loaded(ROWS);
    let sum: u64 = (0..ROWS).map(|n| (n % 100) * 100 + 50).sum();
    assert_eq!(
        pipeline
            .database
            .count("SELECT toUInt64(sum(sale_amount) * 100) FROM {db}.orders"),
        sum
    );
    assert_eq!(
        pipeline
            .database
            .count("SELECT uniqExact(id) FROM {db}.postbacks"),
        ROWS
    );
}

#[test]
fn an_import_that_is_killed_before_its_first_note_sends_the_same_records_again() {
    let running = started("import_killed_early", &secret::fresh());
    let pipeline = &running.pipeline;
    let folder = tempfile::tempdir().unwrap();
    // Fewer rows than there are between two notes, and long ones: it takes its time.
    const ROWS: u64 = 15_000;
    let note = "n".repeat(4_000);
    let mut csv = "order_id,ordered_at,amount,currency,note\n".to_owned();
    for n in 0..ROWS {
        writeln!(csv, "N{n},2026-09-01,1.50,USD,{note}").unwrap();
    }
    let file = written(folder.path(), "orders.csv", &csv);
    let importer = pipeline.start_with("postback", &["order", "import", file.to_str().unwrap()]);
    wait::until_true("something was sent", || pipeline.topic.end() > 0);
    importer.process().kill();
    drop(importer);
    let listed = &pipeline.json(&["order", "ls"])["rows"];
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(
        (&listed[0]["rows"], &listed[0]["sent"]),
        (&0.into(), &0.into())
    );
    let state = listed[0]["state"].as_str().unwrap();
    assert!(state.starts_with("begun"), "{state}");
    let shown = import(pipeline, "order", &file, "shop").1;
    let meta = &shown["meta"];
    assert_eq!((&meta["rows"], &meta["sent"]), (&ROWS.into(), &ROWS.into()));
    pipeline.wait_until_loaded(ROWS);
    let ids = "SELECT uniqExact(id) FROM {db}.postbacks";
    assert_eq!(pipeline.database.count(ids), ROWS);
    assert_eq!(
        pipeline.database.count("SELECT count() FROM {db}.orders"),
        ROWS
    );
    let listed = &pipeline.json(&["order", "ls"])["rows"];
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["state"], "finished");
}

#[test]
fn of_rows_of_one_file_that_say_the_same_time_the_later_counts() {
    let running = started("import_equals", &secret::fresh());
    let pipeline = &running.pipeline;
    let folder = tempfile::tempdir().unwrap();
    const ORDERS: u64 = 60;
    let mut csv = "order_id,ordered_at,amount,currency,updated_at,status\n".to_owned();
    for n in 0..ORDERS {
        for status in ["paid", "cancelled"] {
            writeln!(csv, "N{n},2026-09-01,1.50,USD,2026-09-03,{status}").unwrap();
        }
    }
    let file = written(folder.path(), "orders.csv", &csv);
    assert_eq!(import(pipeline, "order", &file, "shop").0, 0);
    let mut xml = "<XROOT>".to_owned();
    for sale in [3, 2, 1] {
        for n in 0..ORDERS {
            writeln!(
                xml,
                "<T><TID>T{n}</TID><OrderID>N{n}</OrderID><SaleAmount>{sale}.00</SaleAmount><Currency>USD</Currency><TransactionDate>9/1/2026</TransactionDate><ProcessDate>9/2/2026</ProcessDate></T>"
            )
            .unwrap();
        }
    }
    xml.push_str("</XROOT>");
    let feed = written(folder.path(), "feed.xml", &xml);
    assert_eq!(import(pipeline, "statement", &feed, "feed").0, 0);
    pipeline.wait_until_loaded(ORDERS * 5);
    let count = |sql: &str| pipeline.database.count(sql);
    let cancelled = "SELECT countIf(status = 'cancelled') FROM {db}.orders";
    assert_eq!(count(cancelled), ORDERS);
    assert_eq!(count("SELECT count() FROM {db}.orders"), ORDERS);
    let last = "SELECT countIf(sale_amount = 1) FROM {db}.statements";
    assert_eq!(count(last), ORDERS);
    // A file with a correction, imported right afterwards, is newer than all of it.
    let corrected = csv.replace("cancelled", "returned");
    let corrected = written(folder.path(), "corrected.csv", &corrected);
    assert_eq!(import(pipeline, "order", &corrected, "shop").0, 0);
    pipeline.wait_until_loaded(ORDERS * 7);
    let returned = "SELECT countIf(status = 'returned') FROM {db}.orders";
    assert_eq!(count(returned), ORDERS);
}

#[test]
fn a_correction_right_behind_many_revisions_of_an_order_counts() {
    let running = started("import_ahead", &secret::fresh());
    let pipeline = &running.pipeline;
    let folder = tempfile::tempdir().unwrap();
    let heading = "order_id,ordered_at,amount,currency,updated_at,status\n";
    let revisions = |order: &str, count: u64, status: &str| {
        let row = format!("{order},2026-09-01,1.50,USD,2026-09-03,{status}\n");
        let name = format!("{order}-{status}.csv");
        let text = heading.to_owned() + &row.repeat(usize::try_from(count).unwrap());
        let file = written(folder.path(), &name, &text);
        let finished = pipeline.postback(&["order", "import", file.to_str().unwrap()]);
        assert_eq!(finished.code, 0, "{}", finished.shown());
        finished.stderr
    };
    // Each is received a millisecond after the one before it.
    const NEAR: u64 = 4_000;
    const FAR: u64 = 20_000;
    for (count, status) in [(NEAR, "paid"), (1, "returned")] {
        let told = revisions("N", count, status);
        assert!(!told.contains("warning"), "{told}");
    }
    let told = revisions("F", FAR, "paid");
    assert!(
        told.contains("warning: ") && told.contains("counts only if it comes after 20"),
        "{told}"
    );
    pipeline.wait_until_loaded(NEAR + 1 + FAR);
    let states = "SELECT order_id, toString(status) AS status FROM {db}.orders ORDER BY order_id";
    let expected = [("F", "placed"), ("N", "returned")];
    let expected =
        expected.map(|(order, status)| serde_json::json!({"order_id": order, "status": status}));
    assert_eq!(pipeline.database.rows(states), expected);
}
