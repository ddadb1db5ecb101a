use postback_store::comparison::Comparison;
use postback_store::rows::{ConversionRow, Decimal4, PostbackRow};
use postback_store::{Generation, sample};
use uuid::Uuid;

use crate::database::with_tables;
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
