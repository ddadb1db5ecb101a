//! Every figure of every report equals a calculation of its own, made from what was sent: with
//! revisions, reversals, signals, several currencies, days of 23 and 25 hours, orders that were
//! cancelled, and once more after a replay.

mod book;
mod compared;
mod model;
mod questions;
mod sending;

use jiff::Timestamp;
use postback_tests::pipeline::Running;
use postback_tests::{Setup, secret, wait};

use book::Book;
use compared::World;
use model::counting;

/// Names of keys and their secrets.
struct Keys(Vec<(&'static str, String)>);

impl Keys {
    fn fresh() -> Self {
        let sources = [
            "rakuten-us",
            "rakuten-eu",
            "tracker",
            "shop",
            "steady",
            "idle",
        ];
        Self(sources.map(|source| (source, secret::fresh())).to_vec())
    }

    fn of(&self, source: &str) -> &str {
        let found = self.0.iter().find(|(name, _)| *name == source);
        &found.unwrap().1
    }

    fn configuration(&self) -> String {
        let source = |name: &str, more: &str| {
            let key = self.of(name);
            format!("[[source]]\nname = \"{name}\"\n{more}\n[[source.key]]\nkey = \"{key}\"\n")
        };
        // Both templates' markers are static; the second calls the click id otherwise.
        let rakuten = |name: &str, more: &str| {
            let fields = "etransaction_id=<etransaction_id>&is_event=<is_event>&advertiser_id=<advertiser_id>&order_id=<order_id>&offer_id=<offer_id>&sku_number=<sku_number>&sale_amount=<sale_amount>&commissions=<commissions>&currency=<currency>&transaction_date=<transaction_date>&process_date=<process_date>";
            let key = self.of(name);
            let template = |marker: &str, click: &str| {
                format!(
                    "[[source.template]]\nurl = \"https://pb.example/postback/{key}?pbt={marker}&{fields}&{click}=<u1>\"\n"
                )
            };
            let templates = template("1", "u1") + &template("2", "unique_id");
            source(name, &format!("network = \"rakuten\"\n{more}")) + &templates
        };
        [
            rakuten("rakuten-us", "currency = \"USD\""),
            rakuten("rakuten-eu", ""),
            source(
                "tracker",
                "network = \"generic\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"",
            ),
            source("steady", "network = \"generic\""),
            source("idle", "network = \"generic\""),
            source("shop", "network = \"orders\"\ntime_zone = \"America/New_York\""),
            "[[source]]\nname = \"items\"\nnetwork = \"rakuten-item-report\"\npublisher_id = \"3861234\"\ntime_zone = \"America/New_York\"\nenabled = false\n".to_owned(),
        ]
        .concat()
    }
}

#[test]
fn every_figure_equals_a_calculation_of_its_own_also_after_a_replay() {
    let keys = Keys::fresh();
    let running = Setup::new("figures")
        .lines("consumer", &keys.configuration())
        .start();
    let Running { pipeline, .. } = &running;
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let book = Book::written(7, now);
    let sent = sending::send(pipeline, &keys, &book);
    pipeline.wait_until_loaded(sent.len() as u64);
    let conversions = counting(&sending::received(pipeline, &sent));
    let own = book::own(&conversions, now);
    sending::import(pipeline, &keys, &own);
    sending::be_refused(pipeline, &keys);
    let postbacks = sending::postbacks(pipeline, &sent);
    pipeline.wait_until_loaded(postbacks.len() as u64);
    let world = World {
        pipeline,
        conversions,
        postbacks,
        own,
    };
    questions::assert_all(&world, now);

    pipeline.json(&["replay", "start", "--wait"]);
    pipeline.json(&["generation", "activate", "2"]);
    wait::until_true("readers see generation 2", || {
        let asked = pipeline.report(&["summary", "--from", "2026-01-01"]);
        asked["meta"]["generation"] == 2
    });
    questions::assert_all(&world, now);
}
