//! Against the simulated network, on its good days and its bad ones.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use postback_common::config::ApiSettings;
use postback_common::secret::Secret;
use postback_network::{Call, Change, NetworkApi, Trouble};
use postback_simulator::network::{Api, ApiTrouble, Conduct, Credentials, Terms};
use postback_simulator::{Event, Network};
use serde_json::Value;

use crate::settings::{CANARY, patience, settings, year};

const URL: &str = "http://127.0.0.1:1/postback/k?a=<u1>&is_event=<is_event>";

fn network() -> Network {
    Network::new(Terms {
        publisher_id: 3_817_122,
        source: "rakuten".to_owned(),
        currency: "USD".to_owned(),
        disable_after: 0,
        kept_transactions: 1_000,
        authorization: None,
        credentials: Credentials {
            client_id: "publisher".to_owned(),
            client_secret: format!("{CANARY}secret"),
        },
    })
}

async fn api_of(network: &Network) -> (NetworkApi, ApiSettings) {
    let api = Api::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let settings = settings(api.address().unwrap());
    tokio::spawn(api.serve(network.clone()));
    (NetworkApi::new(&settings, patience()).unwrap(), settings)
}

#[tokio::test]
async fn an_endpoint_is_set_up_changed_switched_and_deleted() {
    let network = network();
    let (api, _) = api_of(&network).await;
    assert_eq!(api.endpoint().await, Ok(None));
    let refused = api.change(&Change::default()).await.unwrap_err();
    assert_eq!(
        (refused.call, refused.trouble),
        (Call::Change, Trouble::NotFound)
    );
    api.set_up(&Secret::new(URL), true).await.unwrap();
    let endpoint = api.endpoint().await.unwrap().unwrap();
    assert_eq!((endpoint.url.expose(), endpoint.is_active), (URL, true));
    assert_eq!(endpoint.created_at, endpoint.updated_at);
    assert!(endpoint.created_at.is_some());
    let refused = api.set_up(&Secret::new(URL), true).await.unwrap_err();
    assert_eq!(refused.trouble, Trouble::Conflict);

    let off = Change {
        is_active: Some(false),
        ..Change::default()
    };
    api.change(&off).await.unwrap();
    assert!(!api.endpoint().await.unwrap().unwrap().is_active);
    assert!(!network.is_active());
    let other = format!("{URL}&n=<product_name>");
    let moved = Change {
        url: Some(Secret::new(other.clone())),
        ..Change::default()
    };
    api.change(&moved).await.unwrap();
    let endpoint = api.endpoint().await.unwrap().unwrap();
    assert_eq!(
        (endpoint.url.expose(), endpoint.is_active),
        (&*other, false)
    );
    let unfit = Change {
        url: Some(Secret::new("https://h/p?a=<u1>")),
        ..Change::default()
    };
    let refused = api.change(&unfit).await.unwrap_err();
    assert_eq!(refused.trouble, Trouble::Refused(400));

    api.delete().await.unwrap();
    assert_eq!(api.endpoint().await, Ok(None));
}

#[tokio::test]
async fn wrong_credentials_and_other_publishers_are_told_apart() {
    let network = network();
    network.set_up(URL, Timestamp::now()).unwrap();
    let (_, right) = api_of(&network).await;
    let asked = |settings: ApiSettings| async move {
        let api = NetworkApi::new(&settings, patience()).unwrap();
        api.endpoint().await.map(|endpoint| endpoint.is_some())
    };
    let wrong_secret = ApiSettings {
        client_secret: Secret::new("wrong"),
        ..right.clone()
    };
    let refused = asked(wrong_secret).await.unwrap_err();
    assert_eq!(
        (refused.call, refused.trouble, refused.attempts),
        (Call::Token, Trouble::Unauthorized, 1)
    );
    let other_scope = ApiSettings {
        scope: "7".to_owned(),
        ..right.clone()
    };
    let refused = asked(other_scope).await.unwrap_err();
    assert_eq!(
        (refused.call, refused.trouble),
        (Call::Token, Trouble::Refused(400))
    );
    // What the API itself does not tell apart from none being registered.
    let other_publisher = ApiSettings {
        publisher_id: "7".to_owned(),
        ..right.clone()
    };
    assert_eq!(asked(other_publisher).await, Ok(false));
    assert_eq!(asked(right).await, Ok(true));
}

/// Distinct transactions, a second apart.
fn remember(network: &Network, number: usize) {
    let first: Timestamp = "2026-03-14T00:00:00Z".parse().unwrap();
    for order in 0..number {
        let at = first + Duration::from_secs(order as u64);
        network.remember(Event {
            order_id: order.to_string(),
            ..Event::example(at)
        });
    }
}

/// Orders on all pages until the last one, in turn.
async fn fetch(api: &NetworkApi) -> Vec<String> {
    let mut orders = Vec::new();
    for number in 1.. {
        let page = api.page(year(), number).await.unwrap();
        for text in &page.transactions {
            let row: Value = serde_json::from_str(text.get()).unwrap();
            orders.push(row["order_id"].as_str().unwrap().to_owned());
        }
        if page.is_last {
            break;
        }
    }
    orders
}

fn numbers(end: usize) -> Vec<String> {
    (0..end).map(|order| order.to_string()).collect()
}

#[tokio::test]
async fn pages_end_with_a_short_or_an_empty_one() {
    for number in 0..6 {
        let network = network();
        remember(&network, number);
        let (api, _) = api_of(&network).await;
        assert_eq!(fetch(&api).await, numbers(number));
        // The second time it is known how many come at once.
        assert_eq!(fetch(&api).await, numbers(number));
    }
}

#[tokio::test]
async fn through_401_429_500_and_answers_that_cannot_be_read_nothing_is_lost_or_doubled() {
    let network = network();
    remember(&network, 40);
    let (_, settings) = api_of(&network).await;
    let mostly_well = [
        ApiTrouble::Unauthorized,
        ApiTrouble::ServerError,
        ApiTrouble::Truncated,
        ApiTrouble::Invalid,
    ];
    network.behave(Conduct {
        troubles: mostly_well.map(|trouble| (trouble, 0.1)).to_vec(),
        token_holds: Duration::from_secs(1),
        seed: 7,
        ..Conduct::default()
    });
    let patience = postback_network::Patience {
        attempts: 20,
        longest_pause: Duration::from_millis(1),
        ..patience()
    };
    let api = NetworkApi::new(&settings, patience).unwrap();
    assert_eq!(fetch(&api).await, numbers(40));
}

#[tokio::test]
async fn a_window_has_both_of_its_ends() {
    let network = network();
    remember(&network, 10);
    let (api, _) = api_of(&network).await;
    let window = postback_network::Window {
        from: "2026-03-14T00:00:03Z".parse().unwrap(),
        through: "2026-03-14T00:00:04Z".parse().unwrap(),
    };
    let page = api.page(window, 1).await.unwrap();
    let orders: BTreeSet<String> = page
        .transactions
        .iter()
        .map(|text| {
            let row: Value = serde_json::from_str(text.get()).unwrap();
            row["order_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(orders, BTreeSet::from(["3".to_owned(), "4".to_owned()]));
}
