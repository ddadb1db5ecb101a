//! No more calls at once than the network allows.

use postback_common::config::ApiSettings;
use postback_network::NetworkApi;

use crate::server::{Server, json};
use crate::settings::{patience, settings, year};

#[tokio::test]
async fn there_are_never_more_calls_at_once_than_max_calls() {
    for max_calls in 1..=3_u8 {
        let server = Server::new([json("[]")]).await;
        let settings = ApiSettings {
            max_calls,
            ..settings(server.address)
        };
        let api = NetworkApi::new(&settings, patience()).unwrap();
        // The token first: all others wait for it.
        api.page(year(), 1).await.unwrap();
        server.close();
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let api = api.clone();
                tokio::spawn(async move { api.page(year(), 1).await.map(|page| page.is_last) })
            })
            .collect();
        server.has_under_way(max_calls.into()).await;
        // Whoever is let through now would come beside those that are held.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        server.open();
        for call in calls {
            assert_eq!(call.await.unwrap(), Ok(true));
        }
        assert_eq!(server.most_at_once(), usize::from(max_calls));
        assert_eq!((server.calls(), server.tokens()), (11, 1));
    }
}
