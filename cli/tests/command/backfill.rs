//! What is fetched from a network's API as a person meets it: nothing configured, nothing missing,
//! something missing, and each of three servers away.

use std::fs;
use std::net::SocketAddr;

use jiff::Timestamp;
use postback_simulator::network::{Api, Credentials, Network, Terms};
use postback_simulator::{Amount, Click, DateForm, DateValue, Event, Kind};

use crate::installed::Installed;
use crate::run::{AWAY, Place};

const DAY: [&str; 5] = ["backfill", "--from", "2026-09-01", "--to", "2026-09-02"];

fn with_api(base_url: &str, secret: &str) -> String {
    format!(
        "{AWAY}[source.api]\nbase_url = \"{base_url}\"\npublisher_id = \"3817122\"\nclient_id = \"us\"\n\
         client_secret = \"{secret}\"\nkeeps_days = 366\n"
    )
}

fn event(hour: i8, order: &str) -> Event {
    let at = jiff::civil::date(2026, 9, 1).at(hour, 0, 0, 0);
    let at: Timestamp = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    Event {
        transaction_id: Some(format!("{hour:032x}")),
        order_id: order.to_owned(),
        process_date: DateValue::At(at, DateForm::Long),
        ..Event::example(at)
    }
}

/// The API of a network with a sale, its reversal, a signal, a sale in another currency and one without
/// its id.
fn api() -> SocketAddr {
    api_with([
        event(10, "M1917799796"),
        Event {
            sale_amount: Amount::from_minor(-18_000, 2),
            commission: Amount::from_minor(-540, 2),
            ..event(11, "M1917799796")
        },
        Event {
            kind: Kind::Signal,
            ..event(12, "M3")
        },
        Event {
            currency: "EUR".to_owned(),
            click: Click::Id("\u{1b}[2Jclick".to_owned()),
            ..event(13, "M4")
        },
        Event {
            transaction_id: None,
            ..event(14, "M5")
        },
    ])
}

fn api_with<const N: usize>(events: [Event; N]) -> SocketAddr {
    let network = Network::new(Terms {
        publisher_id: 3_817_122,
        source: "rakuten-us".to_owned(),
        currency: "USD".to_owned(),
        disable_after: 0,
        kept_transactions: 100,
        authorization: None,
        credentials: Credentials {
            client_id: "us".to_owned(),
            client_secret: "CANARY-secret".to_owned(),
        },
    });
    for event in events {
        network.remember(event);
    }
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let api = Api::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .await
                .unwrap();
            told.send(api.address().unwrap()).unwrap();
            api.serve(network).await;
        });
    });
    address.recv().unwrap()
}

#[test]
fn what_cannot_be_fetched_is_refused_with_what_to_do() {
    let place = Place::with(AWAY);
    let without = [
        place.run(&DAY),
        place.run(&[&DAY[..], &["--source", "rakuten-us"]].concat()),
        place.run(&["backfill", "--source", "rakuten-uk"]),
    ];
    let file = place.path().join("postback.toml");
    fs::write(file, with_api("http://127.0.0.1:1", "CANARY")).unwrap();
    let with = [
        place.run(&["backfill", "--from", "2099-01-01"]),
        place.run(&["backfill", "--from", "2026-09-02", "--to", "2026-09-01"]),
        place.run(&["backfill", "--from", "soon"]),
        place.run(&["backfill", "ls", "--source", "rakuten-uk"]),
        place.run(&DAY),
        place.run(&["backfill", "ls"]),
    ];
    insta::assert_snapshot!([&without[..], &with].concat().join("\n"));
}

#[tokio::test]
async fn what_is_missing_in_words() {
    let installed = Installed::new("backfill").await;
    let configure =
        |text: &str| fs::write(installed.place.path().join("postback.toml"), text).unwrap();
    let url = format!("http://{}", api());
    let dry = |more: &[&'static str]| [&DAY[..], &["--dry-run"], more].concat();
    let nothing = installed.shown(&["backfill", "ls"]);
    configure(&with_api(&url, "CANARY-of-another"));
    let refused = installed.shown(&DAY);
    configure(&with_api(&format!("{url}/v9"), "CANARY-secret"));
    let misplaced = installed.shown(&DAY);
    let good = with_api(&url, "CANARY-secret");
    let unknown = good.replace(
        "name = \"rakuten-us\"",
        "name = \"rakuten-uk\"\naccount = \"uk\"",
    );
    configure(&unknown);
    let unloaded = installed.shown(&DAY);
    configure(&good);
    let away = [("POSTBACK__KAFKA__BROKERS", "127.0.0.1:1")];
    let text = [
        nothing,
        refused,
        misplaced,
        unloaded,
        installed.shown_with(&away, &DAY),
        installed.shown(&["backfill", "--from", "2026-09-03", "--to", "2026-09-04"]),
        installed.shown(&dry(&[])),
        installed.shown(&dry(&["-o", "json"])),
        installed.shown(&dry(&["-o", "csv", "-q"])),
        installed.shown(&DAY),
        installed.shown(&["backfill", "ls", "-o", "csv"]),
    ];
    let text = text.join("\n").replace(&url, "API");
    insta::with_settings!({filters => vec![
        // When this test runs, and who runs it.
        (r"20[0-9]{2}-[0-9-]{5}T[0-9:]{8}Z,rakuten-us", "BEGUN,rakuten-us"),
        (r"finished,.*", "finished,BY"),
    ]}, { insta::assert_snapshot!(text); });
    installed.remove().await;
}

#[tokio::test]
async fn what_the_tables_keep_no_longer_and_what_is_yet_to_come_is_not_fetched() {
    let installed = Installed::new("backfill_ends").await;
    // A reversal that is told long after the sale.
    let old = jiff::civil::date(2026, 1, 15).at(10, 0, 0, 0);
    let old = old.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let reversal = Event {
        transaction_date: DateValue::At(old, DateForm::Long),
        ..event(10, "M1")
    };
    let url = format!("http://{}", api_with([reversal]));
    let file = installed.place.path().join("postback.toml");
    fs::write(file, with_api(&url, "CANARY-secret")).unwrap();
    let meta = |more: &[(&str, &str)], arguments: &[&str], code: i32| {
        let run = [&["-o", "json", "backfill"], arguments].concat();
        let shown = installed.shown_with(more, &run);
        assert!(shown.ends_with(&format!("--- exit {code}\n")), "{shown}");
        let (_, json) = shown.split_once('\n').unwrap();
        let json = json.split("--- stderr").next().unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["meta"].clone()
    };
    let keeps = [("POSTBACK__CLICKHOUSE__KEEP_DAYS", "62")];
    let future = ["--from", "2026-09-01", "--to", "2099-01-01"];
    let dry = [&future[..], &["--dry-run"]].concat();
    assert_eq!(meta(&[], &dry, 3)["missing"], 1);

    let ran = meta(&keeps, &future, 0);
    let counts = ["pulled", "undecided", "missing"].map(|name| ran[name].as_u64());
    assert_eq!(counts, [Some(1), Some(1), Some(0)], "{ran}");
    let to: Timestamp = ran["to"].as_str().unwrap().parse().unwrap();
    assert!(to <= Timestamp::now(), "{ran}");
    let noted = "SELECT toUInt8(range_to <= recorded_at AND done_through <= recorded_at) FROM backfills WHERE is_finished";
    let noted = installed.loader.query(noted).fetch_all::<u8>().await;
    assert_eq!(noted.unwrap(), [1]);
    installed.remove().await;
}
