//! "Loaded through" never claims a time to come.

use jiff::{SignedDuration, Timestamp};
use postback_store::Client;
use postback_store::reports::question::Filter;
use postback_store::rows::PostbackRow;
use uuid::Uuid;

use crate::database::with_database;
use crate::insert_postbacks;
use crate::sales::postback;

async fn receive(loader: &Client, at: Timestamp) {
    let row = PostbackRow {
        id: Uuid::now_v7(),
        received_at: at,
        ..postback(1, 1, "2026-09-01T00:00:00Z", 1)
    };
    insert_postbacks(loader, [row]).await;
}

#[tokio::test]
async fn what_carries_a_time_to_come_does_not_count() {
    with_database("to_come", |loader, reader| async move {
        let now = Timestamp::now();
        let minutes = |minutes| now + SignedDuration::from_mins(minutes);
        let through = async || reader.loaded_through().await.unwrap();

        // A clock that is ahead, in the month of now; and a record of the far end of time.
        receive(&loader, minutes(2)).await;
        receive(&loader, "9999-06-01T00:00:00Z".parse().unwrap()).await;
        let alone = through().await.unwrap();
        assert!(
            alone >= now && alone < minutes(2),
            "nothing else is loaded: {alone}"
        );

        let earlier: Timestamp = "2020-02-29T12:00:00.000001Z".parse().unwrap();
        receive(&loader, earlier).await;
        assert_eq!(through().await, Some(earlier));

        let newest = Timestamp::from_microsecond(minutes(-3).as_microsecond()).unwrap();
        receive(&loader, newest).await;
        assert_eq!(through().await, Some(newest));
        let complete = reader
            .completeness(earlier, newest, &Filter::default())
            .await
            .unwrap();
        assert_eq!(complete.loaded_through, Some(newest));
    })
    .await;
}
