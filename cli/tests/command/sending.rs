use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::run::{AWAY, Place};

#[test]
fn what_cannot_be_sent_is_refused_with_what_to_do() {
    let sources = "[[source]]\nname = \"shop\"\nnetwork = \"orders\"\n[[source.key]]\nkey = \"CANARY-fedcba9876543210\"\n\
        [[source]]\nname = \"statement\"\nnetwork = \"rakuten-item-report\"\n[[source.key]]\nkey = \"CANARY-fedcba9876543211\"\n\
        [[source]]\nname = \"guarded\"\nnetwork = \"awin\"\n\
        basic_auth = { user = \"awin\", password_sha256 = \"ef92b778bafe771e89245b89ecbc08a44a4e166c06659911881f383d4473e94f\" }\n\
        [[source.key]]\nkey = \"CANARY-fedcba9876543212\"\n";
    let place = Place::with(&format!("{AWAY}{sources}"));
    for (name, text) in [
        ("key", "CANARY-fedcba9876543212"),
        ("wrong", "CANARY-another\n"),
    ] {
        std::fs::write(place.path().join(name), text).unwrap();
    }
    let guarded = ["send", "--source", "guarded", "--key-file", "key"];
    let with_password = [&guarded[..], &["--password-file", "wrong"]].concat();
    let text = [
        place.run(&["send", "--source", "shop"]),
        place.run(&["send", "--source", "statement"]),
        place.run(&guarded),
        place.run(&with_password),
        place.run(&["send", "--source", "rakuten-us", "--password-file", "wrong"]),
        place.run(&["send", "--source", "rakuten-us", "--password-file", "none"]),
        place.run(&["send", "--source", "rakuten-us", "--user", "me"]),
    ];
    let text = text.join("\n");
    assert!(!text.contains("CANARY"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_takes_a_transaction_back_is_told_where_one_was_sent() {
    let place = Place::with(AWAY);
    let send = |url: &str| {
        let send = [
            "send",
            "--source",
            "rakuten-us",
            "--transaction",
            "--wait",
            "1",
        ];
        place.run(&[&send[..], &["--url", url]].concat())
    };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let nothing = send(&address);
    assert!(
        nothing.contains("connect") && !nothing.contains("takes it back"),
        "{nothing}"
    );
    // What it says of one that was sent, by the answer; none is not known to be refused.
    for (answer, is_refused) in [
        ("", false),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", true),
    ] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", server.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 16_384];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let sent = send(&address);
        answering.join().unwrap();
        assert!(sent.contains("this takes it back:"), "{sent}");
        assert_eq!(sent.contains("nothing to take back"), is_refused, "{sent}");
    }
}

#[test]
fn a_run_that_cannot_listen_leaves_no_ledger() {
    let place = Place::with(AWAY);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = |api: &str| {
        place.run(&[
            "simulate",
            "run",
            "--source",
            "rakuten-us",
            "--url",
            "http://127.0.0.1:1",
            "--postbacks",
            "1",
            "--ledger",
            "ledger.jsonl",
            "--api",
            api,
        ])
    };
    let refused = run(&address);
    assert!(
        refused.contains("--- exit 1") && refused.contains("--api"),
        "{refused}"
    );
    let ledger = place.path().join("ledger.jsonl");
    assert!(!ledger.exists());
    // The same command with another address goes on from there.
    let ran = run("127.0.0.1:0");
    assert!(ran.contains("--- exit 3") && ledger.exists(), "{ran}");
}
