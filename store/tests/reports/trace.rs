use clickhouse::Client;
use postback_store::reports::question::{Column, Filter, Table};
use postback_store::reports::trace::Field;
use postback_store::rows::{ConversionRow, Outcome, PostbackRow};

use crate::{insert_conversions, insert_postbacks};
use uuid::Uuid;

use crate::database::with_database;
use crate::sales::{all, at, id, postback, sale};

async fn load(loader: &Client) {
    for batch in all() {
        insert_conversions(loader, batch).await;
    }
    let named = ConversionRow {
        transaction_id: "T'19\\",
        ..sale(
            19,
            "O1",
            "it's \"me\"\t?",
            "USD",
            ("1", "1"),
            "2026-09-02T12:00:00Z",
        )
    };
    insert_conversions(loader, [named]).await;
    let rejected = PostbackRow {
        outcome: Outcome::Rejected,
        reasons: vec!["missing_identity"],
        conversion_key: None,
        key_day: None,
        ..postback(900, 0, "2026-09-02T13:00:00Z", 9)
    };
    let postbacks = [
        postback(12, 12, "2026-09-02T12:00:00Z", 5),
        postback(112, 12, "2026-09-02T12:05:00.000001Z", 6),
        // The same record twice in Kafka.
        postback(112, 12, "2026-09-02T12:05:00.000001Z", 8),
        // Another account with the same key.
        PostbackRow {
            account: "eu",
            ..postback(113, 12, "2026-09-02T12:05:00Z", 7)
        },
        rejected,
    ];
    // Each in a part of its own: copies are folded by FINAL alone.
    for postback in postbacks {
        insert_postbacks(loader, [postback]).await;
    }
}

fn keys(found: &[postback_store::reports::trace::Conversion]) -> Vec<Uuid> {
    found
        .iter()
        .map(|conversion| conversion.conversion_key)
        .collect()
}

#[tokio::test]
async fn a_value_is_found_in_every_field_and_only_there() {
    with_database("find", |loader, reader| async move {
        load(&loader).await;
        let found = reader.conversions_by(Field::Order, "O5").await.unwrap();
        assert_eq!(keys(&found), [id(12)]);
        // The revision that counts.
        assert_eq!(found[0].sale_amount.unwrap().0, 400_000);
        assert_eq!((found[0].postback_id, found[0].quantity), (id(112), None));
        assert_eq!(found[0].occurred_at, Some(at("2026-09-02T12:00:00Z")));
        assert_eq!(found[0].key_day, jiff::civil::date(2026, 9, 2));
        for (value, field) in [
            ("it's \"me\"\t?", Field::Click),
            ("T'19\\", Field::Transaction),
        ] {
            assert_eq!(
                keys(&reader.conversions_by(field, value).await.unwrap()),
                [id(19)],
                "{value}"
            );
        }
        for (value, field) in [
            ("O5", Field::Click),
            ("c1", Field::Order),
            ("' OR '1'='1", Field::Order),
            ("' OR '1'='1", Field::Click),
            ("' OR '1'='1", Field::Transaction),
        ] {
            assert_eq!(
                reader.conversions_by(field, value).await.unwrap(),
                [],
                "{value}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_conversions_postbacks_are_its_own_and_counted_once() {
    with_database("postbacks", |loader, reader| async move {
        load(&loader).await;
        let found = reader.conversions_by(Field::Order, "O5").await.unwrap();
        let postbacks = reader.postbacks_of(&found).await.unwrap();
        let seen: Vec<_> = postbacks
            .iter()
            .map(|row| (row.id, row.kafka_partition, row.kafka_offset))
            .collect();
        assert_eq!(seen, [(id(12), 3, 5), (id(112), 3, 6)]);
        assert_eq!(postbacks[1].received_at, at("2026-09-02T12:05:00.000001Z"));

        let rejected = reader.postback(id(900)).await.unwrap().unwrap();
        assert_eq!(
            (rejected.outcome.as_str(), rejected.reasons.len()),
            ("rejected", 1)
        );
        assert_eq!(reader.conversions_of(&rejected).await.unwrap(), []);
        let counted = reader.conversions_of(&postbacks[0]).await.unwrap();
        assert_eq!(keys(&counted), [id(12)]);
        assert_eq!(counted[0].postback_id, id(112));
        assert_eq!(reader.postback(id(901)).await.unwrap(), None);
        let all = Filter::default();
        let complete =
            reader.completeness(at("2026-09-02T00:00:00Z"), at("2026-09-02T13:00:00Z"), &all);
        let complete = complete.await.unwrap();
        assert_eq!(
            (complete.loaded_through, complete.rejected),
            (Some(at("2026-09-02T13:00:00Z")), 0)
        );
        let complete =
            reader.completeness(at("2026-09-02T13:00:00Z"), at("2026-09-03T00:00:00Z"), &all);
        assert_eq!(complete.await.unwrap().rejected, 1);
        for (conditions, rejected, of_more) in [
            (&[("source", "us")][..], 1, false),
            (&[("source", "eu")], 0, false),
            (&[("network", "rakuten"), ("order_id", "O5")], 1, true),
            (&[("account", "second"), ("order_id", "O5")], 0, true),
        ] {
            let mut only = Filter::default();
            for (name, value) in conditions {
                let column = Column::of(Table::Conversions, name).unwrap();
                only.add(column, false, value).unwrap();
            }
            let (from, to) = (at("2026-09-02T13:00:00Z"), at("2026-09-03T00:00:00Z"));
            let complete = reader.completeness(from, to, &only).await.unwrap();
            let told = (complete.rejected, complete.is_rejected_of_more);
            assert_eq!(told, (rejected, of_more), "{conditions:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_postback_with_several_orders_is_found_from_both_ends() {
    with_database("several", |loader, reader| async move {
        load(&loader).await;
        let at = "2026-09-03T08:00:00Z";
        let of = |number, order| ConversionRow {
            postback_id: id(950),
            ..sale(number, order, "", "USD", ("1", "1"), at)
        };
        insert_conversions(&loader, [of(50, "S1"), of(51, "S2")]).await;
        let whole = PostbackRow {
            conversion_key: None,
            key_day: None,
            ..postback(950, 0, at, 20)
        };
        insert_postbacks(&loader, [whole]).await;
        let whole = reader.postback(id(950)).await.unwrap().unwrap();
        let mut became = keys(&reader.conversions_of(&whole).await.unwrap());
        became.sort_unstable();
        assert_eq!(became, [id(50), id(51)]);
        let found = reader.conversions_by(Field::Order, "S2").await.unwrap();
        let postbacks = reader.postbacks_of(&found).await.unwrap();
        assert_eq!(postbacks, [whole]);
    })
    .await;
}

#[tokio::test]
async fn an_orders_lines_signals_and_reversals_belong_together() {
    with_database("orders", |loader, reader| async move {
        load(&loader).await;
        let reversal = reader.conversions_by(Field::Order, "O1").await.unwrap();
        // Both advertisers, both accounts.
        assert_eq!(reversal.len(), 7);
        let second: Vec<_> = reversal
            .into_iter()
            .filter(|found| found.conversion_key == id(2))
            .collect();
        let mut related = keys(
            &reader
                .same_orders(&second.iter().collect::<Vec<_>>())
                .await
                .unwrap(),
        );
        related.sort_unstable();
        assert_eq!(related, [id(1), id(2), id(4), id(7), id(19)]);
        assert_eq!(reader.same_orders(&[]).await.unwrap(), []);
    })
    .await;
}
