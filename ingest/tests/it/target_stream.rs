//! The stream between socket and hyper: it lets hyper see what hyper can judge, and the two agree on
//! where each request begins.

use std::cell::RefCell;
use std::convert::Infallible;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use postback_ingest::target::{Handover, TargetStream};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::hyper_run::{Got, QUERY_BYTES, got, serve};
use crate::pieces::Pieces;

/// Requests of every kind behind one another, and what a service should get of them.
fn mix() -> (Vec<u8>, Vec<Got>) {
    let bytes = b"GET /a?b=1 HTTP/1.1\r\nHost: x\r\n\r\n\
        \r\n\r\nGET /a?c=# <u1> HTTP/1.1\r\nHost: x\r\nX: GET /y HTTP/1.1\r\n\r\n\
        POST /b HTTP/1.1\r\nContent-Length: 29\r\n\r\nGET /no?x=# HTTP/1.1\r\n\r\nabc\r\n\
        \nget /a?\xe9\0{|}\\^`\"\t%zz HTTP/1.1\nHost: x\n\n\
        POST /c?d= e  HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        1D;x=y\r\nGET /no?x=# HTTP/1.1\r\n\r\nabc\r\n\r\n2\r\n# \r\n0\r\nT: GET /no\r\n\r\n\
        PUT http://h#/a/b?c?#d HTTP/1.1\r\nContent-Length: 0\r\n\r\n\
        GET https://h/p?q HTTP/1.1\r\n\r\n\
        OPTIONS * HTTP/1.1\r\n\r\n\
        GET #?a HTTP/1.1\r\n\r\n\
        GET /l HTTP/1.1 HTTP/1.0\r\n\r\nGET /behind-the-last HTTP/1.1\r\n\r\n";
    let inner = b"GET /no?x=# HTTP/1.1\r\n\r\nabc\r\n";
    let chunked = [&inner[..], b"# "].concat();
    let got = vec![
        got("GET", b"/a", b"b=1", b""),
        got("GET", b"/a", b"c=# <u1>", b""),
        got("POST", b"/b", b"", inner),
        got("get", b"/a", b"\xe9\0{|}\\^`\"\t%zz", b""),
        got("POST", b"/c", b"d= e ", &chunked),
        got("PUT", b"#/a/b", b"c?#d", b""),
        got("GET", b"/p", b"q", b""),
        got("OPTIONS", b"*", b"", b""),
        got("GET", b"#", b"a", b""),
        got("GET", b"/l HTTP/1.1", b"", b""),
    ];
    (bytes.to_vec(), got)
}

#[test]
fn requests_of_every_kind_come_through_wherever_packets_end() {
    let (bytes, expected) = mix();
    for at in 1..=bytes.len() {
        let run = serve(Pieces::cut(&bytes, at), true);
        assert_eq!(run.got, expected, "cut at {at}");
        assert_eq!(run.unclaimed, 0, "cut at {at}");
    }
    for size in [1, 2, 3, 7, 64] {
        let run = serve(Pieces::of(&bytes, &[size]), true);
        assert_eq!(run.got, expected, "pieces of {size}");
    }
}

#[test]
fn clean_traffic_passes_byte_for_byte() {
    let query = "q".repeat(QUERY_BYTES);
    let bytes = format!(
        "GET /postback/k?a=1&b=%zz{{c}}|\\^ HTTP/1.1\r\nHost: x\r\nUser-Agent: \u{e9} #<\r\n\r\n\
         \r\nPOST /b?{query} HTTP/1.1\nContent-Length: 9\n\n# <\"\0\r\n\r\n\
         POST /c HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n4\r\n# <>\r\n0\r\nA: b\r\n\r\n\
         DELETE /d?? HTTP/1.0\r\n\r\n"
    );
    for size in [1, 5, 100, bytes.len()] {
        let run = serve(Pieces::of(bytes.as_bytes(), &[size]), true);
        assert_eq!(run.got.len(), 4, "pieces of {size}");
        assert_eq!(run.hidden, [false; 4], "pieces of {size}");
        assert_eq!(
            String::from_utf8_lossy(&run.read),
            bytes,
            "pieces of {size}"
        );
    }
}

#[test]
fn hyper_sees_a_stand_in_and_the_rest_as_it_came() {
    let bytes = b"GET /k?a=<b> HTTP/1.0\r\nX: <\r\n\r\n";
    let run = serve(Pieces::cut(bytes, 9), true);
    assert_eq!(run.read, b"GET / HTTP/1.0\r\nX: <\r\n\r\n");
}

#[test]
fn what_is_no_request_line_is_left_to_hyper() {
    let lines = [
        "GET /a?b HTTP/1.2",
        "GET /a?<b> HTTP/2.0",
        "GET /a?<b>",
        "GET  HTTP/1.1",
        "GET /a?<\r> HTTP/1.1",
        "GET /a?b HTTP/1.1 ",
        "GET\t/a HTTP/1.1",
        "G<T /a HTTP/1.1",
        " GET /a HTTP/1.1",
        "hello",
        "\u{1}\u{2} ",
    ];
    for line in lines {
        let bytes = format!("{line}\r\nHost: x\r\n\r\nGET /behind HTTP/1.1\r\n\r\n");
        for size in [1, 4, bytes.len()] {
            let sender = Pieces::of(bytes.as_bytes(), &[size]);
            let written = sender.written.clone();
            let run = serve(sender, true);
            assert_eq!(run.got, [], "{line:?}");
            let answer = String::from_utf8(written.lock().unwrap().clone()).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 "), "{line:?}: {answer:?}");
            assert!(
                bytes.as_bytes().starts_with(&run.read),
                "{line:?} is unchanged"
            );
        }
    }
}

#[test]
fn a_target_too_long_is_not_waited_for_and_ends_the_connection() {
    for (target, length) in [("/a?", 100_000), ("/a?<", 100_000), ("/", 9_000)] {
        let target = format!("{target}{}", "x".repeat(length));
        let bytes = format!("GET {target} HTTP/1.1\r\n\r\nGET /behind HTTP/1.1\r\n\r\n");
        for size in [100, 4_000, bytes.len()] {
            let run = serve(Pieces::of(bytes.as_bytes(), &[size]), true);
            assert_eq!(run.hidden, [true], "{size}");
            let query = run.got[0].query.len();
            assert!(query < length && (query == 0 || query > QUERY_BYTES));
            assert!(run.read.len() < 100, "hyper has not seen it");
        }
    }
}

#[test]
fn a_service_that_does_not_claim_gets_no_second_request() {
    let handover = Handover::default();
    let bytes = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
    let stream = TargetStream::new(Pieces::of(bytes, &[99]), QUERY_BYTES, handover);
    let calls = RefCell::new(0);
    let service = service_fn(|_: Request<Incoming>| {
        *calls.borrow_mut() += 1;
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let mut builder = http1::Builder::new();
    let builder = builder.half_close(true);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    runtime.unwrap().block_on(serving).unwrap();
    assert_eq!(calls.take(), 1);
}

/// A request whose bytes are known, and what a service should get of it.
fn request() -> impl Strategy<Value = (Vec<u8>, Got)> {
    let method = prop::sample::select(vec!["GET", "POST", "put"]);
    let query = vec(any::<u8>().prop_map(of_one_line), 0..60);
    let clean = "[a-z0-9=&%?/+]{0,40}".prop_map(String::into_bytes);
    let query = prop_oneof![query, clean];
    let eol = prop::sample::select(vec!["\r\n", "\n"]);
    let blank = prop::sample::select(vec!["", "\r\n", "\n\r\n"]);
    let body = vec(any::<u8>(), 0..50);
    let framing = prop::sample::select(vec![0, 1, 3, 20]);
    (method, query, eol, blank, body, framing).prop_map(
        |(method, query, eol, blank, body, chunk)| {
            let mut bytes = format!("{blank}{method} /p?").into_bytes();
            bytes.extend(&query);
            bytes.extend(format!(" HTTP/1.1{eol}Host: x{eol}").bytes());
            if chunk == 0 {
                bytes.extend(format!("Content-Length: {}{eol}{eol}", body.len()).bytes());
                bytes.extend(&body);
            } else {
                bytes.extend(format!("Transfer-Encoding: chunked{eol}{eol}").bytes());
                for piece in body.chunks(chunk) {
                    bytes.extend(format!("{:x};a\r\n", piece.len()).bytes());
                    bytes.extend(piece);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n\r\n");
            }
            (bytes, got(method, b"/p", &query, &body))
        },
    )
}

fn of_one_line(byte: u8) -> u8 {
    if b"\r\n".contains(&byte) { b' ' } else { byte }
}

/// Bits of HTTP, whole requests among them, in no order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let bits = [
        "GET ",
        "GET /a",
        "/a?b",
        " ",
        " HTTP/1.1",
        " HTTP/1.0",
        "\r\n",
        "\n",
        "\r",
        "\r\n\r\n",
        "GET /a HTTP/1.1\r\n",
        "POST /b?c HTTP/1.1\r\n",
        "GET http://h/a?b HTTP/1.1\r\n",
        "Content-Length: 3\r\n",
        "Content-Length: 3\r\n\r\nabc",
        "Content-Length: x\r\n",
        "Content-Length: 5\r\n\r\n",
        "Transfer-Encoding: chunked\r\n",
        "TE: x\r\n",
        ":",
        "abc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "0\r\n\r\n",
        "0\r\nX: y\r\n\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Connection: close\r\n",
        "2\r\nab\r\n",
        "2;x\r\nab\r\n",
        "2\nab\n",
        "GET /c HTTP/1.1\r\n\r\n",
        "GET /d HTTP/1.1\n\n",
        "Expect: 100-continue\r\n",
        "Upgrade: x\r\n",
        "CONNECT h:1 HTTP/1.1\r\n",
        "X:\r\n",
        " folded\r\n",
        "\0",
    ];
    let bit = prop::sample::select(bits.to_vec());
    vec(bit, 1..14).prop_map(|bits| bits.concat().into_bytes())
}

/// Where hyper sees a host in a target, or `*`, it sees no path, and we see nothing else.
fn comparable(got: &[Got]) -> Vec<Got> {
    let mut got = got.to_vec();
    for got in got.iter_mut().filter(|got| !got.path.starts_with(b"/")) {
        got.path.clear();
    }
    got
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn pipelined_requests_come_through(
        requests in vec(request(), 1..6),
        sizes in vec(1..200_usize, 1..10),
    ) {
        let (bytes, expected): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        let run = serve(Pieces::of(&bytes.concat(), &sizes), true);
        prop_assert_eq!(run.got, expected);
        prop_assert_eq!(run.unclaimed, 0);
    }

    /// Whatever hyper alone makes of bytes, it makes of them through the stream. It may go on where
    /// alone it refuses a target; no request but such may come that it alone did not see.
    #[test]
    fn the_stream_agrees_with_hyper(bytes in soup(), sizes in vec(1..60_usize, 1..6)) {
        let through = serve(Pieces::of(&bytes, &sizes), true);
        let alone = serve(Pieces::of(&bytes, &sizes), false);
        prop_assert_eq!(through.unclaimed, 0);
        let same = alone.got.len();
        prop_assert!(through.got.len() >= same, "{:?} {:?}", through, alone);
        prop_assert_eq!(comparable(&through.got[..same]), comparable(&alone.got));
        prop_assert!(through.got.len() == same || through.hidden[same]);
    }
}
