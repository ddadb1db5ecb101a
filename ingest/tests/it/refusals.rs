//! What is refused leaves a trace, and the trace holds no key.

use postback_common::refusal::RefusalRecord;
use postback_ingest::limits::Limits;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Ingest, KEY, Kafka, PATH, get, request, settings};

/// First 32 bits of the SHA-256 of [`KEY`] and of the disabled source's key, by `sha256sum`.
const KEY_HASH: &str = "20021225";
const CLOSED_HASH: &str = "c35ccf57";

impl Ingest {
    /// The records that were noted so far, oldest first. They are published.
    fn refused(&mut self) -> Vec<Value> {
        let mut records = Vec::new();
        while let Ok(noted) = self.noted.try_recv() {
            noted.pending.published();
            RefusalRecord::decode(&noted.record).expect("it can be read back");
            records.push(serde_json::from_slice(&noted.record).unwrap());
        }
        records
    }

    /// The one record that a request leaves.
    async fn trace(&mut self, bytes: impl AsRef<[u8]>) -> Value {
        self.exchange(bytes).await;
        // What is noted at the connection's end comes after the answer.
        let begun = std::time::Instant::now();
        loop {
            let records = self.refused();
            if let [record] = &records[..] {
                return record.clone();
            }
            assert_eq!(records, Vec::<Value>::new());
            assert!(begun.elapsed() < crate::support::LIMIT, "no trace");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn outcome(&self, outcome: &str) -> f64 {
        let name = format!("postback_ingest_refused_records_total{{outcome=\"{outcome}\"}}");
        self.metric(&name)
    }
}

#[tokio::test]
async fn a_record_says_what_was_refused_and_why() {
    let mut ingest = Ingest::start(Kafka::Confirms).await;
    let target = format!("{PATH}?u1=a&sku=%zz \u{e4}");
    let request = request("PUT", &target, "User-Agent: probe/1.0\r\n", "");
    let before = jiff::Timestamp::now();
    let mut record = ingest.trace(request).await;
    let refused_at: jiff::Timestamp = record["refused_at"].as_str().unwrap().parse().unwrap();
    assert!(refused_at.as_microsecond() >= before.as_microsecond());
    assert!(refused_at <= jiff::Timestamp::now());
    for volatile in ["id", "refused_at"] {
        assert!(record.as_object_mut().unwrap().remove(volatile).is_some());
    }
    let expected = json!({
        "v": 1, "reason": "wrong_method", "status": 405, "source": "shop", "key": "spring",
        "method": "PUT", "path": format!("/postback/[23 characters, sha256 {KEY_HASH}]"),
        "query": "u1=a&sku=%zz \u{e4}", "query_bytes": 15, "remote": "127.0.0.1",
        "user_agent": "probe/1.0", "cut": [], "suppressed": 0
    });
    assert_eq!(record, expected);
    assert_eq!(ingest.outcome("published"), 1.0);
}

#[tokio::test]
async fn each_reason_leaves_its_trace() {
    let lines = "max_body_bytes = 1000";
    let limits = Limits {
        head_within: Duration::from_millis(500),
        body_within: Duration::from_millis(500),
        ..Limits::default()
    };
    let mut ingest = Ingest::with(Kafka::Confirms, &settings(lines, ""), limits).await;
    let known = format!("/postback/[23 characters, sha256 {KEY_HASH}]");
    let known = known.as_str();
    let long_query = "q&".repeat(10_000);
    let cases: Vec<(Vec<u8>, &str, u16, Value, Value)> = vec![
        (
            get("/wp-login.php?x=1").into(),
            "not_found",
            404,
            json!("/wp-login.php"),
            json!("x=1"),
        ),
        (
            get("/postback/short?u1=a").into(),
            "not_found",
            404,
            json!("/postback/[5 characters]"),
            json!("u1=a"),
        ),
        (
            get("/postback/disabled-disabled-disabled?u1=a").into(),
            "not_found",
            404,
            json!(format!("/postback/[26 characters, sha256 {CLOSED_HASH}]")),
            json!("u1=a"),
        ),
        (
            get(&format!("{PATH}/deeper")).into(),
            "not_found",
            404,
            json!(format!("{known}/deeper")),
            json!(""),
        ),
        (
            request("BREW", PATH, "", "").into(),
            "wrong_method",
            405,
            json!(known),
            json!(""),
        ),
        (
            get(&format!("{PATH}?{long_query}")).into(),
            "query_too_large",
            414,
            json!(known),
            json!("q&".repeat(1_024)),
        ),
        (
            request("POST", PATH, "Content-Length: 1001\r\n", &"b".repeat(1_001)).into(),
            "body_too_large",
            413,
            json!(known),
            json!(""),
        ),
        (
            request(
                "POST",
                &format!("{PATH}?u1=a"),
                "Content-Length: 10\r\n",
                "12345",
            )
            .into(),
            "body_incomplete",
            408,
            json!(known),
            json!("u1=a"),
        ),
        (
            format!("GET {PATH}?u1=a HTTP/9.9\r\n\r\n").into(),
            "unparsable",
            400,
            json!(known),
            json!("u1=a"),
        ),
        // hyper sees a stand-in of the target, and refuses the header.
        (
            format!("GET {PATH}?u1=<a> HTTP/1.1\r\nno header\r\n\r\n").into(),
            "unparsable",
            400,
            json!(known),
            json!("u1=<a>"),
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec(),
            "unparsable",
            400,
            json!(null),
            json!(null),
        ),
        (
            get(PATH)
                .replace("Host", &format!("X: {}\r\nHost", "y".repeat(200_000)))
                .into(),
            "head_too_large",
            431,
            json!(known),
            json!(""),
        ),
        // Cut off within the key: what is there of it is masked, however short.
        (
            b"GET /postback/canary-7d1".to_vec(),
            "head_incomplete",
            408,
            json!("/postback/[10 characters]"),
            json!(""),
        ),
        (
            format!("GET {PATH}?u1=a HTTP/1.1\r\nHost: x\r\n").into(),
            "head_incomplete",
            408,
            json!(known),
            json!("u1=a"),
        ),
    ];
    let mut counted = BTreeMap::<u16, f64>::new();
    for (bytes, reason, status, path, query) in cases {
        let shown = String::from_utf8_lossy(&bytes)
            .chars()
            .take(60)
            .collect::<String>();
        let record = ingest.trace(&bytes).await;
        let found = (
            &record["reason"],
            &record["status"],
            &record["path"],
            &record["query"],
        );
        assert_eq!(
            found,
            (&json!(reason), &json!(status), &path, &query),
            "{shown:?}"
        );
        let is_known = path.as_str() == Some(known);
        if is_known {
            *counted.entry(status).or_default() += 1.0;
            let labels = format!("source=\"shop\",key=\"spring\",status=\"{status}\"");
            let name = format!("postback_ingest_requests_total{{{labels}}}");
            assert_eq!(ingest.metric(&name), counted[&status], "{shown:?}");
        }
        let source = if is_known { json!("shop") } else { json!(null) };
        let source = if shown.contains("disabled") {
            json!("closed")
        } else {
            source
        };
        assert_eq!(record["source"], source, "{shown:?}");
        let cut = if reason == "query_too_large" {
            json!(["query"])
        } else {
            json!([])
        };
        let is_cut_off = shown.ends_with("canary-7d1");
        assert_eq!(
            record["cut"],
            if is_cut_off { json!(["path"]) } else { cut },
            "{shown:?}"
        );
    }
}

/// hyper has dropped the head when it looks at these headers.
#[tokio::test]
async fn a_body_that_is_announced_badly_leaves_a_trace_of_whose_it_was() {
    let mut ingest = Ingest::start(Kafka::Confirms).await;
    let known = format!("/postback/[23 characters, sha256 {KEY_HASH}]");
    let headers = [
        "Content-Length: +5\r\n",
        "Content-Length: abc\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Transfer-Encoding: gzip\r\n",
    ];
    let mut requests: Vec<String> = headers
        .iter()
        .flat_map(|header| ["POST", "PUT"].map(|method| (method, header)))
        .map(|(method, header)| request(method, &format!("{PATH}?u1=a"), header, "12345"))
        .collect();
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n";
    requests.push(format!("POST {PATH}?u1=a HTTP/1.0\r\n{chunked}"));
    let mut counted = 0.0;
    for request in &requests {
        let record = ingest.trace(request).await;
        assert_eq!(record["reason"], "unparsable", "{request:?}");
        assert_eq!(record["status"], 400, "{request:?}");
        assert_eq!(record["source"], "shop", "{request:?}");
        assert_eq!(record["key"], "spring", "{request:?}");
        assert_eq!(record["path"], known, "{request:?}");
        assert_eq!(record["query"], "u1=a", "{request:?}");
        assert_eq!(record["method"], Value::Null, "{request:?}");
        counted += 1.0;
        let name = "postback_ingest_requests_total{source=\"shop\",key=\"spring\",status=\"400\"}";
        assert_eq!(ingest.metric(name), counted, "{request:?}");
    }
    // A target that hyper was not shown is known of any request, and that of a GET otherwise not.
    let header = "Content-Length: +5\r\n";
    let hidden = request("GET", &format!("{PATH}?u1=<a>"), header, "");
    let record = ingest.trace(hidden).await;
    assert_eq!(
        (&record["path"], &record["query"]),
        (&json!(known), &json!("u1=<a>"))
    );
    let record = ingest.trace(request("GET", PATH, header, "")).await;
    assert_eq!(
        (&record["path"], &record["source"]),
        (&json!(null), &json!(null))
    );
    // A good request before it on the connection is not taken for it.
    let good = format!("POST {PATH}?u1=good HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    let record = ingest.trace(good + &request("GET", PATH, header, "")).await;
    assert_eq!(
        (&record["path"], &record["source"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn what_could_not_be_stored_leaves_a_trace_too() {
    for (kafka, reason) in [
        (Kafka::QueueFull, "nowhere_to_store"),
        (Kafka::Silent, "not_confirmed"),
    ] {
        let lines = settings("answer_within_ms = 50\nkafka_wait_ms = 20", "");
        let mut ingest = Ingest::with(kafka, &lines, Limits::default()).await;
        let record = ingest.trace(get(&format!("{PATH}?u1=a"))).await;
        assert_eq!(
            (&record["reason"], &record["status"]),
            (&json!(reason), &json!(503))
        );
        assert_eq!(record["source"], "shop");
    }
}

#[tokio::test]
async fn accepted_postbacks_and_trials_leave_none() {
    let mut ingest = Ingest::start(Kafka::Confirms).await;
    ingest.exchange(get(&format!("{PATH}?u1=a"))).await;
    ingest.exchange(request("HEAD", PATH, "", "")).await;
    // A connection without a request, and one more request to know that they are over.
    ingest.exchange("").await;
    let record = ingest.trace(get("/last")).await;
    assert_eq!(record["path"], "/last");
}

#[tokio::test]
async fn too_many_of_a_reason_are_numbers_and_other_reasons_are_not_kept_out() {
    let mut ingest = Ingest::start(Kafka::Confirms).await;
    let begun = std::time::Instant::now();
    let mut sender = ingest.connect().await;
    let many = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(999) + &get("/x");
    sender.send(many).await;
    sender.rest().await;
    let records = ingest.refused();
    let within = usize::try_from(begun.elapsed().as_millis() / 100).unwrap();
    assert!(
        (100..=101 + within).contains(&records.len()),
        "{} records after {within} intervals",
        records.len()
    );
    assert_eq!(ingest.refusals("not_found"), 1_000.0, "all are counted");
    let told = records
        .iter()
        .map(|record| record["suppressed"].as_u64().unwrap());
    let owed = 1_000 - records.len() as u64 - told.sum::<u64>();
    assert_eq!(ingest.outcome("suppressed"), (1_000 - records.len()) as f64);
    assert!(owed > 0, "the last ones are owed");

    assert_eq!(
        ingest.trace(request("PUT", PATH, "", "")).await["reason"],
        "wrong_method"
    );
    tokio::time::sleep(Duration::from_millis(150)).await;
    let record = ingest.trace(get("/x")).await;
    assert_eq!(record["suppressed"], owed, "the next record tells them");
}

#[tokio::test]
async fn a_record_that_is_dropped_is_counted_and_owed() {
    let mut ingest = Ingest::start(Kafka::Confirms).await;
    ingest.exchange(get("/a")).await;
    let lost = ingest.noted.try_recv().unwrap();
    drop(lost);
    assert_eq!(
        (ingest.outcome("dropped"), ingest.outcome("published")),
        (1.0, 0.0)
    );
    assert_eq!(ingest.trace(get("/b")).await["suppressed"], 1);
    assert_eq!(ingest.trace(get("/c")).await["suppressed"], 0);
}

#[tokio::test]
async fn nobody_reads_the_records_and_every_answer_comes_all_the_same() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    // More than wait in memory; they are of several reasons because of the limit.
    for method in ["GET", "PUT"] {
        let target = if method == "PUT" { PATH } else { "/x" };
        for _ in 0..90 {
            ingest.exchange(request(method, target, "", "")).await;
            ingest
                .exchange(get(&format!("{PATH}?{}", "q".repeat(16_385))))
                .await;
        }
    }
    let all = ["published", "suppressed", "dropped"].map(|outcome| ingest.outcome(outcome));
    assert!(all[1] + all[2] > 0.0 && all[0] == 0.0, "{all:?}");
    assert_eq!(ingest.refusals("query_too_large"), 180.0);
}

/// Characters around a key, wherever a sender may put it.
fn around() -> impl Strategy<Value = String> {
    "[A-Za-z0-9/?&=%._~@:#<>\\\\ é-]{0,40}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_key_is_left_in_any_text(key in "[A-Za-z0-9._~-]{22,64}", before in around(), behind in around(), most in 16_usize..600, is_cut: bool) {
        use postback_ingest::refusals::mask;
        let text = format!("{before}{key}{behind}");
        let path = mask::path(text.as_bytes(), is_cut, most);
        prop_assert!(!path.text.contains(&key), "{}", path.text);
        let query = mask::text(text.as_bytes(), is_cut, most);
        prop_assert!(!query.text.contains(&key), "{}", query.text);
        prop_assert!(path.text.len() <= most && query.text.len() <= most);
    }

    /// Not a beginning, nor an end of 16 characters, where the key stands by itself.
    #[test]
    fn no_part_of_a_key_is_left_where_it_stands_alone(key in "[A-Za-z0-9._~-]{22,64}", most in 16_usize..600) {
        use postback_ingest::refusals::mask;
        let parts = || (0..=key.len() - 16).map(|at| &key[at..at + 16]);
        for text in [format!("/postback/{key}"), format!("//postback//{key}/x"), format!("/other/{key}?"), format!("/%2Fpostback%2F{key}")] {
            let path = mask::path(text.as_bytes(), false, most).text;
            prop_assert!(parts().all(|part| !path.contains(part)), "{path}");
        }
        for text in [format!("a=b&key={key}"), key.clone(), format!("u=%2Fpostback%2F{key}%3Fx")] {
            let query = mask::text(text.as_bytes(), false, most).text;
            prop_assert!(parts().all(|part| !query.contains(part)), "{query}");
        }
    }

    #[test]
    fn a_key_written_in_percent_is_masked_as_well(key in "[A-Za-z0-9._~-]{22,64}", encoded in prop::collection::vec(any::<bool>(), 64)) {
        use postback_ingest::refusals::mask;
        let written: String = key.bytes().zip(encoded).map(|(b, encoded)| {
            if encoded { format!("%{b:02x}") } else { char::from(b).to_string() }
        }).collect();
        let masked = mask::text(format!("k={written}&").as_bytes(), false, 600).text;
        prop_assert!(masked.starts_with("k=[") && masked.ends_with("]&"), "{masked}");
    }
}

#[test]
fn a_key_behind_a_percent_sign_is_no_encoded_byte() {
    use postback_ingest::refusals::mask;
    // `%00` would be one byte, and what is left of the key too short to be one.
    let masked = mask::text(b"-00aaaA~A-a~_~Aa00A0aa0%", false, 600).text;
    assert!(masked.starts_with("[23 characters"), "{masked}");
    let masked = mask::text(b"?%00aaaA~A-a~_~Aa00A0aa0", false, 600).text;
    assert!(masked.starts_with("?%[22 characters"), "{masked}");
    // `%30` would be a character of the key, and two of it taken for one.
    let masked = mask::text(b"%300aA-~_a~~A-_aaaAa0-_\\", false, 600).text;
    assert!(masked.starts_with("%[22 characters"), "{masked}");
}

#[test]
fn what_cannot_be_a_key_stays_readable() {
    use postback_ingest::refusals::mask;
    let query = "is_event=N&u1=shop-42&sale_amount=12.50&product_name=Shirt%20#4 <x>";
    assert_eq!(mask::text(query.as_bytes(), false, 600).text, query);
    let path = "/a/b.php/robots.txt";
    assert_eq!(mask::path(path.as_bytes(), false, 600).text, path);
    let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36";
    assert_eq!(mask::text(agent.as_bytes(), false, 600).text, agent);
    let latin = mask::text(b"a=\xe9t\xe9", false, 600);
    assert_eq!(
        (latin.text.as_str(), latin.is_cut),
        ("a=\u{fffd}t\u{fffd}", false)
    );
    let user = mask::path(b"ftp://me:pw@host/x", false, 600).text;
    assert_eq!(user, "ftp://[10 characters]/x");
    assert!(!mask::text(KEY.as_bytes(), false, 600).text.contains(KEY));
}
