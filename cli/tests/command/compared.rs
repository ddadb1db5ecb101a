//! Who is compared with whom: shops that number alike, statements of the same sales, and what chooses
//! nothing.

use std::fs;

use postback_store::rows::ConversionRow;

use crate::installed::{Installed, insert_conversions, told};
use crate::run::AWAY;

const EU: &str = r#"
[[source]]
name = "everflow-eu"
network = "everflow"
enabled = false
"#;

const STATEMENTS: &str = r#"
[[source]]
name = "items"
network = "rakuten-item-report"
publisher_id = "3861234"
enabled = false
[[source]]
name = "feed"
network = "rakuten-signature-feed"
publisher_id = "3861234"
enabled = false
[[source]]
name = "other-items"
network = "rakuten-item-report"
publisher_id = "777"
enabled = false
"#;

const SHOPS: &str = r#"
[[source]]
name = "shop-a"
network = "orders"
compare_with = ["rakuten-us"]
enabled = false
[[source]]
name = "shop-b"
network = "orders"
compare_with = ["everflow-eu"]
enabled = false
"#;

const DAY: [&str; 4] = ["--from", "2026-09-01", "--to", "2026-09-02"];

impl Installed {
    fn configured(&self, more: &[&str]) {
        let configuration = format!("{AWAY}{EU}{}", more.concat());
        fs::write(self.place.path().join("postback.toml"), configuration).unwrap();
    }

    /// A report of the day.
    fn report(&self, report: &str, more: &[&str]) -> String {
        self.shown(&[&["report", report], &DAY[..], more].concat())
    }
}

/// An order or a line, of an account of its own.
fn own<'a>(
    source: &'a str,
    kind: &'a str,
    number: u8,
    order_id: &'a str,
    amount: i64,
) -> ConversionRow<'a> {
    let is_order = kind == "order";
    ConversionRow {
        source,
        account: source,
        network: if is_order {
            "orders"
        } else {
            "rakuten-item-report"
        },
        kind,
        status: if is_order { "placed" } else { "reported" },
        order_id,
        click_id: "",
        commission: None,
        ..told(number, "", (amount, 0)).conversion
    }
}

#[tokio::test]
async fn shops_that_number_alike_are_compared_by_themselves() {
    let installed = Installed::new("shops").await;
    installed.configured(&[SHOPS]);
    let sale = |number, order_id, amount| ConversionRow {
        order_id,
        ..told(number, "", (amount, 10_000)).conversion
    };
    let rows = [
        own("shop-a", "order", 1, "5001", 405_000),
        own("shop-b", "order", 2, "5001", 990_000),
        sale(3, "5001", 405_000),
        ConversionRow {
            status: "cancelled",
            ..own("shop-a", "order", 4, "5002", 200_000)
        },
        sale(5, "5002", 200_000),
    ];
    insert_conversions(&installed.loader, rows).await;
    let text = [
        installed.report("gap", &[]),
        installed.report("gap", &["--by", "source", "-o", "csv", "-q"]),
        installed.report("gap", &["--class", "unexplained", "-o", "csv", "-q"]),
        installed.report("amounts", &["--all", "-o", "csv", "-q"]),
        installed.report("digest", &["-o", "csv", "-q"]),
        installed.report(
            "digest",
            &["--time-zone", "Europe/Berlin", "-o", "csv", "-q"],
        ),
        installed.report("gap", &["--network", "rakuten"]),
        installed.report("gap", &["--where", "network=rakuten"]),
        installed.report("gap", &["--with", "events", "--network", "rakutn"]),
        installed.report("summary", &["--network", "rakutn"]),
        installed.report("summary", &["--network", "rakuten", "-o", "csv", "-q"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

#[tokio::test]
async fn statements_of_the_same_sales_are_not_added() {
    let installed = Installed::new("statements").await;
    installed.configured(&[STATEMENTS]);
    let sale = |number, order_id| ConversionRow {
        order_id,
        ..told(number, "", (100_000, 10_000)).conversion
    };
    let rows = [
        own("items", "statement", 1, "M-1", 100_000),
        own("feed", "statement", 2, "M-1", 100_000),
        own("items", "statement", 3, "M-2", 100_000),
        own("feed", "statement", 4, "M-2", 90_000),
        own("other-items", "statement", 5, "M-3", 100_000),
        ConversionRow {
            sale_amount: None,
            ..own("items", "statement", 6, "M-4", 0)
        },
        sale(7, "M-1"),
        sale(8, "M-2"),
        sale(9, "M-4"),
    ];
    insert_conversions(&installed.loader, rows).await;
    // Other sections say what is so now.
    let page = installed.report("digest", &["--form", "markdown"]);
    let (page, _) = page.split_once("## Sales without").unwrap();
    let text = [
        installed.report("gap", &[]),
        installed.report("gap", &["--with", "feed"]),
        installed.report("gap", &["--class", "matched", "-o", "csv", "-q"]),
        installed.report("amounts", &["--all"]),
        page.to_owned(),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}

/// Of two forms the one that has lines of the range, whichever is configured first; of one form to two
/// accounts both; and a source with the rows of its older name.
#[tokio::test]
async fn statements_that_have_lines_and_older_names_are_compared() {
    const TWO_ACCOUNTS: &str = r#"
[[source]]
name = "items"
network = "rakuten-item-report"
enabled = false
[[source]]
name = "feed"
network = "rakuten-signature-feed"
enabled = false
[[source]]
name = "items-uk"
network = "rakuten-item-report"
enabled = false
[[source]]
name = "shop-new"
aliases = ["shop-old"]
account = "shop-old"
network = "orders"
enabled = false
"#;
    let installed = Installed::new("older_names").await;
    installed.configured(&[TWO_ACCOUNTS]);
    let rows = [
        own("feed", "statement", 1, "M-1", 100_000),
        own("items-uk", "statement", 2, "M-2", 70_000),
        own("shop-old", "order", 3, "M-3", 50_000),
        ConversionRow {
            order_id: "M-3",
            ..told(4, "", (40_000, 10_000)).conversion
        },
    ];
    insert_conversions(&installed.loader, rows).await;
    let missing = [
        "--with",
        "statements",
        "--class",
        "unexplained",
        "-o",
        "csv",
        "-q",
    ];
    let text = [
        installed.report("gap", &missing),
        installed.report("gap", &["--with", "statements", "--by", "nothing"]),
        installed.report("gap", &["--by", "source", "-o", "csv", "-q"]),
        installed.report(
            "gap",
            &["--with", "shop-old", "--by", "nothing", "-o", "csv", "-q"],
        ),
        installed.report("amounts", &["--all", "-o", "csv", "-q"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
    installed.remove().await;
}
