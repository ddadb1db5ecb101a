//! `postback watch` and `postback annotate`: breaks in weeks of postbacks that are written straight
//! into the tables, as a pipeline would have loaded them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use postback_tests::pipeline::{self, Pipeline};
use postback_tests::servers::Servers;
use postback_tests::{Setup, program, wait};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::templates::COMPLETE;

/// One moment every 100 seconds of eight weeks, up to `quiet` seconds ago.
fn times(quiet: u32) -> String {
    format!("SELECT now64(6) - {quiet} - number * 100 AS at, number FROM numbers(48384)")
}

fn load_postbacks(pipeline: &Pipeline, times: &str) {
    pipeline.database.run(&format!(
        "INSERT INTO {{db}}.postbacks_g1 (id, received_at, source, network, account, via, outcome, version) \
         SELECT generateUUIDv4(), at, 'shop', 'rakuten', 'shop', 'http', 'accepted', 1 FROM ({times})"
    ));
}

/// Eight weeks, one postback every 100 seconds, up to `quiet` seconds ago; of the last `lost` seconds
/// none has a click id, before one in ten has none.
fn load(pipeline: &Pipeline, quiet: u32, lost: u32) {
    let times = times(quiet);
    load_postbacks(pipeline, &times);
    pipeline.database.run(&format!(
        "INSERT INTO {{db}}.conversions_g1 (source, network, account, conversion_key, key_day, postback_id, kind, \
         status, click_id, sale_amount, currency, received_at, revision) \
         SELECT 'shop', 'rakuten', 'shop', generateUUIDv4(), toDate(at), generateUUIDv4(), 'transaction', 'reported', \
         if(at > now64(6) - {lost} OR number % 10 = 0, '', 'c'), toDecimal64(12.34, 4), 'USD', at, 1 FROM ({times}) \
         SETTINGS max_partitions_per_insert_block = 0"
    ));
}

fn prepared(name: &str, watch: &str) -> Pipeline {
    let pipeline = Setup::new(name).source("shop", COMPLETE).prepare();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(pipeline.configuration())
        .unwrap();
    writeln!(file, "[watch]\n{watch}").unwrap();
    pipeline.migrate();
    pipeline
}

fn alerts(pipeline: &Pipeline) -> (i32, Vec<Value>) {
    let finished = pipeline.postback(&["watch", "--once", "-o", "json"]);
    let answer: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    (
        finished.code,
        answer["meta"]["alerts"].as_array().unwrap().clone(),
    )
}

#[test]
fn nothing_loaded_and_nothing_wrong_are_said_in_words() {
    let pipeline = prepared("watch_well", "");
    let nothing = pipeline.postback(&["watch", "--once"]);
    assert_eq!(nothing.code, 0, "{}", nothing.shown());
    assert!(
        nothing.stdout.contains("Nothing is loaded yet"),
        "{}",
        nothing.shown()
    );
    load(&pipeline, 0, 0);
    let well = pipeline.postback(&["watch", "--once"]);
    assert_eq!(well.code, 0, "{}", well.shown());
    assert!(
        well.stdout.contains("All is well: 1 source as usual."),
        "{}",
        well.shown()
    );
}

#[test]
fn an_endpoint_that_is_switched_off_is_an_alert() {
    let pipeline = prepared("watch_silence", "");
    // 36 are expected in an hour.
    load(&pipeline, 3_600, 0);
    let (code, alerts) = alerts(&pipeline);
    assert_eq!((code, alerts.len()), (3, 1), "{alerts:?}");
    assert_eq!(alerts[0]["kind"], "silence");
    let missing = alerts[0]["measured"]["expected"].as_f64().unwrap();
    assert!((33.0..40.0).contains(&missing), "{missing}");
    assert!(alerts[0]["cause"].as_str().unwrap().starts_with("endpoint"));
}

#[test]
fn a_lost_identifier_is_an_alert_and_the_deploy_before_it_its_cause() {
    let pipeline = prepared("watch_identifier", "");
    load(&pipeline, 0, 3 * 3_600);
    let (code, before) = alerts(&pipeline);
    assert_eq!((code, before.len()), (3, 1), "{before:?}");
    assert_eq!(before[0]["kind"], "unattributed");
    assert!(
        before[0]["cause"]
            .as_str()
            .unwrap()
            .starts_with("identifier")
    );
    let three_hours_ago = pipeline
        .database
        .run("SELECT formatDateTime(now() - 10920, '%FT%TZ')");
    let marked = pipeline.postback(&[
        "annotate",
        "deployed checkout 4.2",
        "--at",
        three_hours_ago.trim(),
        "--source",
        "shop",
    ]);
    assert_eq!(marked.code, 0, "{}", marked.shown());
    let listed = pipeline.postback(&["annotate", "ls", "-o", "json"]);
    assert!(
        listed.stdout.contains("deployed checkout 4.2"),
        "{}",
        listed.shown()
    );
    let (_, after) = alerts(&pipeline);
    assert_eq!(after[0]["annotation"]["text"], "deployed checkout 4.2");
    assert!(
        after[0]["cause"]
            .as_str()
            .unwrap()
            .starts_with("deploy or change")
    );
}

/// An order every 100 seconds, in the shop's own books.
fn load_orders(pipeline: &Pipeline, times: &str) {
    pipeline.database.run(&format!(
        "INSERT INTO {{db}}.conversions_g1 (source, network, account, conversion_key, key_day, postback_id, kind, \
         status, order_id, sale_amount, currency, occurred_at, received_at, revision) \
         SELECT 'books', 'orders', 'books', generateUUIDv4(), toDate(at), generateUUIDv4(), 'order', 'placed', \
         toString(number), toDecimal64(50, 4), 'USD', at, at, 1 FROM ({times}) \
         SETTINGS max_partitions_per_insert_block = 0"
    ));
}

/// The network's transactions of the orders that fit, each received a minute after its order.
fn load_transactions(pipeline: &Pipeline, times: &str, fitting: &str) {
    pipeline.database.run(&format!(
        "INSERT INTO {{db}}.conversions_g1 (source, network, account, conversion_key, key_day, postback_id, kind, \
         status, order_id, click_id, sale_amount, currency, occurred_at, received_at, revision) \
         SELECT 'shop', 'rakuten', 'shop', generateUUIDv4(), toDate(at), generateUUIDv4(), 'transaction', 'reported', \
         toString(number), 'c', toDecimal64(49.99, 4), 'USD', at, at + 60, 1 FROM ({times}) WHERE {fitting} \
         SETTINGS max_partitions_per_insert_block = 0"
    ));
}

#[test]
fn a_gap_that_widens_is_an_alert_until_it_is_narrow_again() {
    let pipeline = prepared(
        "watch_gap",
        "[[source]]\nname = \"books\"\nnetwork = \"orders\"\nenabled = false",
    );
    let times = times(1);
    load_postbacks(&pipeline, &times);
    load_orders(&pipeline, &times);
    // One in fifty never has a postback; of the ten hours before the last four, two of five have none.
    let usual = "number % 50 != 0";
    let lost = "number >= 144 AND number < 504 AND number % 5 < 2";
    load_transactions(&pipeline, &times, &format!("{usual} AND NOT ({lost})"));
    let (code, wide) = alerts(&pipeline);
    assert_eq!((code, wide.len()), (3, 1), "{wide:?}");
    let alert = &wide[0];
    assert_eq!(
        (&alert["kind"], &alert["source"]),
        (&json!("gap"), &json!("books")),
        "{alert}"
    );
    let observed = alert["measured"]["observed"].as_f64().unwrap();
    assert!((0.36..0.46).contains(&observed), "{alert}");
    let usual_share = alert["measured"]["usual"].as_f64().unwrap();
    assert!((0.015..0.025).contains(&usual_share), "{alert}");
    let since: jiff::Timestamp = alert["since"].as_str().unwrap().parse().unwrap();
    let hours = jiff::Timestamp::now().duration_since(since).as_secs_f64() / 3_600.0;
    assert!((13.0..15.0).contains(&hours), "{hours}: {alert}");

    // What it says to look closer with lists the orders.
    let look: Vec<&str> = alert["look"].as_str().unwrap().split(' ').skip(1).collect();
    let listed = pipeline.postback(&[&look[..], &["-o", "json"]].concat());
    assert_eq!(listed.code, 3, "{}", listed.shown());
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let rows = listed["rows"].as_array().unwrap().len();
    assert!((125..165).contains(&rows), "{rows}");

    load_transactions(&pipeline, &times, &format!("{usual} AND {lost}"));
    assert_eq!(alerts(&pipeline), (0, Vec::new()));
}

/// A pipeline whose topic keeps a producer's times.
fn plain(name: &str) -> Pipeline {
    let pipeline = Setup::new(name).source("shop", COMPLETE).prepare();
    pipeline.topic.make_plain(3);
    pipeline.migrate();
    pipeline
}

/// Publishes a record that the broker has had for so many minutes. Its topic must keep a producer's
/// times.
fn publish_aged(pipeline: &Pipeline, record: &str, minutes: i64) {
    let brokers = Servers::from_environment().brokers;
    let mut config = ClientConfig::new();
    let producer: BaseProducer = config.set("bootstrap.servers", brokers).create().unwrap();
    let taken = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    let record = BaseRecord::<(), [u8]>::to(pipeline.topic.name())
        .partition(0)
        .timestamp(taken.as_millisecond())
        .payload(record.as_bytes());
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(wait::LIMIT).unwrap();
}

/// A record that ingest received five hours ago.
fn spooled() -> String {
    let received = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(5);
    let record = json!({
        "v": 1, "id": "01a05a43-fc00-7f54-8d8e-0023af5570aa", "source": "shop", "key": "k1",
        "received_at": received.to_string(), "method": "GET", "query": {"utf8": "a=1"},
        "content_type": null, "body": null, "remote": null, "headers": {}, "via": "http",
    });
    record.to_string()
}

#[test]
fn records_that_wait_for_long_are_an_alert_though_nothing_is_loaded() {
    let pipeline = plain("watch_unread");
    publish_aged(&pipeline, "no record", 20);
    let (code, alerts) = alerts(&pipeline);
    assert_eq!((code, alerts.len()), (3, 1), "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!(alert["kind"], "unread");
    let what = alert["what"].as_str().unwrap();
    assert!(what.starts_with("1 record waits in Kafka, for 2"), "{what}");
    assert_eq!(alert["measured"]["waiting"], 1);
    let seconds = alert["measured"]["seconds"].as_i64().unwrap();
    assert!((1_200..1_320).contains(&seconds), "{seconds}");
}

#[test]
fn what_was_received_long_ago_and_waits_hides_whether_all_is_well() {
    let pipeline = plain("watch_spooled");
    load(&pipeline, 0, 0);
    publish_aged(&pipeline, &spooled(), 2);
    let finished = pipeline.postback(&["-q", "watch", "--once"]);
    // What cannot be judged is not known to be well.
    assert_eq!(finished.code, 3, "{}", finished.shown());
    let words =
        "Records that were received long ago wait to be loaded: nothing behind them is judged.";
    assert!(finished.stdout.contains(words), "{}", finished.shown());
    let is_well = finished.stdout.contains("All is well");
    assert!(!is_well, "{}", finished.shown());
    let finished = pipeline.postback(&["watch", "--once", "-o", "json"]);
    let answer: Value = serde_json::from_str(&finished.stdout).unwrap();
    let told = (finished.code, &answer["meta"]["unjudged"]);
    assert_eq!(told, (3, &json!(words)), "{}", finished.shown());
}

#[test]
fn a_record_on_its_way_does_not_wait_since_the_one_before_it() {
    let pipeline = prepared("watch_rare", "");
    // The partition's newest row is three hours old.
    load(&pipeline, 3 * 3_600, 0);
    pipeline.topic.publish(0, &[b"no record"]);
    let finished = pipeline.postback(&["watch", "--once", "-o", "json"]);
    let answer: Value = serde_json::from_str(&finished.stdout).unwrap();
    let alerts = answer["meta"]["alerts"].as_array().unwrap();
    let kinds: Vec<&Value> = alerts.iter().map(|alert| &alert["kind"]).collect();
    assert_eq!(kinds, [&json!("silence")], "{}", finished.shown());
    let through: jiff::Timestamp = answer["meta"]["judged_through"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let behind = jiff::Timestamp::now().duration_since(through).as_mins();
    assert!(behind < 3, "{}", finished.shown());
}

#[test]
fn a_source_that_was_renamed_is_watched_on() {
    let pipeline = prepared("watch_renamed", "");
    load(&pipeline, 3_600, 0);
    let text = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let named = "name = \"boutique\"\naliases = [\"shop\"]\naccount = \"shop\"\n";
    let renamed = text.replace("name = \"shop\"\n", named);
    assert_ne!(renamed, text);
    std::fs::write(pipeline.configuration(), renamed).unwrap();
    let (code, found) = alerts(&pipeline);
    assert_eq!((code, found.len()), (3, 1), "{found:?}");
    assert_eq!(
        (&found[0]["kind"], &found[0]["source"]),
        (&json!("silence"), &json!("boutique"))
    );
    let older = pipeline.postback(&["watch", "--once", "-o", "json", "--source", "shop"]);
    assert_eq!(older.code, 3, "{}", older.shown());
}

#[test]
fn a_running_watch_reads_the_sources_again_on_sighup() {
    let pipeline = prepared("watch_reload", "interval_seconds = 5");
    load(&pipeline, 3_600, 0);
    let watching = pipeline.start_with("postback", &["-o", "jsonl", "watch"]);
    let until = |part: &str| wait::until_true(part, || watching.output().contains(part));
    until("\"source\":\"shop\"");
    let text = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let change = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        std::fs::write(pipeline.configuration(), changed).unwrap();
        watching.signal(Signal::HUP);
    };
    let source = "name = \"shop\"\n";
    let renamed = "name = \"boutique\"\naliases = [\"shop\"]\naccount = \"shop\"\n";
    change(source, renamed);
    until("sources reloaded: 1");
    until("\"source\":\"boutique\"");
    // Its history is that of the old name: silence, not a source without any past.
    let output = watching.output();
    let alert = output.lines().find(|line| line.contains("boutique"));
    let alert: Value = serde_json::from_str(alert.unwrap()).unwrap();
    assert_eq!(alert["kind"], "silence", "{alert}");
    assert_eq!(alert["learning"], false, "{alert}");

    for (changed, told) in [
        ("nmae = \"shop\"\n", "nmae"),
        (
            "name = \"market\"\n",
            "source boutique is missing in the file",
        ),
    ] {
        change(source, changed);
        until(told);
        assert!(watching.process().is_running(), "{}", watching.output());
    }
    let refused = "configuration refused, the old sources stay";
    assert_eq!(watching.output().matches(refused).count(), 2);
    assert_eq!(watching.terminate(), 0);
}

#[test]
fn a_break_that_cannot_be_seen_is_not_over_after_sighup() {
    let pipeline = plain("watch_blind");
    load(&pipeline, 3_600, 0);
    // It looks only when it reads the sources again.
    let arguments = ["-o", "jsonl", "watch", "--interval", "3600"];
    let watching = pipeline.start_with("postback", &arguments);
    let until = |part: &str, times: usize| {
        wait::until_true(part, || watching.output().matches(part).count() == times);
    };
    let alert = "\"event\":\"alert\"";
    until(alert, 1);
    // What lay in the spool for five hours waits: the last hour cannot be judged.
    publish_aged(&pipeline, &spooled(), 2);
    // What three looks do not find is over, and each look ends before the next reload.
    for reloads in 1..=4 {
        watching.signal(Signal::HUP);
        until("sources reloaded: 1", reloads);
    }
    until("Records that were received long ago", 1);
    let output = watching.output();
    assert!(!output.contains("\"event\":\"over\""), "{output}");
    assert_eq!(output.matches(alert).count(), 1, "{output}");

    // One that is no longer watched ends all the same.
    let text = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let disabled = text.replace("name = \"shop\"\n", "name = \"shop\"\nenabled = false\n");
    assert_ne!(disabled, text);
    std::fs::write(pipeline.configuration(), disabled).unwrap();
    for reloads in 5..=7 {
        watching.signal(Signal::HUP);
        until("sources reloaded: 1", reloads);
    }
    until("\"event\":\"over\"", 1);
    assert_eq!(watching.terminate(), 0);
}

#[test]
fn a_running_watch_refuses_csv() {
    let pipeline = Setup::new("watch_csv").source("shop", COMPLETE).prepare();
    let finished = pipeline.postback(&["watch", "-o", "csv"]);
    assert_eq!(finished.code, 2, "{}", finished.shown());
    assert!(
        finished.stderr.contains("-o jsonl, or --once"),
        "{}",
        finished.shown()
    );
}

#[test]
fn a_watch_that_cannot_reach_clickhouse_says_so_and_ends_when_told() {
    let pipeline = Setup::new("watch_hangs").source("shop", COMPLETE).prepare();
    let hanging = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let [admin, _, _] = postback_stack::port::free().unwrap();
    let text = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let clickhouse = Servers::from_environment().clickhouse_url;
    let away = format!("url = \"http://{}\"", hanging.local_addr().unwrap());
    let text = text.replace(&format!("url = \"{clickhouse}\""), &away);
    assert!(text.contains(&away), "{text}");
    let watch = format!("{text}\n[watch]\nadmin_listen = \"127.0.0.1:{admin}\"\n");
    std::fs::write(pipeline.configuration(), watch).unwrap();
    let watching = pipeline.start_with("postback", &["watch"]);
    // It waits for an answer that does not come.
    let _connection = hanging.accept().unwrap();
    let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, admin));
    let (_, page) = pipeline::get(admin, "/metrics").unwrap();
    assert!(
        page.contains("postback_probe_ok{probe=\"clickhouse\"} 0"),
        "{page}"
    );
    let told = Instant::now();
    assert_eq!(watching.terminate(), 0);
    let ended = told.elapsed();
    assert!(ended < Duration::from_secs(10), "{ended:?}");
}

/// The body of the next request, which is answered with a status.
fn receive(listener: &TcpListener, status: &str) -> Value {
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "the request ends early");
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
        if let Some(Ok(body)) = body.map(serde_json::from_str::<Value>) {
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            return body;
        }
    }
}

#[test]
fn a_running_watch_posts_each_alert_until_it_is_taken() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let [admin, _, _] = postback_stack::port::free().unwrap();
    let pipeline = prepared(
        "watch_webhook",
        &format!(
            "interval_seconds = 5\nadmin_listen = \"127.0.0.1:{admin}\"\nwebhook_url = \"http://127.0.0.1:{port}/t0ken\"\nwebhook_allow = [\"127.0.0.1\"]\n"
        ),
    );
    load(&pipeline, 3_600, 0);
    let mut watching = Command::new(program::binary("postback"))
        .arg("-c")
        .arg(pipeline.configuration())
        .arg("watch")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = receive(&listener, "503 Busy");
    let again = receive(&listener, "204 No Content");
    let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, admin));
    wait::until_true("the open alert is a metric", || {
        let page = pipeline::get(admin, "/metrics").unwrap().1;
        page.contains("postback_watch_open_alerts{source=\"shop\",kind=\"silence\"} 1")
            && !page.contains("postback_watch_judged_through_timestamp_seconds 0")
            && page.contains("postback_watch_webhook_deliveries_total{result=\"failed\"} 0")
            && page.contains("postback_watch_reloads_total{result=\"failed\"} 0")
    });
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert_eq!(first, again);
    assert_eq!(
        (&again["event"], &again["source"], &again["kind"]),
        (&json!("alert"), &json!("shop"), &json!("silence"))
    );
}
