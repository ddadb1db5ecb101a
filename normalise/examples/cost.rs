//! What one postback costs, from its raw record to its row: `cargo xtask bench normalise` runs it.
//!
//! `cargo run --release -p postback-normalise --example cost -- [ROUNDS]`
//!
//! Postbacks of Rakuten, 500 bytes of query with 17 renamed fields, no two alike. Prints one JSON
//! object for each round: CPU time of the thread for one postback, in nanoseconds.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for measurements on a terminal"
)]

use std::hint::black_box;
use std::sync::Arc;

use postback_common::name::{AccountName, SourceName};
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::{Outcome, SourceDescription, SourceRules, Template, normalise, profile};
use uuid::Uuid;

/// The consumer's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Different postbacks: more than a processor learns by heart.
const POSTBACKS: u64 = 1_024;

/// Turns over all of them in a round.
const TURNS: u64 = 40;

/// Bytes of a query.
const BYTES: usize = 500;

const TEMPLATE: &str = "tid=<etransaction_id>&mid=<advertiser_id>&pub=<sid>&order=<order_id>&offer=<offer_id>\
    &article=<sku_number>&amount=<sale_amount>&pieces=<quantity>&fee=<commissions>&processed=<process_date>\
    &bought=<transaction_date>&how=<transaction_type>&cur=<currency>&member=<u1>\
    &early=<is_event>&list=<commission_list_id>&title=<product_name>";

fn main() {
    let rounds: u32 = std::env::args()
        .nth(1)
        .map_or(50, |rounds| rounds.parse().unwrap());
    let rules = rules();
    let queries: Vec<String> = (0..POSTBACKS).map(query).collect();
    let records: Vec<RawRecord<'_>> = queries.iter().zip(0..).map(record).collect();
    // The first turn finds everything cold.
    turn(&records, &rules);
    for _ in 0..rounds {
        let before = cpu_ns();
        for _ in 0..TURNS {
            turn(&records, &rules);
        }
        let spent = cpu_ns() - before;
        println!(
            "{{\"bytes\":{BYTES},\"fields\":17,\"postbacks\":{},\"cpu_ns\":{}}}",
            TURNS * POSTBACKS,
            spent / (TURNS * POSTBACKS)
        );
    }
}

fn turn(records: &[RawRecord<'_>], rules: &SourceRules) {
    for record in records {
        let outcome = normalise(black_box(record), rules);
        assert!(matches!(outcome, Outcome::Accepted(_)));
        black_box(outcome);
    }
}

/// Time that this thread had a processor, in nanoseconds.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn rules() -> SourceRules {
    let profile = profile::builtin("rakuten").unwrap();
    SourceRules::new(SourceDescription {
        source: SourceName::new("rakuten-us").unwrap(),
        account: AccountName::new("rakuten").unwrap(),
        profile: Arc::clone(profile),
        currency: None,
        zone: None,
        publisher_id: None,
        templates: vec![Template::of_query(TEMPLATE, profile).unwrap().into()],
        identity: None,
        key_day_rule: None,
    })
    .unwrap()
}

/// As the network writes it, in the template's order.
fn query(n: u64) -> String {
    let (day, minute) = (10 + n % 19, 10 + n % 49);
    let mut query = format!(
        "tid={:032x}&mid={}&pub=3405541&order=M19177{n:05}&offer=727010&article=SH-{}&amount={}.{:02}\
         &pieces=1&fee={}.{:02}&processed=Sat%20Mar%20{day}%202020%2018%3A{minute}%3A18%20GMT%2B0000%20(UTC)\
         &bought=Fri%20Mar%20{day}%202020%2009%3A{minute}%3A00%20GMT%2B0000%20(UTC)&how=realtime\
         &cur=USD&member=member{n:06}&early=N&list=cl-9&title=Blue%20shirt",
        u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
        2_000 + n % 50,
        1_000 + n % 900,
        10 + n % 300,
        n % 100,
        1 + n % 20,
        n % 100,
    );
    query.extend(std::iter::repeat_n('x', BYTES - query.len()));
    query
}

fn record((query, n): (&String, u64)) -> RawRecord<'_> {
    RawRecord {
        id: Uuid::from_u128(0x01a0_5a43_fc00_7f54_8d8e_0023_af55_70ee ^ u128::from(n)),
        source: "rakuten-us".into(),
        key: Some("k1".into()),
        received_at: "2026-09-01T00:00:00Z".parse().unwrap(),
        method: "GET".into(),
        query: Payload::of(query.as_bytes()),
        content_type: None,
        body: None,
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    }
}
