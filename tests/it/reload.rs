//! The consumer's sources are read again while ClickHouse is away, or hangs.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::{Servers, Setup, secret, wait};
use rustix::process::Signal;

use crate::templates::COMPLETE;

/// What becomes of a request on its way to ClickHouse.
#[derive(Clone, Copy)]
enum Way {
    Open,
    /// Its connection is closed.
    Closed,
    /// It stays on the way if it has this, and its connection stays open.
    Held(&'static str),
}

/// Stands before ClickHouse.
struct Gate {
    address: SocketAddr,
    way: Arc<Mutex<Way>>,
    held: Arc<Mutex<Vec<[TcpStream; 2]>>>,
}

impl Gate {
    fn before(clickhouse: &str) -> Self {
        let clickhouse = clickhouse.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self {
            address: listener.local_addr().unwrap(),
            way: Arc::new(Mutex::new(Way::Open)),
            held: Arc::default(),
        };
        let (way, held) = (Arc::clone(&gate.way), Arc::clone(&gate.held));
        thread::spawn(move || {
            for caller in listener.incoming() {
                let (way, held) = (Arc::clone(&way), Arc::clone(&held));
                let server = TcpStream::connect(&clickhouse).unwrap();
                thread::spawn(move || pass(caller.unwrap(), server, &way, &held));
            }
        });
        gate
    }

    fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    fn holds(&self) -> bool {
        !self.held.lock().unwrap().is_empty()
    }

    /// A pipeline that reaches ClickHouse through it.
    fn setup(name: &str) -> (Self, Setup) {
        let servers = Servers::from_environment();
        let gate = Self::before(&servers.clickhouse_url);
        let servers = Servers {
            clickhouse_url: format!("http://{}", gate.address),
            ..servers
        };
        (
            gate,
            Setup::on(name, servers).source("rakuten-us", COMPLETE),
        )
    }
}

fn pass(caller: TcpStream, server: TcpStream, way: &Mutex<Way>, held: &Mutex<Vec<[TcpStream; 2]>>) {
    let (mut asks, mut asked) = (caller.try_clone().unwrap(), server.try_clone().unwrap());
    let (mut answers, mut answered) = (server, caller);
    thread::spawn(move || {
        std::io::copy(&mut answers, &mut answered).ok();
        answered.shutdown(Shutdown::Both).ok();
    });
    let mut bytes = [0; 64 << 10];
    while let Ok(length @ 1..) = asks.read(&mut bytes) {
        let request = &bytes[..length];
        match *way.lock().unwrap() {
            Way::Closed => break,
            Way::Held(part) if String::from_utf8_lossy(request).contains(part) => {
                held.lock().unwrap().push([asks, asked]);
                return;
            }
            Way::Open | Way::Held(_) => {}
        }
        if asked.write_all(request).is_err() {
            break;
        }
    }
    for end in [asks, asked] {
        end.shutdown(Shutdown::Both).ok();
    }
}

/// Adds a source to the file, and gives its key.
fn add_source(pipeline: &Pipeline) -> String {
    let key = secret::fresh();
    let more = format!(
        "[[source]]\nname = \"second\"\nnetwork = \"rakuten\"\n[[source.key]]\nkey = \"{key}\"\n"
    );
    let file = pipeline.configuration();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text + &more).unwrap();
    key
}

#[test]
fn a_reload_waits_for_clickhouse_and_is_done_by_itself() {
    let (gate, setup) = Gate::setup("reload_waits");
    let Running {
        ingest,
        consumer,
        pipeline,
    } = setup.start();
    let key = add_source(&pipeline);
    gate.set(Way::Closed);
    consumer.signal(Signal::HUP);
    wait::until_true("the consumer says that it waits", || {
        consumer.output().contains("not reloaded yet")
    });
    let output = consumer.output();
    assert!(!output.contains("configuration refused"), "{output}");
    assert!(!output.contains("sources reloaded"), "{output}");

    gate.set(Way::Open);
    wait::until_true("the consumer has the new source", || {
        consumer.output().contains("sources reloaded")
    });
    ingest.signal(Signal::HUP);
    let url = format!(
        "http://{}/postback/{key}?etransaction_id={}&is_event=N&order_id=o1&transaction_date=2026-09-01T10:00:00Z&sale_amount=10.00&commissions=1.00&currency=USD",
        pipeline.address,
        "1".repeat(32)
    );
    wait::until_true("ingest knows it", || ureq::get(&url).call().is_ok());
    pipeline.wait_until_loaded(1);
    let accepted =
        "SELECT count() FROM {db}.postbacks WHERE source = 'second' AND outcome = 'accepted'";
    assert_eq!(pipeline.database.count(accepted), 1);
    let told = consumer.output().matches("not reloaded yet").count();
    assert_eq!(told, 1, "{}", consumer.output());
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

#[test]
fn a_reload_that_hangs_holds_up_no_end() {
    let (gate, setup) = Gate::setup("reload_hangs");
    let Running {
        consumer,
        pipeline,
        ingest: _ingest,
    } = setup.start();
    add_source(&pipeline);
    gate.set(Way::Held("INSERT INTO generation_rules"));
    consumer.signal(Signal::HUP);
    wait::until_true("the rules are on their way", || gate.holds());
    let began = Instant::now();
    assert_eq!(consumer.terminate(), 0);
    // ClickHouse has 30 s to answer, and so has the consumer before systemd kills it.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
}
