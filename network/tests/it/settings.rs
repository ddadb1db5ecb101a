//! What the client is configured with.

use std::net::SocketAddr;
use std::time::Duration;

use postback_common::config::{ApiSettings, FieldNames, TokenAuth};
use postback_common::secret::Secret;
use postback_network::{NetworkApi, Patience, Window};

/// Stands in every secret of these tests.
pub(crate) const CANARY: &str = "canary-";

/// Endpoint and transactions at `address`, asked for pages of two.
pub(crate) fn settings(address: SocketAddr) -> ApiSettings {
    ApiSettings {
        base_url: format!("http://{address}"),
        client_id: Secret::new("publisher"),
        client_secret: Secret::new(format!("{CANARY}secret")),
        publisher_id: "3817122".to_owned(),
        token_auth: TokenAuth::Basic,
        scope: "3817122".to_owned(),
        token_path: "/token".to_owned(),
        endpoint_path: "/v1/postback".to_owned(),
        events_path: "/events/1.0/transactions".to_owned(),
        fields: FieldNames {
            publisher_id: "sid".to_owned(),
            url: "url".to_owned(),
            is_active: "isActive".to_owned(),
            created_at: "createdAt".to_owned(),
            updated_at: "updatedAt".to_owned(),
        },
        page_size: 2,
        max_calls: 3,
        poll_every: None,
        reenable: false,
        heal: false,
        keeps_days: 7,
    }
}

/// Three attempts with hardly a pause between them; a minute for each answer.
pub(crate) fn patience() -> Patience {
    Patience {
        attempts: 3,
        answer_within: Duration::from_secs(60),
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_secs(60),
    }
}

/// The same with little time for an answer, where none is to come.
pub(crate) fn impatience() -> Patience {
    Patience {
        answer_within: Duration::from_millis(300),
        ..patience()
    }
}

pub(crate) fn api(address: SocketAddr) -> NetworkApi {
    NetworkApi::new(&settings(address), patience()).unwrap()
}

/// All of 2026.
pub(crate) fn year() -> Window {
    Window {
        from: "2026-01-01T00:00:00Z".parse().unwrap(),
        through: "2026-12-31T23:59:59Z".parse().unwrap(),
    }
}
