use postback_store::rows::{Decimal4, postback_version};
use uuid::Uuid;

use crate::database::with_tables;
use crate::rows::{conversion, postback};

#[test]
fn copies_of_a_postback_fold_to_the_lowest_partition_and_offset() {
    with_tables(|database| async move {
        database.execute("SYSTEM STOP MERGES postbacks_g1").await;
        for (partition, offset) in [(1, 4), (0, 9), (0, 7), (2, 1)] {
            let row = postback_store::rows::PostbackRow {
                kafka_partition: partition,
                kafka_offset: offset,
                version: postback_version(partition, offset),
                flags: vec![],
                detail: "",
                ..postback()
            };
            database.insert_postbacks([row]).await.unwrap();
        }
        let physical = database.ask("SELECT count() FROM postbacks_g1").await;
        assert_eq!(physical, "4", "all copies are there to be folded");
        let seen = "SELECT (count(), any(kafka_partition), any(kafka_offset)) FROM postbacks";
        assert_eq!(database.ask(seen).await, "(1,0,7)");
        database.execute("SYSTEM START MERGES postbacks_g1").await;
        database.execute("OPTIMIZE TABLE postbacks_g1 FINAL").await;
        assert_eq!(database.ask(seen).await, "(1,0,7)");
    });
}

#[test]
fn the_newest_revision_of_a_conversion_counts_in_whatever_order_they_came() {
    with_tables(|database| async move {
        database.execute("SYSTEM STOP MERGES conversions_g1").await;
        for (revision, units) in [(2, 20_000), (3, -30_000), (1, 10_000), (3, -30_000)] {
            let mut row = conversion();
            row.revision = revision << 64;
            row.sale_amount = Some(Decimal4(units));
            database.insert_conversions([row]).await.unwrap();
        }
        let mut other = conversion();
        other.account = "another";
        database.insert_conversions([other.clone()]).await.unwrap();
        other.conversion_key = Uuid::from_u128(99);
        database.insert_conversions([other]).await.unwrap();

        let main = "SELECT (count(), sum(sale_amount)) FROM conversions WHERE account = 'main'";
        assert_eq!(database.ask(main).await, "(1,-3)");
        assert_eq!(database.ask("SELECT count() FROM conversions").await, "3");
        let physical = database.ask("SELECT count() FROM conversions_g1").await;
        assert_eq!(physical, "6", "all revisions are there to be folded");
    });
}
