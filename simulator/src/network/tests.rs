use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

pub(super) fn terms() -> Terms {
    Terms {
        publisher_id: 3_817_122,
        source: "rakuten".to_owned(),
        currency: "USD".to_owned(),
        disable_after: 2,
        kept_transactions: 100,
        authorization: None,
        credentials: Credentials {
            client_id: "publisher".to_owned(),
            client_secret: "secret".to_owned(),
        },
    }
}

const URL: &str = "http://127.0.0.1:1/postback/k?a=<u1>&is_event=<is_event>";
const STATUS: &str = "/v1/postback/3817122";

struct Client {
    address: std::net::SocketAddr,
    token: String,
}

impl Client {
    async fn of(network: &Network) -> Self {
        let api = Api::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = api.address().unwrap();
        tokio::spawn(api.serve(network.clone()));
        Client {
            address,
            token: String::new(),
        }
    }

    async fn authorised(network: &Network) -> Self {
        let client = Self::of(network).await;
        // publisher:secret
        let basic = "authorization: Basic cHVibGlzaGVyOnNlY3JldA==\r\n";
        let form = "grant_type=client_credentials&scope=3817122";
        let (status, body) = client.send("POST", "/token", basic, form).await;
        assert_eq!((status, &body["token_type"]), (200, &"bearer".into()));
        let token = body["access_token"].as_str().unwrap();
        Client {
            token: format!("authorization: Bearer {token}\r\n"),
            ..client
        }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        self.send(method, path, &self.token, body).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        header: &str,
        body: &str,
    ) -> (u16, serde_json::Value) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{header}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = BytesMut::new();
        while stream.read_buf(&mut answer).await.unwrap() > 0 {}
        let text = String::from_utf8(answer.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

#[tokio::test]
async fn an_endpoint_is_set_up_asked_for_changed_and_deleted() {
    let network = Network::new(terms());
    let client = Client::authorised(&network).await;
    assert_eq!(client.ask("GET", STATUS, "").await.0, 404);
    let body = format!("{{\"sid\":3817122,\"url\":\"{URL}\"}}");
    let (status, shown) = client.ask("POST", "/v1/postback", &body).await;
    assert_eq!((status, &shown["isActive"]), (201, &true.into()));
    assert_eq!(shown["url"], URL);
    assert_eq!(client.ask("POST", "/v1/postback", &body).await.0, 409);
    assert!(network.is_active());

    let (status, shown) = client.ask("PUT", STATUS, r#"{"isActive":false}"#).await;
    assert_eq!((status, &shown["isActive"]), (200, &false.into()));
    assert_eq!(network.target().unwrap_err(), Withheld::Disabled);
    let (_, shown) = client
        .ask(
            "PUT",
            STATUS,
            r#"{"isActive":true,"url":"http://h:2/p?b=<u1>"}"#,
        )
        .await;
    assert_eq!(shown["url"], "http://h:2/p?b=<u1>");
    let target = network.target().unwrap();
    assert_eq!(target.template.authority().unwrap().port, 2);

    assert_eq!(client.ask("DELETE", STATUS, "").await.0, 204);
    assert_eq!(client.ask("DELETE", STATUS, "").await.0, 404);
    assert_eq!(network.target().unwrap_err(), Withheld::Deleted);
    let changes: Vec<ChangeKind> = network.take_changes().iter().map(|c| c.change).collect();
    use ChangeKind::{Deleted, Disabled, Enabled, SetUp, Updated};
    assert_eq!(changes, [SetUp, Disabled, Updated, Enabled, Deleted]);
}

#[tokio::test]
async fn only_the_status_tells_that_failures_disabled_it() {
    let network = Network::new(terms());
    network.set_up(URL, Timestamp::now()).unwrap();
    let client = Client::authorised(&network).await;
    network.judge(false, Timestamp::now());
    assert_eq!(client.ask("GET", STATUS, "").await.1["isActive"], true);
    network.judge(false, Timestamp::now());
    assert_eq!(client.ask("GET", STATUS, "").await.1["isActive"], false);
    assert_eq!(network.target().unwrap_err(), Withheld::Disabled);
    let changes = network.take_changes();
    let last = changes.last().unwrap();
    assert_eq!(
        (last.change, last.failures),
        (ChangeKind::DisabledByFailures, 2)
    );
}

#[tokio::test]
async fn who_is_not_known_or_asks_wrongly_is_told_so() {
    let network = Network::new(terms());
    let stranger = Client::of(&network).await;
    assert_eq!(stranger.ask("GET", STATUS, "").await.0, 401);
    let wrong = "authorization: Basic d3Jvbmc6d3Jvbmc=\r\n";
    let form = "grant_type=client_credentials&scope=3817122";
    assert_eq!(stranger.send("POST", "/token", wrong, form).await.0, 401);
    let client = Client::authorised(&network).await;
    for (method, path, body, status) in [
        ("GET", "/v1/postback/7", "", 404),
        ("GET", "/nowhere", "", 404),
        ("PATCH", STATUS, "", 405),
        ("GET", "/token", "", 405),
        ("POST", "/v1/postback", "{", 400),
        (
            "POST",
            "/v1/postback",
            "{\"sid\":7,\"url\":\"http://h/p?a=<u1>\"}",
            404,
        ),
        (
            "POST",
            "/v1/postback",
            "{\"sid\":\"3817122\",\"url\":\"https://h/p?a=<u1>\"}",
            400,
        ),
        ("PUT", STATUS, "{\"isActive\":true}", 404),
        ("GET", "/events/1.0/transactions?page=x", "", 400),
    ] {
        assert_eq!(
            client.ask(method, path, body).await.0,
            status,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn transactions_come_in_pages() {
    let network = Network::new(terms());
    for order in 0..5 {
        network.remember(Event {
            order_id: order.to_string(),
            ..Event::example(Timestamp::now())
        });
    }
    let client = Client::authorised(&network).await;
    let mut seen = Vec::new();
    for page in 1.. {
        let path = format!("/events/1.0/transactions?limit=2&page={page}");
        let (status, rows) = client.ask("GET", &path, "").await;
        assert_eq!(status, 200);
        let rows = rows.as_array().unwrap().clone();
        if rows.is_empty() {
            break;
        }
        seen.extend(
            rows.iter()
                .map(|row| row["order_id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
}

/// Its answers to three questions for transactions, by status and length of the page.
async fn troubled(trouble: ApiTrouble) -> Vec<(u16, usize)> {
    let network = Network::new(terms());
    for order in 0..4 {
        network.remember(Event {
            order_id: order.to_string(),
            ..Event::example(Timestamp::now())
        });
    }
    let client = Client::authorised(&network).await;
    network.behave(Conduct {
        troubles: vec![(trouble, 1.0)],
        slowness: std::time::Duration::ZERO,
        ..Conduct::default()
    });
    let mut answers = Vec::new();
    for page in [1, 2, 3] {
        let path = format!("/events/1.0/transactions?limit=3&page={page}");
        let (status, rows) = client.ask("GET", &path, "").await;
        answers.push((status, rows.as_array().map_or(0, Vec::len)));
    }
    answers
}

#[tokio::test]
async fn each_trouble_is_met() {
    let well = [(200, 3), (200, 1), (200, 0)];
    for (trouble, expected) in [
        (ApiTrouble::Unauthorized, [(401, 0); 3]),
        (ApiTrouble::TooManyRequests, [(429, 0); 3]),
        (ApiTrouble::ServerError, [(500, 0); 3]),
        (ApiTrouble::Slow, well),
        (ApiTrouble::Truncated, [(200, 0); 3]),
        (ApiTrouble::Invalid, [(200, 0); 3]),
        (ApiTrouble::SamePage, [(200, 3); 3]),
    ] {
        assert_eq!(troubled(trouble).await, expected, "{}", trouble.as_str());
    }
    let late = troubled(ApiTrouble::Late).await;
    // The first page is full without the one that is late; the second has one or none.
    assert_eq!((late[0], late[2]), ((200, 3), (200, 0)));
}

#[tokio::test]
async fn a_fourth_question_at_once_is_refused() {
    let network = Network::new(terms());
    let client = std::sync::Arc::new(Client::authorised(&network).await);
    network.behave(Conduct {
        // Until the test is over.
        latency: std::time::Duration::from_secs(600),
        ..Conduct::default()
    });
    let ask = || {
        let client = std::sync::Arc::clone(&client);
        tokio::spawn(async move { client.ask("GET", "/events/1.0/transactions", "").await.0 })
    };
    let first: Vec<_> = (0..3).map(|_| ask()).collect();
    while network.state().moods.under_way < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(ask().await.unwrap(), 429);
    assert!(first.iter().all(|question| !question.is_finished()));
    first.iter().for_each(tokio::task::JoinHandle::abort);
    while network.state().moods.under_way > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}
