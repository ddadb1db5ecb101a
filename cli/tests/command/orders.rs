//! Own orders and statements as a person meets them: files with faults, a gap, nothing at all.

use std::fs;
use std::process::Command;

use postback_store::imports::{self, Import};
use postback_store::rows::ConversionRow;
use uuid::Uuid;

use crate::installed::{Installed, insert_conversions, told};
use crate::run::AWAY;

/// Sources to compare with, behind those of the usual configuration.
const MORE: &str = r#"
[[source]]
name = "shop"
network = "orders"
currency = "USD"
enabled = false
[[source]]
name = "items"
network = "rakuten-item-report"
publisher_id = "3861234"
enabled = false
"#;

const SEPTEMBER: [&str; 4] = ["--from", "2026-09-01", "--to", "2026-09-02"];

fn gap<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["report", "gap"], &SEPTEMBER[..], more].concat()
}

fn digest<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["report", "digest"], &SEPTEMBER[..], more].concat()
}

#[tokio::test]
async fn files_with_faults_and_none_at_all() {
    let installed = Installed::new("imports").await;
    let place = installed.place.path().to_owned();
    let no_source = installed.shown(&["order", "import", "orders.csv"]);
    fs::write(place.join("postback.toml"), format!("{AWAY}{MORE}")).unwrap();
    let write = |name: &str, text: &str| fs::write(place.join(name), text).unwrap();
    write(
        "orders.csv",
        "order_id,ordered_at,amount,currency,status\r\nA-1,2026-09-01T10:00:00Z,10.00,USD,paid\r\n\
         ,2026-09-01,1.00,USD,\r\nA-3,soon,1.00,USD,\r\nA-4,2026-09-01,\"1,00\",USD,lost\r\nA-5,2026-09-01\r\n",
    );
    write(
        "other.csv",
        "Member ID,SID,Order ID,Transaction Date,Sales\nc,777,M1,9/1/2026,2.00\n",
    );
    write(
        "unknown.csv",
        "Member ID,SID,Order ID,Transaction Date,Sku Number,Sales,Total Commission,Note\n\
         c,3861234,M1,9/1/2026,s,2.00,0.20,x\nc,3861234,M1,9/1/2026,t,2.00,0.20,y\n",
    );
    write("words.csv", "Bestellung;Datum\n1;2\n");
    write("heading.csv", "order_id,ordered_at\n");
    write(
        "unclosed.csv",
        "order_id,ordered_at,note\nU1,2026-09-01,\"unclosed\nU2,2026-09-01,\nU3,2026-09-01,\"two\nlines\"\n",
    );
    let pipe = Command::new("mkfifo").arg(place.join("pipe")).status();
    assert!(pipe.unwrap().success());
    write("broken.xml", "<XROOT><T><OrderID>1</OrderID>");
    write("empty.xml", "<feed/>\n");
    write(
        "laid_out.json",
        "{\n  \"order_id\": \"P1\",\n  \"ordered_at\": \"2026-09-01\"\n}\n",
    );
    let long = "x".repeat(100_000);
    write(
        "long.csv",
        &format!("order_id,ordered_at\n{long},2026-09-01\n"),
    );
    // Each of them has four bytes in a record.
    let quotes = "\"\"".repeat(160_000);
    write(
        "quotes.csv",
        &format!(
            "order_id,ordered_at,note\nQ1,2026-09-01,\nQ2,2026-09-01,\"{quotes}\"\nQ3,2026-09-01,\n"
        ),
    );
    // Killed before it was noted how far it was.
    let begun = Import {
        id: Uuid::from_u128(7),
        step: 1,
        about: "statements".to_owned(),
        source: "items".to_owned(),
        file: "killed.csv".to_owned(),
        digest: "00".to_owned(),
        started_at: "2026-09-01T10:00:00Z".parse().unwrap(),
        rows: 0,
        sent: 0,
        refused: 0,
        is_finished: false,
        recorded_at: "2026-09-01T10:00:00Z".parse().unwrap(),
    };
    let away = [("POSTBACK__CLICKHOUSE__URL", "http://127.0.0.1:1")];
    let text = [
        no_source,
        installed.shown(&["order", "ls"]),
        installed.shown(&["order", "import", "orders.csv", "--dry-run"]),
        installed.shown(&["order", "import", "orders.csv", "-o", "json"]),
        installed.shown(&["order", "import", "orders.csv", "-o", "json", "-q"]),
        installed.shown(&["order", "import", "unclosed.csv"]),
        installed.shown(&["order", "import", "pipe"]),
        installed.shown(&["order", "import", "nowhere.csv"]),
        installed.shown(&["order", "import", "words.csv"]),
        installed.shown(&["order", "import", "heading.csv"]),
        installed.shown(&["order", "import", "laid_out.json"]),
        installed.shown(&["order", "import", "long.csv", "--dry-run"]),
        installed.shown(&["order", "import", "quotes.csv", "--dry-run"]),
        installed.shown(&["order", "import", "quotes.csv"]),
        installed.shown(&["order", "import", "orders.csv", "--source", "rakuten-us"]),
        installed.shown(&["order", "import", "orders.csv", "--source", "shp"]),
        installed.shown(&["statement", "import", "other.csv"]),
        installed.shown(&["statement", "import", "unknown.csv", "--dry-run"]),
        installed.shown(&[
            "statement",
            "import",
            "unknown.csv",
            "--dry-run",
            "-o",
            "json",
        ]),
        installed.shown(&["statement", "import", "broken.xml"]),
        installed.shown(&["statement", "import", "empty.xml"]),
        installed.shown(&["statement", "ls"]),
        {
            imports::note(&installed.loader, &begun).await.unwrap();
            installed.shown(&["statement", "ls"])
        },
        installed
            .shown_with(&away, &["order", "import", "words.csv"])
            .replace("http://127.0.0.1:1", "AWAY"),
        installed
            .shown_with(&away, &["order", "ls"])
            .replace("http://127.0.0.1:1", "AWAY"),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

#[tokio::test]
async fn once_more_goes_on_where_it_was_stopped() {
    let installed = Installed::new("imports_again").await;
    let place = installed.place.path().to_owned();
    fs::write(place.join("postback.toml"), format!("{AWAY}{MORE}")).unwrap();
    let rows = "order_id,ordered_at,amount\nA-1,2026-09-01,1.00\nA-2,2026-09-01,2.00\n";
    fs::write(place.join("orders.csv"), rows).unwrap();
    let first = installed.shown(&["order", "import", "orders.csv"]);
    let noted = imports::all(&installed.loader, "orders").await.unwrap();
    let [finished] = &noted[..] else {
        panic!("{first} {noted:?}");
    };
    // `--again`, killed behind its first row.
    let killed = Import {
        id: Uuid::from_u128(7),
        step: 1,
        started_at: jiff::Timestamp::now(),
        rows: 1,
        sent: 1,
        is_finished: false,
        ..finished.clone()
    };
    imports::note(&installed.loader, &killed).await.unwrap();
    let once_more = ["order", "import", "orders.csv", "--again"];
    let text = [
        first,
        installed.shown(&once_more),
        installed.shown(&once_more),
    ];
    insta::assert_snapshot!(text.join("\n"));
    let noted = imports::all(&installed.loader, "orders").await.unwrap();
    assert!(noted.iter().all(|import| import.is_finished), "{noted:?}");
    assert_eq!(noted.len(), 3, "{noted:?}");
    assert_eq!((noted[1].id, noted[2].id), (killed.id, finished.id));
    installed.remove().await;
}

#[tokio::test]
async fn rows_that_an_earlier_run_refused_are_sent_once_they_fit() {
    let installed = Installed::new("imports_refused").await;
    let place = installed.place.path().to_owned();
    let configure = |more: &str| fs::write(place.join("postback.toml"), format!("{AWAY}{more}"));
    configure(MORE).unwrap();
    let line = |account: &str, order: &str| format!("c,{account},{order},9/1/2026,2.00,USD\n");
    let rows = [
        line("3861234", "M1"),
        line("777", "M2"),
        line("3861234", "M3"),
    ];
    let heading = "Member ID,SID,Order ID,Transaction Date,Sales,Currency\n";
    fs::write(place.join("items.csv"), heading.to_owned() + &rows.concat()).unwrap();
    let import = ["statement", "import", "items.csv"];
    let first = installed.shown(&import);
    // It was stopped behind the second row.
    let noted = imports::all(&installed.loader, "statements").await.unwrap();
    let [finished] = &noted[..] else {
        panic!("{first} {noted:?}");
    };
    let stopped = Import {
        step: finished.step + 1,
        rows: 2,
        sent: 1,
        refused: 1,
        is_finished: false,
        ..finished.clone()
    };
    imports::note(&installed.loader, &stopped).await.unwrap();
    // Lines of any account are taken.
    configure(&MORE.replace("publisher_id = \"3861234\"\n", "")).unwrap();
    let text = [first, installed.shown(&import)];
    insta::assert_snapshot!(text.join("\n"));
    let noted = imports::all(&installed.loader, "statements").await.unwrap();
    let [ended] = &noted[..] else {
        panic!("{noted:?}");
    };
    assert_eq!((ended.id, ended.is_finished), (finished.id, true));
    assert_eq!((ended.rows, ended.sent, ended.refused), (3, 3, 0));
    let told = installed.shown(&["tail", "--from", "kafka", "-n", "100", "-o", "csv", "-q"]);
    let ids: Vec<&str> = told
        .lines()
        .filter_map(|line| line.split(',').find(|cell| Uuid::try_parse(cell).is_ok()))
        .collect();
    let distinct: std::collections::BTreeSet<&&str> = ids.iter().collect();
    // Two, and all three once more: the same records.
    assert_eq!((ids.len(), distinct.len()), (5, 3), "{told}");
    installed.remove().await;
}

#[tokio::test]
async fn the_gap_in_words() {
    let installed = Installed::new("gap").await;
    let alone = installed.shown(&gap(&[]));
    let configuration = format!("{AWAY}{MORE}");
    fs::write(installed.place.path().join("postback.toml"), configuration).unwrap();
    let nothing = installed.shown(&gap(&[]));
    let sale = told(1, "", (100_000, 10_000)).conversion;
    let order = |number: u8, name: &'static str, status: &'static str| ConversionRow {
        source: "shop",
        network: "orders",
        account: "shop",
        kind: "order",
        status,
        order_id: name,
        click_id: "",
        advertiser_id: "",
        commission: None,
        ..told(number, "", (100_000, 0)).conversion
    };
    let rows = [
        ConversionRow {
            order_id: "A-1",
            ..sale.clone()
        },
        ConversionRow {
            order_id: "A-2",
            ..told(2, "", (95_000, 10_000)).conversion
        },
        ConversionRow {
            order_id: "Z-9",
            ..told(3, "", (10_000, 1_000)).conversion
        },
        order(4, "A-1", "cancelled"),
        order(5, "A-2", "placed"),
        order(6, "A-3", "placed"),
        order(7, "A-4", "returned"),
    ];
    insert_conversions(&installed.loader, rows).await;
    let away = [("POSTBACK__CLICKHOUSE__URL", "http://127.0.0.1:1")];
    let text = [
        alone,
        nothing,
        installed.shown(&gap(&[])),
        installed.shown(&gap(&["--by", "nothing", "-o", "json"])),
        installed.shown(&gap(&["--class", "unexplained", "-o", "csv", "-q"])),
        installed.shown(&gap(&[
            "--class",
            "explained",
            "--limit",
            "1",
            "-o",
            "csv",
            "-q",
        ])),
        installed.shown(&gap(&[
            "--class", "matched", "--limit", "1", "-o", "csv", "-q",
        ])),
        installed.shown(&gap(&[
            "--class", "matched", "--limit", "0", "-o", "csv", "-q",
        ])),
        installed.shown(&gap(&["--class", "amounts"])),
        installed.shown(&gap(&["--class", "immature"])),
        installed.shown(&gap(&["--with", "statements"])),
        installed.shown(&gap(&["--with", "shpo"])),
        installed.shown(&gap(&["--by", "sku"])),
        installed.shown(&["report", "gap", "--from", "soon"]),
        installed
            .shown_with(&away, &gap(&[]))
            .replace("http://127.0.0.1:1", "AWAY"),
        installed.shown(&digest(&["-o", "csv", "-q"])),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}
