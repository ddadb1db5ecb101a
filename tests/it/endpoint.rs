//! Whether the network sends: asked by one process, noticed, switched on again, and healed.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};

use jiff::Timestamp;
use postback_simulator::network::{Api, Credentials, Network, Terms};
use postback_simulator::{Book, Event, Push};
use postback_stack::port;
use postback_tests::pipeline::{self, Pipeline};
use postback_tests::program::Program;
use postback_tests::{Setup, wait};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::templates::COMPLETE;

const SECRET: &str = "client-secret-7f3c9e";
const PUBLISHER: u64 = 3_817_122;

/// A network with its API, in this process.
struct Simulated {
    network: Network,
    address: SocketAddr,
    runtime: Runtime,
    sent: u64,
}

impl Simulated {
    /// It sends no more after three failures in a row.
    fn start() -> Self {
        Self::disabling_after(3)
    }

    /// 0: never.
    fn disabling_after(failures: u32) -> Self {
        let runtime = Runtime::new().unwrap();
        let network = Network::new(Terms {
            publisher_id: PUBLISHER,
            source: "shop".to_owned(),
            currency: "USD".to_owned(),
            disable_after: failures,
            kept_transactions: 10_000,
            authorization: None,
            credentials: Credentials {
                client_id: "client".to_owned(),
                client_secret: SECRET.to_owned(),
            },
        });
        let api = runtime
            .block_on(Api::bind(([127, 0, 0, 1], 0).into()))
            .unwrap();
        let address = api.address().unwrap();
        runtime.spawn(api.serve(network.clone()));
        Self {
            network,
            address,
            runtime,
            sent: 0,
        }
    }

    /// The lines of a source that is polled every second.
    fn settings(&self, more: &str) -> String {
        format!(
            "[source.api]\nbase_url = \"http://{}\"\nclient_id = \"client\"\nclient_secret = \"{SECRET}\"\n\
             publisher_id = \"{PUBLISHER}\"\npoll_seconds = 1\n{more}",
            self.address
        )
    }

    fn register(&self, pipeline: &Pipeline) {
        self.register_at(pipeline.address, pipeline);
    }

    fn register_at(&self, address: SocketAddr, pipeline: &Pipeline) {
        let key = &pipeline.sources[0].key;
        let url = format!("http://{address}/postback/{key}?{COMPLETE}");
        self.network.set_up(&url, Timestamp::now()).unwrap();
    }

    /// Sales of this moment, each of its own order, pushed one after the other.
    fn push(&mut self, count: u64) {
        let now = Timestamp::now();
        let sale = |number: u64| Event {
            transaction_id: Some(format!("{number:032x}")),
            order_id: number.to_string(),
            publisher_id: PUBLISHER,
            ..Event::example(now)
        };
        let sales: Vec<Event> = (self.sent..self.sent + count).map(sale).collect();
        self.sent += count;
        let push = Push {
            rate: 20,
            patience: wait::LIMIT,
            connections_max: 1,
        };
        self.runtime.block_on(async {
            let (send, receive) = mpsc::channel(1);
            send.send(sales).await.unwrap();
            drop(send);
            let book = Book::open(std::io::sink()).unwrap();
            let never = std::future::pending();
            push.run(&self.network, receive, &book, never, |_| {})
                .await
                .unwrap();
            book.close().unwrap();
        });
    }
}

/// A consumer whose configuration says that the networks reach ingest at its own address.
fn start_reenabling(pipeline: &Pipeline) -> Program {
    let url = format!("http://{}", pipeline.address);
    pipeline.start_consumer_with(&[("POSTBACK__INGEST__PUBLIC_URL", url)])
}

fn metric(admin: SocketAddr, sample: &str) -> Option<f64> {
    let (_, page) = pipeline::get(admin, "/metrics")?;
    let line = page.lines().find_map(|line| line.strip_prefix(sample));
    line.and_then(|rest| rest.trim().parse().ok())
}

const ASSIGNED: &str = "postback_consumer_assigned_partitions ";
const ENABLED: &str = "postback_endpoint_enabled{source=\"shop\"} ";

fn wait_for(admin: SocketAddr, sample: &str, value: f64) {
    wait::until_true(&format!("{sample}is {value}"), || {
        metric(admin, sample) == Some(value)
    });
}

fn noted(pipeline: &Pipeline, condition: &str) -> u64 {
    let sql = format!("SELECT count() FROM {{db}}.endpoint_history WHERE {condition}");
    pipeline.database.count(&sql)
}

/// What `watch --once` says of endpoints, and its exit code.
fn alerts(pipeline: &Pipeline) -> (i32, Vec<Value>) {
    let finished = pipeline.postback(&["watch", "--once", "-o", "json"]);
    let answer: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    let alerts = answer["meta"]["alerts"].as_array().unwrap();
    (finished.code, alerts.clone())
}

#[test]
fn a_switched_off_endpoint_is_noticed_switched_on_once_it_answers_and_healed() {
    let mut network = Simulated::start();
    let pipeline = Setup::new("endpoint")
        .source("shop", COMPLETE)
        .lines(
            "source",
            &network.settings("reenable = true\nheal = true\n"),
        )
        .prepare();
    pipeline.migrate();
    network.register(&pipeline);
    let ingest = pipeline.start_ingest();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    let consumer = start_reenabling(&pipeline);
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    let admin = pipeline.consumer_admin;
    wait_for(admin, ENABLED, 1.0);
    let last = "postback_endpoint_last_success_timestamp_seconds{source=\"shop\"} ";
    assert!(metric(admin, last).is_some_and(|at| at > 1.7e9));
    network.push(5);
    pipeline.wait_until_loaded(5);
    assert_eq!(alerts(&pipeline), (0, Vec::new()));

    // Nobody answers: after three failures the network sends no more.
    assert_eq!(ingest.terminate(), 0);
    network.push(4);
    assert!(!network.network.is_active());
    wait_for(admin, ENABLED, 0.0);
    wait::until_true("the poll is noted", || {
        noted(&pipeline, "what = 'poll' AND state = 'disabled'") > 0
    });
    let (code, found) = alerts(&pipeline);
    assert_eq!((code, found.len()), (3, 1), "{found:?}");
    assert_eq!(found[0]["kind"], "endpoint_off");
    assert_eq!(found[0]["source"], "shop");
    assert_eq!(found[0]["measured"]["answered"], 5);
    assert!(found[0]["cause"].as_str().unwrap().starts_with("endpoint"));
    assert_eq!(found[0]["look"], "postback endpoint enable --source shop");
    let activity = pipeline.report(&["activity"]);
    assert_eq!(activity["rows"][0]["endpoint"], "disabled", "{activity}");
    assert_eq!(activity["meta"]["endpoints_off"], 1, "{activity}");
    // It is tried, in vain.
    wait::until_true("a probe has failed", || {
        noted(&pipeline, "what = 'probe_failed' AND reason = 'connect'") > 0
    });
    assert_eq!(noted(&pipeline, "what = 'reenabled'"), 0);
    assert!(!network.network.is_active());

    let ingest = pipeline.start_ingest();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    wait::until_true("it is switched on again", || network.network.is_active());
    wait_for(admin, ENABLED, 1.0);
    assert_eq!(noted(&pipeline, "what = 'reenabled'"), 1);
    let reenabled = "postback_endpoint_reenabled_total{source=\"shop\"} ";
    assert_eq!(metric(admin, reenabled), Some(1.0));
    let marks = pipeline.postback(&["annotate", "ls", "-o", "json"]);
    assert!(
        marks.stdout.contains("endpoint switched on again")
            && marks.stdout.contains("postback-consumer"),
        "{}",
        marks.shown()
    );

    // The four that were missed are fetched, and nothing else; probes are no transactions.
    wait::until_true("what was missed is fetched", || {
        noted(&pipeline, "what = 'heal_ended' AND reason = 'switched_off'") > 0
    });
    let loaded = |condition: &str| {
        let sql = format!("SELECT count() FROM {{db}}.{condition}");
        pipeline.database.count(&sql)
    };
    wait::until_true("it is loaded", || {
        loaded("postbacks WHERE via = 'backfill'") >= 4
    });
    network.push(1);
    wait::until_true("what is pushed again is loaded", || {
        loaded("conversions WHERE kind = 'transaction'") >= 10
    });
    assert_eq!(loaded("conversions WHERE kind = 'transaction'"), 10);
    assert_eq!(loaded("postbacks WHERE via = 'backfill'"), 4);
    let healed = "postback_endpoint_healed_transactions_total{source=\"shop\"} ";
    assert_eq!(metric(admin, healed), Some(4.0));
    assert_eq!(alerts(&pipeline), (0, Vec::new()));

    let log = consumer.output();
    let table = pipeline
        .database
        .run("SELECT * FROM {db}.endpoint_history FORMAT JSONEachRow");
    let (_, metrics) = pipeline::get(admin, "/metrics").unwrap();
    for secret in [SECRET, pipeline.sources[0].key.as_str()] {
        for text in [&log, &table, &metrics] {
            assert!(!text.contains(secret));
        }
    }
    assert!(
        table.contains("\"is_template\":false"),
        "another host is another URL"
    );
}

#[test]
fn one_of_two_consumers_asks_and_the_other_one_takes_over() {
    let network = Simulated::start();
    let pipeline = Setup::new("endpoint_two")
        .source("shop", COMPLETE)
        .lines("source", &network.settings(""))
        .prepare();
    pipeline.migrate();
    let [other] = port::free().unwrap();
    let other = SocketAddr::from(([127, 0, 0, 1], other));
    let one = pipeline.start_consumer();
    let two =
        pipeline.start_consumer_with(&[("POSTBACK__CONSUMER__ADMIN_LISTEN", other.to_string())]);
    let first = pipeline.consumer_admin;
    pipeline.wait_until_ready(first, &one);
    pipeline.wait_until_ready(other, &two);
    // The first one had every partition until the second one came, and asked: who has partition 0
    // from now on is settled when both have some and none is on its way.
    wait::until_true("both have partitions", || {
        let assigned = [first, other].map(|admin| metric(admin, ASSIGNED).unwrap_or(0.0));
        assigned.iter().all(|some| *some > 0.5) && (assigned.iter().sum::<f64>() - 3.0).abs() < 0.5
    });
    let polls = "postback_endpoint_polls_total{source=\"shop\",result=\"missing\"} ";
    let asked = || [first, other].map(|admin| metric(admin, polls).unwrap_or(0.0));
    let mut before = asked();
    let asks_first = wait::until("it is asked again and again, by one alone", || {
        let now = asked();
        let more = [now[0] - before[0], now[1] - before[1]];
        // What the first one had begun when it lost the partition may end now.
        if more.iter().all(|more| *more > 0.5) {
            before = now;
        }
        more.iter()
            .position(|more| *more > 2.5)
            .map(|which| which == 0)
    });
    // Nothing is registered: off, too. Who does not ask shows nothing.
    let shown = [first, other].map(|admin| metric(admin, ENABLED));
    let (waiting, expected) = if asks_first {
        (other, [Some(0.0), None])
    } else {
        (first, [None, Some(0.0)])
    };
    assert_eq!(shown, expected);
    let before = metric(waiting, polls).unwrap_or(0.0);

    let (ends, stays) = if asks_first { (one, two) } else { (two, one) };
    assert_eq!(ends.terminate(), 0);
    wait::until_true("the other one asks", || {
        metric(waiting, polls).is_some_and(|asked| asked > before + 2.5)
    });
    assert_eq!(metric(waiting, ENABLED), Some(0.0));
    drop(stays);
}

#[test]
fn a_source_whose_api_is_configured_later_is_asked_after_a_reload() {
    let network = Simulated::start();
    let pipeline = Setup::new("endpoint_reload")
        .source("shop", COMPLETE)
        .prepare();
    pipeline.migrate();
    network.register(&pipeline);
    let consumer = pipeline.start_consumer();
    let admin = pipeline.consumer_admin;
    pipeline.wait_until_ready(admin, &consumer);
    wait::until_true("it coordinates", || {
        metric(admin, "postback_verify_last_success_timestamp_seconds ").is_some_and(|at| at > 0.0)
    });
    assert_eq!(metric(admin, ENABLED), None);
    let before = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(pipeline.configuration())
        .unwrap();
    write!(file, "{}", network.settings("")).unwrap();
    consumer.signal(rustix::process::Signal::HUP);
    wait_for(admin, ENABLED, 1.0);

    std::fs::write(pipeline.configuration(), before).unwrap();
    consumer.signal(rustix::process::Signal::HUP);
    wait::until_true("it is shown no more", || metric(admin, ENABLED).is_none());
}

/// Rows as the consumer notes them, so long ago.
fn poll(pipeline: &Pipeline, minutes_ago: i64, state: &str, reason: &str) {
    poll_of(pipeline, "shop", minutes_ago, state, reason);
}

fn poll_of(pipeline: &Pipeline, source: &str, minutes_ago: i64, state: &str, reason: &str) {
    pipeline.database.run(&format!(
        "INSERT INTO {{db}}.endpoint_history (id, source, at, what, state, reason) \
         SELECT generateUUIDv4(), '{source}', now64(6) - {}, 'poll', '{state}', '{reason}'",
        60 * minutes_ago
    ));
}

#[test]
fn watch_tells_at_the_first_poll_and_what_the_network_was_answered_before() {
    let network = Simulated::start();
    let pipeline = Setup::new("endpoint_watch")
        .source("shop", COMPLETE)
        .lines("source", &network.settings(""))
        .prepare();
    pipeline.migrate();
    poll(&pipeline, 2, "active", "");
    assert_eq!(alerts(&pipeline), (0, Vec::new()));
    // 13 minutes before the last good poll, one too early, one of another source.
    let refused = |minutes_ago: i64, source: &str, status: u16, reason: &str, suppressed: u64| {
        pipeline.database.run(&format!(
            "INSERT INTO {{db}}.refusals_log (id, refused_at, reason, status, source, suppressed) \
             SELECT generateUUIDv4(), now64(6) - {}, '{reason}', {status}, '{source}', {suppressed}",
            60 * minutes_ago
        ));
    };
    refused(15, "shop", 503, "unavailable", 6);
    refused(15, "shop", 404, "not_found", 0);
    refused(19, "shop", 503, "unavailable", 0);
    refused(15, "other", 503, "unavailable", 0);
    poll(&pipeline, 0, "disabled", "");
    let (code, found) = alerts(&pipeline);
    assert_eq!((code, found.len()), (3, 1), "{found:?}");
    let measured = &found[0]["measured"];
    assert_eq!(measured["state"], "disabled");
    assert_eq!(
        (&measured["answered"], &measured["failed"]),
        (&0.into(), &7.into())
    );
    let reasons = serde_json::json!([
        {"reason": "unavailable", "status": 503, "requests": 7},
        {"reason": "not_found", "status": 404, "requests": 1},
    ]);
    assert_eq!(measured["refused"], reasons);
    assert!(
        found[0]["cause"]
            .as_str()
            .unwrap()
            .contains("failed or answered too late")
    );
    let marked = pipeline.postback(&["annotate", "switched it off for a test", "--source", "shop"]);
    assert_eq!(marked.code, 0, "{}", marked.shown());
    poll(&pipeline, 0, "disabled", "");
    let (_, found) = alerts(&pipeline);
    assert_eq!(
        found[0]["annotation"],
        Value::Null,
        "made after it was seen: {found:?}"
    );
}

#[test]
fn what_is_not_known_for_long_and_what_will_be_lost_are_alerts() {
    let network = Simulated::start();
    let settings = network.settings("keeps_days = 7\n");
    let pipeline = Setup::new("endpoint_unknown")
        .source("shop", COMPLETE)
        .lines(
            "source",
            &format!("account = \"kiosk\"\naliases = [\"kiosk\"]\n{settings}"),
        )
        .prepare();
    pipeline.migrate();
    // Nobody has ever asked.
    let (code, found) = alerts(&pipeline);
    assert_eq!((code, found.len()), (3, 1), "{found:?}");
    assert_eq!(found[0]["kind"], "endpoint_unknown");
    let what = found[0]["what"].as_str().unwrap();
    assert!(what.starts_with("never asked"), "{what}");
    poll(&pipeline, 29, "active", "");
    poll(&pipeline, 1, "unknown", "timed_out");
    assert_eq!(alerts(&pipeline), (0, Vec::new()));
    pipeline
        .database
        .run("TRUNCATE TABLE {db}.endpoint_history");
    poll(&pipeline, 31, "active", "");
    poll(&pipeline, 1, "unknown", "timed_out");
    let (code, found) = alerts(&pipeline);
    assert_eq!((code, found.len()), (3, 1), "{found:?}");
    assert_eq!(found[0]["kind"], "endpoint_unknown");
    assert_eq!(found[0]["measured"]["reason"], "timed_out");
    pipeline
        .database
        .run("TRUNCATE TABLE {db}.endpoint_history");
    // Nobody asks.
    poll(&pipeline, 31, "active", "");
    let (_, found) = alerts(&pipeline);
    assert_eq!(found[0]["measured"]["reason"], Value::Null, "{found:?}");
    pipeline
        .database
        .run("TRUNCATE TABLE {db}.endpoint_history");

    // Six days and an hour ago it was off for an hour: in 23 hours it is lost. Meanwhile it was renamed.
    poll_of(&pipeline, "kiosk", 6 * 1_440 + 60, "disabled", "");
    poll(&pipeline, 6 * 1_440, "active", "");
    poll(&pipeline, 0, "active", "");
    let (code, found) = alerts(&pipeline);
    assert_eq!((code, found.len()), (3, 1), "{found:?}");
    assert_eq!(found[0]["kind"], "missed_too_old");
    let left = found[0]["measured"]["seconds_left"].as_i64().unwrap();
    assert!((22 * 3_600..=23 * 3_600).contains(&left), "{left}");
    assert!(
        found[0]["look"]
            .as_str()
            .unwrap()
            .starts_with("postback backfill --source shop")
    );
    // A person fetched it.
    pipeline.database.run(
        "INSERT INTO {db}.backfills_log (id, step, source, range_from, range_to, is_finished) \
         SELECT generateUUIDv4(), 1, 'kiosk', now64(6) - 7 * 86400, now64(6), true",
    );
    assert_eq!(alerts(&pipeline), (0, Vec::new()));
}

/// A note of a heal of the time from so many minutes ago to so many minutes ago.
fn heal(pipeline: &Pipeline, what: &str, cause: &str, from: i64, to: i64) {
    // In one statement: its ends are those of one moment.
    pipeline.database.run(&format!(
        "INSERT INTO {{db}}.endpoint_history (id, source, at, what, reason, healed_from, healed_to) \
         SELECT generateUUIDv4(what), 'shop', now64(6) - {}, arrayJoin([{what}]) AS what, '{cause}', \
           toDateTime64(now() - {}, 6), toDateTime64(now() - {}, 6)",
        60 * to,
        60 * from,
        60 * to
    ));
}

/// A network that has sold something and met nobody, so that all of it is missed.
fn missed(name: &str, sales: u64) -> (Simulated, Pipeline) {
    let mut network = Simulated::disabling_after(0);
    let pipeline = Setup::new(name)
        .source("shop", COMPLETE)
        .lines("source", &network.settings("heal = true\n"))
        .prepare();
    pipeline.migrate();
    network.register(&pipeline);
    network.push(sales);
    (network, pipeline)
}

fn fetched(pipeline: &Pipeline) -> u64 {
    let sql = "SELECT count() FROM {db}.postbacks WHERE via = 'backfill' AND outcome = 'accepted'";
    pipeline.database.count(sql)
}

#[test]
fn what_another_process_began_to_heal_goes_on_with_the_same_ends() {
    let (_network, pipeline) = missed("endpoint_resumed", 6);
    heal(&pipeline, "'heal_begun'", "daily", 3 * 1_440, 1);
    let begun =
        "SELECT toString((healed_from, healed_to)) FROM {db}.endpoint_history WHERE what = ";
    let before = pipeline.database.run(&format!("{begun}'heal_begun'"));
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    wait::until_true("it is healed", || {
        noted(&pipeline, "what = 'heal_ended'") > 0
    });
    wait::until_true("all is loaded", || fetched(&pipeline) >= 6);
    assert_eq!(
        pipeline.database.run(&format!("{begun}'heal_ended'")),
        before
    );
    assert_eq!(fetched(&pipeline), 6);
}

#[test]
fn a_spell_of_refusals_that_is_over_is_healed_and_one_that_goes_on_is_not() {
    let (_network, pipeline) = missed("endpoint_spell", 4);
    heal(
        &pipeline,
        "'heal_begun', 'heal_ended'",
        "daily",
        3 * 1_440,
        30,
    );
    let refuse = |minutes_ago: i64| {
        pipeline.database.run(&format!(
            "INSERT INTO {{db}}.refusals_log (id, refused_at, reason, status, source) \
             SELECT generateUUIDv4(), now64(6) - {}, 'unavailable', 503, 'shop'",
            60 * minutes_ago
        ));
    };
    for minutes_ago in [9, 6, 2] {
        refuse(minutes_ago);
    }
    let consumer = pipeline.start_consumer();
    let admin = pipeline.consumer_admin;
    pipeline.wait_until_ready(admin, &consumer);
    let lost_from = "postback_endpoint_lost_from_timestamp_seconds{source=\"shop\"} ";
    wait::until_true("it was looked at", || metric(admin, lost_from).is_some());
    // Seven days after the first of them, give or take its minute.
    let first = Timestamp::now().as_second() - 9 * 60;
    let expected = (first + 7 * 86_400) as f64;
    assert!((metric(admin, lost_from).unwrap() - expected).abs() < 180.0);
    assert_eq!(noted(&pipeline, "what = 'heal_begun'"), 1, "it goes on");

    pipeline.database.run("TRUNCATE TABLE {db}.refusals_log");
    for minutes_ago in [19, 16, 12] {
        refuse(minutes_ago);
    }
    wait::until_true("it is healed", || {
        noted(&pipeline, "what = 'heal_ended' AND reason = 'refusals'") > 0
    });
    wait::until_true("nothing is missing any more", || {
        metric(admin, lost_from).is_none()
    });
    wait::until_true("all is loaded", || fetched(&pipeline) >= 4);
    assert_eq!(fetched(&pipeline), 4);
}

#[test]
fn it_is_switched_on_neither_a_fourth_time_in_a_day_nor_against_a_person() {
    let mut network = Simulated::start();
    // It was called otherwise before, and what was noted then holds.
    let settings = network.settings("reenable = true\n");
    let pipeline = Setup::new("endpoint_limits")
        .source("shop", COMPLETE)
        .lines(
            "source",
            &format!("account = \"kiosk\"\naliases = [\"kiosk\"]\n{settings}"),
        )
        .prepare();
    pipeline.migrate();
    network.register(&pipeline);
    network.push(3);
    assert!(!network.network.is_active());
    let ingest = pipeline.start_ingest();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    let note = |what: &str, hours_ago: i64| {
        let name = if hours_ago > 1 { "kiosk" } else { "shop" };
        pipeline.database.run(&format!(
            "INSERT INTO {{db}}.endpoint_history (id, source, at, what) \
             SELECT generateUUIDv4(), '{name}', now64(6) - {}, '{what}'",
            3_600 * hours_ago
        ));
    };
    for hours_ago in [1, 12, 23] {
        note("reenabled", hours_ago);
    }
    let consumer = start_reenabling(&pipeline);
    let admin = pipeline.consumer_admin;
    pipeline.wait_until_ready(admin, &consumer);
    let polls = "postback_endpoint_polls_total{source=\"shop\",result=\"disabled\"} ";
    let probes = "postback_endpoint_probes_total{source=\"shop\",result=\"answered\"} ";
    let stays_off = |words: &str| {
        let before = metric(admin, polls).unwrap_or(0.0);
        wait::until_true("it is polled", || {
            metric(admin, polls).is_some_and(|polls| polls >= before + 3.0)
        });
        assert!(!network.network.is_active(), "{words}");
        assert_eq!(metric(admin, probes), None, "{words}");
    };
    stays_off("three times");
    // A day is over for the oldest; but a person has switched it off.
    note("off_by_hand", 2);
    pipeline
        .database
        .run("DELETE FROM {db}.endpoint_history WHERE what = 'reenabled'");
    for hours_ago in [1, 12, 25] {
        note("reenabled", hours_ago);
    }
    stays_off("by hand");
    note("on_by_hand", 1);
    wait::until_true("it is switched on", || network.network.is_active());
}

#[test]
fn what_is_not_the_sources_own_is_neither_asked_nor_switched_on() {
    let mut network = Simulated::start();
    let lines = format!(
        "basic_auth = {{ user = \"network\", password = \"{SECRET}\" }}\n{}",
        network.settings("reenable = true\n")
    );
    let pipeline = Setup::new("endpoint_foreign")
        .source("shop", COMPLETE)
        .lines("source", &lines)
        .prepare();
    pipeline.migrate();
    let [foreign] = port::free().unwrap();
    let foreign = SocketAddr::from(([127, 0, 0, 1], foreign));
    network.register_at(foreign, &pipeline);
    // Nobody listens there yet.
    network.push(3);
    assert!(!network.network.is_active());
    let listener = TcpListener::bind(foreign).unwrap();
    listener.set_nonblocking(true).unwrap();
    let consumer = start_reenabling(&pipeline);
    let admin = pipeline.consumer_admin;
    pipeline.wait_until_ready(admin, &consumer);
    wait::until_true("it is noted why", || {
        noted(
            &pipeline,
            "what = 'probe_failed' AND reason = 'another_place'",
        ) > 0
    });
    let polls = "postback_endpoint_polls_total{source=\"shop\",result=\"disabled\"} ";
    let before = metric(admin, polls).unwrap_or(0.0);
    wait::until_true("it is polled", || {
        metric(admin, polls).is_some_and(|polls| polls >= before + 3.0)
    });
    assert!(!network.network.is_active());
    let asked = listener.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(asked, Err(std::io::ErrorKind::WouldBlock), "nobody came");
    assert_eq!(noted(&pipeline, "what IN ('probe_failed', 'reenabled')"), 1);
    let log = consumer.output();
    let said = log.matches("what is registered is not the source's own");
    assert_eq!(said.count(), 1, "{log}");
}
