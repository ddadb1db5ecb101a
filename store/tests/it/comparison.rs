use postback_store::comparison::Comparison;
use postback_store::rows::{ConversionRow, Decimal4, PostbackRow};
use postback_store::{Generation, sample};
use uuid::Uuid;

use crate::database::{Database, with_tables};
use crate::rows::{conversion, postback};

/// 9,999,999,999,999.9999: more is out of reason.
const LARGEST: i64 = 99_999_999_999_999_999;

#[test]
fn the_largest_amounts_are_compared_and_sampled() {
    with_tables(|database| async move {
        let rows = [LARGEST, LARGEST, -LARGEST, 15_000].map(|units| {
            let id = Uuid::now_v7();
            let postback = PostbackRow { id, ..postback() };
            let conversion = ConversionRow {
                conversion_key: id,
                postback_id: id,
                sale_amount: Some(Decimal4(units)),
                commission: Some(Decimal4(-units)),
                currency: "USD",
                commission_currency: "EUR",
                ..conversion()
            };
            (postback, conversion)
        });
        let (postbacks, conversions): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        database.insert_postbacks(postbacks).await.unwrap();
        database.insert_conversions(conversions).await.unwrap();

        let first = Generation::FIRST;
        let comparison = Comparison::new(database.client.clone(), first, first, None);
        let money = comparison.money().await.unwrap();
        let money = money.iter().map(|money| {
            let (amount, currency) = (money.amount.as_str(), money.currency.as_str());
            (amount, currency, money.one_rows, money.one, money.other)
        });
        let sum = i128::from(LARGEST) + 15_000;
        let expected = [
            ("sale_amount", "USD", 4, sum, sum),
            ("commission", "EUR", 4, -sum, -sum),
        ];
        assert_eq!(money.collect::<Vec<_>>(), expected);

        let sampled = sample::conversions(&database.client, first, 10).await;
        let mut amounts: Vec<_> = sampled.unwrap().iter().map(|row| row.sale_amount).collect();
        amounts.sort_unstable();
        let expected = [-LARGEST, 15_000, LARGEST, LARGEST].map(Some);
        assert_eq!(amounts, expected);
    });
}

/// Conversions as one generation has them: of which postback, under which key, and for how much.
type Made<'a> = &'a [(Uuid, Uuid, i64)];

/// Two generations of the same three postbacks: a single one, and two with several orders.
async fn compared(
    database: &Database,
    ids: [Uuid; 3],
    one: Made<'_>,
    other: Made<'_>,
) -> Comparison {
    let postbacks = ids.iter().zip([true, false, false]);
    let postbacks = postbacks.map(|(id, is_single)| PostbackRow {
        id: *id,
        conversion_key: is_single.then_some(*id),
        key_day: is_single.then_some(conversion().key_day),
        ..postback()
    });
    database.insert_postbacks(postbacks).await.unwrap();
    let second = Generation::new(2).unwrap();
    database
        .execute("CREATE TABLE postbacks_g2 AS postbacks_g1")
        .await;
    database
        .execute("INSERT INTO postbacks_g2 SELECT * FROM postbacks_g1")
        .await;
    let made = |(postback_id, conversion_key, units): &(Uuid, Uuid, i64)| ConversionRow {
        postback_id: *postback_id,
        conversion_key: *conversion_key,
        sale_amount: Some(Decimal4(*units)),
        ..conversion()
    };
    database
        .execute("CREATE TABLE conversions_g2 AS conversions_g1")
        .await;
    // The second one first, by way of the first.
    database
        .insert_conversions(other.iter().map(made))
        .await
        .unwrap();
    database
        .execute("INSERT INTO conversions_g2 SELECT * FROM conversions_g1")
        .await;
    database.execute("TRUNCATE TABLE conversions_g1").await;
    database
        .insert_conversions(one.iter().map(made))
        .await
        .unwrap();
    Comparison::new(database.client.clone(), Generation::FIRST, second, None)
}

fn key(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

#[test]
fn conversions_of_one_postback_are_compared_by_their_keys() {
    with_tables(|database| async move {
        let ids = [(); 3].map(|()| Uuid::now_v7());
        let [single, several, others] = ids;
        let one: Vec<_> = (0..400).map(|n| (several, key(n), 10)).collect();
        let one = [&one[..], &[(single, single, 5), (others, key(900), 7)]].concat();
        let same = compared(&database, ids, &one, &one).await;
        assert_eq!(same.changes().await.unwrap(), []);
        let unpaired = same.unpaired().await.unwrap();
        assert_eq!((unpaired.one, unpaired.other), (0, 0));
        let money = same.money().await.unwrap();
        assert_eq!((money[0].one_rows, money[0].other_rows), (402, 402));
    });
}

#[test]
fn what_differs_of_one_among_several_is_counted_once() {
    with_tables(|database| async move {
        let ids = [(); 3].map(|()| Uuid::now_v7());
        let [single, several, others] = ids;
        let one = [
            (single, single, 5),
            (several, key(1), 10),
            (several, key(2), 20),
            (several, key(3), 30),
            (others, key(900), 7),
        ];
        // The single one under another key, one amount changed, one order lacking, another one new.
        let other = [
            (single, key(500), 5),
            (several, key(1), 10),
            (several, key(2), 21),
            (several, key(4), 40),
            (several, key(5), 50),
            (others, key(900), 7),
        ];
        let comparison = compared(&database, ids, &one, &other).await;
        let changes = comparison.changes().await.unwrap();
        let changes: Vec<_> = (changes.iter())
            .map(|change| (change.columns.join(" "), change.rows, change.postback_id))
            .collect();
        let expected = [
            ("conversion_key".to_owned(), 1, single),
            ("sale_amount".to_owned(), 1, several),
        ];
        assert_eq!(changes, expected);
        let unpaired = comparison.unpaired().await.unwrap();
        let found = (unpaired.one, unpaired.other, unpaired.postback_id);
        assert_eq!(found, (1, 2, several));
    });
}
