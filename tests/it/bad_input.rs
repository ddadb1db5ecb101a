//! What careless senders and strangers send: a clear answer each, nothing lost, nothing crashed.

use postback_tests::raw::{exchange, request};
use postback_tests::{Setup, wait};

use crate::templates::COMPLETE;

#[test]
fn each_bad_request_gets_its_answer() {
    let running = Setup::new("bad_input")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let path = pipeline.sources[0].path();
    let target = |query: &str| format!("{path}?{query}").into_bytes();
    let long = "x".repeat(20 * 1024);
    let big_body = vec![b'x'; 70_000];
    let length = |body: &[u8]| {
        format!(
            "Content-Length: {}\r\nContent-Type: application/octet-stream\r\n",
            body.len()
        )
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "a wrong key",
            request("GET", b"/postback/0000000000000000000000?u1=a", "", b""),
        ),
        ("no key", request("GET", b"/postback/", "", b"")),
        ("another path", request("GET", b"/", "", b"")),
        (
            "something behind the key",
            request("GET", format!("{path}/more").as_bytes(), "", b""),
        ),
        ("PUT", request("PUT", &target("u1=a"), "", b"")),
        ("HEAD", request("HEAD", &target("u1=a"), "", b"")),
        ("a query of 20 KiB", request("GET", &target(&long), "", b"")),
        (
            "a body of 70 kB",
            request("POST", &target("u1=a"), &length(&big_body), &big_body),
        ),
        (
            "a header of 600 kB",
            request(
                "GET",
                &target("u1=a"),
                &format!("X-Long: {}\r\n", "y".repeat(600_000)),
                b"",
            ),
        ),
        ("no HTTP", b"hello\r\n\r\n".to_vec()),
    ];
    let mut shown = String::new();
    for (what, bytes) in cases {
        let answer = exchange(pipeline.address, &bytes);
        let answer = answer.map_or("(closed without an answer)\n".to_owned(), |answer| {
            answer.shown()
        });
        shown.push_str(&format!("=== {what}\n{answer}\n"));
    }
    insta::assert_snapshot!("bad_requests", shown);
    assert!(
        pipeline.topic.messages().is_empty(),
        "none of them was stored"
    );
}

#[test]
fn odd_but_whole_requests_are_kept_as_they_came() {
    let running = Setup::new("odd_input")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let path = pipeline.sources[0].path();
    let known = "etransaction_id=0123456789abcdef0123456789abcdef&is_event=N&transaction_date=2026-03-14T00:00:00Z";
    let body = [0_u8, 0xff, 0xfe, b'{', b'\n'];
    let headers = format!(
        "Content-Length: {}\r\nContent-Type: image/png\r\nUser-Agent: a\r\nUser-Agent: b\r\n",
        body.len()
    );
    let broken_escapes = format!("{known}&u1=%E9%FFx&sku_number=%zz%");
    let cases = [
        request(
            "POST",
            format!("{path}?{known}").as_bytes(),
            &headers,
            &body,
        ),
        request(
            "GET",
            format!("{path}?{broken_escapes}").as_bytes(),
            "",
            b"",
        ),
        request("GET", path.as_bytes(), "", b""),
    ];
    let answers = cases.map(|bytes| exchange(pipeline.address, &bytes).unwrap());
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200; 3]);
    let record = |index: usize| {
        let id = answers[index].header("x-postback-id").unwrap();
        pipeline
            .topic
            .records()
            .into_iter()
            .find(|record| record["id"] == id)
            .unwrap()
    };
    let posted = record(0);
    assert_eq!(posted["body"]["base64"], "AP/+ewo=");
    assert_eq!(
        (&posted["content_type"], &posted["method"]),
        (&"image/png".into(), &"POST".into())
    );
    assert_eq!(posted["headers"], serde_json::json!({"user-agent": "a, b"}));
    assert_eq!(record(1)["query"]["utf8"], broken_escapes);
    assert_eq!(record(2)["query"]["utf8"], "");

    pipeline.wait_until_loaded(3);
    let rows = pipeline.database.rows(
        "SELECT outcome, reasons, toString(id) AS id FROM {db}.postbacks ORDER BY received_at, outcome",
    );
    let of = |index: usize| {
        let id = answers[index].header("x-postback-id").unwrap();
        rows.iter().find(|row| row["id"] == id).unwrap()
    };
    assert_eq!(
        (&of(0)["outcome"], &of(1)["outcome"]),
        (&"accepted".into(), &"accepted".into())
    );
    assert_eq!(of(2)["outcome"], "rejected");
    assert!(
        of(2)["reasons"]
            .as_array()
            .unwrap()
            .contains(&"no_parameters".into())
    );
    let conversion = pipeline
        .database
        .rows("SELECT click_id, sku, flags FROM {db}.conversions");
    assert_eq!(
        conversion.len(),
        1,
        "one transaction id: the later revision counts"
    );
    let id = |index: usize| answers[index].header("x-postback-id").unwrap().to_owned();
    let all = pipeline.database.rows(&format!(
        "SELECT click_id, sku, has(flags, 'invalid_utf8') AS invalid FROM {{db}}.conversions_g1 WHERE postback_id = '{}'",
        id(1)
    ));
    if let Some(row) = all.first() {
        assert_eq!(row["click_id"], "\u{fffd}\u{fffd}x");
        assert_eq!(row["sku"], "%zz%");
        assert_eq!(row["invalid"], 1);
    }
}

#[test]
fn a_truncated_request_is_nothing_and_harms_nobody() {
    let running = Setup::new("truncated")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let path = pipeline.sources[0].path();
    let whole = request("GET", format!("{path}?u1=whole").as_bytes(), "", b"");
    for cut in [1, 10, path.len(), whole.len() - 3] {
        let answer = exchange(pipeline.address, &whole[..cut]);
        assert!(
            answer.as_ref().is_none_or(|answer| answer.status >= 400),
            "cut at {cut}: {answer:?}"
        );
    }
    let short_body = request(
        "POST",
        format!("{path}?u1=short").as_bytes(),
        "Content-Length: 10\r\n",
        b"12345",
    );
    let answer = exchange(pipeline.address, &short_body);
    assert!(
        answer.as_ref().is_none_or(|answer| answer.status >= 400),
        "a short body: {answer:?}"
    );
    assert_eq!(exchange(pipeline.address, &whole).unwrap().status, 200);
    wait::until_true("only the whole one is stored", || {
        !pipeline.topic.messages().is_empty()
    });
    let queries: Vec<_> = pipeline
        .topic
        .records()
        .iter()
        .map(|record| record["query"]["utf8"].clone())
        .collect();
    assert_eq!(queries, ["u1=whole"]);
}
