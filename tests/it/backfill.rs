//! What a network sent and never arrived is fetched from its API: the tables then say what its ledger
//! says, whatever was killed in between.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use postback_simulator::network::{Api, Credentials, Network, Terms};
use postback_simulator::{Event, Kind, Ledger, plan};
use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::{Servers, Setup, secret, wait};
use serde_json::{Value, json};

use crate::main_path::scenario;
use crate::templates::REORDERED;

pub(crate) const RANGE: [&str; 4] = ["--from", "2026-08-01", "--to", "2026-10-02"];

/// What no output of the whole run may show.
fn client_secret() -> &'static str {
    static SECRET: OnceLock<String> = OnceLock::new();
    SECRET.get_or_init(secret::fresh)
}

/// The API of a network that has these transactions; lives as long as the process.
pub(crate) fn api(events: &[Event]) -> SocketAddr {
    let network = Network::new(Terms {
        publisher_id: 3_817_122,
        source: "rakuten-us".to_owned(),
        currency: "USD".to_owned(),
        disable_after: 0,
        kept_transactions: events.len(),
        authorization: None,
        credentials: Credentials {
            client_id: "publisher".to_owned(),
            client_secret: client_secret().to_owned(),
        },
    });
    for event in events {
        network.remember(event.clone());
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

/// The same at another address, with each answer so much later.
pub(crate) fn slowed(to: SocketAddr, by: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || carry(&stream.unwrap(), to, by));
        }
    });
    address
}

fn carry(client: &TcpStream, to: SocketAddr, by: Duration) {
    let server = TcpStream::connect(to).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| copy(client, &server, by));
        copy(&server, client, Duration::ZERO);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, by: Duration) {
    let mut buffer = [0; 65_536];
    while let Ok(count) = from.read(&mut buffer) {
        std::thread::sleep(by);
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Whichever end has gone, the other one learns of it.
    to.shutdown(Shutdown::Both).ok();
}

fn setup(name: &str, api: SocketAddr) -> Running {
    setup_on(name, Servers::from_environment(), api)
}

pub(crate) fn setup_on(name: &str, servers: Servers, api: SocketAddr) -> Running {
    let lines = format!(
        "publisher_id = \"3817122\"\n[source.api]\nbase_url = \"http://{api}\"\nclient_id = \"publisher\"\n\
         client_secret = \"{}\"\npage_size = 20\nkeeps_days = 366",
        client_secret()
    );
    Setup::on(name, servers)
        .lines("source", &lines)
        .source("rakuten-us", REORDERED)
        .start()
}

/// What each transaction's newest content says, by its id and kind.
pub(crate) type Books = BTreeMap<(String, Kind), (String, i128, i128)>;

pub(crate) fn books(ledger: &Ledger) -> Books {
    let conversions = ledger.totals().conversions.into_iter();
    let entry = |conversion: postback_simulator::Conversion| {
        let facts = conversion.facts;
        let money = |amount: Option<postback_simulator::Amount>| {
            amount.map_or(0, postback_simulator::Amount::scaled)
        };
        let told = (
            facts.currency,
            money(facts.sale_amount),
            money(facts.commission),
        );
        (
            (facts.transaction_id.unwrap().to_lowercase(), facts.kind),
            told,
        )
    };
    conversions.map(entry).collect()
}

/// Conversions and their money, by kind and currency.
pub(crate) type Sums = BTreeMap<(String, String), (u64, i128, i128)>;

pub(crate) fn sums(books: &Books) -> Sums {
    let mut sums = Sums::new();
    for ((_, kind), (currency, sale, commission)) in books {
        let kind = match kind {
            Kind::Transaction => "transaction",
            Kind::Signal => "signal",
            Kind::Unknown => "unknown",
        };
        let sum = sums.entry((kind.to_owned(), currency.clone())).or_default();
        *sum = (sum.0 + 1, sum.1 + sale, sum.2 + commission);
    }
    sums
}

pub(crate) fn in_tables(pipeline: &Pipeline) -> Sums {
    let sql = "SELECT toString(kind) AS kind, toString(currency) AS currency, count() AS n, \
         toString(toInt128(sum(ifNull(sale_amount, 0)) * 10000)) AS sale, \
         toString(toInt128(sum(ifNull(commission, 0)) * 10000)) AS commission FROM {db}.conversions GROUP BY kind, currency";
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let number = |row: &Value, name: &str| text(row, name).parse::<i128>().unwrap();
    let count = |row: &Value| {
        let n = &row["n"];
        n.as_u64()
            .unwrap_or_else(|| n.as_str().unwrap().parse().unwrap())
    };
    let rows = pipeline.database.rows(sql);
    let rows = rows.iter().map(|row| {
        let sum = (count(row), number(row, "sale"), number(row, "commission"));
        ((text(row, "kind"), text(row, "currency")), sum)
    });
    rows.collect()
}

pub(crate) fn backfill(pipeline: &Pipeline, more: &[&str]) -> (i32, Value) {
    let finished = pipeline.postback(&[&["-o", "json", "backfill"], &RANGE[..], more].concat());
    let shown = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    (finished.code, shown)
}

pub(crate) fn wait_until_all_is_loaded(pipeline: &Pipeline) {
    // Each record has an id of its own here: nothing is sent twice.
    wait::until_true("what is in Kafka is loaded", || {
        let ids = "SELECT uniqExact(id) FROM {db}.postbacks";
        pipeline.database.count(ids) == distinct_ids(pipeline)
    });
}

fn distinct_ids(pipeline: &Pipeline) -> u64 {
    let records = pipeline.topic.records();
    let ids: std::collections::BTreeSet<&str> = records
        .iter()
        .map(|record| record["id"].as_str().unwrap())
        .collect();
    ids.len() as u64
}

fn replayed(pipeline: &Pipeline) {
    pipeline.json(&["replay", "start", "--wait"]);
    pipeline.json(&["generation", "activate", "2"]);
}

#[test]
fn what_never_arrived_is_fetched_and_counts_once() {
    let events = scenario(71, 1_500).events;
    let running = setup("backfill", api(&events));
    let pipeline = &running.pipeline;
    let deliveries = plan(&events, &pipeline.registration(0));
    // Each third is kept back, and a whole stretch.
    let is_kept = |number: usize| number.is_multiple_of(3) || (600..750).contains(&number);
    let (mut kept, mut pushed) = (Vec::new(), Vec::new());
    for (number, delivery) in deliveries.into_iter().enumerate() {
        if is_kept(number) {
            kept.push(delivery);
        } else {
            pushed.push(delivery);
        }
    }
    let mut ledger = pipeline.send(pushed);
    pipeline.wait_until_loaded(ledger.counts().acknowledged);
    let before = books(&ledger);
    let end = pipeline.topic.end();

    let (code, dry) = backfill(pipeline, &["--dry-run"]);
    assert_eq!(code, 3, "{}", dry["meta"]);
    assert_eq!(pipeline.topic.end(), end, "a dry run sends nothing");
    let (code, healed) = backfill(pipeline, &[]);
    assert_eq!(code, 0, "{healed}");
    wait_until_all_is_loaded(pipeline);
    let after = in_tables(pipeline);

    // What was fetched arrives all the same: the ledger has it then.
    ledger.append(pipeline.send(kept));
    wait_until_all_is_loaded(pipeline);
    let whole = books(&ledger);
    assert_eq!(after, sums(&whole), "pushed and fetched");
    assert_eq!(
        in_tables(pipeline),
        sums(&whole),
        "pushed twice and fetched"
    );

    let missing: Books = whole
        .iter()
        .filter(|(key, _)| !before.contains_key(*key))
        .map(|(key, told)| (key.clone(), told.clone()))
        .collect();
    assert!(missing.len() > 300);
    assert_eq!(
        healed["meta"]["missing"],
        missing.len(),
        "{}",
        healed["meta"]
    );
    for (name, count) in [("missing", &dry), ("changed", &dry), ("newer", &dry)] {
        assert_eq!(count["meta"][name], healed["meta"][name], "{name}");
    }
    assert_lacked(&healed, &sums(&missing));
    let listed = dry["rows"].as_array().unwrap().iter();
    let listed = listed.filter(|row| row["why"] == "missing").count();
    assert_eq!(listed, missing.len());

    let end = pipeline.topic.end();
    let (code, again) = backfill(pipeline, &[]);
    assert_eq!((code, &again["meta"]["missing"]), (0, &json!(0)), "{again}");
    assert_eq!(
        pipeline.topic.end(),
        end,
        "nothing is sent a second time: {again}"
    );
    let runs = pipeline.json(&["backfill", "ls"]);
    assert_eq!(runs["rows"].as_array().unwrap().len(), 2, "{runs}");

    replayed(pipeline);
    assert_eq!(
        in_tables(pipeline),
        sums(&whole),
        "a replay has what was fetched"
    );
}

/// How much was missing, in money.
fn assert_lacked(shown: &Value, missing: &Sums) {
    let units = |text: &Value| {
        let amount: postback_simulator::Amount = text.as_str().unwrap().parse().unwrap();
        amount.scaled()
    };
    let lacked = shown["meta"]["lacked"].as_array().unwrap().iter();
    let lacked: Sums = lacked
        .map(|one| {
            let currency = one["currency"].as_str().unwrap().to_owned();
            let sum = (
                one["transactions"].as_u64().unwrap(),
                units(&one["sale_amount"]),
                units(&one["commission"]),
            );
            (("transaction".to_owned(), currency), sum)
        })
        .collect();
    let mut missing = missing.clone();
    missing.retain(|(kind, _), _| kind == "transaction");
    assert_eq!(lacked, missing);
}

#[test]
fn a_run_that_was_killed_goes_on() {
    let events = scenario(72, 1_500).events;
    let slow = slowed(api(&events), Duration::from_millis(400));
    let running = setup("backfill_killed", slow);
    let pipeline = &running.pipeline;
    let deliveries = plan(&events, &pipeline.registration(0));
    let (mut kept, mut pushed) = (Vec::new(), Vec::new());
    for (number, delivery) in deliveries.into_iter().enumerate() {
        if number.is_multiple_of(2) {
            kept.push(delivery);
        } else {
            pushed.push(delivery);
        }
    }
    let mut ledger = pipeline.send(pushed);
    pipeline.wait_until_loaded(ledger.counts().acknowledged);

    let arguments = [&["-q", "backfill", "--source", "rakuten-us"], &RANGE[..]].concat();
    for run in 1..3 {
        let pulled = "SELECT ifNull(max(pulled), 0) FROM {db}.backfills";
        let before = pipeline.database.count(pulled);
        let killed = pipeline.start_with("postback", &arguments);
        wait::until_true("some of it is done with", || {
            pipeline.database.count(pulled) > before
        });
        killed.signal(rustix::process::Signal::KILL);
        drop(killed);
        let unfinished = "SELECT count() FROM {db}.backfills WHERE NOT is_finished";
        assert_eq!(pipeline.database.count(unfinished), 1, "run {run}");
    }
    let (code, shown) = backfill(pipeline, &[]);
    assert_eq!(code, 0, "{shown}");
    wait_until_all_is_loaded(pipeline);
    let runs = "SELECT count() FROM {db}.backfills WHERE is_finished";
    assert_eq!(pipeline.database.count(runs), 1, "it is one run");
    assert_eq!(
        pipeline
            .database
            .count("SELECT count() FROM {db}.backfills"),
        1
    );
    let after = in_tables(pipeline);

    ledger.append(pipeline.send(kept));
    wait_until_all_is_loaded(pipeline);
    assert_eq!(after, sums(&books(&ledger)));
}

/// A day of a busy network, made up page by page: so many transactions from its first second on.
struct Day {
    transactions: u64,
}

const DAY: u64 = 86_400;
/// 2026-09-01T00:00:00Z
const BEGIN: u64 = 1_788_220_800;

impl Day {
    fn serve(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let day = std::sync::Arc::new(self);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let day = std::sync::Arc::clone(&day);
                std::thread::spawn(move || day.converse(&stream.unwrap()));
            }
        });
        address
    }

    fn converse(&self, mut stream: &TcpStream) {
        let (mut request, mut buffer) = (Vec::new(), [0; 4_096]);
        loop {
            match stream.read(&mut buffer) {
                Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
                _ => return,
            }
            // A request of this API has no body but the short form for a token.
            if !request.windows(4).any(|end| end == b"\r\n\r\n") {
                continue;
            }
            let head = String::from_utf8_lossy(&request).into_owned();
            let (status, body) = if head.starts_with("POST") {
                let token = r#"{"access_token":"t","expires_in":3600}"#;
                ("200 OK", token.to_owned())
            } else if head.contains("/events/") {
                ("200 OK", self.page(&head))
            } else {
                // The consumer asks for the endpoint.
                ("404 Not Found", "{}".to_owned())
            };
            let close = if head.starts_with("POST") {
                "connection: close\r\n"
            } else {
                ""
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\n{close}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(answer.as_bytes()).is_err() || !close.is_empty() {
                return;
            }
            request.clear();
        }
    }

    fn page(&self, head: &str) -> String {
        let query = head.split([' ', '?']).nth(2).unwrap();
        let value = |name: &str| {
            let pair = query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.unwrap().replace("%20", "T").replace("%3A", ":")
        };
        let second = |name: &str| {
            let at: jiff::Timestamp = format!("{}Z", value(name)).parse().unwrap();
            u64::try_from(at.as_second())
                .unwrap()
                .saturating_sub(BEGIN)
                .min(DAY)
        };
        // The first one that was processed in that second or later.
        let first = |second: u64| (second * self.transactions).div_ceil(DAY);
        let (from, to) = (
            first(second("process_date_start")),
            first(second("process_date_end") + 1),
        );
        let (limit, page): (u64, u64) = (
            value("limit").parse().unwrap(),
            value("page").parse().unwrap(),
        );
        let from = from + limit * (page - 1);
        let rows: Vec<String> = (from..to.min(from + limit).min(self.transactions))
            .map(|number| self.transaction(number))
            .collect();
        format!("[{}]", rows.join(","))
    }

    fn transaction(&self, number: u64) -> String {
        let at = jiff::Timestamp::from_second(
            i64::try_from(BEGIN + number * DAY / self.transactions).unwrap(),
        );
        let at = at
            .unwrap()
            .strftime("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)")
            .to_string();
        format!(
            r#"{{"etransaction_id":"{number:032x}","advertiser_id":38605,"sid":3817122,"order_id":"M{number}","offer_id":"727010","sku_number":"NW-{number}","sale_amount":180.5,"quantity":1,"commissions":5.4,"process_date":"{at}","transaction_date":"{at}","transaction_type":"realtime","product_name":"Trail jacket","currency":"USD","u1":"clk{number}","is_event":"N","commission_list_id":"12"}}"#
        )
    }
}

/// Peak of a process's memory, in KiB; `None` once it has ended.
fn peak_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
#[ignore = "takes minutes; docs/backfill.md has its figures"]
fn a_day_of_a_million_takes_bounded_memory() {
    let wanted = std::env::var("POSTBACK_TEST_BACKFILL");
    let transactions = wanted.map_or(1_000_000, |number| number.parse().unwrap());
    let running = {
        let lines = format!(
            "publisher_id = \"3817122\"\n[source.api]\nbase_url = \"http://{}\"\nclient_id = \"publisher\"\n\
             client_secret = \"{}\"\nkeeps_days = 366",
            Day { transactions }.serve(),
            client_secret()
        );
        Setup::new("backfill_day")
            .lines("source", &lines)
            .source("rakuten-us", REORDERED)
            .start()
    };
    let pipeline = &running.pipeline;
    for missing in [transactions, 0] {
        let arguments = [
            "-o",
            "json",
            "backfill",
            "--from",
            "2026-09-01",
            "--to",
            "2026-09-02",
        ];
        let begun = std::time::Instant::now();
        let end = pipeline.topic.end();
        let run = pipeline.start_with("postback", &arguments);
        let pid = run.process().pid();
        let mut peak = 0;
        while let Some(now) = peak_kib(pid) {
            peak = now;
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(run.exit_code(), 0);
        let took = begun.elapsed().as_secs_f64();
        println!("{transactions} transactions, {missing} missing: {took:.1} s, at most {peak} KiB");
        assert_eq!(pipeline.topic.end() - end, missing);
        assert!(peak <= 200 * 1024, "{peak} KiB");
        let loaded = || {
            pipeline
                .database
                .count("SELECT count() FROM {db}.conversions_g1")
        };
        let mut seen = loaded();
        while seen < transactions {
            wait::until_true("more of it is loaded", || loaded() > seen);
            seen = loaded();
        }
    }
}
